"""The certificate of the TLS listener, and the certificate of the CA that signed it.

The CA's private key is discarded after this one signature. To trust the CA is therefore to trust a
single certificate: no other one can be made.
"""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from . import folder

#: The host names of the services in clients; a wildcard stands for one label (RFC 6125).
NAMES = (
    "localhost",
    "*.liveperson.net",
    *(f"{host}.liveperson.net" for host in ("api", "adminlogin")),
    *(f"va.{service}.liveperson.net" for service in ("sentinel", "idp", "msg")),
)
ADDRESSES = ("127.0.0.1", "::1")
LIFE = timedelta(days=397)
#: The file of the CA's certificate in the instance folder.
CA_NAME = "ca.pem"
#: A certificate that expires sooner than this is replaced at the start.
LEFT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Certificate:
    """Paths of the PEM files."""

    ca: Path  #: the certificate of the CA, for clients to trust
    chain: Path  #: the certificate of the server, and its private key

    def context(self) -> ssl.SSLContext:
        """Return the TLS context of a server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain)
        return context


def certificate_in(instance: Path) -> Certificate:
    """Return the certificate in the folder *instance*.

    A new one is made if there is none, or if it expires soon.
    """
    kept = Certificate(instance / CA_NAME, instance / "certificate.pem")
    with folder.locked(instance):
        if kept.ca.exists() and kept.chain.exists() and _lasts(kept.chain):
            folder.restrict(kept.chain)
        else:
            ca, chain = _make()
            folder.write(kept.chain, chain)
            folder.write(kept.ca, ca)
    return kept


def _lasts(path: Path) -> bool:
    ends = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    return ends > datetime.now(UTC) + LEFT


def _make() -> tuple[str, str]:
    """Return the certificate of the CA, and that of the server with its private key."""
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Connector API example CA")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Connector API example")])
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    hosts = [
        *(x509.DNSName(name) for name in NAMES),
        *(x509.IPAddress(ip_address(address)) for address in ADDRESSES),
    ]
    ca = (
        _builder(issuer, issuer, ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    certificate = (
        _builder(subject, issuer, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .add_extension(signer, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain = certificate.public_bytes(Encoding.PEM) + private
    return ca.public_bytes(Encoding.PEM).decode(), chain.decode()


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    # Valid from yesterday on, for clients whose clocks are slow.
    start = datetime.now(UTC) - timedelta(days=1)
    return (
        x509.CertificateBuilder(issuer, subject, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + LIFE)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )

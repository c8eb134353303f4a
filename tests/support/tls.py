"""A certificate authority for tests: server contexts for TLS, valid and invalid."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_DAY = timedelta(days=1)


class Authority:
    """Signs certificates, which are written to *folder*."""

    def __init__(self, folder: Path, name: str = "our authority") -> None:
        self._folder = folder
        self._name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        #: For ``JWKS_CA_FILE``.
        self.ca_file = folder / f"{name}.pem"
        certificate = self._sign(name, self._key, [], datetime.now(UTC) + _DAY, ca=True)
        self.ca_file.write_bytes(certificate.public_bytes(Encoding.PEM))

    def context(
        self, *hosts: str, expired: bool = False, self_signed: bool = False
    ) -> ssl.SSLContext:
        """Return the context of a server on loopback.

        :param hosts: names in its certificate; its address, if none are given.
        :param expired: whether its certificate expired yesterday.
        :param self_signed: whether its certificate is self-signed.
        """
        key = self._key if self_signed else ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName(host) for host in hosts]
        names = names or [x509.IPAddress(IPv4Address("127.0.0.1"))]
        until = datetime.now(UTC) + (-_DAY if expired else _DAY)
        name = self._name if self_signed else "a server"
        certificate = self._sign(name, key, names, until)
        file = self._folder / f"{certificate.serial_number}.pem"
        file.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + certificate.public_bytes(Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _sign(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        names: list[x509.GeneralName],
        until: datetime,
        *,
        ca: bool = False,
    ) -> x509.Certificate:
        def named(common: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])

        # Strict verification requires these extensions (RFC 5280 section 4.2.1).
        usage = x509.KeyUsage(
            digital_signature=not ca,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=ca,
            crl_sign=False,
            encipher_only=False,
            decipher_only=False,
        )
        subject, issuer = (
            x509.SubjectKeyIdentifier.from_public_key(signing_key.public_key())
            for signing_key in (key, self._key)
        )
        builder = (
            x509.CertificateBuilder(named(self._name), named(name), key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(until - 3 * _DAY)
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(subject, critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer),
                critical=False,
            )
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, SHA256())

"""The certificate of the TLS listener: made once, for the host names in clients, by a CA that can
make no other."""

import ssl
import stat
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from example_app import certificates
from example_app.certificates import certificate_in
from tests.support.concurrent_calls import at_once

PRIVATE = b"PRIVATE KEY"


def read(path):
    """Return the certificate in a file."""
    return x509.load_pem_x509_certificate(path.read_bytes())


@pytest.mark.parametrize(
    "name",
    [
        "localhost",
        "api.liveperson.net",
        "adminlogin.liveperson.net",
        "any.liveperson.net",
        "va.sentinel.liveperson.net",
        "va.idp.liveperson.net",
        "va.msg.liveperson.net",
    ],
)
def test_the_names(tmp_path, name):
    """RFC 5280 section 6: valid for each name of a service in clients, and for no other name."""
    kept = certificate_in(tmp_path)
    policy = PolicyBuilder().store(Store([read(kept.ca)]))
    leaf = read(kept.chain)
    policy.build_server_verifier(x509.DNSName(name)).verify(leaf, [])
    for other in ("example.org", f"a.{name}"):
        with pytest.raises(x509.verification.VerificationError):
            policy.build_server_verifier(x509.DNSName(other)).verify(leaf, [])


def test_the_addresses(tmp_path):
    """Those of the machine itself, for clients that are given no name."""
    names = read(certificate_in(tmp_path).chain).extensions
    alternative = names.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = map(str, alternative.get_values_for_type(x509.IPAddress))
    assert list(addresses) == ["127.0.0.1", "::1"]


def test_where_it_is_kept(tmp_path):
    """For the owner alone; the CA's private key is nowhere."""
    kept = certificate_in(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"ca.pem", "certificate.pem", ".lock"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (kept.ca, kept.chain)} == {0o600}
    assert (kept.ca.read_bytes().count(PRIVATE), kept.chain.read_bytes().count(PRIVATE)) == (0, 2)
    context = ssl.create_default_context(cafile=str(kept.ca))
    assert len(context.get_ca_certs()) == 1
    kept.context()


def test_it_is_made_once(tmp_path):
    """A restart, and a concurrent start, find the same certificate."""
    assert len(set(at_once(lambda: certificate_in(tmp_path).ca.read_text()))) == 1
    before = certificate_in(tmp_path).chain.read_text()
    assert certificate_in(tmp_path).chain.read_text() == before


@pytest.mark.parametrize(("left", "same"), [(31, True), (29, False), (-1, False)])
def test_one_that_soon_ends_is_replaced(tmp_path, monkeypatch, left, same):
    """With less than thirty days left, and when it is over."""
    monkeypatch.setattr(certificates, "LIFE", timedelta(days=left + 1))
    before = certificate_in(tmp_path).chain.read_text()
    monkeypatch.undo()
    kept = certificate_in(tmp_path)
    assert (kept.chain.read_text() == before) == same
    ends = read(kept.ca).not_valid_after_utc - datetime.now(UTC)
    assert ends > timedelta(days=30)


@pytest.mark.parametrize("name", ["ca.pem", "certificate.pem"])
def test_a_part_that_is_gone(tmp_path, name):
    """Both are made anew, so that they belong together."""
    kept = certificate_in(tmp_path)
    before = {path: path.read_text() for path in (kept.ca, kept.chain)}
    (tmp_path / name).unlink()
    certificate_in(tmp_path)
    assert all(path.read_text() != text for path, text in before.items())
    read(kept.chain).verify_directly_issued_by(read(kept.ca))


def test_the_command(start, tmp_path):
    """``flask --app example_app certificate`` prints the CA's file and the server's."""
    app = start(tmp_path)
    output = app.test_cli_runner().invoke(args=["certificate"]).output
    assert output == f"{tmp_path / 'ca.pem'}\n{tmp_path / 'certificate.pem'}\n"
    assert (tmp_path / "ca.pem").exists()

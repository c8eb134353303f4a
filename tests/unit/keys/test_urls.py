"""Which URLs are accepted for key sets, proxies and Redis."""

from inspect import signature

import pytest
from hypothesis import given, strategies as st
from redis import SSLConnection
from redis.cluster import cleanup_kwargs

from flask_connector_auth.keys import (
    check_url,
    is_loopback,
    is_unprotected_redis_url,
    is_url,
    parse_proxy,
    url_host,
)
from tests.support.floor_helpers import pem, untimed

ABSOLUTE = "not an absolute URL"
NO_SCHEME = "not an absolute URL; put https:// before the host"
NO_PROXY_SCHEME = "not an absolute URL; put http:// before the host"
HTTPS = "https is needed, except for loopback and the hosts in JWKS_HTTP_HOSTS"
MORE = "user info and fragments are not sent; remove them from the URL"
PORT = "Port out of range 0-65535"
METADATA = "not a key set, but a file with its URL; give the jwks_uri in that file"
PROXY = "not http://host:port or http://user:password@host:port"
ENCODED = "user and password must be percent-encoded (RFC 3986 section 3.2.1)"
SEVERAL = (
    "several URLs in one text; a list is JSON in an environment variable: "
    '["https://one.example/", "https://two.example/"]'
)
UNSENDABLE = "a user with a colon, or a control character, cannot be sent (RFC 7617 section 2)"


@pytest.mark.parametrize(
    "value",
    [
        "https://issuer.example/",
        "HTTP://x",
        "ab://x",
        "ftp://x",
        " https://x",
        "https://",
        "a+b-c.d://x y",
    ],
)
def test_what_is_meant_to_be_a_url(value: str) -> None:
    """RFC 3986 section 3.1: text that begins with a scheme and two slashes, valid or not."""
    assert is_url(value)


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            "issuer.example/jwks",
            "/etc/keys://x",
            "//issuer.example",
            "1x://x",
            "://x",
            "C://x",
        ),
        '{"kty":"RSA","x5u":"https://issuer.example/"}',
        f"https://issuer.example/ has this key:\n{pem()}",
        *(None, 5, b"https://issuer.example/", ["https://issuer.example/"]),
    ],
)
def test_what_is_not(value: object) -> None:
    """Paths, and keys with a URL somewhere in or before them."""
    assert not is_url(value)


@pytest.mark.parametrize(
    "url",
    [
        "https://issuer.example",
        "https://issuer.example/jwks.json?tenant=1&x=@",
        "HTTPS://ISSUER.example:8443/",
        "https://192.0.2.1/",
        "https://[2001:db8::1]:8443/",
        "https://xn--bcher-kva.example/",
        "https://issuer.example/.well-known/jwks.json",
        "https://issuer.example/.well-known/openid-configuration-keys",
        "http://localhost/jwks",
        "http://LOCALHOST:5000/jwks",
        "http://127.0.0.1:5000/jwks",
        "http://127.255.255.254/",
        "http://[::1]:5000/",
    ],
)
def test_a_url_that_is_safe(url: str) -> None:
    """docs/keys.rst: https, or http to this machine."""
    check_url(url)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", NO_SCHEME),
        ("issuer.example/jwks", NO_SCHEME),
        ("/jwks", NO_SCHEME),
        ("https:issuer.example", NO_SCHEME),
        ("https:///jwks", ABSOLUTE),
        ("https://:443/jwks", ABSOLUTE),
        ("https://[::1/", ABSOLUTE),
        ("https://issuer.example:0/", PORT),
        ("https://issuer.example:65536/", PORT),
        ("https://issuer.example:x/", PORT),
        ("https://issuer.example/ä", ABSOLUTE),
        ("https://bücher.example/", ABSOLUTE),
        ("https://issuer.example\u2044x/", ABSOLUTE),
        (" https://issuer.example/", ABSOLUTE),
        ("https://issuer.example/a b", ABSOLUTE),
        ("https://issuer.example/\n", ABSOLUTE),
        ("https://issuer.example/\r\nX: y", ABSOLUTE),
        ("https://issuer\t.example/", ABSOLUTE),
        ("https://issuer.example/\x7f", ABSOLUTE),
        ("https://issuer.example/\x00", ABSOLUTE),
        ("http://issuer.example/", HTTPS),
        ("ftp://localhost/", HTTPS),
        ("file://localhost/etc/passwd", HTTPS),
        ("http://127.0.0.1.issuer.example/", HTTPS),
        ("http://localhost.issuer.example/", HTTPS),
        ("http://10.0.0.1/", HTTPS),
        ("http://0.0.0.0/", HTTPS),
        ("http://2130706433/", HTTPS),
        ("http://127.1/", HTTPS),
        ("http://0x7f.0.0.1/", HTTPS),
        ("http://127.0.0.1@issuer.example/", MORE),
        ("https://user:secret@issuer.example/", MORE),
        ("https://@issuer.example/", MORE),
        ("https://issuer.example\\@other.example/", MORE),
        ("https://issuer.example/#keys", MORE),
        ("https://issuer.example/#", MORE),
        ("https://user:sec/ret@issuer.example/", PORT),
        *(
            (f"https://issuer.example{path}", METADATA)
            for path in (
                "/.well-known/openid-configuration",
                "/tenant/.well-known/openid-configuration/",
                "/.well-known/openid-configuration?p=1",
                "/.well-known/oauth-authorization-server",
                "/.well-known/oauth-authorization-server/tenant",
            )
        ),
    ],
)
def test_a_url_that_is_not(url: str, problem: str) -> None:
    """docs/keys.rst: other URLs are refused at start."""
    with pytest.raises(ValueError) as caught:
        check_url(url)
    assert str(caught.value) == problem


HTTP_HOSTS = {url_host(host) for host in ("issuer", "Issuer.Example", "10.0.0.1", "[FD00::1]")}


@pytest.mark.parametrize(
    "url",
    [
        *("http://issuer/jwks", "http://ISSUER:8080/jwks", "http://issuer.example/"),
        *("http://10.0.0.1:80/", "http://[fd00::1]:8080/", "http://[FD00::1]/"),
        *("http://localhost/", "https://other.example/"),
    ],
)
def test_a_host_for_which_plain_http_is_accepted(url: str) -> None:
    """JWKS_HTTP_HOSTS: the host, in any case (RFC 3986 section 3.2.2), on any port."""
    check_url(url, HTTP_HOSTS)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://issuer.other/", HTTPS),
        ("http://other.issuer/", HTTPS),
        ("http://issuer./", HTTPS),
        ("http://an-issuer/", HTTPS),
        ("http://10.0.0.10/", HTTPS),
        ("http://[fd00:0::1]/", HTTPS),
        ("ftp://issuer/", HTTPS),
        ("http://issuer@other/", MORE),
        ("http://user:secret@issuer/", MORE),
        ("http://issuer/#keys", MORE),
        ("http://issuer:0/", PORT),
        ("http://issuer\\.other/", HTTPS),
    ],
)
def test_plain_http_is_accepted_for_no_other_host(url: str, problem: str) -> None:
    """JWKS_HTTP_HOSTS: hosts are compared exactly, and all other rules stay."""
    with pytest.raises(ValueError) as caught:
        check_url(url, HTTP_HOSTS)
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://proxy.example:3128", "proxy.example"),
        ("http://127.0.0.1:3128/", "127.0.0.1"),
        ("http://[::1]:3128", "::1"),
        ("http://do-not:tell%40this@proxy.example:3128", "proxy.example"),
    ],
)
def test_a_proxy_that_can_be_used(url: str, host: str) -> None:
    """JWKS_PROXY: a host and a port; the repr has neither user nor password."""
    proxy = parse_proxy(url)
    assert repr(proxy) == f"Proxy(host={host!r}, port=3128)"
    assert bool(proxy.headers) is ("@" in url)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("proxy.example:3128", NO_PROXY_SCHEME),
        ("http://:3128", ABSOLUTE),
        ("http://proxy.example:3128\n", ABSOLUTE),
        ("http://proxy.example:port", PORT),
        ("http://proxy.example", PROXY),
        ("https://proxy.example:3128", PROXY),
        ("socks5://proxy.example:3128", PROXY),
        ("http://user:secret@proxy.example", PROXY),
        ("https://user:secret@proxy.example:3128", PROXY),
        ("http://user:secret@:3128", ABSOLUTE),
        ("user:secret@proxy.example:3128", NO_PROXY_SCHEME),
        *(
            (f"http://{user_info}@proxy.example:3128", ENCODED)
            for user_info in ("", ":secret", "a@b:c", "a:b@c", "a:b/c", "a:b#c", "a:b?c", "a:b%")
        ),
        *(
            (f"http://a:{password}@proxy.example:1", ENCODED)
            for password in ("%4", "%zz", "é", '"')
        ),
        ("http://a b:c@proxy.example:1", ENCODED),
        ("http://a\n:c@proxy.example:1", ENCODED),
        ("http://a%3Ab:c@proxy.example:3128", UNSENDABLE),
        ("http://a%0D%0AX:c@proxy.example:3128", UNSENDABLE),
        ("http://a:c%00@proxy.example:3128", UNSENDABLE),
        ("http://a:c%7F@proxy.example:3128", UNSENDABLE),
        ("http://proxy.example:3128/path", PROXY),
        ("http://proxy.example:3128/?", PROXY),
        ("http://proxy.example:3128/#", PROXY),
    ],
)
def test_a_proxy_that_cannot(url: str, problem: str) -> None:
    """JWKS_PROXY: nothing that would be ignored silently."""
    with pytest.raises(ValueError) as caught:
        parse_proxy(url)
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("", False),
        ("Localhost.", False),
        ("localhost.example", False),
        ("128.0.0.1", False),
        ("::2", False),
        ("127.0.0.1:80", False),
    ],
)
def test_what_is_this_machine(host: str, expected: bool) -> None:
    """RFC 6890: the loopback addresses, as literals, and the one name."""
    assert is_loopback(host) is expected


SENTENCES = {ABSOLUTE, NO_SCHEME, NO_PROXY_SCHEME, HTTPS, MORE, PORT, PROXY, ENCODED, UNSENDABLE}
SENTENCES.add(SEVERAL)


@untimed
@given(st.text() | st.text("htps:/[]@#?%.1x0 \\").map("https://secret:".__add__))
def test_no_message_quotes_the_url(url: str) -> None:
    """Whatever the URL, the message is one of these sentences."""
    for check in (check_url, parse_proxy):
        try:
            check(url)
        except ValueError as error:
            assert str(error) in SENTENCES
            assert error.__suppress_context__ or error.__context__ is None


@pytest.mark.parametrize(
    "url",
    [
        *("redis://localhost", "redis://127.0.0.1:6379/0", "redis://[::1]:6379", "redis://[::1]"),
        *("redis://:secret@localhost", "redis+cluster://localhost:1,127.0.0.2:2", "unix:///run/x"),
        *("rediss://db.test", "rediss://db.test?ssl_cert_reqs=required", "rediss+sentinel://a,b/c"),
        *("redis://local%68ost", "redis://db.test@localhost", "redis:///0?host=localhost"),
        *(f"rediss://db.test?ssl_check_hostname={yes}" for yes in ("true", "1", "y", "on", "")),
        "rediss://db.test?ssl_cert_reqs=required&ssl_cert_reqs=none",
        "rediss://db.test?ssl_ca_certs=/ca.pem&ssl_certfile=/a.pem&ssl_keyfile=/a.key",
        # Of others' options; those of redis-py are in small letters.
        "rediss+sentinel://:secret@a,b/c?sentinel_password=ssl_cert_reqs=none",
        *("a file", "/redis://db.test", "redis.copy", "None"),
    ],
)
def test_a_protected_redis_url(url: str) -> None:
    """As for key sets: plain text is for loopback alone."""
    assert not is_unprotected_redis_url(url)


@pytest.mark.parametrize(
    "url",
    [
        *("redis://db.test", "redis://:secret@10.0.0.1:6379/0", "redis://localhost@db.test"),
        *(
            "redis+sentinel://localhost,db.test/service",
            "redis+cluster://db.test",
            "redis://[fe80::1]:1",
        ),
        *("redis://Xlocalhost", "redis://localhost%2edb.test", "redis:///0?host=db.test"),
        *("rediss://localhost?ssl_cert_reqs=none", "rediss://127.0.0.1?ssl_check_hostname=no"),
        *(
            f"rediss{where}?{what}"
            for where in ("://db.test", "://:secret@db.test/1", "+sentinel://a,b/c")
            for what in (
                *("ssl_cert_reqs=none", "ssl_cert_reqs=optional", "ssl_cert_reqs=%6eone"),
                *(
                    "ssl_cert_reqs=n%6F%6ee",
                    "%73sl_cert_reqs=none",
                    "ssl_cert_reqs=&ssl_cert_reqs=none",
                ),
                *(
                    "ssl_cert_reqs=none&ssl_cert_reqs=required",
                    "health_check_interval=1&ssl_cert_reqs=none",
                ),
                *(f"ssl_check_hostname={no}" for no in ("n", "N", "no", "No", "0", "f", "F", "nO")),
                *(f"ssl_check_hostname={no}" for no in ("false", "False", "%66alse", "%30", "%6E")),
            )
        ),
        "rediss+cluster://a,b?ssl_cert_reqs=none",
    ],
)
def test_an_unprotected_redis_url(url: str) -> None:
    """Plain text to another machine, even one of several, and TLS that verifies no certificate."""
    assert is_unprotected_redis_url(url)


@pytest.mark.parametrize(
    "options",
    [
        *("SSL_CERT_REQS=NONE", "ssl_cert_reqs=NONE", "ssl_cert_reqs=", "ssl_cert_reqs=0"),
        *("ssl_cert_reqs=%20none", "ssl_verify=no", "cert_reqs=none"),
        *("ssl_min_version=769", "ssl_min_version=-2", "ssl_min_version=TLSv1"),
        *("ssl_ciphers=aNULL", "ssl_ciphers=ALL:@SECLEVEL=0", "ssl_ciphers=DEFAULT:@SECLEVEL=1"),
        *("ssl_ciphers=eNULL:@SECLEVEL=2", "ssl_ciphers=ALL", "ssl_ciphers=do-not-tell-this"),
        "ssl_include_verify_flags=VERIFY_ALLOW_PROXY_CERTS",
        "ssl_include_verify_flags=[VERIFY_X509_STRICT, VERIFY_ALLOW_PROXY_CERTS]",
        "connection_class=Connection",
    ],
)
@pytest.mark.parametrize("where", ["://db.test", "+sentinel://a,b/c"])
def test_no_option_makes_an_unverified_connection(where: str, options: str) -> None:
    """Each is refused, reported, or without effect, in every version of redis-py."""
    try:
        exposed = is_unprotected_redis_url(f"rediss{where}?{options}")
    except ValueError as error:
        assert str(error) == "not a valid Redis URL"
        assert error.__suppress_context__
    else:
        assert exposed is (options not in ("ssl_cert_reqs=", "connection_class=Connection"))


@pytest.mark.parametrize("value", ["true", "false", "0", "1"])
def test_only_the_scheme_makes_a_connection_tls(value: str) -> None:
    """``ssl`` is an option of clients and of no connection: refused, or without effect."""
    for scheme in ("redis", "rediss"):
        with pytest.raises(ValueError, match="not a valid Redis URL"):
            is_unprotected_redis_url(f"{scheme}://db.test?ssl={value}")
        sentinel = f"{scheme}+sentinel://db.test/service?ssl={value}"
        assert is_unprotected_redis_url(sentinel) is (scheme == "redis")


NEWER = "ssl_min_version" in signature(SSLConnection).parameters


@pytest.mark.parametrize(
    "options",
    [
        *("ssl_min_version=771", "ssl_min_version=772", "ssl_ciphers=ECDHE%2BAESGCM"),
        *("ssl_include_verify_flags=VERIFY_X509_STRICT", "ssl_ciphers=HIGH:!aNULL"),
        "ssl_exclude_verify_flags=VERIFY_X509_STRICT",
    ],
)
def test_options_of_newer_versions(options: str) -> None:
    """Options as strict as the defaults or stricter are accepted, if redis-py has them."""
    url = f"rediss://db.test?{options}"
    if NEWER:
        assert not is_unprotected_redis_url(url)
    else:
        with pytest.raises(ValueError, match="not a valid Redis URL"):
            is_unprotected_redis_url(url)


@pytest.mark.parametrize("port", [1, 26379])
def test_a_cluster_is_judged_by_what_its_client_keeps(port: int) -> None:
    """redis-py 5.0 drops ssl_check_hostname there, so that no name is compared."""
    kept = cleanup_kwargs(ssl_check_hostname=True)
    assert is_unprotected_redis_url(f"rediss+cluster://db.test:{port}") is not bool(kept)
    assert is_unprotected_redis_url("rediss+cluster://a?ssl_check_hostname=n")


@pytest.mark.parametrize(
    "url", ["http://db.test", "redis://one,two", "redis+ring://one", "redis://localhost:port"]
)
def test_a_url_of_no_redis_is_an_error(url: str) -> None:
    """Whether such a URL is safe cannot be determined."""
    with pytest.raises(ValueError, match=r"not a (valid )?Redis URL"):
        is_unprotected_redis_url(url)

"""Remote keys in whole apps: several apps in one process, and apps that are dropped."""

import gc
import socket
import threading
import weakref

import pytest
from flask import Flask

from flask_connector_auth import require_app_jwt
from flask_connector_auth.testing import Issuer, KeySetServer
from tests.support.floor_helpers import decoded
from tests.support.http_helpers import assert_row, headers
from tests.support.types import MakeApp


def with_view(app: Flask) -> Flask:
    """Add a protected view."""
    app.add_url_rule("/x", "x", require_app_jwt(lambda: {}))
    return app


def test_several_apps_have_a_set_each(make_app: MakeApp, issuer: Issuer, stranger: Issuer) -> None:
    """Two apps with two issuers in one process: each fetches the set of its issuer, once."""
    with KeySetServer(issuer) as server, KeySetServer(stranger) as other_server:
        apps = {
            issuer: with_view(make_app(APP_JWT_KEYS=server.url)).test_client(),
            stranger: with_view(make_app(APP_JWT_KEYS=other_server.url)).test_client(),
        }
        for _ in range(2):
            for signer, client in apps.items():
                assert client.get("/x", headers=headers(signer.app_jwt())).status_code == 200
                (other,) = apps.keys() - {signer}
                assert_row(client.get("/x", headers=headers(other.app_jwt())), 40102)
        # A signature that fails under a set younger than the cooldown starts no fetch.
        assert len(server.requests) == len(other_server.requests) == 1


def test_a_key_set_within_a_cluster(
    make_app: MakeApp, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JWKS_HTTP_HOSTS: plain http for the configured URL; a token still names nothing that is
    fetched, and no redirect is followed."""
    with KeySetServer(issuer) as server, KeySetServer(issuer) as other_server:
        ports = {"issuer": server.port, "other": other_server.port}
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, *_: [
                (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", ports[host]))
            ],
        )
        url, other = "http://issuer/jwks.json", "http://other/jwks.json"
        hosts = {"APP_JWT_KEYS": url, "JWKS_HTTP_HOSTS": ["issuer", "other"]}
        client = with_view(make_app(**hosts)).test_client()
        assert client.get("/x", headers=headers(issuer.app_jwt())).status_code == 200
        assert server.requests[0].headers["host"] == "issuer"
        claims = decoded(issuer.app_jwt().split(".")[1])
        for header in ({"jku": other}, {"x5u": other, "kid": "unknown"}):
            client.get("/x", headers=headers(issuer.sign(claims, header)))
        server.fail("redirect", to=other)
        client = with_view(make_app(**hosts)).test_client()
        assert_row(client.get("/x", headers=headers(issuer.app_jwt())), 50301)
        assert other_server.requests == []


@pytest.mark.parametrize(
    ("others", "is_up", "forged", "unknown"),
    [
        pytest.param(False, True, 40102, 40102, id="one set, its server up"),
        pytest.param(False, False, 40102, 50301, id="one set, its server down"),
        pytest.param(True, True, 40102, 40102, id="another source, its server up"),
        pytest.param(True, False, 50301, 50301, id="another source, its server down"),
    ],
)
def test_a_bad_signature_is_503_only_while_another_source_is_out_of_reach(
    make_app: MakeApp,
    issuer: Issuer,
    stranger: Issuer,
    others: bool,
    is_up: bool,
    forged: int,
    unknown: int,
) -> None:
    """docs/security.rst, when the answer is 503: the key set that has the ``kid`` decides alone; of
    several, one that is out of reach, with no such key at hand, may have the right one."""
    with KeySetServer(stranger if others else issuer) as server:
        keys = [issuer.key_set(), server.url] if others else server.url
        client = with_view(make_app(APP_JWT_KEYS=keys)).test_client()
        if not others:
            assert client.get("/x", headers=headers(issuer.app_jwt())).status_code == 200
        if not is_up:
            server.stop()
        assert client.get("/x", headers=headers(issuer.app_jwt())).status_code == 200
        for name, code in {"forged": forged, "unknown_key": unknown}.items():
            assert_row(client.get("/x", headers=headers(issuer.broken(name))), code)


def test_a_dropped_app_leaves_nothing_behind(make_app: MakeApp, issuer: Issuer) -> None:
    """Reloads and tests create apps and drop them: neither source nor thread stays."""
    threads = threading.active_count()
    with KeySetServer(issuer) as server:
        app = with_view(make_app(APP_JWT_KEYS=server.url))
        token = headers(issuer.app_jwt())
        assert app.test_client().get("/x", headers=token).status_code == 200
        source = weakref.ref(app.extensions["connector_auth"].verifiers[0].keys)
        assert source() is not None
        del app
        gc.collect()
        assert source() is None
    assert threading.active_count() <= threads

"""Remote keys in whole apps: several in one process, and those that nobody needs any more."""

import gc
import threading
import weakref

from flask import Flask

from flask_connector_auth import require_app_jwt
from flask_connector_auth.testing import Issuer, KeySetServer
from tests.support.http_helpers import assert_row, headers
from tests.support.types import MakeApp


def with_view(app: Flask) -> Flask:
    """Add a protected view."""
    app.add_url_rule("/x", "x", require_app_jwt(lambda: {}))
    return app


def test_several_apps_have_a_set_each(make_app: MakeApp, issuer: Issuer, stranger: Issuer) -> None:
    """Two apps with two issuers in one process: each fetches its own set, once, and trusts it."""
    with KeySetServer(issuer) as ours, KeySetServer(stranger) as theirs:
        apps = {
            issuer: with_view(make_app(APP_JWT_KEYS=ours.url)).test_client(),
            stranger: with_view(make_app(APP_JWT_KEYS=theirs.url)).test_client(),
        }
        for _ in range(2):
            for signer, client in apps.items():
                assert client.get("/x", headers=headers(signer.app_jwt())).status_code == 200
                (other,) = apps.keys() - {signer}
                assert_row(client.get("/x", headers=headers(other.app_jwt())), 40102)
        # A signature that fails under a set this young is no reason to ask again.
        assert len(ours.requests) == len(theirs.requests) == 1


def test_an_app_that_nobody_needs_leaves_nothing_behind(make_app: MakeApp, issuer: Issuer) -> None:
    """Reloads and tests make apps and drop them: neither source nor thread stays."""
    threads = threading.active_count()
    with KeySetServer(issuer) as server:
        app = with_view(make_app(APP_JWT_KEYS=server.url))
        token = headers(issuer.app_jwt())
        assert app.test_client().get("/x", headers=token).status_code == 200
        source = weakref.ref(app.extensions["connector_auth"].settings.app_jwt_keys)
        assert source() is not None
        del app
        gc.collect()
        assert source() is None
    assert threading.active_count() <= threads

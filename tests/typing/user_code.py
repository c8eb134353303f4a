"""What a user's type checker sees: a decorated view keeps its signature, identities have types."""

from collections.abc import Awaitable
from typing import assert_type

from flask import Flask
from flask.views import MethodView

from flask_connector_auth import (
    ConnectorAuth,
    ConnectorAuthError,
    ErrorRow,
    current_app_jwt,
    current_consumer_jws,
    public,
    require_app_jwt,
    require_consumer_jws,
    verify_request,
)
from flask_connector_auth.testing import ConnectorClient, Issuer, assert_connector_error


@require_app_jwt
def bare(account_id: str) -> dict[str, str]:
    """A view that is decorated bare."""
    return {"account": account_id}


@require_consumer_jws(optional=True)
@require_app_jwt(scopes="a", any_scope=["b", "c"])
def called(account_id: str, page: int = 1) -> list[int]:
    """A view that is decorated called."""
    return [page]


@require_consumer_jws
async def asynchronous(account_id: str) -> str:
    """A coroutine function."""
    return account_id


class Resource(MethodView):
    """A view class."""

    decorators = [require_consumer_jws]  # noqa: RUF012

    @require_app_jwt
    def get(self, account_id: str) -> str:
        """Return the install id."""
        return current_app_jwt.install_id


class Closed(ConnectorAuthError):
    """An own row."""

    row = ErrorRow(40901, "Closed", "It is closed")


@public
def status() -> str:
    """A public view."""
    return "ok"


assert_type(bare("a"), dict[str, str])
assert_type(called("a", page=2), list[int])
assert_type(status(), str)
bare(1)  # type: ignore[arg-type]
called("a", size=2)  # type: ignore[call-arg]
require_app_jwt(scopes=1)  # type: ignore[call-overload]


def use(app: Flask) -> None:
    """Use everything else once."""
    awaited: Awaitable[str] = asynchronous("a")
    assert_type(current_app_jwt.install_id, str)
    assert_type(current_app_jwt.scopes, frozenset[str])
    assert_type(current_app_jwt.expires_at, float)
    assert_type(current_consumer_jws.lp_consumer_id, str)
    identity = verify_request(consumer_jws=False)
    if identity.app_jwt is not None:
        assert_type(identity.app_jwt.account_id, str)
    auth = ConnectorAuth(app)
    auth.protect(app, scopes="a")
    app.add_url_rule("/<account_id>", view_func=Resource.as_view("resource"))
    raise Closed() if awaited else Closed


def test_kit(app: Flask) -> None:
    """Use the test kit as tests do."""
    issuer = Issuer(account_id="le1")
    assert_type(issuer.broken("expired", azp="install-1"), str)
    issuer.broken("expired", "app")  # type: ignore[arg-type]
    client = ConnectorClient(app, issuer)
    answer = client.get("/le1", app_jwt=None, consumer_jws=issuer.consumer_jws())
    assert_connector_error(answer, 40105)
    assert_connector_error(answer, Closed)
    assert_connector_error(answer, "40105")  # type: ignore[arg-type]

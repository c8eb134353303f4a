"""What a user's type checker sees: a decorated view keeps its signature, identities have types.

Each wrong use is an error to mypy and to pyright: both refuse an ignored error that is none.
"""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from collections.abc import Mapping, Sequence
from typing import assert_type

from flask import Flask
from flask.views import MethodView

from flask_connector_auth import (
    AppJWT,
    ConnectorAuth,
    ConnectorAuthError,
    ErrorRow,
    Fetch,
    FetchResponse,
    InvalidAppJWT,
    KeySource,
    Reason,
    VerificationKey,
    current_app_jwt,
    current_consumer_jws,
    public,
    require_app_jwt,
    require_consumer_jws,
    verify_request,
)
from flask_connector_auth.integrations.authlib import AppJWTToken, AppJWTValidator
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

    @require_consumer_jws(optional=True)
    async def post(self, account_id: str) -> bool:
        """Whether the token was sent."""
        return bool(current_consumer_jws)


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
require_consumer_jws(scopes="a")  # type: ignore[call-overload]
verify_request(scope="a")  # type: ignore[call-arg]
public("a")  # type: ignore[type-var]
assert_type(Resource().get("a"), str)
Resource().get(account=1)  # type: ignore[call-arg]


async def wait() -> None:
    """Await what is decorated: a coroutine function stays one."""
    assert_type(await asynchronous("a"), str)
    assert_type(await Resource().post("a"), bool)
    await asynchronous(1)  # type: ignore[arg-type]
    await bare("a")  # type: ignore[misc]


class OneKey(KeySource):
    """A source of the user's, and a fetch."""

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """Return the keys."""
        return []


def fetch(url: str, *, headers: Mapping[str, str], timeout: float, max_bytes: int) -> FetchResponse:
    """Return what there is."""
    return FetchResponse(200, b"", {})


def fetch_without_limits(url: str) -> FetchResponse:
    """Return what there is, however long it takes."""
    return FetchResponse(200, b"", {})


source: KeySource = OneKey()
fetches: list[Fetch] = [fetch]
fetches.append(fetch_without_limits)  # type: ignore[arg-type]


def use(app: Flask) -> None:
    """Use everything else once."""
    assert_type(current_app_jwt.install_id, str)
    assert_type(current_app_jwt.scopes, frozenset[str])
    assert_type(current_app_jwt.expires_at, float)
    assert_type(current_consumer_jws.lp_consumer_id, str)
    print(current_app_jwt.lp_consumer_id)  # type: ignore[attr-defined]
    print(current_consumer_jws.install_id)  # type: ignore[attr-defined]
    current_app_jwt.install_id = "mine"  # type: ignore[misc]
    identity = verify_request(consumer_jws=False)
    print(identity.app_jwt.account_id)  # type: ignore[union-attr]
    if identity.app_jwt is not None:
        assert_type(identity.app_jwt.account_id, str)
    auth = ConnectorAuth(app)
    auth.protect(app, scopes="a")
    app.add_url_rule("/<account_id>", view_func=Resource.as_view("resource"))
    assert_type(InvalidAppJWT(Reason.VIEW).reason, Reason)
    raise Closed if app.debug else Closed()


def under_authlib(text: str) -> str:
    """Move one route at a time."""
    token = AppJWTValidator("a realm").authenticate_token(text)
    assert_type(token, AppJWTToken)
    assert_type(token.app_jwt, AppJWT)
    return token.app_jwt.install_id


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

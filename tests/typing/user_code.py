"""What a user's type checker sees: a decorated view keeps its signature, identities have types.

Each wrong use is an error to mypy and to pyright: both refuse an ignored error that is none.
"""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from collections.abc import Mapping, Sequence
from typing import Any, assert_type, cast

from flask import Flask
from flask.views import MethodView

from flask_connector_auth import (
    AppJWT,
    ClaimRejected,
    ConnectorAuth,
    ConnectorAuthError,
    ConsumerJWS,
    ErrorRow,
    Fetch,
    FetchResponse,
    Identity,
    InvalidAppJWT,
    KeySource,
    Reason,
    VerificationKey,
    current_app_jwt,
    current_consumer_jws,
    current_user,
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
verify_request(scope="a")  # type: ignore[call-overload]
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
    assert_type(current_app_jwt.claims, dict[str, Any])
    assert_type(current_app_jwt.to_dict(), dict[str, Any])
    assert_type(current_consumer_jws.claims, dict[str, Any])
    assert_type(current_consumer_jws.lp_consumer_id, str)
    print(current_app_jwt.lp_consumer_id)  # type: ignore[attr-defined]
    print(current_consumer_jws.install_id)  # type: ignore[attr-defined]
    current_app_jwt.install_id = "mine"  # type: ignore[misc]
    auth = ConnectorAuth(app)
    auth.protect(app, scopes="a")
    app.add_url_rule("/<account_id>", view_func=Resource.as_view("resource"))
    assert_type(InvalidAppJWT(Reason.VIEW).reason, Reason | str)
    assert_type(InvalidAppJWT().reason_details, Mapping[str, str])
    raise Closed if app.debug else Closed()


def tokens_of_a_call(switch: bool) -> Identity:
    """Read a token without a test for ``None`` where the literal arguments make it certain."""
    assert_type(verify_request().app_jwt.install_id, str)
    assert_type(verify_request(scopes="a").consumer_jws.lp_consumer_id, str)
    assert_type(verify_request(app_jwt=True, consumer_jws=True, optional=False).app_jwt, AppJWT)
    assert_type(verify_request(consumer_jws=False, any_scope="a").app_jwt, AppJWT)
    assert_type(verify_request(app_jwt=False).consumer_jws, ConsumerJWS)
    # The endpoint itself may require what the call does not.
    assert_type(verify_request(consumer_jws=False).consumer_jws, ConsumerJWS | None)
    assert_type(verify_request(app_jwt=False).app_jwt, AppJWT | None)
    for each in (
        verify_request(optional=True),
        verify_request(optional=switch),
        verify_request(app_jwt=switch),
        verify_request(consumer_jws=switch),
        verify_request(app_jwt=switch, consumer_jws=switch),
        verify_request(consumer_jws=False, optional=True),
    ):
        assert_type(each, Identity)
        assert_type(each.app_jwt, AppJWT | None)
        print(each.app_jwt.install_id)  # type: ignore[union-attr]
        print(each.consumer_jws.lp_consumer_id)  # type: ignore[union-attr]
    _, app_jwt, consumer_jws = verify_request()
    assert_type((app_jwt, consumer_jws), tuple[AppJWT, ConsumerJWS])
    verify_request(optional=1)  # type: ignore[call-overload]
    return verify_request()


def callbacks(auth: ConnectorAuth) -> int:
    """Register checks, which keep their types, and read a user by a cast."""

    @auth.claim_check
    def of_each(token: AppJWT | ConsumerJWS) -> None:
        raise ClaimRejected("word", account=token.account_id)

    @auth.claim_check(token="app_jwt", claims_only=True)
    def of_apps(token: AppJWT) -> None:
        of_each(token)

    @auth.user_loader(lazy=True)
    def load(identity: Identity[AppJWT, ConsumerJWS]) -> int | None:
        return len(identity.app_jwt.install_id)

    assert_type(load(verify_request()), int | None)
    of_apps("token")  # type: ignore[arg-type]
    auth.claim_check(lambda token: False)  # type: ignore[type-var]
    return cast(int, current_user)


def under_authlib(text: str) -> str:
    """Move one route at a time."""
    token = AppJWTValidator("a realm").authenticate_token(text)
    assert_type(token, AppJWTToken)
    assert_type(token.app_jwt, AppJWT)
    return token.app_jwt.install_id


def unit_test() -> str:
    """Make a token by hand, for a function that takes one."""
    token = AppJWT(
        account_id="le1",
        install_id="install-1",
        scopes=frozenset(),
        issuer="Sentinel",
        issued_at=0,
        expires_at=1,
        claims={"roles": ["admin"]},
    )
    AppJWT(account_id="le1")  # type: ignore[call-arg]
    return token.install_id


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

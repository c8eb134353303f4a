"""The account that a view is called with binds the tokens, as one in the URL does."""

from functools import wraps
from operator import itemgetter
from typing import Any

import pytest
from flask.views import MethodView

from flask_connector_auth import ConnectorAuth, require_app_jwt, require_consumer_jws
from flask_connector_auth.testing import Issuer
from flask_connector_auth.web import Binding, audit
from tests.support.floor_helpers import cases
from tests.support.http_helpers import ACCOUNT, assert_row, headers
from tests.support.types import MakeApp

#: By the name in the URL; the app serves other accounts too.
SLUGS = {"mine": ACCOUNT, "theirs": "another"}


def by_name(view: Any) -> Any:
    """Look the account up and pass it to *view* by name."""

    def wrapper(slug: str) -> Any:
        return view(account_id=SLUGS.get(slug))

    return wrapper


def by_place(view: Any) -> Any:
    """Look the account up and pass it to *view* by place."""

    def wrapper(slug: str) -> Any:
        return view(SLUGS.get(slug))

    return wrapper


def with_wraps(view: Any) -> Any:
    """Look the account up in a wrapper with the signature of *view*."""

    @wraps(view)
    def wrapper(slug: str, **arguments: Any) -> Any:
        return view(account_id=SLUGS.get(slug), **arguments)

    return wrapper


def in_a_coroutine(view: Any) -> Any:
    """Look the account up and await *view*."""

    async def wrapper(slug: str) -> Any:
        return await view(account_id=SLUGS.get(slug))

    return wrapper


def plain(ask: Any) -> Any:
    """Return a view function."""
    return ask(lambda account_id: {"of": account_id})


def awaited(ask: Any) -> Any:
    """Return a coroutine function."""

    @ask
    async def view(account_id: str) -> Any:
        return {"of": account_id}

    return view


def class_based(ask: Any) -> Any:
    """Return a class whose method is decorated."""

    class Resource(MethodView):
        @ask
        def get(self, account_id: str) -> Any:
            """Answer."""
            return {"of": account_id}

    return Resource.as_view("x")


@pytest.mark.parametrize("protected", [False, True])
@pytest.mark.parametrize("ask", [require_app_jwt, require_consumer_jws])
@cases(
    "look_up, view",
    {
        "by name": (by_name, plain),
        "by place": (by_place, plain),
        "functools.wraps": (with_wraps, plain),
        "coroutine": (in_a_coroutine, awaited),
        "class": (by_name, class_based),
    },
)
def test_an_account_that_is_looked_up_binds(
    look_up: Any, view: Any, ask: Any, protected: bool, make_app: MakeApp, issuer: Issuer
) -> None:
    """RFC 8725 section 3.9: below a decorator that maps another argument to the account, a token
    of another account is refused, and so is each token where none was found; also where
    ``protect()`` has found the tokens good before, for no account in particular."""
    app = make_app()
    if protected:
        ConnectorAuth().protect(app)
    app.add_url_rule("/<slug>", "x", look_up(view(ask)))
    client, row = app.test_client(), 40102 if ask is require_app_jwt else 40103
    sent = headers(issuer.app_jwt(), issuer.consumer_jws())
    assert client.get("/mine", headers=sent).json == {"of": ACCOUNT}
    for slug in ("theirs", "nobodys"):
        # The AppJWT is verified first, wherever it is required.
        assert_row(client.get(f"/{slug}", headers=sent), 40102 if protected else row)
    theirs = headers(issuer.app_jwt(aud="another"), issuer.consumer_jws(account_id="another"))
    assert client.get("/theirs", headers=theirs).json == {"of": "another"}


@pytest.mark.parametrize("passed", [str, int, lambda _account: None])
def test_an_account_that_is_passed_does_not_replace_the_one_in_the_url(
    passed: Any, make_app: MakeApp, issuer: Issuer
) -> None:
    """Where both are there, they must be one; in whatever type, and unless the call has none."""
    app = make_app()
    view = require_app_jwt(lambda account_id, other=None: {})
    app.add_url_rule(
        "/<int:account_id>/<other>",
        "x",
        lambda account_id, other: view(
            account_id=passed(account_id if other == "same" else account_id + 1)
        ),
    )
    client, sent = app.test_client(), headers(issuer.app_jwt(aud="7"))
    assert client.get("/7/same", headers=sent).status_code == 200
    assert_row(client.get("/8/same", headers=sent), 40102)
    if passed(7) is not None:
        # To the token's account as well as away from it.
        assert_row(client.get("/6/next", headers=sent), 40102)
        assert_row(client.get("/7/next", headers=sent), 40102)


def test_a_view_without_an_account_is_bound_to_none(make_app: MakeApp, issuer: Issuer) -> None:
    """Neither by other arguments, nor by a default of the view or of its rule."""
    app = make_app()

    def view(slug: str, account_id: str | None = None) -> dict[str, Any]:
        return {}

    app.add_url_rule("/one/<slug>", "one", require_app_jwt(view))
    app.add_url_rule("/all/<slug>", "all", require_app_jwt(view), defaults={"account_id": None})
    app.add_url_rule("/c/<slug>", "c", lambda slug: require_app_jwt(itemgetter(slug))({slug: "x"}))
    client, sent = app.test_client(), headers(issuer.app_jwt(aud="another"))
    for url in ("/one/x", "/all/x", "/c/x"):
        assert client.get(url, headers=sent).status_code == 200


def test_the_audit_and_the_account_that_is_looked_up(make_app: MakeApp, issuer: Issuer) -> None:
    """The audit does not call it bound: it is not, where ours stands above what looks it up."""
    app = make_app()
    view = plain(lambda view: view)
    app.add_url_rule("/above/<slug>", "above", require_app_jwt(by_name(view)))
    app.add_url_rule("/below/<slug>", "below", with_wraps(require_app_jwt(view)))
    routes = {each.endpoint: each for each in audit(app)}
    assert routes["above"].binding is routes["below"].binding is Binding.ANY
    client, sent = app.test_client(), headers(issuer.app_jwt())
    assert client.get("/above/theirs", headers=sent).json == {"of": "another"}
    assert_row(client.get("/below/theirs", headers=sent), 40102)

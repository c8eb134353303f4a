"""The Flask app with the two views that every subject has, protected by a given guard."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from flask import Flask, g, request

View = Callable[..., Any]
Decorator = Callable[[View], View]
#: Returns the verified claims of a token, given its text and the account in the URL.
Verify = Callable[[str, str], dict[str, Any]]

CONSUMER_HEADER = "X-LP-ON-BEHALF"


def serve(
    name: str,
    one: Decorator,
    two: Decorator,
    install: Callable[[], str],
    consumer: Callable[[], str],
) -> Flask:
    """Return the app *name*.

    :param one: guards the view that requires the AppJWT.
    :param two: guards the view that requires both tokens.
    :param install: returns the app that the current request's AppJWT names.
    :param consumer: returns the consumer that its ConsumerJWS names.
    """
    app = Flask(name)

    @app.get("/one/<account_id>")
    @one
    def view_one(account_id: str) -> Any:
        return {"account_id": account_id, "install_id": install()}

    @app.get("/two/<account_id>")
    @two
    def view_two(account_id: str) -> Any:
        return {
            "account_id": account_id,
            "install_id": install(),
            "consumer_id": consumer(),
        }

    return app


def by_hand(
    name: str, app_jwt: Verify, consumer_jws: Verify, refused: tuple[type[Exception], ...]
) -> Flask:
    """Return the app *name* with a decorator written by hand.

    :param refused: exceptions that the two functions raise for a bad token.
    """

    def guard(view: View, consumer: bool = False) -> View:
        @wraps(view)
        def wrapper(account_id: str) -> Any:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme.lower() != "bearer":
                return unauthorized()
            try:
                g.app_jwt = app_jwt(token, account_id)
                if consumer:
                    token = request.headers.get(CONSUMER_HEADER, "")
                    g.consumer_jws = consumer_jws(token, account_id)
            except refused:
                return unauthorized()
            return view(account_id)

        return wrapper

    return serve(name, guard, partial(guard, consumer=True), install_of_g, consumer_of_g)


def install_of_g() -> str:
    """Return the app in the claims that a guard put on ``g``."""
    return g.app_jwt["azp"]  # type: ignore[no-any-return]


def consumer_of_g() -> str:
    """Return the consumer in the claims that a guard put on ``g``."""
    return g.consumer_jws["ext_consumer_id"]  # type: ignore[no-any-return]


def account_of_url() -> str:
    """Return the account in the URL, for guards that are not handed the view's arguments."""
    return (request.view_args or {})["account_id"]  # type: ignore[no-any-return]


def unauthorized() -> tuple[dict[str, str], int]:
    """Return a short answer as one writes it by hand."""
    return {"error": "unauthorized"}, 401

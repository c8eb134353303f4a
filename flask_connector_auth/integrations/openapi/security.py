"""What a route asks for in; what OpenAPI has for it, and the errors it refuses with, out."""

from collections.abc import Iterator
from itertools import product

from ...core import Requirements, TokenRequirement
from ...keys import StaticKeys
from ...verification import APP_JWT, CONSUMER_JWS
from ...web import (
    AppJWTMissing,
    AuthenticationUnavailable,
    Binding,
    ConnectorAuthError,
    ConsumerJWSMissing,
    InvalidAppJWT,
    InvalidConsumerJWS,
    MissingParameter,
    Route,
    Runtime,
)

_ACCOUNT: dict[Binding | None, str] = {
    Binding.URL: "A token must be of the account in the URL.",
    Binding.AUDIENCE: "A token must be of an account that is served here.",
    Binding.BOTH: "A token must be of the account in the URL, if that is served here.",
}


def security_of(asked: Requirements, *, roles: bool) -> list[dict[str, list[str]]]:
    """Return the Security Requirement Objects, of which a request must meet one.

    :param roles: whether to list scopes: all that must be granted, and one of those of which one
        must be, in an object for each choice.
    """
    tokens = {APP_JWT.name: asked.app_jwt, CONSUMER_JWS.name: asked.consumer_jws}
    choices = product(*(_choices(token, roles) for token in tokens.values()))
    return [
        {name: [*scopes] for name, scopes in zip(tokens, each, strict=True) if scopes is not None}
        for each in choices
    ]


def _choices(token: TokenRequirement | None, roles: bool) -> list[tuple[str, ...] | None]:
    """Return the ways to meet *token*: scopes to be granted, or ``None`` for no token."""
    if token is None:
        return [None]
    picks = product(*token.any_scopes) if roles else ()
    scopes = {tuple(sorted(token.scopes.union(pick))) for pick in picks} or {()}
    return [*sorted(scopes), *([None] if token.optional else [])]


def scopes_of(asked: Requirements) -> dict[str, list[str] | list[list[str]]]:
    """Return the scopes that must be granted, if any: ``all`` of these, ``any`` one of those."""
    scopes: dict[str, list[str] | list[list[str]]] = {}
    if asked.app_jwt and asked.app_jwt.scopes:
        scopes["all"] = sorted(asked.app_jwt.scopes)
    if asked.app_jwt and asked.app_jwt.any_scopes:
        scopes["any"] = sorted(map(sorted, asked.app_jwt.any_scopes))
    return scopes


def conditions(route: Route) -> Iterator[str]:
    """Yield what a token must be here, beside valid: a sentence on scopes, one on accounts."""
    scopes = scopes_of(route.requirements)
    named = [*scopes.get("all", ()), *(f"one of {', '.join(a)}" for a in scopes.get("any", ()))]
    if named:
        yield f"The AppJWT must be granted {', and '.join(named)}."
    if route.binding in _ACCOUNT:
        yield _ACCOUNT[route.binding]


def errors_of(asked: Requirements, state: Runtime) -> Iterator[type[ConnectorAuthError]]:
    """Yield the errors that a request can be refused with, those of one status together."""
    app_jwt, consumer_jws = asked.app_jwt, asked.consumer_jws
    if app_jwt is not None:
        if state.settings.missing_parameter_row:
            yield MissingParameter
        if not app_jwt.optional:
            yield AppJWTMissing
        yield InvalidAppJWT
    if consumer_jws is not None:
        if not consumer_jws.optional:
            yield ConsumerJWSMissing
        yield InvalidConsumerJWS
    if _may_be_out_of_reach(asked, state):
        yield AuthenticationUnavailable


def _may_be_out_of_reach(asked: Requirements, state: Runtime) -> bool:
    """Whether keys or revocations are not all in this process."""
    settings = state.settings
    if settings.revocation_store is not None and settings.revocation_on_outage == "closed":
        return True
    sources = (
        (asked.app_jwt, settings.app_jwt_keys),
        (asked.consumer_jws, settings.consumer_jws_keys),
    )
    return any(
        token is not None and not isinstance(source, StaticKeys) for token, source in sources
    )

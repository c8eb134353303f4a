"""The requirements of a route in the terms of OpenAPI, and the errors that it answers with."""

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

_ACCOUNT_CONDITIONS: dict[Binding | None, str] = {
    Binding.URL: "A token must be of the account in the URL.",
    Binding.AUDIENCE: "A token must be of an account that is served here.",
    Binding.BOTH: "A token must be of the account in the URL, if that is served here.",
}


def security_of(requirements: Requirements, *, roles: bool) -> list[dict[str, list[str]]]:
    """Return the Security Requirement Objects; a request must fulfil one of them.

    :param roles: whether to list scopes. Each object then has all scopes that must be granted, and
        one choice among those of which one is enough.
    """
    tokens = {APP_JWT.name: requirements.app_jwt, CONSUMER_JWS.name: requirements.consumer_jws}
    combinations = product(*(_choices(token, roles) for token in tokens.values()))
    return [
        {name: [*scopes] for name, scopes in zip(tokens, choice, strict=True) if scopes is not None}
        for choice in combinations
    ]


def _choices(token: TokenRequirement | None, roles: bool) -> list[tuple[str, ...] | None]:
    """Return the ways to fulfil *token*: scopes to be granted, or ``None`` for no token."""
    if token is None:
        return [None]
    picks = product(*token.any_scopes) if roles else ()
    scopes = {tuple(sorted(token.scopes.union(pick))) for pick in picks} or {()}
    return [*sorted(scopes), *([None] if token.optional else [])]


def scopes_of(requirements: Requirements) -> dict[str, list[str] | list[list[str]]]:
    """Return the required scopes: ``all`` of a list, ``any`` one of each list."""
    scopes: dict[str, list[str] | list[list[str]]] = {}
    app_jwt = requirements.app_jwt
    if app_jwt and app_jwt.scopes:
        scopes["all"] = sorted(app_jwt.scopes)
    if app_jwt and app_jwt.any_scopes:
        scopes["any"] = sorted(map(sorted, app_jwt.any_scopes))
    return scopes


def conditions(route: Route) -> Iterator[str]:
    """Yield what is required of a valid token: a sentence on scopes, and one on accounts."""
    scopes = scopes_of(route.requirements)
    scope_names = [
        *scopes.get("all", ()),
        *(f"one of {', '.join(choices)}" for choices in scopes.get("any", ())),
    ]
    if scope_names:
        yield f"The AppJWT must be granted {', and '.join(scope_names)}."
    if route.binding in _ACCOUNT_CONDITIONS:
        yield _ACCOUNT_CONDITIONS[route.binding]


def errors_of(requirements: Requirements, runtime: Runtime) -> Iterator[type[ConnectorAuthError]]:
    """Yield the errors that a request can be answered with, in groups of one status."""
    app_jwt, consumer_jws = requirements.app_jwt, requirements.consumer_jws
    settings = runtime.settings
    if app_jwt is not None:
        if settings.missing_parameter_row:
            yield MissingParameter
        if not app_jwt.optional:
            yield AppJWTMissing
        yield InvalidAppJWT
    if consumer_jws is not None:
        if not consumer_jws.optional:
            yield ConsumerJWSMissing
        yield InvalidConsumerJWS
    follows_store = settings.revocation_store is not None
    # Revocations or keys come from outside of this process.
    if (follows_store and settings.revocation_on_outage == "closed") or any(
        getattr(requirements, verifier.profile.label) is not None
        and not isinstance(verifier.keys, StaticKeys)
        for verifier in runtime.verifiers
    ):
        yield AuthenticationUnavailable

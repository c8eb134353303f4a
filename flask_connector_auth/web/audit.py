"""An app in; every route, and what a request must bring to get to its view, out."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from flask import Flask
from werkzeug.routing import Rule

from ..core import Requirements
from .routes import EndpointRequirements, requirements_for, rule_has_argument
from .runtime import Runtime, current

# What a rule that names no methods is asked for.
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})


class Access(StrEnum):
    """What becomes of a request without any token."""

    PROTECTED = "protected"  #: it is refused
    OPTIONAL = "optional"  #: it gets to the view, since tokens are optional there
    PUBLIC = "public"  #: it gets to the view, which is marked with ``@public``
    UNPROTECTED = "unprotected"  #: it gets to the view, and nothing says that it should
    #: A token is asked for, but it cannot be seen that this always happens before the view runs.
    UNCERTAIN = "uncertain"


class Binding(StrEnum):
    """What decides of which account a token may be."""

    URL = "url"  #: the account in the URL
    AUDIENCE = "audience"  #: ``CONNECTOR_AUTH_AUDIENCE``
    BOTH = "url and audience"  #: both of these
    ANY = "any"  #: nothing does: a token of every account passes


@dataclass(frozen=True, slots=True)
class Route:
    """A rule, with those of its methods that ask for the same."""

    rule: str
    host: str | None  #: of its URLs, where the app tells hosts apart; of a subdomain, its name
    endpoint: str
    methods: tuple[str, ...]
    requirements: Requirements
    access: Access
    binding: Binding | None  #: ``None`` where no token is asked for


def audit(app: Flask) -> list[Route]:
    """Return all routes of *app*, by rule.

    What is told is the very thing that is enforced: the marks of view, class, method, blueprints
    and app, merged. What it cannot see for certain, it calls :attr:`Access.UNCERTAIN`. Three things
    it cannot know. What a view asks for only when it runs, by ``verify_request()``, is not seen:
    such a route is called unprotected. Where something that wraps a decorated view with
    ``functools.wraps``, or a hook of ``protect()``, does not always call it, the route is called
    protected. And an account that a decorator looks up is not seen to bind.

    :raises RuntimeError: if the app has no extension.
    """
    state = current(app)
    found = [route for rule in app.url_map.iter_rules() for route in _routes(app, state, rule)]
    return sorted(found, key=lambda route: (route.rule, route.host or "", route.methods))


def _routes(app: Flask, state: Runtime, rule: Rule) -> Iterator[Route]:
    # Without a view there is nothing to get to.
    if rule.build_only or rule.endpoint not in app.view_functions:
        return
    methods = set(_METHODS if rule.methods is None else rule.methods)
    if getattr(rule, "provide_automatic_options", False):
        methods.discard("OPTIONS")  # which Flask answers by itself
    alike: dict[tuple[Requirements, Access], list[str]] = {}
    for method in sorted(methods):
        enforced = requirements_for(app, state, rule.endpoint, method)
        alike.setdefault((enforced.requirements, _access(enforced)), []).append(method)
    for (requirements, access), group in alike.items():
        binding = _binding(state, rule) if requirements else None
        host = rule.host or rule.subdomain or None
        yield Route(rule.rule, host, rule.endpoint, tuple(group), requirements, access, binding)


def _access(enforced: EndpointRequirements) -> Access:
    tokens = (enforced.requirements.app_jwt, enforced.requirements.consumer_jws)
    asked = [each for each in tokens if each is not None]
    if any(not each.optional for each in asked):
        return Access.PROTECTED if enforced.is_sure else Access.UNCERTAIN
    if asked:
        return Access.OPTIONAL
    return Access.PUBLIC if enforced.is_public else Access.UNPROTECTED


def _binding(state: Runtime, rule: Rule) -> Binding:
    named = rule_has_argument(rule, state.account_argument)
    if state.audience is not None:
        return Binding.BOTH if named else Binding.AUDIENCE
    return Binding.URL if named else Binding.ANY

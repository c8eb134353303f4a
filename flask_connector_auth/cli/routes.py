"""The ``routes`` command: every route with the tokens it requires, and those that are open."""

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import click
from flask import current_app

from ..core import TokenRequirement
from ..web import Access, Route, audit
from .common import json_option, load_runtime, show, table


@click.command()
@click.option(
    "--require-auth",
    is_flag=True,
    help="Fail unless every view certainly requires a token.",
)
@click.option(
    "--allow",
    metavar="PATTERN",
    multiple=True,
    help="With --require-auth: an endpoint that may be open, or a rule if it starts with /. "
    "* matches anything. Can be given several times.",
)
@json_option
@click.pass_context
def routes(ctx: click.Context, require_auth: bool, allow: tuple[str, ...], as_json: bool) -> None:
    """List every route, with the tokens it requires.

    ACCESS says what happens to a request without a token. A protected route refuses it. An
    optional, public or unprotected route runs the view. An uncertain route may run the view.
    ACCOUNT says where the account comes from that a token must have. A decorator above the route
    decorator protects nothing; it is named with its file and line.

    Status 1: with --require-auth, a route is not protected, or has such a decorator, and --allow
    does not name it.

    \b
    Example, for a build:
      flask --app shop connector-auth routes --require-auth --allow static --allow '/docs/*'
    """
    load_runtime(ctx)
    audited = audit(current_app)
    open_routes = [
        route
        for route in audited
        if (route.access is not Access.PROTECTED or route.misplaced) and not _matches(route, allow)
    ]
    show({"routes": list(map(_as_json, audited))}, as_json, _lines)
    if require_auth and open_routes:
        for route in open_routes:
            place = f"{route.host or ''}{route.rule}"
            word = "misplaced" if route.misplaced else route.access
            click.echo(f"{word}: {','.join(route.methods)} {place}", err=True)
        ctx.exit(1)


def _matches(route: Route, patterns: Iterable[str]) -> bool:
    return any(
        fnmatchcase(route.rule if pattern.startswith("/") else route.endpoint, pattern)
        for pattern in patterns
    )


def _as_json(route: Route) -> dict[str, Any]:
    return {
        "rule": route.rule,
        "host": route.host,
        "methods": list(route.methods),
        "endpoint": route.endpoint,
        "access": route.access.value,
        "app_jwt": _requirement(route.requirements.app_jwt),
        "consumer_jws": _requirement(route.requirements.consumer_jws),
        "account": None if route.binding is None else route.binding.value,
        "misplaced": list(route.misplaced),
    }


def _requirement(token: TokenRequirement | None) -> dict[str, Any] | None:
    if token is None:
        return None
    any_scopes = sorted(sorted(scopes) for scopes in token.any_scopes)
    return {"optional": token.optional, "scopes": sorted(token.scopes), "any_scopes": any_scopes}


def _lines(report: Mapping[str, Any]) -> Iterable[str]:
    head = ("METHODS", "RULE", "ENDPOINT", "ACCESS", "APPJWT", "CONSUMERJWS", "SCOPES", "ACCOUNT")
    yield from table(head, map(_row, report["routes"]))
    found = [(route["endpoint"], route["misplaced"]) for route in report["routes"]]
    yield from (f"warning: {text}" for text in describe_misplaced(found))


def describe_misplaced(found: Iterable[tuple[str, Iterable[str]]]) -> Iterator[str]:
    """Yield what is wrong with each misplaced decorator, and what to do.

    :param found: endpoints, each with the places of the decorators that do not protect it.
    """
    endpoints: dict[str, dict[str, None]] = {}
    for endpoint, places in found:
        for place in places:
            endpoints.setdefault(place, {})[endpoint] = None
    for place, names in endpoints.items():
        yield (
            f"The decorator at {place} stands above the route decorator, so it does not protect "
            f"{', '.join(names)}. Move it below the route decorator."
        )


def _row(route: Mapping[str, Any]) -> tuple[str, ...]:
    app_jwt, consumer_jws = route["app_jwt"], route["consumer_jws"]
    any_scopes = ["|".join(scopes) for scopes in (app_jwt or {}).get("any_scopes", ())]
    return (
        *(",".join(route["methods"]), f"{route['host'] or ''}{route['rule']}"),
        *(route["endpoint"], route["access"]),
        *(_requirement_word(app_jwt), _requirement_word(consumer_jws)),
        " ".join([*(app_jwt or {}).get("scopes", ()), *any_scopes]) or "-",
        route["account"] or "-",
    )


def _requirement_word(token: Mapping[str, Any] | None) -> str:
    return "-" if token is None else "optional" if token["optional"] else "required"

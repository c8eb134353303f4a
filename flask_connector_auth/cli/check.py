"""An app in; what is weaker than it need be, a word and a sentence each, out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import click
from flask import Flask
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from ..config import ConfigurationError
from ..health import health_of
from ..keys import is_unprotected_redis_url, list_keys
from ..revocation import RevocationStoreError
from ..revocation.stores.redis import RedisStore
from ..web import Binding, Runtime, audit
from .app import configured, load_app, state_of
from .probes import reach, timeout_option
from .terminal import json_option, literal, show, table

_LONG_LEEWAY = 300
_SHORT_RSA = 2048
_KEEPS_ALL = "noeviction"


def weaknesses(app: Flask, state: Runtime) -> Iterator[dict[str, str]]:
    """Yield each weak choice: ``code``, a word that stays, and ``text``."""
    any_account = [route.endpoint for route in audit(app) if route.binding is Binding.ANY]
    if any_account:
        named = ", ".join(dict.fromkeys(any_account))
        yield _one("any_account", f"Tokens of every account pass at {named}: no AUDIENCE is set.")
    for bits in sorted(set(_short_rsa(state))):
        yield _one("short_rsa_key", f"An RSA key of {bits} bits; {_SHORT_RSA} is the least today.")
    allowed = {name for each in state.verifiers.values() for name in each.rules.algorithms}
    if symmetric := sorted(name for name in allowed if name.startswith("HS")):
        text = f"Whoever can verify by {', '.join(symmetric)} can also sign."
        yield _one("symmetric_algorithm", text)
    if state.settings.leeway > _LONG_LEEWAY:
        text = f"A leeway of {state.settings.leeway:g} s lets tokens live on for so long."
        yield _one("long_leeway", text)
    if state.settings.revocation_store and state.settings.revocation_on_outage == "open":
        yield _one("revocation_open", "While its store is out of reach, revoked tokens may pass.")
    if is_unprotected_redis_url(str(app.config.get("CONNECTOR_AUTH_REVOCATION_URL"))):
        text = (
            "Whoever is on the way to the revocation store can take a revocation back: rediss://."
        )
        yield _one("revocation_in_the_clear", text)


def eviction(state: Runtime) -> Iterator[dict[str, str]]:
    """Yield a warning like those of :func:`weaknesses` if the store may throw entries away.

    The server is asked, so this is for a store that is in reach.
    """
    store = state.settings.revocation_store
    policy = None
    if isinstance(store, RedisStore):
        # Some providers do not say, and a store may be gone by now: then there is no news.
        with suppress(RevocationStoreError):
            policy = store.eviction_policy()
    if policy not in (None, _KEEPS_ALL):
        text = f"The revocation store has maxmemory-policy {policy}: only {_KEEPS_ALL} is sure to "
        yield _one("revocation_eviction", text + "keep every entry when its memory is full.")


def _short_rsa(state: Runtime) -> Iterator[int]:
    for each in state.verifiers.values():
        for key, *_ in list_keys(each.keys):
            if isinstance(key.key, RSAKey) and key.key.public_key.key_size < _SHORT_RSA:
                yield key.key.public_key.key_size


def _one(code: str, text: str) -> dict[str, str]:
    return {"code": code, "text": text}


@click.command()
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
@timeout_option
@json_option
@click.pass_context
def check(ctx: click.Context, strict: bool, timeout: float, as_json: bool) -> None:
    """Check settings, keys, key sets and the revocation store.

    Shows every setting with its value and source, without secrets, and every key. Asks remote key
    sets and the revocation store whether they answer. Warns about weak choices.

    Status 1: the app cannot start, or cannot verify; with --strict also if there are warnings.

    \b
    Example:
      flask --app shop connector-auth check --strict
    """
    found: dict[str, Any] = {"settings": [], "keys": [], "errors": [], "warnings": []}
    try:
        app = load_app(ctx)
    except ConfigurationError as error:
        found["errors"] = [
            {"code": "configuration", "text": f"{key}: {text}"}
            for key, texts in sorted(error.problems.items())
            for text in texts
        ]
    else:
        found |= _found(app, state_of(app), timeout)
    show(found, as_json, _lines)
    if found["errors"] or (strict and found["warnings"]):
        ctx.exit(1)


def _found(app: Flask, state: Runtime, timeout: float) -> dict[str, Any]:
    problems = reach(state, timeout)
    told = health_of(state)
    errors, warnings = [], []
    for name, part in {**told["keys"], "revocation": told["revocation"]}.items():
        last = ", ".join(_last_errors(part))
        if name in problems or not part.get("ready"):
            errors.append({"code": name, "text": problems.get(name) or last or "not ready"})
        elif last:
            warnings.append({"code": "not_confirmed", "text": f"{name}: {last}"})
    if "revocation" not in problems:
        warnings += eviction(state)
    return {
        "settings": list(configured(app.config)),
        "keys": list(_keys(state)),
        "errors": errors,
        "warnings": [*warnings, *weaknesses(app, state)],
    }


def _last_errors(health: Mapping[str, Any]) -> Iterator[str]:
    """Yield the last error of a key source or store, or of each source in it."""
    if health.get("last_error"):
        yield str(health["last_error"])
    for source in health.get("sources", ()):
        yield from _last_errors(source)


def _keys(state: Runtime) -> Iterator[dict[str, Any]]:
    for name, verifier in state.verifiers.items():
        for key, origin, age in list_keys(verifier.keys):
            kind, size = _kind(key.key)
            yield {
                "token": name,
                "kid": key.kid,
                "algorithms": list(key.algorithms),
                "type": kind,
                "size": size,
                # Keys for anything else are refused or left out (RFC 7517 section 4.2).
                "use": "sig",
                "age": None if age is None else round(age, 3),
                "from": origin,
            }


def _kind(key: Key) -> tuple[str, int]:
    """Return the kind of *key*, and its size in bits."""
    if isinstance(key, OctKey):
        return "secret", len(key.raw_value) * 8
    if isinstance(key, OKPKey):
        return key.curve_name, {"Ed25519": 256, "Ed448": 456}[key.curve_name]
    if isinstance(key, ECKey):
        return key.curve_name, key.curve_key_size
    return "RSA", key.public_key.key_size


def _lines(found: Mapping[str, Any]) -> Iterable[str]:
    if found["settings"]:
        yield from _section(
            "Settings", ("NAME", "VALUE", "SOURCE"), map(_setting, found["settings"])
        )
    if found["keys"]:
        head = ("TOKEN", "KID", "ALGORITHMS", "TYPE", "SIZE", "USE", "AGE", "FROM")
        yield from _section("Keys", head, map(_key, found["keys"]))
    for level in ("errors", "warnings"):
        yield from (f"{level[:-1]}: {each['code']}: {each['text']}" for each in found[level])
    if not found["errors"] and not found["warnings"]:
        yield "all is well"


def _section(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield title
    yield from (f"  {line}" for line in table(head, rows))
    yield ""


def _setting(setting: Mapping[str, Any]) -> tuple[str, ...]:
    return setting["name"], literal(setting["value"]), setting["source"]


def _key(key: Mapping[str, Any]) -> tuple[object, ...]:
    age = "-" if key["age"] is None else f"{key['age']:.0f} s"
    return (
        *(key["token"], literal(key["kid"]), ",".join(key["algorithms"])),
        *(key["type"], key["size"], key["use"], age, key["from"]),
    )

"""The ``check`` command: settings, keys, what does not work, and weak choices."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import click
from flask import Flask
from joserfc.jwk import ECKey, Key, OctKey, OKPKey

from ..config import ConfigurationError
from ..keys import (
    clean_text,
    describe_unwritable,
    is_unprotected_redis_url,
    list_keys,
    plain_http_hosts,
    remote_urls,
)
from ..web import Binding, Runtime, audit
from .common import json_option, list_settings, literal, load_app, runtime_of, show, table
from .health import (
    describe_key_sources,
    describe_store,
    find_eviction,
    find_problems,
    timeout_option,
)
from .routes import describe_misplaced

_LONG_LEEWAY = 300
_LEAST_RSA_BITS = 2048
_THUMBPRINT = 12  # characters that are shown
# The settings that say how key sets are fetched, without those that have a default.
_FOR_KEY_SETS = ("FAILOVER", "PROXY", "BACKUP", "CA_FILE", "FETCH", "HTTP_HOSTS")


def find_weaknesses(app: Flask, runtime: Runtime) -> Iterator[tuple[str, str]]:
    """Yield each weak choice: a stable word, and a sentence."""
    routes = audit(app)
    for text in describe_misplaced((route.endpoint, route.misplaced) for route in routes):
        yield "misplaced_decorator", text
    any_account = [route.endpoint for route in routes if route.binding is Binding.ANY]
    for issuer, tokens in runtime.issuers.items():
        prefix, verifiers = _prefix(runtime, issuer), tokens.values()
        if any_account and None in {each.rules.audience for each in verifiers}:
            named = ", ".join(dict.fromkeys(any_account))
            text = f"No AUDIENCE is set, so these endpoints accept every account: {named}."
            yield "any_account", prefix + text
        kinds = {_kind(key.key) for each in verifiers for key, *_ in list_keys(each.keys)}
        for bits in sorted(bits for kind, bits in kinds if kind == "RSA"):
            if bits < _LEAST_RSA_BITS:
                text = f"An RSA key has {bits} bits; use at least {_LEAST_RSA_BITS}."
                yield "short_rsa_key", prefix + text
        allowed = {name for each in verifiers for name in each.rules.algorithms}
        if symmetric := ", ".join(sorted(name for name in allowed if name.startswith("HS"))):
            text = f"Anyone who can verify tokens by {symmetric} can also sign them."
            yield "symmetric_algorithm", prefix + text
        hosts = set().union(*(plain_http_hosts(each.keys) for each in verifiers))
        if hosts:
            yield (
                "key_set_in_the_clear",
                f"{prefix}Key sets of {', '.join(sorted(hosts))} are fetched by http: use https, "
                "or anyone on the network path can forge tokens.",
            )
    leeway = runtime.settings.leeway
    if leeway > _LONG_LEEWAY:
        yield "long_leeway", f"LEEWAY is long: tokens are accepted until {leeway:g} s after exp."
    if runtime.settings.revocation_store and runtime.settings.revocation_on_outage == "open":
        yield (
            "revocation_open",
            "Revoked tokens may be accepted while the store is out of reach.",
        )
    if is_unprotected_redis_url(clean_text(str(app.config.get("CONNECTOR_AUTH_REVOCATION_URL")))):
        yield (
            "revocation_in_the_clear",
            "The connection to the revocation store is not encrypted: use rediss://, or anyone on "
            "the network path can undo a revocation.",
        )


def find_shared_keys(runtime: Runtime) -> Iterator[tuple[str, str]]:
    """Yield an error for each key of ConsumerJWSs that two issuers have, as far as it is known."""
    owners: dict[str, str] = {}
    for issuer, verifier in runtime.consumer_jws.verifiers.items():
        # A token that names its issuer cannot pass as one of another.
        keys = () if verifier.profile.names.requires_issuer else list_keys(verifier.keys)
        for thumbprint, kid in {key.thumbprint: key.kid for key, *_ in keys}.items():
            if (owner := owners.setdefault(thumbprint, issuer)) != issuer:
                yield (
                    "shared_key",
                    f"{issuer}: The issuer {owner} has the key {literal(kid)} too, so each of them "
                    "could sign ConsumerJWSs of the other. Use separate keys, or require iss in "
                    "ConsumerJWSs.",
                )


def find_idle_settings(app: Flask, runtime: Runtime) -> Iterator[tuple[str, str]]:
    """Yield warnings like those of :func:`find_weaknesses` for settings that have no effect."""
    if not any(remote_urls(each.keys) for each in runtime.verifiers):
        for name in _FOR_KEY_SETS:
            if app.config.get(f"CONNECTOR_AUTH_JWKS_{name}"):
                yield "unused_setting", f"JWKS_{name} has no effect: no keys come from a URL."
        return
    backup = app.config.get("CONNECTOR_AUTH_JWKS_BACKUP")
    if backup and (problem := describe_unwritable(clean_text(str(backup)))):
        yield "backup_not_writable", f"JWKS_BACKUP cannot be written: {problem}."


@click.command()
@click.option("--strict", is_flag=True, help="Warnings are errors too.")
@timeout_option
@json_option
@click.pass_context
def check(ctx: click.Context, strict: bool, timeout: float, as_json: bool) -> None:
    """Check settings, keys, key sets and the revocation store.

    The output shows every setting with its value and source, without secrets, and every key. The
    command fetches the key sets and connects to the revocation store. It warns about weak settings.

    Status 1: the settings cannot be used, or the app cannot verify tokens. With --strict, a warning
    is enough.

    \b
    Example:
      flask --app shop connector-auth check --strict
    """
    report: dict[str, Any] = {"settings": [], "keys": [], "errors": [], "warnings": []}
    try:
        app = load_app(ctx)
    except ConfigurationError as error:
        report["errors"] = _as_json(
            ("configuration", f"{key}: {text}")
            for key, texts in sorted(error.problems.items())
            for text in texts
        )
    else:
        report |= _inspect(app, runtime_of(app), timeout)
    show(report, as_json, _lines)
    if report["errors"] or (strict and report["warnings"]):
        ctx.exit(1)


def _inspect(app: Flask, runtime: Runtime, timeout: float) -> dict[str, Any]:
    of_keys, of_revocations = find_problems(runtime, timeout)
    errors: list[tuple[str, str]] = []
    warnings: list[tuple[str, str]] = []
    for issuer, tokens in runtime.issuers.items():
        prefix = _prefix(runtime, issuer)
        for name, verifier in tokens.items():
            problem, part = of_keys[issuer].get(name), verifier.keys.health()
            texts = [*describe_key_sources(part)]
            if problem or not part.get("ready"):
                errors += [(name, prefix + text) for text in texts or [problem or "not ready"]]
            else:
                warnings += [("not_confirmed", f"{prefix}{name}: {text}") for text in texts]
    errors += find_shared_keys(runtime)
    if cause := of_revocations or runtime.revocations.health()["last_error"]:
        text = describe_store(app.config.get("CONNECTOR_AUTH_REVOCATION_URL"), cause)
        if of_revocations:
            errors.append(("revocation", text))
        else:
            warnings.append(("not_confirmed", f"revocation: {text}"))
    if of_revocations is None:
        warnings += find_eviction(runtime)
    return {
        "settings": list(list_settings(app.config)),
        "keys": list(_keys(runtime)),
        "errors": _as_json(errors),
        "warnings": _as_json(
            [*warnings, *find_weaknesses(app, runtime), *find_idle_settings(app, runtime)]
        ),
    }


def _prefix(runtime: Runtime, issuer: str) -> str:
    return f"{issuer}: " if len(runtime.issuers) > 1 else ""


def _as_json(findings: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"code": code, "text": text} for code, text in findings]


def _keys(runtime: Runtime) -> Iterator[dict[str, Any]]:
    for verifier in runtime.verifiers:
        rules = verifier.rules
        of_issuer = {"issuer": rules.issuer} if rules.has_other_issuers else {}
        for key, origin, age in list_keys(verifier.keys):
            kind, size = _kind(key.key)
            yield {
                **of_issuer,
                "token": verifier.profile.label,
                "kid": key.kid,
                # Of a secret never: a weak one can be guessed from it (RFC 7638 section 7).
                "thumbprint": None if kind == "secret" else key.thumbprint[:_THUMBPRINT],
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


def _lines(report: Mapping[str, Any]) -> Iterable[str]:
    for title, rows in (("Settings", _setting_rows), ("Keys", _key_rows)):
        if entries := report[title.lower()]:
            lines = table([name.upper() for name in entries[0]], chain(*map(rows, entries)))
            yield from (title, *(f"  {line}" for line in lines), "")
    for level in ("errors", "warnings"):
        yield from (f"{level[:-1]}: {each['code']}: {each['text']}" for each in report[level])
    if not report["errors"] and not report["warnings"]:
        yield "all is well"


def _setting_rows(setting: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield the row of a *setting* for a table, and of several issuers one for each of theirs."""
    name, value, source = setting.values()
    if not (name == "CONNECTOR_AUTH_ISSUERS" and value):
        yield name, literal(value), source
        return
    for issuer, own in value.items():
        prefix = f"{name}: {literal(issuer)[1:-1]}"
        yield from ((f"{prefix}: {key}", literal(own[key]), source) for key in own)
        if not own:
            yield prefix, "{}", source


def _key_rows(key: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    age = "-" if key["age"] is None else f"{key['age']:.0f} s"
    shown = {**key, "algorithms": ",".join(key["algorithms"]), "age": age}
    shown["thumbprint"] = key["thumbprint"] or "-"
    yield tuple(
        literal(value) if name in ("issuer", "kid") else value for name, value in shown.items()
    )

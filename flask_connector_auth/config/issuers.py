"""Reads the settings of each issuer: what it has of its own, and what comes from those for all."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from marshmallow import ValidationError

from ..core import APP_JWT_CLAIMS, CONSUMER_JWS_CLAIMS, ClaimNames
from ..keys import KeySource, RemoteOptions
from .issuer_schema import IssuerSchema, colliding_claims, loggable_name
from .key_sources import allow_lists, load_keys, numbers_of_all, report_shared_keys
from .problems import IssuerProblems, Problems
from .schema import PREFIX


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """What one issuer's tokens of one type are verified by."""

    keys: KeySource
    algorithms: tuple[str, ...]
    claims: ClaimNames
    types: frozenset[str]  #: in lower case, without ``application/``


@dataclass(frozen=True, slots=True)
class IssuerSettings:
    """What :class:`IssuerSchema` loads for one issuer."""

    name: str  #: the ``iss`` of its tokens
    app_jwt: TokenSettings
    consumer_jws: TokenSettings
    audience: frozenset[str] | None
    max_lifetime: float | None


#: For each issuer, its settings, its own and those for all issuers, and where to report problems.
Issuers = Mapping[str, tuple[Mapping[str, Any], IssuerProblems]]


def read_issuers(
    values: Mapping[str, Any], configured: Mapping[str, Any], problems: Problems
) -> Issuers:
    """Return for each issuer its settings, its own and those for all, and where to report."""
    if configured.get(f"{PREFIX}ISSUERS") is None:
        return {values["issuer"] or "": (values, IssuerProblems(problems, "", ()))}
    issuers: dict[str, tuple[Mapping[str, Any], IssuerProblems]] = {}
    twins: dict[str, str] = {}
    for number, (iss, given) in enumerate((values["issuers"] or {}).items(), 1):
        label = loggable_name(iss, f"item {number}")
        if type(iss) is not str or not iss:
            problems.add("ISSUERS", f"{label}: The name of an issuer must be a non-empty string.")
            continue
        if (twin := twins.setdefault(iss.rstrip("/"), label)) != label:
            problems.add("ISSUERS", f"{label}: Differs from {twin} in trailing slashes only.")
        if not isinstance(given, Mapping):
            text = 'Must be a mapping of settings, such as {"APP_JWT_KEYS": "https://..."}.'
            problems.add("ISSUERS", f"{label}: {text}")
            continue
        own = {loggable_name(name, "a name"): value for name, value in given.items()}
        place = IssuerProblems(problems, label, own)
        read = read_settings(IssuerSchema(partial=True), own, place)
        if "app_jwt_keys" in read:
            # A key for all issuers' ConsumerJWSs must not join the keys of this issuer.
            read.setdefault("consumer_jws_keys", None)
        elif values["app_jwt_keys"] is None and f"{PREFIX}APP_JWT_KEYS" not in configured:
            place.add_own("APP_JWT_KEYS", "Missing: tokens cannot be verified without keys.")
        issuers[iss] = {**values, **read}, place
    return issuers


def load_issuers(
    issuers: Issuers, configured: Mapping[str, Any], options: RemoteOptions, problems: Problems
) -> dict[str, IssuerSettings]:
    """Return the settings of each issuer. Its keys are ``None`` if there are problems."""
    numbers = numbers_of_all([values for values, _ in issuers.values()])
    loaded: dict[str, IssuerSettings] = {}
    sources = []
    for iss, (values, place) in issuers.items():
        given = values["app_jwt_claims"], values["consumer_jws_claims"]
        claims = given[0] or APP_JWT_CLAIMS, given[1] or CONSUMER_JWS_CLAIMS
        if None not in given:
            _report_collisions(claims, configured, place)
        keys = load_keys(values, numbers, options, configured, place)
        app_jwt, consumer_jws = (
            TokenSettings(
                source,
                algorithms,
                names,
                frozenset(each.lower().removeprefix("application/") for each in types or ()),
            )
            for (_, source), algorithms, names, types in zip(
                keys,
                allow_lists(values),
                claims,
                (values["app_jwt_types"], values["consumer_jws_types"]),
                strict=True,
            )
        )
        sources.append((place, keys))
        loaded[iss] = IssuerSettings(
            iss, app_jwt, consumer_jws, values["audience"], values["max_lifetime"]
        )
    report_shared_keys(sources, options.failover)
    return loaded


def _report_collisions(
    claims: Sequence[ClaimNames], configured: Mapping[str, Any], place: IssuerProblems
) -> None:
    names = ("APP_JWT_CLAIMS", "CONSUMER_JWS_CLAIMS")
    given = [name for name in names if name in place.own]
    given += [name for name in names if PREFIX + name in configured]
    for text in colliding_claims(*claims):
        place.add(given[0], text)


def read_settings(
    schema: IssuerSchema, configured: Mapping[str, Any], problems: Problems
) -> dict[str, Any]:
    """Return the value of each setting by its field's name; ``None`` where it is not valid.

    Settings that are not in *configured* have their default, or are left out if *schema* is
    partial.
    """
    names = {field.data_key: name for name, field in schema.fields.items()}
    for key in sorted(configured.keys() - names):
        problems.add_unknown(key.removeprefix(schema.prefix), schema.fields)
    values: dict[str, Any] = {names[key]: None for key in configured.keys() & names.keys()}
    try:
        values |= cast(dict[str, Any], schema.load(configured))
    except ValidationError as error:
        values |= cast(dict[str, Any], error.valid_data)
        for key, messages in error.messages_dict.items():
            for text in _sentences(messages):
                problems.add(key.removeprefix(schema.prefix), text)
    return values


def _sentences(messages: Any, path: str = "") -> Iterator[str]:
    """Yield the sentences in marshmallow's nested *messages*, each after the item it is about."""
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            # These group the messages about an entry of a dict, and about a nested one as a whole.
            if key in ("key", "value", "_schema"):
                yield from _sentences(inner, path)
            elif isinstance(key, int) and not isinstance(inner, Mapping):
                yield from _sentences(inner, f"{path}item {key + 1}: ")
            else:
                yield from _sentences(inner, f"{path}{key}: ")
    else:
        yield from (f"{path}{message}" for message in messages)

"""``app.config`` in; one frozen settings object out, or one error that lists every problem."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from ssl import SSLError
from typing import Any, cast

from marshmallow import ValidationError

from ..core import ROWS, ErrorRow
from ..keys import (
    ALGORITHMS,
    Fetch,
    HttpFetch,
    KeyRules,
    KeySource,
    RemoteOptions,
    RemoteRules,
    describe_read_error,
    key_source,
    public_numbers,
)
from ..revocation import RevocationStore
from .schema import PREFIX, SettingsSchema


class ConfigurationError(ValueError):
    """The configuration cannot be used. Its text lists every problem, and no configured value.

    .. versionadded:: 0.1
    """

    def __init__(self, problems: Mapping[str, list[str]]) -> None:
        self.problems: dict[str, list[str]] = dict(problems)  #: sentences, by configuration key
        # What is given here is given again where the error is unpickled or copied.
        super().__init__(self.problems)

    def __str__(self) -> str:
        each = sorted(self.problems.items())
        lines = [f"{key}: {text}" for key, texts in each for text in texts]
        return "\n  ".join(["flask-connector-auth cannot start:", *lines])


@dataclass(frozen=True, slots=True)
class Settings:
    """What :class:`SettingsSchema` loads; times in seconds, sizes in bytes."""

    app_jwt_keys: KeySource
    consumer_jws_keys: KeySource
    app_jwt_algorithms: tuple[str, ...]
    consumer_jws_algorithms: tuple[str, ...]
    issuer: str
    audience: frozenset[str] | None
    account_argument: str
    consumer_header: str
    leeway: float
    max_lifetime: float | None
    min_rsa_bits: int
    max_token_bytes: int
    max_header_bytes: int
    cache_size: int
    cache_max_age: float
    realm: str
    error_catalogue: Mapping[int, ErrorRow]
    missing_parameter_row: bool
    log_limit: float | None
    log_burst: int
    revocation_store: RevocationStore | None
    revocation_max_lag: float
    revocation_on_outage: str
    revocation_keep: float | None


def load_settings(config: Mapping[str, Any]) -> Settings:
    """Return the settings in *config*, read once.

    :raises ConfigurationError: listing all that is wrong, by configuration key.
    """
    schema = SettingsSchema()
    known = {field.data_key for field in schema.fields.values()}
    given = {key: value for key, value in config.items() if key.startswith(PREFIX)}
    problems = {key: [_unknown(key, schema.fields)] for key in given if key not in known}
    values: dict[str, Any] = dict.fromkeys(schema.fields)
    try:
        values |= cast(dict[str, Any], schema.load(given))
    except ValidationError as error:
        values |= cast(dict[str, Any], error.valid_data)
        for key, messages in error.messages_dict.items():
            problems[key] = list(_sentences(messages))
    values["error_catalogue"] = _catalogue(values["error_catalogue"] or {}, problems)
    _load_keys(values, _remote_options(values, problems), problems)
    _load_revocation(values, problems)
    if problems:
        raise ConfigurationError(problems)
    return Settings(**values)


def _remote_options(values: dict[str, Any], problems: dict[str, list[str]]) -> RemoteOptions:
    """Take the ``jwks_`` settings out of *values*, and return what they make together."""
    given = {key: values.pop(key) for key in list(values) if key.startswith("jwks_")}
    # What could not be read is reported already: its default stands in.
    named = {each.name: given[f"jwks_{each.name}"] for each in fields(RemoteRules)}
    rules = RemoteRules(**{name: value for name, value in named.items() if value is not None})
    for name, wrong, text in (
        ("MIN_AGE", rules.min_age > rules.max_age, "over JWKS_MAX_AGE"),
        ("COOLDOWN", rules.cooldown >= rules.max_age, "not below JWKS_MAX_AGE"),
        ("TIMEOUT", rules.timeout >= rules.max_age, "not below JWKS_MAX_AGE"),
        ("RETRY", rules.retry > rules.retry_max, "over JWKS_RETRY_MAX"),
        ("MAX_STALE", 0 < rules.max_stale < rules.max_age, "neither 0 nor JWKS_MAX_AGE or more"),
    ):
        if wrong:
            problems.setdefault(f"{PREFIX}JWKS_{name}", []).append(f"It is {text}.")
    fetch: Fetch | None = given["jwks_fetch"]
    try:
        fetch = fetch or HttpFetch(given["jwks_ca_file"], given["jwks_proxy"])
    except (OSError, ValueError) as error:
        why = "no certificates in it" if isinstance(error, SSLError) else describe_read_error(error)
        problems[f"{PREFIX}JWKS_CA_FILE"] = [f"It cannot be loaded ({why})."]
        fetch = HttpFetch()
    return RemoteOptions(rules, fetch, given["jwks_failover"] or (), given["jwks_backup"])


def _load_keys(
    values: dict[str, Any], options: RemoteOptions, problems: dict[str, list[str]]
) -> None:
    # What could not be read counts as the most lenient value: no problem is reported twice.
    min_rsa_bits = values["min_rsa_bits"] or 1024
    algorithms = tuple(values["app_jwt_algorithms"] or ALGORITHMS)
    consumer_algorithms = tuple(values["consumer_jws_algorithms"] or algorithms)
    material, consumer_material = values["app_jwt_keys"], values["consumer_jws_keys"]
    # Of both tokens: what is public for one is no secret for the other. Where no secret is
    # allowed, files are read once.
    symmetric = any(name.startswith("HS") for name in (*algorithms, *consumer_algorithms))
    numbers = public_numbers(material, consumer_material) if symmetric else frozenset[bytes]()
    rules = KeyRules(algorithms, min_rsa_bits, numbers)
    consumer_rules = KeyRules(consumer_algorithms, min_rsa_bits, numbers)
    source = _key_source("APP_JWT_KEYS", material, rules, options, problems)
    if consumer_material is not None or consumer_rules != rules:
        material = material if consumer_material is None else consumer_material
        consumer_source = _key_source(
            "CONSUMER_JWS_KEYS", material, consumer_rules, options, problems
        )
    else:
        consumer_source = source
    values |= {
        "app_jwt_keys": source,
        "app_jwt_algorithms": rules.algorithms,
        "consumer_jws_keys": consumer_source,
        "consumer_jws_algorithms": consumer_rules.algorithms,
    }


def _key_source(
    name: str,
    material: Any,
    rules: KeyRules,
    options: RemoteOptions,
    problems: dict[str, list[str]],
) -> KeySource | None:
    if material is None:
        return None
    source, wrong = key_source(material, rules, options)
    if wrong:
        problems[PREFIX + name] = [f"{text}." for text in wrong]
    return source


def _load_revocation(values: dict[str, Any], problems: dict[str, list[str]]) -> None:
    """Put the store into *values* that their URL means; nothing is connected to."""
    url, keep, longest = (
        values.pop("revocation_url"),
        values["revocation_keep"],
        values["max_lifetime"],
    )
    wrong = {"URL": "", "KEEP": ""}
    if url is not None and values["revocation_store"] is not None:
        wrong["URL"] = "It is one too many beside REVOCATION_STORE."
    elif url is not None:
        try:
            # Only where it is used.
            from ..revocation.stores.redis import RedisStore

            values["revocation_store"] = RedisStore(url)
        except ImportError:
            wrong["URL"] = "It needs pip install flask-connector-auth[redis]."
        except ValueError as error:
            wrong["URL"] = f"It is {error}."
    if keep is not None and longest is not None and keep < longest + (values["leeway"] or 0):
        wrong["KEEP"] = "It is below MAX_LIFETIME + LEEWAY."
    for name, told in wrong.items():
        if told:
            problems.setdefault(f"{PREFIX}REVOCATION_{name}", []).append(told)


def _catalogue(
    overrides: Mapping[int, Mapping[str, Any]], problems: dict[str, list[str]]
) -> dict[int, ErrorRow]:
    rows = {}
    for code, override in overrides.items():
        names = {"errorCode": "error_code"}
        row = ROWS[code]
        try:
            rows[code] = replace(row, **{names.get(key, key): override[key] for key in override})
        except ValueError as error:
            problems.setdefault(f"{PREFIX}ERROR_CATALOGUE", []).append(f"{code}: {error}.")
            continue
        if rows[code].status != row.status:
            problems.setdefault(f"{PREFIX}ERROR_CATALOGUE", []).append(
                f"{code}: errorCode must keep its first three digits, the HTTP status."
            )
    return rows


def _unknown(key: str, names: Iterable[str]) -> str:
    # Without the prefix, which would make every name a near one.
    nearest = get_close_matches(key.removeprefix(PREFIX).lower(), names, n=1)
    return "Unknown setting." + (f" Did you mean {PREFIX}{nearest[0].upper()}?" if nearest else "")


def _sentences(messages: Any, path: str = "") -> Iterator[str]:
    """Yield the sentences in marshmallow's nested *messages*, each behind where it applies."""
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            yield from _sentences(inner, path if key in ("key", "value") else f"{path}{key}: ")
    else:
        yield from (f"{path}{message}" for message in messages)

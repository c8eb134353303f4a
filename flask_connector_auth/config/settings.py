"""Loads the settings from ``app.config``; one error lists every problem in them."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from ssl import SSLError
from typing import Any, cast

from marshmallow import ValidationError

from ..core import APP_JWT_CLAIMS, CONSUMER_JWS_CLAIMS, ERROR_ROWS, ClaimNames, ErrorRow
from ..keys import (
    ALGORITHMS,
    AlgorithmMismatch,
    Fetch,
    HttpFetch,
    KeyProblem,
    KeyRules,
    KeySource,
    RemoteOptions,
    RemoteRules,
    check_url,
    describe_read_error,
    key_source,
    looks_like_path,
    plain_http_hosts,
    public_numbers,
    url_host,
)
from ..revocation import RevocationStore
from .fields import REDIS_MISSING, sentence
from .limits import broken_limits
from .problems import ConfigurationError, Problems
from .schema import PREFIX, SettingsSchema

logger: logging.Logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TokenSettings:
    keys: KeySource
    algorithms: tuple[str, ...]
    claims: ClaimNames
    types: frozenset[str]


@dataclass(frozen=True, slots=True)
class IssuerSettings:
    name: str
    app_jwt: TokenSettings
    consumer_jws: TokenSettings
    audience: frozenset[str] | None
    max_lifetime: float | None


@dataclass(frozen=True, slots=True)
class Settings:
    """What :class:`SettingsSchema` loads; times in seconds, sizes in bytes."""

    issuers: Mapping[str, IssuerSettings]
    account_argument: str
    consumer_header: str
    leeway: float
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
    problems = Problems()
    values = _read(config, problems)
    for limit in broken_limits(values):
        keys = (f"{PREFIX}{name.upper()}" for name in limit.others)
        problems.add(limit.name.upper(), limit.sentence.format(*keys))
    values["error_catalogue"] = _overridden_rows(values["error_catalogue"] or {}, problems)
    values |= _load_keys(values, config, problems)
    values["revocation_store"] = _revocation_store(values, problems)
    if problems:
        raise ConfigurationError(problems)
    app = TokenSettings(
        values["app_jwt_keys"], values["app_jwt_algorithms"], APP_JWT_CLAIMS, frozenset({"jwt"})
    )
    con = TokenSettings(
        values["consumer_jws_keys"],
        values["consumer_jws_algorithms"],
        CONSUMER_JWS_CLAIMS,
        frozenset({"jwt"}),
    )
    values["issuers"] = {
        values["issuer"]: IssuerSettings(
            values["issuer"], app, con, values["audience"], values["max_lifetime"]
        )
    }
    settings = Settings(**{field.name: values[field.name] for field in fields(Settings)})
    sources = (app.keys, con.keys)
    for host in sorted(set().union(*map(plain_http_hosts, sources))):
        logger.warning("key set of %s is fetched by http: anyone on the way can forge tokens", host)
    return settings


def _read(config: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
    """Return the value of each setting by its field's name; ``None`` where it is not valid."""
    schema = SettingsSchema()
    configured = {key: value for key, value in config.items() if key.startswith(PREFIX)}
    known = {field.data_key for field in schema.fields.values()}
    for key in sorted(configured.keys() - known):
        problems.add_unknown(key.removeprefix(PREFIX), schema.fields)
    values: dict[str, Any] = dict.fromkeys(schema.fields)
    try:
        values |= cast(dict[str, Any], schema.load(configured))
    except ValidationError as error:
        values |= cast(dict[str, Any], error.valid_data)
        for key, messages in error.messages_dict.items():
            for text in _sentences(messages):
                problems.add(key.removeprefix(PREFIX), text)
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


def _overridden_rows(
    overrides: Mapping[int, Mapping[str, Any]], problems: Problems
) -> dict[int, ErrorRow]:
    rows = {}
    for code, override in overrides.items():
        try:
            rows[code] = replace(ERROR_ROWS[code], **override)
            if rows[code].status != ERROR_ROWS[code].status:
                raise ValueError("errorCode must keep its first three digits, the HTTP status")
        except ValueError as error:
            problems.add("ERROR_CATALOGUE", f"{code}: {error}.")
    return rows


def _load_keys(
    values: Mapping[str, Any], config: Mapping[str, Any], problems: Problems
) -> dict[str, Any]:
    """Return the key sources and the allow-lists of both token types."""
    # If a setting could not be read, its most lenient value is used here: the keys are not reported
    # because of a mistake in another setting.
    min_rsa_bits = values["min_rsa_bits"] or 1024
    algorithms = tuple(values["app_jwt_algorithms"] or ALGORITHMS)
    consumer_algorithms = tuple(values["consumer_jws_algorithms"] or algorithms)
    material, consumer_material = values["app_jwt_keys"], values["consumer_jws_keys"]
    # A number that is public in a key of either token must not be an HMAC secret. The numbers are
    # collected only if an HMAC algorithm is allowed, because that reads key files once more.
    symmetric = any(name.startswith("HS") for name in (*algorithms, *consumer_algorithms))
    numbers = public_numbers(material, consumer_material) if symmetric else frozenset[bytes]()
    rules = KeyRules(algorithms, min_rsa_bits, numbers)
    consumer_rules = KeyRules(consumer_algorithms, min_rsa_bits, numbers)
    options = _remote_options(values, problems)

    allow_list = "APP_JWT_ALGORITHMS"
    consumer_allow_list = (
        allow_list if values["consumer_jws_algorithms"] is None else ("CONSUMER_JWS_ALGORITHMS")
    )

    def load(name: str, keys: Any, key_rules: KeyRules, allow_list: str) -> KeySource | None:
        if keys is None:
            return None
        source, found = key_source(keys, key_rules, options, PREFIX + name)
        _report_keys(name, found, allow_list, PREFIX + allow_list in config, problems)
        return source

    source = consumer_source = load("APP_JWT_KEYS", material, rules, allow_list)
    if consumer_material is not None:
        consumer_source = load(
            "CONSUMER_JWS_KEYS", consumer_material, consumer_rules, consumer_allow_list
        )
    elif consumer_rules != rules:
        consumer_source = load("APP_JWT_KEYS", material, consumer_rules, consumer_allow_list)
    return {
        "app_jwt_keys": source,
        "app_jwt_algorithms": algorithms,
        "consumer_jws_keys": consumer_source,
        "consumer_jws_algorithms": consumer_algorithms,
    }


def _report_keys(
    name: str, found: Sequence[KeyProblem], allow_list: str, is_set: bool, problems: Problems
) -> None:
    """Report the problems of the keys in the setting *name*.

    :param allow_list: the setting of the algorithms that the keys are for.
    :param is_set: whether the allow-list is configured. If so, a key that does not fit it is a
        problem of the allow-list.
    """
    for problem in found:
        is_mismatch = isinstance(problem, AlgorithmMismatch)
        if is_mismatch and is_set:
            problems.add(allow_list, f"{PREFIX}{name} has no key for it: {problem}.")
        elif is_mismatch:
            problems.add(name, f"{problem}. Set {PREFIX}{allow_list} to what the issuer uses.")
        # The keys of one setting may be loaded for each token type.
        elif f"{problem}." not in problems.get(PREFIX + name, ()):
            problems.add(name, f"{problem}.")


def _remote_options(values: Mapping[str, Any], problems: Problems) -> RemoteOptions:
    """Return the options that the ``JWKS_`` settings describe."""
    configured = {rule.name: values[f"jwks_{rule.name}"] for rule in fields(RemoteRules)}
    # A setting that could not be read is reported already; its default is used here.
    rules = RemoteRules(**{name: value for name, value in configured.items() if value is not None})
    hosts = frozenset(map(url_host, values["jwks_http_hosts"] or ()))
    failover = values["jwks_failover"] or ()
    for number, url in enumerate(failover, 1):
        try:
            check_url(url, hosts)
        except ValueError as error:
            problems.add("JWKS_FAILOVER", f"item {number}: {sentence(str(error))}")
    fetch = values["jwks_fetch"] or _built_in_fetch(values, problems)
    return RemoteOptions(rules, fetch, failover, values["jwks_backup"], hosts)


def _built_in_fetch(values: Mapping[str, Any], problems: Problems) -> Fetch:
    try:
        return HttpFetch(values["jwks_ca_file"], values["jwks_proxy"])
    except (OSError, ValueError) as error:
        why = "no certificates in it" if isinstance(error, SSLError) else describe_read_error(error)
        path = values["jwks_ca_file"]
        name = f"file {path!r}" if looks_like_path(path) else "file"
        problems.add("JWKS_CA_FILE", f"The {name} cannot be loaded ({why}).")
        return HttpFetch()


def _revocation_store(values: Mapping[str, Any], problems: Problems) -> RevocationStore | None:
    """Return the configured store; no connection is made."""
    url, store = values["revocation_url"], values["revocation_store"]
    if url is None or store is not None:
        return cast(RevocationStore | None, store)
    try:
        # redis-py is an extra: imported only where it is used.
        from ..revocation.redis import RedisStore

        return RedisStore(url)
    except ImportError:
        problems.add("REVOCATION_URL", sentence(REDIS_MISSING))
    except ValueError as error:
        problems.add("REVOCATION_URL", sentence(str(error)))
    return None

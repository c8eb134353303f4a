"""Loads the settings from ``app.config``; one error lists every problem in them."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from ssl import SSLError
from typing import Any, cast

from ..core import ERROR_ROWS, REDIS_TIMEOUT, ErrorRow
from ..keys import (
    Fetch,
    HttpFetch,
    RemoteOptions,
    RemoteRules,
    check_url,
    describe_read_error,
    looks_like_path,
    plain_http_hosts,
    url_host,
)
from ..revocation import RevocationStore
from .fields import REDIS_MISSING, sentence
from .issuers import IssuerSettings, load_issuers, read_issuers
from .limits import broken_limits
from .problems import ConfigurationError, Problems
from .schema import PREFIX, SettingsSchema

logger: logging.Logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """What :class:`SettingsSchema` loads; times in seconds, sizes in bytes."""

    issuers: Mapping[str, IssuerSettings]  #: one or more, by ``iss``
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
    given = {key: value for key, value in config.items() if key.startswith(PREFIX)}
    names = {key.removeprefix(PREFIX) for key in given}
    # Without keys for all issuers, each needs its own.
    schema = SettingsSchema(partial=("app_jwt_keys",))
    values: dict[str, Any] = dict.fromkeys(schema.fields) | problems.read(schema, given)
    if given.get(f"{PREFIX}ISSUERS") is not None and "ISSUER" in names:
        problems.add("ISSUER", f"Cannot be combined with {PREFIX}ISSUERS.")
    issuers = read_issuers(values, names, problems)
    # Of all issuers, that with the longest life counts.
    longest = max(issuers.values(), key=lambda each: each.values["max_lifetime"] or 0, default=None)
    lifetime = longest.values["max_lifetime"] if longest else None
    for limit in broken_limits({**values, "max_lifetime": lifetime}):
        others = map(str.upper, limit.others)
        keys = (longest.place(name) if longest and name in longest.own else name for name in others)
        problems.add(limit.name.upper(), limit.sentence.format(*(PREFIX + key for key in keys)))
    values["error_catalogue"] = _overridden_rows(values["error_catalogue"] or {}, problems)
    options = _remote_options(values, problems)
    values["issuers"] = load_issuers(values, issuers, options, problems)
    values["revocation_store"] = _revocation_store(values, problems)
    if problems:
        raise ConfigurationError(problems)
    settings = Settings(**{field.name: values[field.name] for field in fields(Settings)})
    hosts = {
        host
        for issuer in settings.issuers.values()
        for token in (issuer.app_jwt, issuer.consumer_jws)
        for host in plain_http_hosts(token.keys)
    }
    for host in sorted(hosts):
        logger.warning("key set of %s is fetched by http: anyone on the way can forge tokens", host)
    return settings


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


def _revocation_store(values: Mapping[str, Any], problems: Problems) -> RevocationStore | None:
    """Return the configured store; no connection is made."""
    url, store = values["revocation_url"], values["revocation_store"]
    if url is None or store is not None:
        return cast(RevocationStore | None, store)
    try:
        # redis-py is an extra: imported only where it is used.
        from ..revocation.redis import RedisStore

        # A copy is two reads old before the next one ends. (``None``: the value is no number.)
        return RedisStore(url, max(REDIS_TIMEOUT, (values["revocation_max_lag"] or 0) / 2))
    except ImportError:
        problems.add("REVOCATION_URL", sentence(REDIS_MISSING))
    except ValueError as error:
        problems.add("REVOCATION_URL", sentence(str(error)))
    return None

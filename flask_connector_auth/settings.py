"""``app.config`` in; one frozen settings object out, or one error that lists every problem."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, cast

from marshmallow import ValidationError

from .envelope import ROWS, ErrorRow
from .keys.parse import ALGORITHMS, KeyRules, parse_keys
from .keys.source import KeySource
from .keys.static import StaticKeys
from .schema import PREFIX, SettingsSchema


class ConfigurationError(ValueError):
    """The configuration cannot be used. Its text lists every problem, and no configured value."""

    def __init__(self, problems: Mapping[str, list[str]]) -> None:
        self.problems = dict(problems)  #: sentences, by configuration key
        lines = [f"{key}: {text}" for key, texts in sorted(problems.items()) for text in texts]
        super().__init__("\n  ".join(["flask-connector-auth cannot start:", *lines]))


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
    realm: str
    error_catalogue: Mapping[int, ErrorRow]
    missing_parameter_row: bool


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
    _load_keys(values, problems)
    if problems:
        raise ConfigurationError(problems)
    return Settings(**values)


def _load_keys(values: dict[str, Any], problems: dict[str, list[str]]) -> None:
    # What could not be read counts as the most lenient value: no problem is reported twice.
    min_rsa_bits = values["min_rsa_bits"] or 1024
    algorithms = tuple(values["app_jwt_algorithms"] or ALGORITHMS)
    rules = KeyRules(algorithms, min_rsa_bits)
    consumer_rules = KeyRules(tuple(values["consumer_jws_algorithms"] or algorithms), min_rsa_bits)
    material, consumer_material = values["app_jwt_keys"], values["consumer_jws_keys"]
    source = _key_source("APP_JWT_KEYS", material, rules, problems)
    if consumer_material is not None or consumer_rules != rules:
        material = material if consumer_material is None else consumer_material
        consumer_source = _key_source("CONSUMER_JWS_KEYS", material, consumer_rules, problems)
    else:
        consumer_source = source
    values |= {
        "app_jwt_keys": source,
        "app_jwt_algorithms": rules.algorithms,
        "consumer_jws_keys": consumer_source,
        "consumer_jws_algorithms": consumer_rules.algorithms,
    }


def _key_source(
    name: str, material: Any, rules: KeyRules, problems: dict[str, list[str]]
) -> KeySource | None:
    if material is None or isinstance(material, KeySource):
        return material
    keys, wrong = parse_keys(material, rules)
    if not wrong:
        try:
            return StaticKeys(keys)
        except ValueError as error:
            wrong = [str(error)]
    problems[PREFIX + name] = [f"{text}." for text in wrong]
    return None


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

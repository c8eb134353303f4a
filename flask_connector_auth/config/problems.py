"""What is wrong with the configuration, by configuration key."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, cast

from marshmallow import EXCLUDE, ValidationError

from .issuer_schema import IssuerSchema
from .schema import PREFIX, SettingsSchema

# The names that people try first, where the nearest by its letters is another one or none.
_MEANT = {
    "JWKS(_UR[LI])?|JWK_SET_UR[LI]|(PUBLIC_)?KEYS?|SECRET(_KEY)?": "APP_JWT_KEYS",
    "APP_JWT_ISSUER|ISS": "ISSUER",
    "AUD": "AUDIENCE",
    "CLOCK_SKEW": "LEEWAY",
    "HEADER": "CONSUMER_HEADER",
}
# What names look like. Anything else may be a key in the wrong place, and is not quoted: a URL with
# a password or a query, or a word as long as a secret. A UUID, as Entra ID has it, is none.
_ISSUER_NAME = re.compile(r"[\w.:/%~+&=-]{1,200}")
_UUID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_ENTRY_NAME = re.compile("[A-Za-z_]{1,40}|[0-9]{1,5}")
_MAX_CODE = 10**5
_LONG_WORD = re.compile(r"[\w%+=-]{32}|\A(?!\w+://).*[\w%+/=-]{32}", re.ASCII)


def is_issuer_name(value: Any) -> bool:
    """Whether *value* may be quoted as the name of an issuer."""
    is_name = isinstance(value, str) and _ISSUER_NAME.fullmatch(value)
    return bool(is_name) and not _LONG_WORD.search(_UUID.sub("", value))


class ConfigurationError(ValueError):
    """The configuration cannot be used. Its text lists every problem, and no key or secret.

    .. versionadded:: 0.1
    """

    def __init__(self, problems: Mapping[str, list[str]]) -> None:
        #: Sentences, by key: a setting, or ``CONNECTOR_AUTH_ISSUERS: <iss>: <setting>``.
        self.problems: dict[str, list[str]] = dict(problems)
        # A copy or an unpickled error is made from these arguments.
        super().__init__(self.problems)

    def __str__(self) -> str:
        items = sorted(self.problems.items())
        lines = [f"{key}: {text}" for key, texts in items for text in texts]
        return "\n  ".join(["flask-connector-auth cannot start:", *lines])


class Problems(dict[str, list[str]]):
    """The problems found so far: sentences, by configuration key."""

    def add(self, name: str, problem: str) -> None:
        """Report *problem*, a sentence, for the setting *name*, which is without its prefix.

        It is reported once: settings may be read for each token type and issuer.
        """
        found = self.setdefault(PREFIX + name, [])
        if problem not in found:
            found.append(problem)

    def read(
        self, schema: IssuerSchema, configured: Mapping[str, Any], scope: str = ""
    ) -> dict[str, Any]:
        """Return the value of each setting by its field's name; ``None`` where it is not valid.

        Settings that are not *configured* have their default, or are left out if *schema* is
        partial.

        :param scope: what to report before the name of a setting.
        """
        names = {field.data_key: name for name, field in schema.fields.items()}
        for key in sorted(configured.keys() - names):
            self._add_unknown(scope, key, schema)
        values: dict[str, Any] = {names[key]: None for key in configured.keys() & names.keys()}
        try:
            values |= cast(dict[str, Any], schema.load(configured, unknown=EXCLUDE))
        except ValidationError as error:
            values |= cast(dict[str, Any], error.valid_data)
            for key, messages in error.messages_dict.items():
                for text in _sentences(messages):
                    self.add(scope + key.removeprefix(schema.prefix), text)
        return values

    def _add_unknown(self, scope: str, key: str, schema: IssuerSchema) -> None:
        # Without the prefix, which would make every name similar to every other.
        name = key.removeprefix(PREFIX)
        nearest = get_close_matches(name.lower(), SettingsSchema().fields, n=1)
        known = (meant for pattern, meant in _MEANT.items() if re.fullmatch(pattern, name.upper()))
        meant = next(known, nearest[0].upper() if nearest else "")
        hint = f" Did you mean {schema.prefix}{meant}?" if meant else ""
        if meant and meant.lower() not in schema.fields:
            is_name = meant in ("ISSUER", "ISSUERS")
            hint = f" {PREFIX}{meant} is for all issuers."
            hint = " The issuer is the key of this mapping in ISSUERS." if is_name else hint
        self.add(scope + key.removeprefix(schema.prefix), f"Unknown setting.{hint}")


def _sentences(messages: Any, path: str = "") -> Iterator[str]:
    """Yield the sentences in marshmallow's nested *messages*, each after the item it is about."""
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            # These group the messages about an entry of a dict, and about a nested one as a whole.
            if key in ("key", "value", "_schema"):
                yield from _sentences(inner, path)
            elif isinstance(key, int) and key < _MAX_CODE and not isinstance(inner, Mapping):
                yield from _sentences(inner, f"{path}item {key + 1}: ")
            else:
                yield from _sentences(inner, f"{path}{_name(key)}: ")
    else:
        yield from (f"{path}{message}" for message in messages)


def _name(key: Any) -> str:
    """Return what an entry of a mapping is called; Python cannot write every number."""
    text = "" if isinstance(key, int) and abs(key) >= _MAX_CODE else str(key)
    return text if _ENTRY_NAME.fullmatch(text) else "a name"

"""The settings for the reference page: groups, types, examples; the rest is from the schema."""

import textwrap
from collections.abc import Iterator
from typing import Any, NamedTuple

from marshmallow.validate import Range

from flask_connector_auth.config import fields as kinds, issuer_schema as of_issuers, limits, schema

#: Words for the type of a setting; the first class that a field is an instance of decides.
_TYPES = {
    kinds.Flag: "``True`` or ``False``",
    kinds.WholeNumber: "whole number",
    kinds.Number: "number",
    kinds.Audience: "text, or list of texts",
    kinds.Text: "text",
    kinds.Texts: "list of texts",
    kinds.Function: "callable",
    kinds.Store: "``RevocationStore`` object",
    of_issuers.Members: "mapping",
    kinds.Overrides: "mapping",
}
_KEYS = "key, or list of keys"
_CLAIMS = '{"account_id": "tenant", "install_id": "sub", "scopes": "scp"}'
_CONSUMER_CLAIMS = '{"account_id": "tenant", "issuer": "iss"}'

#: By group: an example of each setting, a Python expression.
GROUPS: dict[str, dict[str, str]] = {
    "issuer": {
        "issuer": '"https://login.example/"',
        "issuers": '{"https://login.example/": {"APP_JWT_KEYS": "https://login.example/jwks"}}',
        "audience": '["le81823118", "le81823119"]',
        "account_argument": '"site_id"',
    },
    "keys": {
        "app_jwt_keys": '"https://issuer.example/jwks.json"',
        "consumer_jws_keys": '["https://issuer.example/consumers.json"]',
        "app_jwt_algorithms": '["RS256", "ES256"]',
        "consumer_jws_algorithms": '["ES256"]',
        "min_rsa_bits": "3072",
    },
    "tokens": {
        "consumer_header": '"LP-On-Behalf"',
        "app_jwt_types": '["at+jwt"]',
        "consumer_jws_types": '["JWT", "consumer+jwt"]',
        "app_jwt_claims": _CLAIMS,
        "consumer_jws_claims": _CONSUMER_CLAIMS,
        "leeway": "10",
        "max_lifetime": "3600",
        "max_token_bytes": "8192",
        "max_header_bytes": "1024",
    },
    "cache": {"cache_size": "10000", "cache_max_age": "60"},
    "key-sets": {
        "jwks_max_age": "600",
        "jwks_min_age": "60",
        "jwks_cooldown": "30",
        "jwks_timeout": "3",
        "jwks_wait": "1",
        "jwks_max_waiting": "8",
        "jwks_retry": "2",
        "jwks_retry_max": "30",
        "jwks_max_stale": "86400",
        "jwks_max_bytes": "65536",
        "jwks_max_keys": "20",
        "jwks_failover": '["https://mirror.example/jwks.json"]',
        "jwks_http_hosts": '["issuer.internal"]',
        "jwks_backup": '"/var/lib/shop/keys.json"',
        "jwks_ca_file": '"/etc/ssl/company-ca.pem"',
        "jwks_proxy": '"http://proxy.example:3128"',
        "jwks_fetch": "my_fetch",
    },
    "revocation": {
        "revocation_url": '"rediss://redis.example:6379/0"',
        "revocation_store": "MyStore()",
        "revocation_max_lag": "10",
        "revocation_on_outage": '"open"',
        "revocation_keep": "2592000",
    },
    "errors": {
        "error_catalogue": '{40102: {"title": "Invalid token"}}',
        "missing_parameter_row": "True",
        "realm": '"Shop API"',
        "log_limit": "10",
        "log_burst": "100",
    },
}
_SETTING = """
.. _{key}:

{title}
{underline}

{doc}

{parts}
"""


def fill(text: str, subsequent_indent: str = "") -> str:
    """Return *text* in lines of at most 100 characters, if its words are shorter."""
    return textwrap.fill(
        text,
        100,
        subsequent_indent=subsequent_indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


class Entry(NamedTuple):
    """The parts of the description of one setting."""

    type: str  #: with bounds
    default: str
    example: str
    limit: str  #: that other settings set to this one; empty if there is none


def entry(name: str) -> Entry:
    """Return the parts of the description of the setting of that *name*, a field."""
    field = schema.SettingsSchema().fields[name]
    words = next((words for each, words in _TYPES.items() if isinstance(field, each)), _KEYS)
    example = next(group[name] for group in GROUPS.values() if name in group)
    return Entry(
        ", ".join([words, *_bounds(field)]), _default(field), f"``{example}``", _limits(name)
    )


def settings_list(group: str) -> str:
    """Return a description of each setting of a *group*."""
    fields = schema.SettingsSchema().fields
    return "".join(
        _SETTING.format(
            key=fields[name].data_key,
            title=f"``{fields[name].data_key}``",
            underline="~" * len(f"``{fields[name].data_key}``"),
            doc=fill(fields[name].metadata["doc"]),
            parts="\n".join(
                fill(f"- {part.capitalize()}: {text}", "  ")
                for part, text in entry(name)._asdict().items()
                if text
            ),
        )
        for name in GROUPS[group]
    )


def _default(field: Any) -> str:
    if field.required:
        return "none; this setting is required"
    value = field.load_default() if callable(field.load_default) else field.load_default
    return "not set" if value is None else f"``{value!r}``".replace("'", '"')


def _bounds(field: Any) -> Iterator[str]:
    for each in field.validators:
        if isinstance(each, Range):
            for bound, inclusive, inside, outside in (
                (each.min, each.min_inclusive, "at least", "more than"),
                (each.max, each.max_inclusive, "at most", "less than"),
            ):
                if bound is not None:
                    yield f"{inside if inclusive else outside} {bound}"


def _limits(name: str) -> str:
    """Return the limits that other settings set to the one of that *name*."""
    return " ".join(
        limit.sentence.format(*map(_setting, limit.others))
        for limit in limits.LIMITS
        if limit.name == name
    )


def _setting(name: str) -> str:
    return f"``{schema.PREFIX}{name.upper()}``"

"""The settings that each issuer can have of its own, and those that name the issuers."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from marshmallow import Schema, ValidationError, fields
from marshmallow.validate import OneOf, Regexp

from ..core import APP_JWT_CLAIMS, CONSUMER_JWS_CLAIMS, ClaimNames
from ..keys import ALGORITHMS
from .fields import Audience, Seconds, Setting, Text, Texts

_RESERVED = ("iss", "exp", "iat", "nbf")
_MEDIA_TYPE = Regexp(
    r"(?!(?i:application/)\Z)[A-Za-z0-9!#$&^_.+/-]+\Z", error="Must be a media type."
)


# What names look like. Anything else may be a key in the wrong place, and is not quoted.
_SETTING_NAME = re.compile("[A-Za-z_]{1,40}")
# A dot may be a part of a name, so only what cannot be one: JSONPath, and Keycloak's objects.
_PATH = re.compile(r"(?:\$|(?:realm|resource)_access)[.\[]")


def is_setting_name(value: Any) -> bool:
    """Whether *value* may be quoted as the name of a setting."""
    return isinstance(value, str) and _SETTING_NAME.fullmatch(value) is not None


def is_issuer(value: Any) -> bool:
    """Whether a token can have *value* as ``iss``: a non-empty string that UTF-8 can encode."""
    return type(value) is str and value != "" and not re.search("[\ud800-\udfff]", value)


class IssuerName(Text):
    """One ``iss``: a list that is not JSON stays one text in an environment variable."""

    message: ClassVar[str] = (
        "Must be one issuer, a non-empty string without comma and white space. Several, or one "
        "with these, are given in CONNECTOR_AUTH_ISSUERS."
    )

    def _accepts(self, value: Any) -> bool:
        return is_issuer(value) and not re.search(r"[,\s]", value)


class Members(Setting):
    """A mapping. In an environment variable, one that is not JSON stays a text."""

    def _accepts(self, value: Any) -> bool:
        return isinstance(value, Mapping)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            if isinstance(value, str):
                json.loads(value)
        except json.JSONDecodeError as error:
            place = f"line {error.lineno}, column {error.colno}"
            advice = "names and texts need double quotes"
            raise ValidationError(f"Not JSON ({place}): {advice}. {self.message}") from None
        except (ValueError, RecursionError):
            pass  # It is refused below.
        return super()._deserialize(value)


class Issuers(Members):
    """A mapping of each ``iss`` to settings, which :class:`IssuerSchema` reads."""

    message: ClassVar[str] = (
        "Must be a mapping of each issuer to its settings, such as "
        '{"https://issuer.example": {"APP_JWT_KEYS": "https://issuer.example/jwks.json"}}.'
    )

    def _accepts(self, value: Any) -> bool:
        return super()._accepts(value) and bool(value)


class Claims(Members):
    """:class:`ClaimNames` as a mapping of our names to claims; what it leaves out is *protocol*'s.

    It is empty if it is not configured.
    """

    message: ClassVar[str] = 'Must be a mapping of names to claims, such as {"account_id": "sub"}.'

    def __init__(self, protocol: ClaimNames, doc: str) -> None:
        super().__init__(dict, doc)
        self._protocol = protocol
        self._names = [*protocol.ids, "scopes" if protocol.scopes else "issuer"]

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        given, protocol = super()._deserialize(value), self._protocol
        if wrong := [text for name in given for text in self._problems(name, given[name])]:
            raise ValidationError(wrong)
        scopes = given.get("scopes", protocol.scopes)
        return ClaimNames(
            {name: given.get(name, claim) for name, claim in protocol.ids.items()},
            (scopes,) if isinstance(scopes, str) else tuple(dict.fromkeys(scopes)),
            allows_scope_list="scopes" in given,
            requires_issuer=protocol.requires_issuer or "issuer" in given,
        )

    def _problems(self, name: Any, claim: Any) -> Iterator[str]:
        claims = claim if name == "scopes" and isinstance(claim, list | tuple) else [claim]
        if name not in self._names:
            what, shown = (f"{name}: ", name) if is_setting_name(name) else ("", "...")
            if isinstance(claim, str) and claim in self._names:
                yield f'{what}The name comes first, then its claim: {{"{claim}": "{shown}"}}.'
            else:
                yield f"{what}Unknown name; the names are {', '.join(self._names)}."
        elif name == "issuer":
            if claim != "iss":
                yield 'issuer: Must be "iss"; then a token must have this claim.'
        elif not claims or not all(isinstance(each, str) and each for each in claims):
            yield f"{name}: Must be the name of a claim{' or a list' * (name == 'scopes')}."
        elif any(re.search(r"[,\s]", each) for each in claims):
            several = ' Several claims are a list, such as ["scp", "scope"].' * (name == "scopes")
            yield f"{name}: Must not have a comma or white space.{several}"
        elif any(map(_PATH.match, claims)):
            yield f"{name}: A path into an object, such as realm_access.roles, is not supported."
        elif any(each in _RESERVED for each in claims):
            yield f"{name}: Must not be {', '.join(_RESERVED)}, which have a meaning of their own."


def _algorithms(default: list[str] | None, doc: str) -> Texts:
    known = f"Unknown algorithm; the known ones are {', '.join(ALGORITHMS)}."
    error = 'Must be a list of algorithm names, such as ["RS256"].'
    return Texts(fields.String(validate=OneOf(ALGORITHMS, error=known)), doc, error, default)


def _types(doc: str) -> Texts:
    error = 'Must be a list of types, such as ["JWT", "at+jwt"].'
    return Texts(Text(validate=_MEDIA_TYPE), doc, error, default=["JWT"])


class IssuerSchema(Schema):
    """What each issuer can have of its own; for all issuers, it is part of the settings."""

    prefix: ClassVar[str] = ""  #: what the names of the settings start with

    app_jwt_keys: fields.Raw = fields.Raw(
        required=True,
        error_messages={
            "null": "Must not be empty: give a key, the path of its file, or a URL.",
        },
        metadata={
            "doc": "The keys that verify AppJWTs: the URL of a key set (JWK Set), PEM text, base64 "
            'DER, a certificate, a JWK, a JWK Set, a text secret as ``{"secret": "..."}``, the '
            "path of a file with one of these, a ``KeySource`` object, or a list of these. See "
            ":doc:`keys`."
        },
    )
    consumer_jws_keys: fields.Raw = fields.Raw(
        load_default=None,
        metadata={
            "doc": "The keys that verify ConsumerJWSs, in the same forms. Not set: the keys of "
            "AppJWTs. Beside ``CONNECTOR_AUTH_ISSUERS``: the keys of each issuer that has no "
            "``CONSUMER_JWS_KEYS`` of its own."
        },
    )
    app_jwt_algorithms: Texts = _algorithms(
        ["RS256"],
        "The signature algorithms that are accepted in AppJWTs: the values that ``alg`` may have "
        "(RFC 8725 section 3.1).",
    )
    consumer_jws_algorithms: Texts = _algorithms(
        None,
        "The signature algorithms that are accepted in ConsumerJWSs. Not set: those of AppJWTs.",
    )
    app_jwt_claims: Claims = Claims(
        APP_JWT_CLAIMS,
        "The claims of your issuer's AppJWTs: a mapping from attributes to claim names. The "
        "attributes are ``account_id`` (default ``aud``), ``install_id`` (default ``azp``) and "
        "``scopes`` (default ``scope``). For ``scopes`` you can give a list of claims; the first "
        "of them that a token has is read. If you give ``scopes``, the value of its claim may also "
        "be a list. A claim is a top-level member of the payload; a dot is a part of its name. See "
        ":doc:`claims`.",
    )
    consumer_jws_claims: Claims = Claims(
        CONSUMER_JWS_CLAIMS,
        "The claims of your issuer's ConsumerJWSs: a mapping from attributes to claim names. The "
        "attributes are ``account_id``, ``ext_consumer_id`` and ``lp_consumer_id``; by default, "
        'the claims have the same names. With ``"issuer": "iss"``, a ConsumerJWS must have '
        "``iss``.",
    )
    app_jwt_types: Texts = _types(
        "The values of ``typ`` that are accepted in AppJWTs. Upper and lower case are the same, "
        "and a leading ``application/`` makes no difference. A token without ``typ`` counts as "
        "``JWT``. Your list replaces the default. If the access tokens of your issuer have "
        "``at+jwt``, leave ``JWT`` out: its ID tokens may have it (:doc:`claims`)."
    )
    consumer_jws_types: Texts = _types(
        "The values of ``typ`` that are accepted in ConsumerJWSs, in the same way."
    )
    audience: Audience = Audience(
        None,
        "The accounts whose tokens are accepted: one account id, or a list (RFC 8725 section 3.9). "
        "The ids are compared with the claim that has the account. If the account is in another "
        "claim than ``aud``, no setting checks ``aud`` (:doc:`claims`). Not set: the account in "
        "the URL is accepted. Where the URL has no account, tokens of every account are accepted.",
    )
    max_lifetime: Seconds = Seconds(
        None,
        "The longest accepted time from ``iat`` to ``exp`` of an AppJWT, in seconds. Not set: no "
        "limit.",
    )

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Read each field from the key of its name."""
        field_obj.data_key = self.prefix + field_name.upper()

"""The settings that each issuer can have of its own, and the claims in them that collide."""

import re
from collections.abc import Iterator, Mapping
from itertools import combinations, product
from typing import Any, ClassVar

from marshmallow import EXCLUDE, Schema, ValidationError, fields
from marshmallow.validate import Length, Regexp

from ..core import APP_JWT_CLAIMS, CONSUMER_JWS_CLAIMS, ClaimNames
from .fields import Algorithms, Audience, Seconds, Setting, Text

# What a name looks like, as an issuer or a setting has. Anything else may be a key in the wrong
# place, and is not quoted.
_NAME = re.compile(r"[\w.:/@%~+&?=-]{1,200}")
_RESERVED = ("iss", "exp", "iat", "nbf")


def loggable_name(name: Any, instead: str) -> str:
    """Return *name* if it looks like one, else *instead*."""
    return name if isinstance(name, str) and _NAME.fullmatch(name) else instead


class IssuerName(Text):
    """One ``iss``. A list that is not JSON in an environment variable is no name of an issuer."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        text = value if isinstance(value, str) else ""
        is_list = isinstance(value, list | tuple | set | frozenset | Mapping)
        if is_list or re.search(r"[,\s]", text):
            raise ValidationError(
                "Not one issuer: it is a list, or has a comma or white space. Several issuers, or "
                "one of such a name, are given in CONNECTOR_AUTH_ISSUERS."
            )
        return super()._deserialize(value)


class Issuers(Setting):
    """A mapping of each ``iss`` to settings; these are read by :class:`IssuerSchema`."""

    message: ClassVar[str] = (
        "Must be a mapping of each issuer to its settings, such as "
        '{"https://issuer.example": {"APP_JWT_KEYS": "https://issuer.example/jwks.json"}}.'
    )

    def _accepts(self, value: Any) -> bool:
        return isinstance(value, Mapping) and bool(value)


class Claims(Setting):
    """Names of claims by ours, as :class:`ClaimNames`; what is left out keeps its default."""

    message: ClassVar[str] = 'Must be a mapping of names to claims, such as {"account_id": "sub"}.'

    def __init__(self, default: ClaimNames, doc: str) -> None:
        super().__init__(dict, doc)
        self._default = default
        optional = {"scopes": bool(default.scopes), "issuer": not default.requires_issuer}
        self._names = [*default.ids, *(name for name, is_known in optional.items() if is_known)]

    def _accepts(self, value: Any) -> bool:
        return isinstance(value, Mapping)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        given = super()._deserialize(value)
        found = {loggable_name(name, "a name"): self._problem(name, given[name]) for name in given}
        if errors := {name: [text] for name, text in found.items() if text}:
            raise ValidationError(errors)
        scopes = given.get("scopes", self._default.scopes)
        names = ClaimNames(
            {name: given.get(name, claim) for name, claim in self._default.ids.items()},
            (scopes,) if isinstance(scopes, str) else tuple(dict.fromkeys(scopes)),
            allows_scope_list="scopes" in given,
            requires_issuer=self._default.requires_issuer or "issuer" in given,
        )
        same = [
            f"{name} and {other} are the same claim; each needs one of its own."
            for (name, claim), (other, other_claim) in combinations(_claims(names), 2)
            if claim == other_claim
        ]
        if same:
            raise ValidationError(same)
        return names

    def _problem(self, name: Any, claim: Any) -> str | None:
        if name not in self._names:
            return f"Unknown name; the names are {', '.join(self._names)}."
        if name == "issuer":
            return None if claim == "iss" else 'Must be "iss": then a token must have this claim.'
        items = claim if name == "scopes" and isinstance(claim, list | tuple) else [claim]
        if not items or not all(isinstance(item, str) and item for item in items):
            return "Must be the name of a claim" + (
                ", or a list of names." * (name == "scopes") or "."
            )
        if any(item in _RESERVED for item in items):
            return f"Must not be {', '.join(_RESERVED)}: these have a meaning of their own."
        return None


def colliding_claims(app_jwt: ClaimNames, consumer_jws: ClaimNames) -> Iterator[str]:
    """Yield a sentence for each claim by which a token of one type could pass for the other."""
    for (name, claim), (other, other_claim) in product(_claims(app_jwt), _claims(consumer_jws)):
        if claim == other_claim and {name, other} != {"account_id"}:
            yield (
                f"The {name} of an AppJWT and the {other} of a ConsumerJWS are the same claim: one "
                "token could pass for the other."
            )


def _claims(names: ClaimNames) -> list[tuple[str, str]]:
    return [*names.ids.items(), *(("scopes", claim) for claim in names.scopes)]


class Types(fields.List[str]):
    """Accepted values of ``typ``."""

    def __init__(self, doc: str) -> None:
        super().__init__(
            Text(
                validate=Regexp(
                    r"(?!(?i:application/)\Z)[A-Za-z0-9!#$&^_.+/-]+\Z",
                    error="Must be a media type.",
                )
            ),
            load_default=["JWT"],
            validate=Length(min=1, error="Must not be empty: no token would be accepted."),
            error_messages={"invalid": 'Must be a list of types, such as ["JWT", "at+jwt"].'},
            metadata={"doc": doc},
        )


class IssuerSchema(Schema):
    """What each issuer can have of its own; for all issuers, it is part of the settings."""

    class Meta:
        unknown = EXCLUDE

    prefix: ClassVar[str] = ""  #: what the names of the settings start with

    app_jwt_keys: fields.Raw = fields.Raw(
        required=True,
        error_messages={
            "required": "Missing: tokens cannot be verified without keys.",
            "null": "Must not be empty: give a key, the path of its file, or a URL.",
        },
        metadata={
            "doc": "Keys that verify AppJWTs: the URL of a JWK Set, PEM text, base64 DER, a "
            'certificate, a JWK, a JWK Set, a text secret as ``{"secret": "..."}``, the path of a '
            "file that holds one of these, a :class:`KeySource`, or a list of these. :doc:`keys` "
            "has the details."
        },
    )
    consumer_jws_keys: fields.Raw = fields.Raw(
        load_default=None,
        metadata={
            "doc": "Keys that verify ConsumerJWSs, in the same forms. Unset: the keys of AppJWTs."
        },
    )
    app_jwt_algorithms: Algorithms = Algorithms(
        ["RS256"], "Accepted values of ``alg`` in AppJWTs (RFC 8725 section 3.1)."
    )
    consumer_jws_algorithms: Algorithms = Algorithms(
        None, "Accepted values of ``alg`` in ConsumerJWSs. Unset: those of AppJWTs."
    )
    app_jwt_claims: Claims = Claims(
        APP_JWT_CLAIMS,
        "Claims of AppJWTs, by the names that tokens have for them: ``account_id`` (default: "
        "``aud``), ``install_id`` (``azp``) and ``scopes`` (``scope``), which may be a list: the "
        "first of its claims that a token has is read. If ``scopes`` is given, a token may have a "
        "list of scopes too.",
    )
    consumer_jws_claims: Claims = Claims(
        CONSUMER_JWS_CLAIMS,
        "Claims of ConsumerJWSs, by the names that tokens have for them: ``account_id``, "
        "``ext_consumer_id`` and ``lp_consumer_id`` (default: claims of these names), and "
        '``issuer``, whose only value is ``"iss"``: then a ConsumerJWS must have this claim.',
    )
    app_jwt_types: Types = Types(
        "Accepted values of ``typ`` in AppJWTs, such as ``at+jwt`` (RFC 9068), in any case and "
        "with or without ``application/``. A token without ``typ`` counts as ``JWT``."
    )
    consumer_jws_types: Types = Types("Accepted values of ``typ`` in ConsumerJWSs, likewise.")
    audience: Audience = Audience(
        None,
        "Account ids that are accepted in tokens: one id, or a list (RFC 8725 section 3.9). Unset: "
        "the account in the URL is accepted, or any account where the URL has none.",
    )
    max_lifetime: Seconds = Seconds(
        None,
        "Longest accepted time from ``iat`` to ``exp`` of an AppJWT, in seconds. Unset: no limit.",
    )

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Read each field from the key of its name."""
        field_obj.data_key = self.prefix + field_name.upper()

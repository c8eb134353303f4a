"""The settings as they stand in ``app.config``, one field each: type, default, bounds, meaning."""

from typing import Any

from marshmallow import EXCLUDE, Schema, fields
from marshmallow.validate import Length, OneOf, Range, Regexp

from ..core import ROWS
from ..keys import ALGORITHMS
from .fields import Audience, Flag, Number, Text, Whole
from .key_set_schema import JwksSchema
from .revocation_schema import RevocationSchema

#: What the configuration keys of this package start with.
PREFIX = "CONNECTOR_AUTH_"
# Headers that carry something else, or that WSGI does not hand over like the others.
_RESERVED_HEADERS = "(?!(?i:authorization|content-type|content-length|cookie|host)$)"


class OverrideSchema(Schema):
    """What a deployment may change in an error row."""

    errorCode: fields.Integer = fields.Integer(strict=True)
    title: Text = Text()
    details: Text = Text()


def _algorithms(**kwargs: Any) -> fields.List[str]:
    return fields.List(
        fields.String(validate=OneOf(ALGORITHMS, error="Unknown algorithm.")),
        validate=Length(min=1, error="An empty list would accept nothing."),
        error_messages={"invalid": 'Not a list of algorithm names, such as ["RS256"].'},
        **kwargs,
    )


def _bytes(default: int, doc: str) -> Whole:
    return Whole(load_default=default, validate=Range(min=1), metadata={"doc": doc})


class TokenSchema(Schema):
    """What a good token is, where it is read, and how a bad one is answered."""

    app_jwt_keys: fields.Raw = fields.Raw(
        required=True,
        error_messages={"required": "Missing: without keys no token can be verified."},
        metadata={
            "doc": "Keys that verify AppJWTs: the URL of a JWK Set, PEM text, bare base64 DER, a "
            "JWK, a JWK Set, the path of a file that holds one of these, a :class:`KeySource`, or "
            "a list of these."
        },
    )
    consumer_jws_keys: fields.Raw = fields.Raw(
        load_default=None,
        allow_none=True,
        metadata={"doc": "Keys that verify ConsumerJWS; unset: those of the AppJWT."},
    )
    app_jwt_algorithms: fields.List[str] = _algorithms(
        load_default=["RS256"],
        metadata={"doc": "Allow-list of ``alg`` (RFC 8725 section 3.1)."},
    )
    consumer_jws_algorithms: fields.List[str] = _algorithms(
        load_default=None,
        allow_none=True,
        metadata={"doc": "Allow-list of ``alg``; unset: that of the AppJWT."},
    )
    issuer: Text = Text(
        load_default="Sentinel",
        metadata={"doc": "What ``iss`` of an AppJWT must equal (RFC 8725 section 3.8)."},
    )
    audience: Audience = Audience(
        load_default=None,
        allow_none=True,
        metadata={
            "doc": "One account id, or a list, that tokens may name (RFC 8725 section 3.9); "
            "unset: the account of the URL decides, or any where there is none."
        },
    )
    account_argument: Text = Text(
        load_default="account_id",
        validate=Regexp(r"[^\W\d]\w*\Z", error="Not the name of a view argument."),
        metadata={"doc": "View argument that must equal the token's account."},
    )
    consumer_header: Text = Text(
        load_default="X-LP-ON-BEHALF",
        validate=Regexp(
            _RESERVED_HEADERS + r"[A-Za-z0-9!#$%&'*+.^`|~-]+\Z",
            error="Not a header name that can carry the ConsumerJWS (RFC 9110 section 5.1).",
        ),
        metadata={"doc": "Header of the ConsumerJWS; a sibling API says ``LP-On-Behalf``."},
    )
    leeway: Number = Number(
        load_default=30,
        validate=Range(min=0, max=3600),
        metadata={"doc": "Clock difference that ``exp``, ``iat``, ``nbf`` may show, in seconds."},
    )
    max_lifetime: Number = Number(
        load_default=None,
        allow_none=True,
        validate=Range(min=0, min_inclusive=False),
        metadata={"doc": "Longest time from ``iat`` to ``exp`` of an AppJWT, in seconds."},
    )
    min_rsa_bits: Whole = Whole(
        load_default=2048,
        validate=Range(min=1024, max=8192),
        metadata={"doc": "Shortest RSA key; below 2048 each such key is logged as a warning."},
    )
    max_token_bytes: Whole = _bytes(16384, "Longest token, in bytes.")
    max_header_bytes: Whole = _bytes(2048, "Longest header segment of a token, encoded, in bytes.")
    cache_size: Whole = Whole(
        load_default=4096,
        validate=Range(min=0),
        metadata={"doc": "Verified tokens kept for each token type, at most; 0: none."},
    )
    cache_max_age: Number = Number(
        load_default=300,
        validate=Range(min=0),
        metadata={"doc": "How long one is kept before it is verified anew, in seconds; 0: not."},
    )
    realm: Text = Text(
        load_default="Connector API",
        validate=Regexp(r"[ !#-\[\]-~]+\Z", error="Not printable ASCII without quotes."),
        metadata={"doc": "``realm`` of ``WWW-Authenticate`` (RFC 9110 section 11.5)."},
    )
    error_catalogue: fields.Dict = fields.Dict(
        keys=fields.Integer(validate=OneOf(ROWS, error="Not a row of the error table.")),
        values=fields.Nested(OverrideSchema),
        load_default=dict,
        metadata={
            "doc": "Changes to error rows: documented code to any of ``errorCode``, ``title``, "
            "``details``. The HTTP status of a row stays."
        },
    )
    missing_parameter_row: Flag = Flag(
        load_default=False,
        metadata={
            "doc": "Whether a mandatory AppJWT claim that is missing, or a wrong issuer, answers "
            "row 40001 instead of 40102."
        },
    )
    log_limit: Number = Number(
        load_default=1,
        allow_none=True,
        validate=Range(min=0),
        metadata={
            "doc": "Lines a second that each reason for refusing requests may log, in a process, "
            "over time; 0 or ``None``: any number."
        },
    )
    log_burst: Whole = Whole(
        load_default=10,
        validate=Range(min=1),
        metadata={"doc": "Lines that it may log at once, before that limit holds."},
    )


class SettingsSchema(JwksSchema, RevocationSchema, TokenSchema):
    """All settings as they stand in ``app.config``; the docs' table is made from it."""

    class Meta:
        unknown = EXCLUDE

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Read each field from its configuration key."""
        field_obj.data_key = PREFIX + field_name.upper()

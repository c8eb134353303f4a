"""The settings as they stand in ``app.config``, one field each: type, default, bounds, meaning."""

from typing import ClassVar

from marshmallow import Schema
from marshmallow.validate import OneOf, Range, Regexp

from ..keys import check_backup_place, check_host, parse_proxy
from .fields import (
    Count,
    Flag,
    Function,
    Location,
    Number,
    Overrides,
    Seconds,
    Store,
    Text,
    Texts,
    WholeNumber,
    passes,
)
from .issuer_schema import IssuerName, Issuers, IssuerSchema

#: What the configuration keys of this package start with.
PREFIX = "CONNECTOR_AUTH_"
# Headers that carry something else, or that WSGI does not hand over like the others.
_RESERVED_HEADERS = "(?!(?i:authorization|content-type|content-length|cookie|host)$)"
_NOT_NEGATIVE = Range(min=0)


class TokenSchema(IssuerSchema):
    """Which tokens are accepted, where they are read, and how other ones are answered."""

    issuer: IssuerName = IssuerName(
        "Sentinel", "Required value of ``iss`` in AppJWTs (RFC 8725 section 3.8)."
    )
    issuers: Issuers = Issuers(
        None,
        "Several issuers in place of ``ISSUER``: maps each ``iss`` to settings of its own, see "
        ":ref:`several-issuers`.",
    )
    account_argument: Text = Text(
        "account_id",
        "Name of the view argument that must equal the token's account.",
        validate=Regexp(r"[^\W\d]\w*\Z", error="Must be the name of a view argument."),
    )
    consumer_header: Text = Text(
        "X-LP-ON-BEHALF",
        "Request header that carries the ConsumerJWS. A sibling API uses ``LP-On-Behalf``.",
        validate=Regexp(
            _RESERVED_HEADERS + r"[A-Za-z0-9!#$%&'*+.^`|~-]+\Z",
            error="Must be a header name (RFC 9110 section 5.1) that carries nothing else.",
        ),
    )
    leeway: Number = Number(
        30,
        "Clock difference that ``exp``, ``iat`` and ``nbf`` may show, in seconds.",
        validate=Range(min=0, max=3600),
    )
    min_rsa_bits: WholeNumber = WholeNumber(
        2048,
        "Shortest accepted RSA key, in bits. Each accepted key below 2048 bits is logged as a "
        "warning.",
        validate=Range(min=1024, max=8192),
    )
    max_token_bytes: Count = Count(16384, "Longest accepted token, in bytes.")
    max_header_bytes: Count = Count(
        2048, "Longest accepted header segment of a token, as base64url, in bytes."
    )
    cache_size: WholeNumber = WholeNumber(
        4096,
        "Most verified tokens to keep in the cache of each token type. 0: no cache.",
        validate=_NOT_NEGATIVE,
    )
    cache_max_age: Number = Number(
        300,
        "Seconds to keep a verified token before it is verified again. 0: no cache.",
        validate=_NOT_NEGATIVE,
    )
    realm: Text = Text(
        "Connector API",
        "``realm`` of ``WWW-Authenticate`` (RFC 9110 section 11.5).",
        validate=Regexp(
            r"[ !#-\[\]-~]+\Z", error="Must be printable ASCII without quotes and backslashes."
        ),
    )
    error_catalogue: Overrides = Overrides(
        "Changes to error rows: maps a documented code to another ``errorCode``, ``title`` or "
        "``details``. The HTTP status of a row cannot change."
    )
    missing_parameter_row: Flag = Flag(
        False,
        "Whether an AppJWT with a wrong issuer, or without a mandatory claim, is answered with row "
        "40001 instead of 40102.",
    )
    log_limit: Number = Number(
        1,
        "Most lines per second that each rejection reason logs in a process, on average. 0 or "
        "``None``: no limit.",
        validate=_NOT_NEGATIVE,
        allow_none=True,
    )
    log_burst: Count = Count(
        10, "Lines that a reason can log at once before ``LOG_LIMIT`` applies."
    )


class JwksSchema(Schema):
    """When a key set is fetched, and how; times in seconds."""

    jwks_max_age: Seconds = Seconds(
        300,
        "Seconds to use a key set before it is fetched again, while its issuer answers. Cache "
        "headers of the issuer can shorten this.",
    )
    jwks_min_age: Seconds = Seconds(
        30,
        "Least seconds to use a key set before it is fetched again, whatever the cache headers.",
    )
    jwks_cooldown: Seconds = Seconds(
        10, "Least seconds between two fetches because of unknown keys, in each process."
    )
    jwks_timeout: Seconds = Seconds(5, "Most seconds that one fetch takes, from start to end.")
    jwks_wait: Seconds = Seconds(
        2,
        "Most seconds that a request waits for a fetch, and that a fetch keeps requests waiting.",
    )
    jwks_max_waiting: Count = Count(
        4, "Most requests that wait for one fetch because of an unknown key, in each process."
    )
    jwks_retry: Seconds = Seconds(
        1, "Seconds to pause after a failed fetch. The pause doubles with each further failure."
    )
    jwks_retry_max: Seconds = Seconds(
        60,
        "Longest pause after a failed fetch while the last key set is used. Without a usable set, "
        "a pause is at most 5 seconds; with a fresh set, at most ``JWKS_COOLDOWN``.",
    )
    jwks_max_stale: Seconds = Seconds(
        3600,
        "Seconds to use a key set after its last confirmation while fetches fail. 0: not at all.",
        validate=_NOT_NEGATIVE,
    )
    jwks_max_bytes: Count = Count(262144, "Largest accepted key set, in bytes.")
    jwks_max_keys: Count = Count(100, "Most keys that are accepted in a key set.")
    jwks_failover: Texts = Texts(
        Location(),
        "Further URLs of the same key set, fetched when the first one fails; only beside a single "
        "URL, of one issuer.",
        'Must be a list of URLs, such as ["https://mirror.example/jwks.json"].',
    )
    jwks_http_hosts: Texts = Texts(
        Text(validate=passes(check_host)),
        "Hosts whose key sets may have an ``http://`` URL, exactly as in the URL and without port. "
        "Anyone on the network path to them can forge tokens.",
        'Must be a list of hosts, such as ["issuer"].',
    )
    jwks_backup: Location = Location(
        None,
        "Where to keep a backup of the last good key set, for a start while the issuer is down: a "
        "file path, or the URL of one Redis server (``redis://``, ``rediss://`` or ``unix://``). "
        "Anyone with write access to the backup can forge tokens.",
        validate=passes(check_backup_place),
    )
    jwks_ca_file: Location = Location(
        None, "File of CA certificates to trust for key sets, instead of those of the system."
    )
    jwks_proxy: Location = Location(
        None,
        "``http://host:port`` or ``http://user:password@host:port`` of a proxy for key sets by "
        "``https``. Proxies of the environment are not used.",
        validate=passes(parse_proxy),
    )
    jwks_fetch: Function = Function(
        None, "A callable that replaces the built-in fetch; see :class:`Fetch`."
    )


class RevocationSchema(Schema):
    """Where revocations are kept, and what happens while the store is out of reach."""

    revocation_url: Location = Location(
        None,
        "Redis in which all workers share revocations: ``redis://``, ``rediss://``, ``unix://``, "
        "``redis+sentinel://host:port,host:port/service`` or ``redis+cluster://host:port``. "
        "Unset: each process has its own revocations.",
    )
    revocation_store: Store = Store(
        None, "A :class:`RevocationStore` of your own, instead of ``REVOCATION_URL``."
    )
    revocation_max_lag: Number = Number(
        5,
        "Highest accepted age of a worker's copy of the store, in seconds.",
        validate=Range(min=1),
    )
    revocation_on_outage: Text = Text(
        "closed",
        "What happens when that copy is older, or was never loaded. ``closed``: requests are "
        "answered with 503. ``open``: the last known copy is used, and revoked tokens can be "
        "accepted.",
        validate=OneOf(("closed", "open"), error='Must be "closed" or "open".'),
    )
    revocation_keep: Seconds = Seconds(
        None,
        "Seconds to keep a revocation whose tokens have no known expiry. These are the revocations "
        "of tokens without ``exp``, of accounts and of consumers; and of app installs, if the "
        "store is shared or ``MAX_LIFETIME`` is not set. Unset: forever. Once the revocation is "
        "dropped, such tokens are accepted again.",
    )


class SettingsSchema(JwksSchema, RevocationSchema, TokenSchema):
    """All settings as they stand in ``app.config``; the docs' table is made from it."""

    prefix: ClassVar[str] = PREFIX

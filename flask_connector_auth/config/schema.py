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
        "Sentinel",
        "The issuer, which signs the tokens. ``iss`` of an AppJWT must have exactly this value "
        "(RFC 8725 section 3.8).",
    )
    issuers: Issuers = Issuers(
        None,
        "Several issuers, instead of ``CONNECTOR_AUTH_ISSUER``: a mapping from each ``iss`` to the "
        "settings of that issuer. See `Several issuers`_.",
    )
    account_argument: Text = Text(
        "account_id",
        "The name of the view argument that has the account id from the URL. The account of each "
        "token must be this one.",
        validate=Regexp(r"[^\W\d]\w*\Z", error="Must be the name of a view argument."),
    )
    consumer_header: Text = Text(
        "X-LP-ON-BEHALF",
        "The request header that carries the ConsumerJWS. A sibling API uses ``LP-On-Behalf``.",
        validate=Regexp(
            _RESERVED_HEADERS + r"[A-Za-z0-9!#$%&'*+.^`|~-]+\Z",
            error="Must be a header name (RFC 9110 section 5.1) that carries nothing else.",
        ),
    )
    leeway: Number = Number(
        30,
        "How far the clocks of the issuer and of your service may differ, in seconds. ``exp``, "
        "``iat`` and ``nbf`` are compared with this tolerance.",
        validate=Range(min=0, max=3600),
    )
    min_rsa_bits: WholeNumber = WholeNumber(
        2048,
        "The shortest accepted RSA key, in bits. Each accepted key below 2048 bits is logged as a "
        "warning.",
        validate=Range(min=1024, max=8192),
    )
    max_token_bytes: Count = Count(16384, "The longest accepted token, in bytes.")
    max_header_bytes: Count = Count(
        2048, "The longest accepted first segment (JOSE header) of a token, as base64url, in bytes."
    )
    cache_size: WholeNumber = WholeNumber(
        4096,
        "How many verified tokens each process remembers, for each token type. 0: none.",
        validate=_NOT_NEGATIVE,
    )
    cache_max_age: Number = Number(
        300,
        "How long a process remembers a verified token, in seconds. Then the token is verified "
        "again. 0: tokens are not remembered.",
        validate=_NOT_NEGATIVE,
    )
    realm: Text = Text(
        "Connector API",
        "The ``realm`` in ``WWW-Authenticate`` of a 401 (RFC 9110 section 11.5).",
        validate=Regexp(
            r"[ !#-\[\]-~]+\Z", error="Must be printable ASCII without quotes and backslashes."
        ),
    )
    error_catalogue: Overrides = Overrides(
        "Changes to error rows: a mapping from a documented code to another ``errorCode``, "
        "``title`` or ``details``. The HTTP status of a row cannot change. See :doc:`error_rows`."
    )
    missing_parameter_row: Flag = Flag(
        False,
        "``True``: an AppJWT with a wrong issuer, or without a mandatory claim, is answered with "
        "row 40001 instead of 40102.",
    )
    log_limit: Number = Number(
        1,
        "How many lines per second a process logs for each reason, on average. 0 or ``None``: no "
        "limit.",
        validate=_NOT_NEGATIVE,
        allow_none=True,
    )
    log_burst: Count = Count(
        10,
        "How many lines a process logs at once for a reason, before ``CONNECTOR_AUTH_LOG_LIMIT`` "
        "applies.",
    )


class JwksSchema(Schema):
    """When a key set is fetched, and how; times in seconds."""

    jwks_max_age: Seconds = Seconds(
        300,
        "How long a key set is used before it is fetched again, while its issuer answers. Cache "
        "headers of the issuer can shorten this.",
    )
    jwks_min_age: Seconds = Seconds(
        30,
        "How long a key set is used at least before it is fetched again, even if the cache headers "
        "say less.",
    )
    jwks_cooldown: Seconds = Seconds(
        10,
        "The least time between two fetches that unknown keys cause, in each process.",
    )
    jwks_timeout: Seconds = Seconds(5, "The longest time of one fetch, from start to end.")
    jwks_wait: Seconds = Seconds(
        2,
        "How long a request waits for a fetch at most. When a fetch has taken this long, no "
        "further request waits for it.",
    )
    jwks_max_waiting: Count = Count(
        4,
        "How many requests with an unknown key wait for one fetch at most, in each process. Others "
        "are answered with 503 at once.",
    )
    jwks_retry: Seconds = Seconds(
        1, "The pause after a failed fetch. It doubles with each further failure."
    )
    jwks_retry_max: Seconds = Seconds(
        60,
        "The longest pause after failed fetches, while the last key set is still used. Without a "
        "usable key set, the pause is at most 5 seconds. With a fresh key set, it is at most "
        "``CONNECTOR_AUTH_JWKS_COOLDOWN``.",
    )
    jwks_max_stale: Seconds = Seconds(
        3600,
        "How long a key set is still used while fetches fail, counted from the time at which its "
        "issuer last confirmed it. 0: it is not used then.",
        validate=_NOT_NEGATIVE,
    )
    jwks_max_bytes: Count = Count(262144, "The largest accepted key set, in bytes.")
    jwks_max_keys: Count = Count(100, "How many keys a key set may have at most.")
    jwks_failover: Texts = Texts(
        Location(),
        "Further URLs of the same key set. They are fetched when the first URL fails. Allowed only "
        "beside a single URL of keys.",
        'Must be a list of URLs, such as ["https://mirror.example/jwks.json"].',
    )
    jwks_http_hosts: Texts = Texts(
        Text(validate=passes(check_host)),
        "Hosts whose key sets may have an ``http://`` URL. Write each host exactly as in the URL, "
        "without the port. Anyone on the network path to such a host can forge tokens.",
        'Must be a list of hosts, such as ["issuer"].',
    )
    jwks_backup: Location = Location(
        None,
        "Where to keep a backup of the last good key set, so that your service can start while the "
        "issuer is down. A file path, or the URL of one Redis server (``redis://``, ``rediss://`` "
        "or ``unix://``). Anyone with write access to the backup can forge tokens.",
        validate=passes(check_backup_place),
    )
    jwks_ca_file: Location = Location(
        None,
        "A file of CA certificates. Servers of key sets are verified with these, instead of those "
        "of the system.",
    )
    jwks_proxy: Location = Location(
        None,
        "The proxy for key sets that are fetched by ``https``: ``http://host:port`` or "
        "``http://user:password@host:port``. Proxies that the environment names are not used.",
        validate=passes(parse_proxy),
    )
    jwks_fetch: Function = Function(
        None, "A function of yours that fetches key sets, instead of the built-in one: ``Fetch``."
    )


class RevocationSchema(Schema):
    """Where revocations are kept, and what happens while the store is out of reach."""

    revocation_url: Location = Location(
        None,
        "The URL of the Redis through which all workers share revocations: ``redis://``, "
        "``rediss://``, ``unix://``, ``redis+sentinel://host:port,host:port/service`` or "
        "``redis+cluster://host:port``. Not set: each process has its own revocations.",
    )
    revocation_store: Store = Store(
        None,
        "A ``RevocationStore`` of your own, instead of ``CONNECTOR_AUTH_REVOCATION_URL``.",
    )
    revocation_max_lag: Number = Number(
        5,
        "How old a worker's copy of the store may be, in seconds.",
        validate=Range(min=1),
    )
    revocation_on_outage: Text = Text(
        "closed",
        "What happens when a worker's copy of the store is older than "
        '``CONNECTOR_AUTH_REVOCATION_MAX_LAG``, or was never loaded. ``"closed"``: requests are '
        'answered with 503. ``"open"``: the last known copy is used, and revoked tokens can be '
        "accepted.",
        validate=OneOf(("closed", "open"), error='Must be "closed" or "open".'),
    )
    revocation_keep: Seconds = Seconds(
        None,
        "How long to keep a revocation whose tokens have no known expiry, in seconds. These are "
        "the revocations of tokens without ``exp``, of accounts and of consumers. They are also "
        "those of app installs, if the store is shared or ``CONNECTOR_AUTH_MAX_LIFETIME`` is not "
        "set. Once the revocation is dropped, such tokens are accepted again. Not set: forever.",
    )


class SettingsSchema(JwksSchema, RevocationSchema, TokenSchema):
    """All settings as they stand in ``app.config``; the reference page is made from it."""

    prefix: ClassVar[str] = PREFIX

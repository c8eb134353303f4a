"""The usual causes of each reason and what to do about them, as reStructuredText."""

from typing import NamedTuple

from flask_connector_auth import Reason

APP_JWT, CONSUMER_JWS, EITHER = (40102,), (40103,), (40102, 40103)


class Trouble(NamedTuple):
    """Answer, causes and remedy of a reason."""

    rows: tuple[int, ...]  #: error codes of the answers; empty: the error that the view raises
    cause: str  #: the usual causes
    remedy: str
    inspect: str = ""  #: how ``inspect`` shows it, if none of its checks has this reason


#: By reason, in the order of the enum.
TROUBLES = {
    Reason.MISSING: Trouble(
        (40105, 40104),
        "The client sends no header, or an empty variable in it. A proxy dropped the header, or "
        "its name has underscores in place of hyphens. The client followed a redirect, and does "
        "not send ``Authorization`` there.",
        "Compare the names of the headers that arrive with those that are sent; :doc:`proxies`.",
    ),
    Reason.BAD_HEADER: Trouble(
        EITHER,
        "Another scheme, such as ``Basic``; ``Bearer`` before a ConsumerJWS; a token in quotes or "
        "with a line break; a header that was sent twice, which servers join by a comma.",
        "Send the bare token, once.",
    ),
    Reason.TOO_LARGE: Trouble(
        EITHER,
        "Something else was sent in place of the token, or the issuer puts more and more into it.",
        "Raise ``CONNECTOR_AUTH_MAX_TOKEN_BYTES`` or ``CONNECTOR_AUTH_MAX_HEADER_BYTES`` if the "
        "token is real. Servers and proxies have limits of their own: :doc:`proxies`.",
    ),
    Reason.NOT_COMPACT: Trouble(
        EITHER,
        "It is no JWT: an opaque token, an id, an encrypted token with five segments. Or it was "
        "cut off on its way, through a field of a database, say.",
        "Look at what the client got from the issuer, and at what is left of it here.",
    ),
    Reason.BAD_JSON: Trouble(
        EITHER,
        "The token is hand-made, or its issuer writes members twice, ``NaN``, or another encoding "
        "than UTF-8.",
        "Have the issuer repaired: no two parsers agree on such a token.",
    ),
    Reason.BAD_PARAMETER: Trouble(
        EITHER,
        "``typ`` is another one, such as ``at+jwt``, so it is a token for something else; or "
        "``kid`` is a number or ``null``.",
        "If the issuer gives such tokens for this service, put their ``typ`` on "
        "``CONNECTOR_AUTH_APP_JWT_TYPES`` or ``CONNECTOR_AUTH_CONSUMER_JWS_TYPES``. Have it name "
        "its keys by text.",
    ),
    Reason.CRITICAL: Trouble(
        EITHER,
        "The issuer uses an extension of JWS, or compresses what it signs.",
        "Have it switched off: none is supported.",
    ),
    Reason.BAD_ALGORITHM: Trouble(
        EITHER,
        "The issuer signs by another algorithm than RS256, or a client tries ``none`` or an HMAC.",
        "If it is the issuer, put its algorithm on ``CONNECTOR_AUTH_APP_JWT_ALGORITHMS`` or "
        "``CONNECTOR_AUTH_CONSUMER_JWS_ALGORITHMS``.",
    ),
    Reason.UNKNOWN_KEY: Trouble(
        EITHER,
        "A token of another environment. A key that was withdrawn, or is not configured for this "
        "token. A token without ``kid``, while several keys fit. A key that was not published "
        "before it signed.",
        "Compare the token's ``kid`` with those that ``check`` lists for this token; "
        ":doc:`rotation`.",
    ),
    Reason.BAD_SIGNATURE: Trouble(
        EITHER,
        "The issuer has a new key under an old ``kid``, and the configured one is a copy of the "
        "old. The token was edited. Or it is forged.",
        "Get the issuer's key anew, best by its URL: :doc:`keys`.",
    ),
    Reason.MISSING_CLAIM: Trouble(
        (*EITHER, 40001),
        "A token for another service, or one of a development issuer that leaves claims out. With "
        "several issuers, a ConsumerJWS without ``iss`` whose ``kid`` does not tell its issuer.",
        "Compare its claims with those that the checks of :doc:`security` ask for. If the issuer "
        "has other names for them, set ``CONNECTOR_AUTH_APP_JWT_CLAIMS`` or "
        "``CONNECTOR_AUTH_CONSUMER_JWS_CLAIMS``.",
    ),
    Reason.BAD_CLAIM: Trouble(
        EITHER,
        "``aud`` lists several accounts, a time is text, an id is a number or empty.",
        "Have the issuer write the claim as the protocol says.",
    ),
    Reason.WRONG_ISSUER: Trouble(
        (*EITHER, 40001),
        "A token of another environment, or a name that differs by a slash or a capital letter. "
        "With several issuers, a ConsumerJWS of another one than the AppJWT.",
        "Set ``CONNECTOR_AUTH_ISSUER`` to the very text of ``iss``, or name each issuer so in "
        "``CONNECTOR_AUTH_ISSUERS``.",
    ),
    Reason.EXPIRED: Trouble(
        EITHER,
        "The client uses its AppJWT for longer than it may. If it happens to new tokens, a clock "
        "is off.",
        "Have the client get a new token when one is refused, or shortly before. Set the clocks by "
        "NTP; ``CONNECTOR_AUTH_LEEWAY`` is for seconds, not for time zones.",
    ),
    Reason.NOT_YET_VALID: Trouble(
        EITHER,
        "The clock is slow here, or fast at the issuer.",
        "Set the clocks by NTP. ``inspect --at`` says when the token would be good.",
    ),
    Reason.TOO_LONG_LIVED: Trouble(
        APP_JWT,
        "``CONNECTOR_AUTH_MAX_LIFETIME`` is less than what the issuer gives its tokens.",
        "Have the issuer shorten them, or raise the setting.",
    ),
    Reason.WRONG_TYPE: Trouble(
        EITHER,
        "The client has the two headers mixed up.",
        "The AppJWT goes into ``Authorization``, the ConsumerJWS into the consumer header.",
    ),
    Reason.SAME_TOKEN: Trouble(
        CONSUMER_JWS,
        "The client, or a proxy that copies headers, sends the AppJWT as the ConsumerJWS too.",
        "Have the client get a ConsumerJWS, and send that.",
        "it cannot know that of one token; as a ConsumerJWS, ``wrong_type``.",
    ),
    Reason.WRONG_ACCOUNT: Trouble(
        EITHER,
        "The token is of another account than the URL, than ``CONNECTOR_AUTH_AUDIENCE``, or than "
        "the other token.",
        ":doc:`accounts` has the rules. ``inspect --account-id``, with the account of the URL, "
        "shows which one the token has.",
    ),
    Reason.MISSING_SCOPE: Trouble(
        APP_JWT,
        "The app install was not granted the scope, or the token is from before it was.",
        "``inspect --endpoint`` shows which scopes the endpoint requires, and which the token has. "
        "Have the scope granted, then a new token issued.",
    ),
    Reason.REVOKED: Trouble(
        EITHER,
        "The token was revoked, or its app install, account or consumer.",
        "If it was an error, ``restore``. Of an app install or an account, what is issued from now "
        "on passes: :doc:`revocation`.",
    ),
    Reason.UNKNOWN_USER: Trouble(
        EITHER,
        "The tokens are good, and the user loader of your app has returned ``None`` for them: an "
        "account or consumer that it does not know, or no longer.",
        "Add the user, or have the loader return one: :doc:`callbacks`.",
        "nothing, for the tokens are good, and it loads no user.",
    ),
    Reason.VIEW: Trouble(
        (),
        "Code of yours has raised one of the errors, with good tokens.",
        "Look there; such an error is not logged by this package: :doc:`error_rows`.",
        "nothing, for the tokens are good.",
    ),
    Reason.KEYS_UNAVAILABLE: Trouble(
        (50301,),
        "The issuer's key set cannot be had: wrong URL, name server, certificate, firewall, proxy, "
        "or the issuer is down.",
        "``check`` names the URL, the cause and the next step; the log of "
        "``flask_connector_auth.keys`` says since when: :doc:`key_sets`.",
    ),
    Reason.REVOCATION_UNAVAILABLE: Trouble(
        (50301,),
        "The store of revocations was out of reach for longer than "
        "``CONNECTOR_AUTH_REVOCATION_MAX_LAG``; a wrong password counts as out of reach. Under "
        "uWSGI, ``enable-threads`` is missing.",
        "``check`` names the server, the cause and the next step, and the log of "
        "``flask_connector_auth.revocation`` the cause: "
        ":doc:`revocation`.",
    ),
}

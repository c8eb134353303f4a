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
        "The client does not send the header, or sends an empty value. A proxy removes the header. "
        "The header's name has underscores instead of hyphens. The client follows a redirect, and "
        "does not send ``Authorization`` to the new URL.",
        "Compare the names of the headers that are sent with those that arrive: :doc:`proxies`.",
    ),
    Reason.BAD_HEADER: Trouble(
        EITHER,
        "Another scheme, such as ``Basic``. ``Bearer`` before a ConsumerJWS. A token in quotes, or "
        "with a line break. A header that is sent twice: servers join the values with a comma.",
        "Send the token alone, once.",
    ),
    Reason.TOO_LARGE: Trouble(
        EITHER,
        "The client sends something else instead of the token. Or the issuer puts more and more "
        "into the token.",
        "If the token is real, raise ``CONNECTOR_AUTH_MAX_TOKEN_BYTES`` or "
        "``CONNECTOR_AUTH_MAX_HEADER_BYTES``. Servers and proxies have their own limits: "
        ":doc:`proxies`.",
    ),
    Reason.NOT_COMPACT: Trouble(
        EITHER,
        "The value is not a signed JWT: it is an opaque token, an id, or an encrypted token with "
        "five segments. Or the token was cut off on its way, for example by a database column.",
        "Compare what the issuer gives to the client with what arrives here.",
    ),
    Reason.BAD_JSON: Trouble(
        EITHER,
        "The token is hand-made. Or its issuer writes duplicate members, ``NaN``, or another "
        "encoding than UTF-8.",
        "Ask the issuer to correct its tokens. Two JSON parsers can read such a token differently.",
    ),
    Reason.BAD_PARAMETER: Trouble(
        EITHER,
        "``typ`` has another value, such as ``at+jwt``: the token is for another purpose. Or "
        "``kid`` is a number or ``null``.",
        "If the issuer gives such tokens for this service, set ``CONNECTOR_AUTH_APP_JWT_TYPES`` or "
        "``CONNECTOR_AUTH_CONSUMER_JWS_TYPES`` to their ``typ``. Your list replaces the default. "
        "Do not add ``JWT`` if your access tokens have ``at+jwt``, or an ID token may pass: "
        ":doc:`claims`. If ``kid`` is the problem, ask the issuer to write it as text.",
    ),
    Reason.CRITICAL: Trouble(
        EITHER,
        "The issuer uses an extension of JWS, or compresses the payload.",
        "Ask the issuer to switch this off. No extension is supported.",
    ),
    Reason.BAD_ALGORITHM: Trouble(
        EITHER,
        "The issuer signs with another algorithm than RS256. Or a client tries ``none`` or an HMAC "
        "algorithm.",
        "If it is the issuer, write its algorithm into ``CONNECTOR_AUTH_APP_JWT_ALGORITHMS`` or "
        "``CONNECTOR_AUTH_CONSUMER_JWS_ALGORITHMS``. Your list replaces the default.",
    ),
    Reason.UNKNOWN_KEY: Trouble(
        EITHER,
        "The token is from another environment. The key was withdrawn, or is not configured for "
        "this type of token. The token has no ``kid``, and several keys fit. The issuer signed "
        "with a new key before it published that key.",
        "Compare the ``kid`` of the token with those that ``flask connector-auth check`` lists for "
        "this type of token: :doc:`rotation`.",
    ),
    Reason.BAD_SIGNATURE: Trouble(
        EITHER,
        "The issuer has a new key under an old ``kid``, and you have configured a copy of the old "
        "key. The token was edited. Or the token is forged.",
        "See first whether other tokens with this ``kid`` are accepted: :doc:`rotation`. If they "
        "are, the fault is in the token. Let the client get a new one. If the new token is refused "
        "too, the client changes it, or it was not made by your issuer. Such refusals are right: "
        "change no setting. :doc:`operations` says how to find the client. If no token with this "
        "``kid`` is accepted, get the issuer's key again, best by its URL: :doc:`keys`. ``flask "
        "connector-auth check`` shows the thumbprint of each key. Compare it with the issuer's.",
    ),
    Reason.MISSING_CLAIM: Trouble(
        (*EITHER, 40001),
        "A token for another service, or of a development issuer that leaves claims out. With "
        "several issuers: a ConsumerJWS without ``iss``, whose ``kid`` does not show the issuer.",
        "Compare the claims of the token with the checks in :doc:`security`. If your issuer uses "
        "other names for these claims, set ``CONNECTOR_AUTH_APP_JWT_CLAIMS`` or "
        "``CONNECTOR_AUTH_CONSUMER_JWS_CLAIMS``.",
    ),
    Reason.BAD_CLAIM: Trouble(
        EITHER,
        "``aud`` lists several accounts. A time is text. An id is a number, or empty.",
        "Ask the issuer to write the claim as the protocol says.",
    ),
    Reason.WRONG_ISSUER: Trouble(
        (*EITHER, 40001),
        "The token is from another environment. Or the name of the issuer differs by a slash or by "
        "a capital letter. With several issuers: a ConsumerJWS of another issuer than the AppJWT.",
        "Copy ``iss`` of the token exactly into ``CONNECTOR_AUTH_ISSUER``. With several issuers, "
        "use it as the name of the issuer in ``CONNECTOR_AUTH_ISSUERS``.",
    ),
    Reason.EXPIRED: Trouble(
        EITHER,
        "The client uses its AppJWT for too long. If it happens to new tokens, a clock is wrong.",
        "Let the client get a new token shortly before the old one expires, or when a token is "
        "refused. Set the clocks by NTP. ``CONNECTOR_AUTH_LEEWAY`` is for a difference of seconds, "
        "not for time zones.",
    ),
    Reason.NOT_YET_VALID: Trouble(
        EITHER,
        "The clock of your server is slow, or that of the issuer is fast.",
        "Set the clocks by NTP. With ``inspect --at`` you can try the token at another time.",
    ),
    Reason.TOO_LONG_LIVED: Trouble(
        APP_JWT,
        "The issuer's tokens are valid for longer than ``CONNECTOR_AUTH_MAX_LIFETIME``.",
        "Ask the issuer for shorter lifetimes, or raise the setting.",
    ),
    Reason.WRONG_TYPE: Trouble(
        EITHER,
        "The client has mixed up the two headers.",
        "Send the AppJWT in ``Authorization``, and the ConsumerJWS in the consumer header.",
    ),
    Reason.SAME_TOKEN: Trouble(
        CONSUMER_JWS,
        "The client sends the AppJWT as the ConsumerJWS too. Or a proxy copies the header.",
        "Let the client get a ConsumerJWS, and send that.",
        "none, because ``inspect`` sees only one token. With ``--consumer-jws``, the reason is "
        "``wrong_type``.",
    ),
    Reason.WRONG_ACCOUNT: Trouble(
        EITHER,
        "The account of the token is not the account in the URL. Or it is not one of "
        "``CONNECTOR_AUTH_AUDIENCE``. Or the two tokens have different accounts.",
        "Run ``inspect --account-id`` with the account in the URL: it shows which account the "
        "token has. If the client should use that account, the client must correct the URL. "
        "Otherwise it must get a token of the account in the URL. If the two tokens differ, the "
        "client must get both for one account. If your service should accept the account, and "
        "``CONNECTOR_AUTH_AUDIENCE`` does not have it, you add it there. :doc:`accounts` has the "
        "rules.",
    ),
    Reason.MISSING_SCOPE: Trouble(
        APP_JWT,
        "The app install was not granted the scope. Or the token is older than the grant.",
        "Run ``inspect --endpoint``: it shows which scopes the endpoint requires, and which the "
        "token has. Ask for the scope, then get a new token.",
    ),
    Reason.REVOKED: Trouble(
        EITHER,
        "Somebody revoked the token, or its app install, account or consumer.",
        "If that was a mistake, run ``flask connector-auth restore``. The command needs "
        "``CONNECTOR_AUTH_REVOCATION_URL``. Without it, the revocation is in the memory of the "
        "process: call ``restore()`` in that process, or restart it, which drops all revocations. "
        "After a revocation of an app install or an account, newly issued tokens are accepted: "
        ":doc:`revocation`.",
    ),
    Reason.UNKNOWN_USER: Trouble(
        EITHER,
        "The tokens are good, but the user loader of your app returned ``None`` for them. It does "
        "not know the account or the consumer.",
        "Add the user, or change the loader so that it returns one: :doc:`callbacks`.",
        "none, because the tokens are good, and ``inspect`` loads no user.",
    ),
    Reason.VIEW: Trouble(
        (),
        "The tokens are good, and your own code raised one of the errors.",
        "Look into your view. This package does not log such an error: :doc:`error_rows`.",
        "none, because the tokens are good.",
    ),
    Reason.KEYS_UNAVAILABLE: Trouble(
        (50301,),
        "The issuer's key set cannot be fetched: the URL is wrong, the issuer is down, or name "
        "server, certificate, firewall or proxy block the way.",
        "Run ``flask connector-auth check``: it names the URL, the cause and the next step. The "
        "log of ``flask_connector_auth.keys`` says since when: :doc:`key_sets`.",
    ),
    Reason.REVOCATION_UNAVAILABLE: Trouble(
        (50301,),
        "The revocation store could not be read for longer than "
        "``CONNECTOR_AUTH_REVOCATION_MAX_LAG``. A wrong password has the same effect. Under uWSGI, "
        "``enable-threads`` is missing.",
        "Run ``flask connector-auth check``: it names the server, the cause and the next step. The "
        "log of ``flask_connector_auth.revocation`` has the cause too: :doc:`revocation`.",
    ),
}

"""Tokens for the benchmarks, numbered, as the bytes that a server reads from the wire."""

import json
import socket
import time
from base64 import urlsafe_b64encode
from contextlib import suppress
from threading import Thread
from typing import Any

from joserfc.jwk import KeySetSerialization

from flask_connector_auth.testing import Issuer

ISSUER = "Sentinel"
ACCOUNT = "le81823118"
_HOUR = 3600


def install_id(number: int) -> str:
    """Return the app that the AppJWT of *number* names, always of the same length."""
    return f"75588e18-0000-4000-8000-{number:012x}"


def consumer_id(number: int) -> str:
    """Return the consumer that the ConsumerJWS of *number* names, always of the same length."""
    return f"consumer-{number:08}"


class Mint:
    """Signs with one RSA key of 2,048 bits; tokens are about as long as those of the service."""

    def __init__(self) -> None:
        self._issuer = Issuer(name=ISSUER, kid="key-of-the-tokens")

    def app_jwt(self, number: int, **claims: Any) -> bytes:
        """Return the AppJWT of *number*, with *claims* in place of the usual ones."""
        return self._issuer.app_jwt(aud=ACCOUNT, azp=install_id(number), **claims).encode()

    def expired(self, number: int) -> bytes:
        """Return an AppJWT that expired an hour ago."""
        issued = int(time.time()) - 2 * _HOUR
        return self.app_jwt(number, iat=issued, exp=issued + _HOUR)

    def consumer_jws(self, number: int) -> bytes:
        """Return the ConsumerJWS of *number*."""
        return self._issuer.consumer_jws(
            account_id=ACCOUNT, ext_consumer_id=consumer_id(number)
        ).encode()

    def key_set(self, size: int = 1) -> KeySetSerialization:
        """Return a JWK Set of *size* keys; the key that signs is in the middle."""
        others = [Issuer(kid=f"another-key-{n}").key_set()["keys"][0] for n in range(size - 1)]
        middle = len(others) // 2
        return {"keys": [*others[:middle], *self._issuer.key_set()["keys"], *others[middle:]]}


def with_bad_signature(token: bytes, number: int) -> bytes:
    """Return *token* with a well-formed but wrong signature, a different one for each *number*."""
    message, _, signature = token.rpartition(b".")
    # Changed in the middle: a change at the front can make the number larger than the modulus,
    # which is refused before the expensive part.
    return b"%s.%s%08d%s" % (message, signature[:100], number, signature[108:])


def of_unknown_key(token: bytes, number: int) -> bytes:
    """Return *token* with a ``kid`` that is in no key set, a different one for each *number*."""
    header = json.dumps({"kid": f"unknown-{number}", "typ": "JWT", "alg": "RS256"}).encode()
    return urlsafe_b64encode(header).rstrip(b"=") + token[token.index(b".") :]


def publish(keys: KeySetSerialization) -> str:
    """Return a URL at which this process serves *keys*, on loopback, as long as it lives.

    Between two fetches the server waits without a timeout, so that it disturbs no measurement.
    """
    body = json.dumps(keys).encode()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            connection, _address = listener.accept()
            with connection, suppress(OSError):
                connection.recv(65536)
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/jwk-set+json\r\n"
                    b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body)
                )

    Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}/keys"

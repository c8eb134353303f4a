"""The key to the console: a random value, kept in the instance folder."""

import secrets
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path

from .. import folder

FILE_NAME = "console-key"
#: The parameter of the console's address that holds the key.
PARAMETER = "key"


class AccessKey:
    """The key of one instance folder, created if there is none.

    All processes with that folder have the same key. To replace it, delete its file and restart.
    """

    def __init__(self, instance: Path) -> None:
        path = instance / FILE_NAME
        with folder.locked(instance):
            if path.exists():
                folder.restrict(path)
            else:
                folder.write(path, secrets.token_urlsafe(32))
            self._text = path.read_text(encoding="utf-8")

    def __repr__(self) -> str:
        return "<AccessKey>"

    @property
    def path(self) -> str:
        """Path and query of the console with the key, to append to the app's address."""
        return f"/?{PARAMETER}={self._text}"

    def matches(self, text: str | None) -> bool:
        """Whether *text* is the key, compared in constant time."""
        return text is not None and compare_digest(text.encode(), self._text.encode())

    def cookie(self, secure: bool) -> tuple[str, str]:
        """Return name and value of the cookie that holds the key.

        :param secure: whether the cookie is for TLS only, so that no other host can set it
            (RFC 6265bis, ``__Host-``).
        """
        # All ports of a host share their cookies, so the name differs for each instance.
        instance = sha256(self._text.encode()).hexdigest()[:8]
        return f"{'__Host-' if secure else ''}connector-console-{instance}", self._text

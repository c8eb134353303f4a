"""The instance folder in; the keys that are kept there, one of which signs, out."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask, current_app
from joserfc.jwk import RSAKey

from flask_connector_auth.testing import Issuer

FILE_NAME = "signing-keys.json"


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys as they were at one time; all are published."""

    signing: str  #: ``kid`` of the one that signs
    keys: Mapping[str, RSAKey]  #: private, by ``kid``, the oldest first

    def key_set(self) -> dict[str, Any]:
        """Return the public JWK Set (RFC 7517 section 5)."""
        sets = (Issuer(key, kid=kid).key_set() for kid, key in self.keys.items())
        return {"keys": [jwk for each in sets for jwk in each["keys"]]}


class KeyFile:
    """Keeps the keys: a private JWK Set with the further member ``signing``, made where none is.

    It is read for every token, so what one process changes, every other one notices.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        self._known = "", KeyRing("", {})
        with self._lock():
            if not self.path.exists():
                kid = _new_kid()
                self._write(KeyRing(kid, {kid: RSAKey.generate_key(2048)}))

    def read(self) -> KeyRing:
        """Return the keys as they are now."""
        text = self.path.read_text()
        # One attribute, so that a thread finds text and keys of one time.
        known, ring = self._known
        if text != known:
            ring = _parse(text)
            self._known = text, ring
        return ring

    def add(self) -> str:
        """Make a key that is published and signs nothing yet; return its ``kid``."""
        kid, key = _new_kid(), RSAKey.generate_key(2048)
        with self._lock():
            ring = self.read()
            self._write(replace(ring, keys={**ring.keys, kid: key}))
        return kid

    def use(self, kid: str) -> str:
        """Let *kid* sign from now on; return the key that it replaces, which stays published.

        :raises ValueError: if there is no such key.
        """
        with self._lock():
            ring = self._with(kid)
            self._write(replace(ring, signing=kid))
        return ring.signing

    def withdraw(self, kid: str) -> None:
        """Forget *kid*: it is published no longer.

        :raises ValueError: if there is no such key, or if it is the one that signs.
        """
        with self._lock():
            ring = self._with(kid)
            if kid == ring.signing:
                raise ValueError(f"{kid} signs: put another key to use first.")
            kept = {other: key for other, key in ring.keys.items() if other != kid}
            self._write(replace(ring, keys=kept))

    def _with(self, kid: str) -> KeyRing:
        ring = self.read()
        if kid not in ring.keys:
            raise ValueError(f"There is no key {kid}.")
        return ring

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Let no other process or thread change the keys meanwhile; reading needs no lock."""
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _write(self, ring: KeyRing) -> None:
        # Under another name first: a reader finds the old keys or the new ones, never a part.
        draft = self.path.with_suffix(".draft")
        draft.touch(mode=0o600)
        keys = [key.as_dict(private=True, kid=kid) for kid, key in ring.keys.items()]
        with draft.open("w") as file:
            json.dump({"signing": ring.signing, "keys": keys}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)


def _parse(text: str) -> KeyRing:
    kept = json.loads(text)
    return KeyRing(kept["signing"], {jwk["kid"]: RSAKey.import_key(jwk) for jwk in kept["keys"]})


def _new_kid() -> str:
    # By time, so that a name is never used twice, and tells how old its key is.
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"


def init_app(app: Flask) -> None:
    """Give *app* its keys."""
    app.extensions["signing_keys"] = KeyFile(Path(app.instance_path))


def current_keys() -> KeyFile:
    """Return the keys of the current app."""
    keys: KeyFile = current_app.extensions["signing_keys"]
    return keys


def current_issuer() -> Issuer:
    """Return who signs for the current app, just now: do not keep it."""
    ring = current_keys().read()
    life = current_app.config["CONNECTOR_TOKEN_LIFE"]
    return Issuer(ring.keys[ring.signing], kid=ring.signing, lifetime=life)

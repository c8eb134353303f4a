"""The instance folder in; the keys that are kept there, one of which signs, out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask, current_app
from joserfc.jwk import RSAKey

from flask_connector_auth.testing import Issuer

from . import folder, knobs

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

    def __init__(self, instance: Path) -> None:
        self.path = instance / FILE_NAME
        self._known = "", KeyRing("", {})
        with folder.locked(self.path.parent):
            if self.path.exists():
                folder.restrict(self.path)
            else:
                kid = _new_kid()
                self._write(KeyRing(kid, {kid: RSAKey.generate_key(2048)}))

    def read(self) -> KeyRing:
        """Return the keys as they are now."""
        text = self.path.read_text(encoding="utf-8")
        # One attribute, so that a thread finds text and keys of one time.
        known, ring = self._known
        if text != known:
            ring = _parse(text)
            self._known = text, ring
        return ring

    def add(self) -> str:
        """Make a key that is published and signs nothing yet; return its ``kid``."""
        kid, key = _new_kid(), RSAKey.generate_key(2048)
        with folder.locked(self.path.parent):
            ring = self.read()
            self._write(replace(ring, keys={**ring.keys, kid: key}))
        return kid

    def use(self, kid: str) -> str:
        """Let *kid* sign from now on; return the key that it replaces, which stays published.

        :raises ValueError: if there is no such key.
        """
        with folder.locked(self.path.parent):
            ring = self._with(kid)
            self._write(replace(ring, signing=kid))
        return ring.signing

    def withdraw(self, kid: str) -> None:
        """Forget *kid*: it is published no longer.

        :raises ValueError: if there is no such key, or if it is the one that signs.
        """
        with folder.locked(self.path.parent):
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

    def _write(self, ring: KeyRing) -> None:
        keys = [key.as_dict(private=True, kid=kid) for kid, key in ring.keys.items()]
        folder.write(self.path, json.dumps({"signing": ring.signing, "keys": keys}))


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
    return Issuer(ring.keys[ring.signing], kid=ring.signing, lifetime=knobs.token_life())

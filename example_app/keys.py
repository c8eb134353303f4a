"""The signing keys, kept in the instance folder: all are published, one signs."""

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
    """The keys at one time; all are published."""

    signing: str  #: ``kid`` of the key that signs
    keys: Mapping[str, RSAKey]  #: private keys by ``kid``, the oldest first

    def key_set(self) -> dict[str, Any]:
        """Return the public JWK Set (RFC 7517 section 5)."""
        sets = (Issuer(key, kid=kid).key_set() for kid, key in self.keys.items())
        return {"keys": [jwk for each in sets for jwk in each["keys"]]}


class KeyFile:
    """The file of the keys: a private JWK Set with an additional member, ``signing``.

    The file is created if it does not exist. It is read for every token, so all processes notice
    each change.
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
        # Text and keys are in one attribute, so that a thread never reads a mix of two versions.
        known, ring = self._known
        if text != known:
            ring = _parse(text)
            self._known = text, ring
        return ring

    def add(self) -> str:
        """Add a key that is published and signs nothing yet; return its ``kid``."""
        kid, key = _new_kid(), RSAKey.generate_key(2048)
        with folder.locked(self.path.parent):
            ring = self.read()
            self._write(replace(ring, keys={**ring.keys, kid: key}))
        return kid

    def use(self, kid: str) -> str:
        """Sign with *kid* from now on; return the ``kid`` that it replaces, which stays published.

        :raises ValueError: if there is no such key.
        """
        with folder.locked(self.path.parent):
            ring = self._with(kid)
            self._write(replace(ring, signing=kid))
        return ring.signing

    def withdraw(self, kid: str) -> None:
        """Delete *kid*, which is no longer published then.

        :raises ValueError: if there is no such key, or if it is the key that signs.
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
    # The time makes each name unique, and shows the age of the key.
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"


def init_app(app: Flask) -> None:
    """Set up the keys of *app*."""
    app.extensions["signing_keys"] = KeyFile(Path(app.instance_path))


def current_keys() -> KeyFile:
    """Return the keys of the current app."""
    keys: KeyFile = current_app.extensions["signing_keys"]
    return keys


def current_issuer() -> Issuer:
    """Return an issuer with the key that signs now; do not keep it, since the key may change."""
    ring = current_keys().read()
    return Issuer(ring.keys[ring.signing], kid=ring.signing, lifetime=knobs.token_life())

"""An app in; what is weaker than it need be, a word and a sentence each, out."""

from collections.abc import Iterator
from contextlib import suppress

from flask import Flask
from joserfc.jwk import RSAKey

from ..audit import Binding, audit
from ..keys.listing import listed
from ..keys.urls import crosses_in_the_clear
from ..revocation.redis import RedisStore
from ..revocation.store import RevocationStoreError
from ..state import State

_LONG_LEEWAY = 300
_SHORT_RSA = 2048
_KEEPS_ALL = "noeviction"


def weaknesses(app: Flask, state: State) -> Iterator[dict[str, str]]:
    """Yield each weak choice: ``code``, a word that stays, and ``text``."""
    any_account = [route.endpoint for route in audit(app) if route.binding is Binding.ANY]
    if any_account:
        named = ", ".join(dict.fromkeys(any_account))
        yield _one("any_account", f"Tokens of every account pass at {named}: no AUDIENCE is set.")
    for bits in sorted(set(_short_rsa(state))):
        yield _one("short_rsa_key", f"An RSA key of {bits} bits; {_SHORT_RSA} is the least today.")
    allowed = {name for each in state.verifiers.values() for name in each.rules.algorithms}
    if symmetric := sorted(name for name in allowed if name.startswith("HS")):
        text = f"Whoever can verify by {', '.join(symmetric)} can also sign."
        yield _one("symmetric_algorithm", text)
    if state.settings.leeway > _LONG_LEEWAY:
        text = f"A leeway of {state.settings.leeway:g} s lets tokens live on for so long."
        yield _one("long_leeway", text)
    if state.settings.revocation_store and state.settings.revocation_on_outage == "open":
        yield _one("revocation_open", "While its store is out of reach, revoked tokens may pass.")
    if crosses_in_the_clear(str(app.config.get("CONNECTOR_AUTH_REVOCATION_URL"))):
        text = (
            "Whoever is on the way to the revocation store can take a revocation back: rediss://."
        )
        yield _one("revocation_in_the_clear", text)


def eviction(state: State) -> Iterator[dict[str, str]]:
    """Yield a warning like those of :func:`weaknesses` if the store may throw entries away.

    The server is asked, so this is for a store that is in reach.
    """
    store = state.settings.revocation_store
    policy = None
    if isinstance(store, RedisStore):
        # Some providers do not say, and a store may be gone by now: then there is no news.
        with suppress(RevocationStoreError):
            policy = store.eviction_policy()
    if policy not in (None, _KEEPS_ALL):
        text = f"The revocation store has maxmemory-policy {policy}: only {_KEEPS_ALL} is sure to "
        yield _one("revocation_eviction", text + "keep every entry when its memory is full.")


def _short_rsa(state: State) -> Iterator[int]:
    for each in state.verifiers.values():
        for key, *_ in listed(each.keys):
            if isinstance(key.key, RSAKey) and key.key.public_key.key_size < _SHORT_RSA:
                yield key.key.public_key.key_size


def _one(code: str, text: str) -> dict[str, str]:
    return {"code": code, "text": text}

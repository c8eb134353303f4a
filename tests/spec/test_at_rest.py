"""No live token is at rest in memory: nothing holds one once its request is over."""

import gc
import sys
from array import array
from collections import deque
from contextvars import Context, ContextVar, copy_context
from functools import lru_cache, partial
from io import BytesIO, StringIO
from types import MappingProxyType, SimpleNamespace
from typing import Any, cast

from flask_connector_auth import require_app_jwt, require_consumer_jws
from flask_connector_auth.core import AppJWT, decode_base64url
from flask_connector_auth.testing import Issuer
from flask_connector_auth.verification import CachedToken
from flask_connector_auth.web import EXTENSION
from tests.support.heap import holders
from tests.support.http_helpers import headers
from tests.support.types import MakeApp


def in_a_closure(text: str) -> Any:
    """Return a function that knows *text*."""
    return lambda: text


def in_a_generator(text: str) -> Any:
    """Return a generator that waits, and knows *text*."""
    generator = (letter for letter in text)
    next(generator)
    return generator


def in_a_traceback(text: str) -> Any:
    """Return an error that was raised where *text* was at hand."""
    try:
        raise ValueError(len(text))
    except ValueError as error:
        return error


def in_a_default(text: str) -> Any:
    """Return a function with *text* as the default of an argument."""

    def known(held: str = text) -> str:
        return held

    return known


def in_slots(text: str) -> Any:
    """Return an entry of the cache with *text* in it."""
    return CachedToken(None, cast(Any, None), text, "ES256", None, 0, 1)


def in_a_class(text: str) -> Any:
    """Return a class that has *text*."""
    return type("Holder", (), {"held": text})


def in_an_object(text: str) -> Any:
    """Return an object that has *text*."""
    return SimpleNamespace(held=text)


def in_a_result_that_is_kept(text: str) -> Any:
    """Return a function that keeps its results, one of which is *text*."""
    kept = lru_cache(lambda: "".join(text))
    kept()
    return kept


def in_a_context(text: str) -> Any:
    """Return a context in which a variable is *text*."""
    context: Context = copy_context()
    context.run(ContextVar[str]("held").set, text)
    return context


PLACES = {
    "text": lambda text: text,
    "part of a text": lambda text: f"Bearer {text}",
    "bytes": str.encode,
    "bytearray": lambda text: bytearray(text.encode()),
    "memoryview": lambda text: memoryview(text.encode()),
    "array": lambda text: array("B", text.encode()),
    "raw signature": lambda text: decode_base64url(text.rpartition(".")[2].encode()),
    "file of bytes": lambda text: BytesIO(text.encode()),
    "file of text": StringIO,
    "list": lambda text: [text],
    "tuple": lambda text: (0, (text,)),
    "set": lambda text: {text},
    "frozenset": lambda text: frozenset({text}),
    "key": lambda text: {text: 1},
    "value": lambda text: {"a": {"b": text}},
    "mappingproxy": lambda text: MappingProxyType({"a": text}),
    "deque": lambda text: deque([text]),
    "token": lambda text: AppJWT(text, "", frozenset(), "", 0, 0, {}),
    "claims": lambda text: AppJWT("", "", frozenset(), "", 0, 0, {"act": [{"of": text}]}),
    "partial": lambda text: partial(print, text),
    "bound method": lambda text: SimpleNamespace(a=[text].append),
    "default argument": in_a_default,
    "closure": in_a_closure,
    "generator": in_a_generator,
    "traceback": in_a_traceback,
    "slots": in_slots,
    "class": in_a_class,
    "object": in_an_object,
    "kept result": in_a_result_that_is_kept,
    "context": in_a_context,
}


def signatures(*texts: str) -> list[bytes]:
    """Return the signature of each token, without which none can be sent, as text and raw."""
    encoded = [text.rpartition(".")[2].encode() for text in texts]
    return [*encoded, *map(decode_base64url, encoded)]


def test_a_token_that_is_held_anywhere_is_found(make_app: MakeApp, issuer: Issuer) -> None:
    """The control of the test below: planted in what is remembered, in each kind of place."""
    app, texts = make_app(), {name: issuer.app_jwt(jti=name) for name in PLACES}
    [verifier, _] = app.extensions[EXTENSION].verifiers
    for name, text in texts.items():
        token = CachedToken(PLACES[name](text), verifier, None, "RS256", None, 0, 1)
        verifier.cache.put(hash(text), token)
    found = holders(signatures(*texts.values()), app)
    assert [name for name, text in texts.items() if found.keys().isdisjoint(signatures(text))] == []
    assert holders(signatures(*texts.values()), issuer) == {}


def test_no_live_token_is_at_rest_in_memory(make_app: MakeApp, issuer: Issuer) -> None:
    """Neither an app nor a module of the package reaches a signature that was sent: of a token that
    has passed, once and again, was refused, or was revoked."""
    app = make_app()
    app.add_url_rule("/x", "x", require_app_jwt(require_consumer_jws(lambda: {})))
    app.add_url_rule("/scope", "scope", require_app_jwt(lambda: {}, scopes="other"))
    client, state = app.test_client(), app.extensions[EXTENSION]
    # Of this test alone: pytest keeps parameters of other tests, among them exceptions that hold
    # the requests in which they were raised.
    own = {"jti": "at rest"}
    good, revoked = issuer.app_jwt(**own), issuer.app_jwt(azp="revoked", **own)
    refused = issuer.app_jwt(exp=1, **own), Issuer(kid=issuer.kid).app_jwt()
    consumer, foreign = (
        issuer.consumer_jws(**each, **own) for each in ({}, {"account_id": "other"})
    )
    state.revocations.revoke(token=revoked)
    told = [
        client.get(path, headers=headers(app_jwt, consumer_jws)).status_code
        for app_jwt in (good, good, revoked, *refused)
        for consumer_jws in (consumer, foreign)
        for path in ("/x", "/scope")
    ]
    assert (told.count(200), told.count(401)) == (2, 18)
    assert all(verifier.cache.hits for verifier in state.verifiers)
    gc.collect()
    ours = [each for name, each in sys.modules.items() if name.startswith("flask_connector_auth")]
    sent = signatures(good, revoked, *refused, consumer, foreign)
    assert holders(sent, app, *ours) == {}

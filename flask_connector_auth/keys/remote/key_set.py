"""The parser of a JWK Set from a URL, which may hold anything."""

import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any

from ...core import Malformed, load_json_object
from ..importing import KeyRules, import_key
from ..material import KeyProblem, PrivateKeyError
from ..source import MAX_CANDIDATES, VerificationKey

logger: logging.Logger = logging.getLogger(__name__)


class BadKeySet(ValueError):
    """The key set cannot be used. The text says why, and quotes nothing of the set."""


def parse_key_set(body: bytes, rules: KeyRules, max_keys: int) -> list[VerificationKey]:
    """Return the usable keys of a JWK Set from a URL (RFC 7517 section 5).

    A bad entry is ignored and logged; the good entries beside it are kept. A secret is never
    used: everyone who can read the set could sign with it.

    :raises BadKeySet: if *body* is no JWK Set (strict JSON), has more than *max_keys* entries, or
        has no usable key.
    """
    try:
        entries = load_json_object(body).get("keys")
    except Malformed as malformed:
        raise BadKeySet(str(malformed)) from None
    return usable_keys(entries, rules, max_keys)


def usable_keys(entries: Any, rules: KeyRules, max_keys: int) -> list[VerificationKey]:
    """Return the usable keys among *entries*, the member ``keys`` of a JWK Set.

    :raises BadKeySet: see :func:`parse_key_set`.
    """
    if not isinstance(entries, list):
        raise BadKeySet("not a JWK Set")
    if len(entries) > max_keys:
        raise BadKeySet(f"more than {max_keys} keys (JWKS_MAX_KEYS)")
    keys = list(_iter_usable_keys(entries, rules))
    if not keys:
        raise BadKeySet("no usable key")
    return keys


def _iter_usable_keys(entries: list[Any], rules: KeyRules) -> Iterator[VerificationKey]:
    seen = set()
    keys_per_kid: Counter[str | None] = Counter()
    for number, entry in enumerate(entries, 1):
        try:
            key = _import_entry(entry, rules)
        except KeyProblem as problem:
            level = logging.ERROR if isinstance(problem, PrivateKeyError) else logging.WARNING
            logger.log(level, "key %d of the key set is ignored: %s", number, problem)
            continue
        # The same key material under the same kid is one key (RFC 7638), unless the entries are
        # for different algorithms.
        name = (key.kid, key.thumbprint, *key.algorithms)
        if name in seen:
            continue
        seen.add(name)
        keys_per_kid[key.kid] += 1
        if keys_per_kid[key.kid] > MAX_CANDIDATES:
            text = "key %d of the key set is ignored: more than %d keys have its kid"
            logger.warning(text, number, MAX_CANDIDATES)
            continue
        if keys_per_kid[key.kid] == 2:
            logger.warning("key %d of the key set has the kid of another key", number)
        yield key


def _import_entry(entry: Any, rules: KeyRules) -> VerificationKey:
    if not isinstance(entry, dict):
        raise KeyProblem("not an object")
    # Checked first: a published secret is the worst problem that an entry can have (RFC 7518
    # sections 6.2.2, 6.3.2 and 6.4).
    if entry.get("kty") == "oct" or "d" in entry:
        raise PrivateKeyError("a secret or private key, which everyone can read here")
    # A key without a kid would be tried for every token, and no kid would be unknown any more.
    if entry.get("kid") is None:
        raise KeyProblem("without a kid")
    return import_key(entry, rules)

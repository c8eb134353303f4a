"""The cost of refusing a bad signature, for public keys of many kinds."""

import random
import time
from collections.abc import Mapping
from statistics import median
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from flask_connector_auth.keys import ALGORITHMS, KeyProblem, KeyRules, import_key

_MESSAGE = b"x" * 512
_TARGET = 0.002
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
# The order of the group of P-256 (FIPS 186-4 section D.1.2.3).
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class Subject(NamedTuple):
    """A key, and a signature that another key made."""

    key: Key
    algorithm: str
    signature: bytes
    accepted: bool  #: whether the package accepts such a key

    def refuse(self) -> None:
        """Verify *signature*, as the package does."""
        try:
            verified = JWSRegistry.algorithms[self.algorithm].verify(
                _MESSAGE, self.signature, self.key
            )
        except Exception:
            verified = False
        if verified:
            raise AssertionError("a random signature was accepted")


def subjects(rng: random.Random) -> dict[str, Subject]:
    """Return the keys by name; the others are compared with the first."""
    found = {}
    for bits in (2048, 3072, 4096, 8192, 16384):
        for name, e in (
            ("65537", 65537),
            ("of 64 bits", 2**64 - 1),
            ("of 2,047 bits", 2**2047 - 1),
        ):
            if bits == 2048 or e < 2**65:
                found[f"RSA, {bits:,} bits, exponent {name}"] = _rsa(rng, bits, e)
    for algorithm, curve in _CURVES.items():
        key = ECKey.generate_key(curve)
        size = len(JWSRegistry.algorithms[algorithm].sign(_MESSAGE, key))
        found[algorithm] = _of(key, algorithm, (7).to_bytes(size // 2) * 2)
    zero, one, order = bytes(32), (1).to_bytes(32), _ORDER.to_bytes(32)
    edges = {"r = s = 0": zero + zero, "r = s = 1": one + one, "r = s = the order": order + order}
    for name, signature in edges.items():
        found[f"ES256, {name}"] = found["ES256"]._replace(signature=signature)
    for name, edwards, size in (
        ("Ed25519", OKPKey.generate_key("Ed25519"), 64),
        ("Ed448", OKPKey.generate_key("Ed448"), 114),
    ):
        found[name] = _of(edwards, name, (1).to_bytes(size, "little"))
        found[f"{name}, all bits set"] = found[name]._replace(signature=b"\xff" * size)
    return found


def rsa_key(rng: random.Random, bits: int = 2048, exponent: int = 65537) -> RSAKey:
    """Return a public key without a private half, which no verification needs."""
    modulus = rng.getrandbits(bits) | 1 << (bits - 1) | 1
    public: Any = RSAPublicNumbers(exponent, modulus).public_key()
    return RSAKey(public, public)


def _rsa(rng: random.Random, bits: int, exponent: int) -> Subject:
    signature = rng.getrandbits(bits - 2).to_bytes(bits // 8)
    return _of(rsa_key(rng, bits, exponent), "RS256", signature)


def _of(key: Any, algorithm: str, signature: bytes) -> Subject:
    jwk = {**key.as_dict(private=False), "kid": "x", "alg": algorithm}
    try:
        import_key(jwk, KeyRules(ALGORITHMS))
        accepted = True
    except KeyProblem:
        accepted = False
    return Subject(key, algorithm, signature, accepted)


def costs(found: Mapping[str, Subject], rng: random.Random, rounds: int) -> dict[str, float]:
    """Return the cost of each over that of the first in the same round: the median of *rounds*."""
    counts = {name: _count(subject) for name, subject in found.items()}
    base, *_ = order = [*found]
    ratios: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(rounds):
        rng.shuffle(order)
        times = {name: _time(found[name], counts[name]) for name in order}
        for name, taken in times.items():
            ratios[name].append(taken / times[base])
    return {name: median(values) for name, values in ratios.items()}


def _count(subject: Subject) -> int:
    """Return how often to verify in a round: for some milliseconds, and at least once."""
    return 1 + int(_TARGET / _time(subject, 1))


def _time(subject: Subject, count: int) -> float:
    start = time.thread_time()
    for _ in range(count):
        subject.refuse()
    return (time.thread_time() - start) / count

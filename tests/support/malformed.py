"""Texts of segments and signatures that no verifier may accept."""

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from tests.support.floor_helpers import native_key


def respelled(segment: str) -> dict[str, str]:
    """Return other texts that a tolerant decoder takes for *segment*."""
    return {
        "padding": segment + "=",
        "more padding": segment + "==",
        "space after": segment + " ",
        "newline inside": f"{segment[:4]}\n{segment[4:]}",
        "tab before": "\t" + segment,
        "foreign character": segment + "~",
        "standard alphabet": segment[:4] + "+/" + segment[4:],
        "percent escape": f"{segment[:4]}%41{segment[4:]}",
        "one character more": segment + "A" * (1 + -len(segment) % 4),
        "Latin-1 letter": segment + "é",
        "fullwidth digit": segment + "\uff11",
        "half a surrogate pair": segment + "\ud800",
        "NUL": segment + "\0",
    }


def ecdsa_signatures(message: bytes) -> dict[str, bytes]:
    """Return wrong ways to write a genuine ES256 signature over *message*."""
    der = native_key("ES256", "ours").sign(message, ECDSA(SHA256()))
    r, s = (number.to_bytes(32) for number in decode_dss_signature(der))
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    return {
        "DER": der,
        "zero r and s": bytes(64),
        "zero r": bytes(32) + s,
        "zero s": r + bytes(32),
        "r is the order": order.to_bytes(32) + s,
        "s is the order": r + order.to_bytes(32),
        "one and one": (1).to_bytes(32) * 2,
        "one byte short": (r + s)[:-1],
        "one byte long": r + s + b"\0",
        "padded numbers": b"\0" + r + b"\0" + s,
        "swapped": s + r,
        "r alone": r,
        "nothing": b"",
        "all ones": b"\xff" * 64,
    }


# Encodings of all points of small order, canonical or not (RFC 8032 section 5.1.3).
SMALL_POINTS = (
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
)

"""Compares the signature of a webhook with the documented one, and says what another one is."""

import base64
import hmac
import json
from collections.abc import Iterator

DIGESTS = ("sha1", "sha256")


def explain(secret: str, body: str, signature: str) -> dict[str, str | bool]:
    """Return whether *signature* is right for *body*, and a sentence that says why, or why not.

    :param secret: the client secret of the app install.
    """
    name, _, value = signature.strip().partition("=")
    if name not in DIGESTS or not value:
        value = signature.strip()
        name = "sha1"
    right = _sign(secret, body, name)
    if hmac.compare_digest(right.encode(), value.encode(errors="replace")):
        told = f"It is the Base64 of the HMAC-{name.upper()} of the body under the client secret."
        return {"matches": True, "expected": f"{name}={right}", "explanation": told}
    told = next(
        (told for other, told in _mistakes(secret, body) if other == value),
        "Compare the body byte for byte as it came, before any JSON library read it, and the key: "
        "it is the client secret, as text.",
    )
    return {"matches": False, "expected": f"{name}={right}", "explanation": told}


def _sign(secret: str, body: str, name: str) -> str:
    digest = hmac.digest(secret.encode(), body.encode(errors="replace"), name)
    return base64.b64encode(digest).decode()


def _mistakes(secret: str, body: str) -> Iterator[tuple[str, str]]:
    """Yield the signatures of usual mistakes, each with what the mistake is."""
    for name in DIGESTS:
        yield (
            _sign(secret, body, name),
            f"This is the HMAC-{name.upper()}: its name differs.",
        )
        raw = hmac.digest(secret.encode(), body.encode(errors="replace"), name)
        yield raw.hex(), "The digest is right, but in hex: the protocol has it in Base64."
        for written in _rewritten(body):
            yield (
                _sign(secret, written, name),
                "The JSON was read and written again: the signature is that of the raw body.",
            )


def _rewritten(body: str) -> Iterator[str]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return
    for ascii_only in (True, False):
        for separators in ((", ", ": "), (",", ":")):
            yield json.dumps(value, ensure_ascii=ascii_only, separators=separators)
        yield json.dumps(value, ensure_ascii=ascii_only, indent=2)

"""The compact form, and JSON that two parsers could read differently.

RFC 7515 sections 2 and 7; RFC 8725 section 3.7; CVE-2025-30204; GHSA-9pg5-8c7x-5hfx. The
tables of spellings are those of the verifier's own tests.
"""

import json
from typing import Any

from flask_connector_auth.testing.broken import Good, Kind
from tests.support.attack_harness import Attack, against_both, withstand
from tests.support.floor_helpers import HEADER, broken_json, encoded
from tests.support.malformed import respelled

HEADER_NAMES = ("header", "payload", "signature")


def respelling(place: int, name: str) -> Attack:
    """Return the attack that spells one segment of the good token in another way."""

    def attack(good: Good) -> str:
        parts = good.having().split(".")
        parts[place] = respelled(parts[place])[name]
        return ".".join(parts)

    return attack


def formed(form: str) -> Attack:
    """Return the attack that puts the segments of the good token together in another way."""
    return lambda good: form.format(*good.having().split("."))


def serialised(general: bool) -> Attack:
    """Return the attack that sends the good token in the JSON serialisation."""

    def attack(good: Good) -> str:
        protected, payload, signature = good.having().split(".")
        signed: dict[str, Any] = {"protected": protected, "signature": signature}
        more = {"signatures": [signed]} if general else signed
        return json.dumps({"payload": payload, **more})

    return attack


FORMS = {
    "one segment": "{0}",
    "two segments": "{0}.{1}",
    "no signature": "{0}.{1}.",
    "no payload": "{0}..{2}",
    "no header": ".{1}.{2}",
    "signature alone": "..{2}",
    "four segments": "{0}.{1}.{2}.",
    "five segments": "{0}.{1}.{2}.{1}.{2}",
    "a dot before": ".{0}.{1}.{2}",
    "other order": "{1}.{0}.{2}",
    "dots": "....",
    "two dots": "..",
    "ten thousand dots": "." * 10_000,
    "a million dots": "." * 1_000_000,
    "a million characters": "A" * 1_000_000,
    "a million behind it": "{0}.{1}.{2}" + "A" * 1_000_000,
    "a long header": "A" * 2049 + ".{1}.{2}",
    "quoted": '"{0}.{1}.{2}"',
    "in angle brackets": "<{0}.{1}.{2}>",
    "percent escapes": "{0}%2e{1}%2e{2}",
}


@against_both(
    {
        f"{name} in the {HEADER_NAMES[place]}": respelling(place, name)
        for name in respelled("")
        for place in range(3)
        # Behind the token this is the white space that a header may end with.
        if not ((name == "space after" and place == 2) or (name == "tab before" and place == 0))
    }
    | {name: formed(form) for name, form in FORMS.items()}
    | {"flattened JSON": serialised(False), "general JSON": serialised(True)}
)
def test_a_token_has_one_form_and_one_spelling(attack: Attack, kind: Kind) -> None:
    """RFC 7515 sections 2 and 7.1: three segments of base64url, and nothing between or around."""
    withstand(attack, kind)


HEADERS_BROKEN = broken_json(HEADER)


@against_both(
    {
        f"header: {name}": lambda good, text=text: good.signer.sign(good.claims, text)
        for name, text in HEADERS_BROKEN.items()
    }
    | {
        f"payload: {name}": lambda good, name=name: good.signer.sign(
            broken_json(json.dumps(good.claims).encode())[name]
        )
        for name in HEADERS_BROKEN
    }
)
def test_no_signature_makes_bad_json_good(attack: Attack, kind: Kind) -> None:
    """RFC 8725 section 3.7, RFC 7519 section 7.2: duplicates, NaN, UTF-16, surrogates, depth."""
    withstand(attack, kind, MAX_TOKEN_BYTES=400_000, MAX_HEADER_BYTES=300_000)


def twice(member: bytes) -> Attack:
    """Return the attack whose payload has a further *member*, which is there already."""

    def attack(good: Good) -> str:
        text = json.dumps(good.claims).encode()
        return good.signer.sign(text[:-1] + b"," + member + b"}")

    return attack


@against_both(
    {
        "sub": twice(b'"sub":"another"'),
        "sub by an escape": twice(b'"\\u0073ub":"another"'),
        "sub by escapes": twice(b'"\\u0073\\u0075\\u0062":"another"'),
        "deep": twice(b'"x":[{"a":[{"b":1,"\\u0062":2}]}]'),
        "the empty name": twice(b'"":1,"":2'),
        "alg in the header": lambda good: good.signer.sign(
            good.claims, b'{"alg":"none","kid":"dev-1","alg":"RS256"}'
        ),
        "alg in the header by an escape": lambda good: good.signer.sign(
            good.claims, b'{"\\u0061lg":"none","kid":"dev-1","alg":"RS256"}'
        ),
        "kid in the header": lambda good: good.signer.sign(
            good.claims, b'{"kid":"x","alg":"RS256","kid":"dev-1"}'
        ),
    }
)
def test_a_member_is_there_once(attack: Attack, kind: Kind) -> None:
    """RFC 7515 section 5.2: no parser before or behind us may read another value than we do."""
    withstand(attack, kind)


@against_both(
    {
        "Latin-1 header": lambda good: (
            encoded(b'{"alg":"RS256","kid":"\xe9"}') + good.having()[good.having().index(".") :]
        ),
        "letters beyond ASCII": lambda good: good.having() + "\xe9",
        "no-break space before": lambda good: "\xa0" + good.having(),
        "next line behind": lambda good: good.having() + "\x85",
        "NUL behind": lambda good: good.having() + "\0",
        "NUL before": lambda good: "\0" + good.having(),
        "vertical tab": lambda good: "\x0b" + good.having(),
        "file separator": lambda good: good.having() + "\x1c",
        "BOM": lambda good: "\xef\xbb\xbf" + good.having(),
        "UTF-8 in Latin-1": lambda good: good.having() + "\u00c3\u00a9",
        "bytes": lambda good: "\xff\xfe\xfd" * 40,
        "escape sequence": lambda good: "\x1b[2J" + good.having(),
        "line ends": lambda good: good.having() + "\r\nX-Injected: 1",
    }
)
def test_a_header_is_latin_1_and_a_token_is_ascii(attack: Attack, kind: Kind) -> None:
    """PEP 3333, RFC 9110 section 5.6.3: only space and tab around a token are white space."""
    withstand(attack, kind)

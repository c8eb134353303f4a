"""Signed but odd JSON, to us and to PyJWT: who accepts what, and by which rule we do not."""

import json
from collections.abc import Callable
from itertools import chain
from typing import Any

import jwt
import pytest
from hypothesis import event, given, strategies as st

from flask_connector_auth.core import Reason
from tests.fuzz.targets import CLAIMS, ISSUED, ISSUERS, NOW, verifiers
from tests.support.floor_helpers import examples, refusal

SECRET = b"of the fuzzer, and of no one els"
JUDGES = {judge.profile.name: judge for judge in verifiers(0)}
GOOD = {
    name: jwt.decode(text, options={"verify_signature": False}) for text, name in ISSUED.items()
}
HEADER = {"kid": "dev-1", "typ": "JWT", "alg": "HS256"}
# What PyJWT asks of claims is another protocol's; of its clock we know nothing.
NO_CLAIMS = dict.fromkeys(
    (
        "verify_exp",
        "verify_nbf",
        "verify_iat",
        "verify_aud",
        "verify_sub",
        "verify_jti",
        "verify_iss",
    ),
    False,
)


def pyjwt(text: str) -> Any:
    """Return the claims that PyJWT reads, or ``None`` if it refuses *text*."""
    try:
        return jwt.decode(text, SECRET, ["HS256"], options=NO_CLAIMS)
    except jwt.PyJWTError:
        return None


class TwiceError(ValueError):
    """A member is there twice."""


def pairs_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object whose members differ."""
    if len(dict(pairs)) < len(pairs):
        raise TwiceError
    return dict(pairs)


def is_strict(text: bytes) -> bool:
    """Whether *text* is what docs/security.rst says a segment is: strict UTF-8, one object without
    duplicate members, NaN or Infinity, half a surrogate pair, and nested at most 32 deep."""
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=pairs_of)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except ValueError:
        return False
    return isinstance(value, dict) and depth(value) <= 32


def depth(value: Any) -> int:
    """Return how many objects and lists are in one another."""
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max(map(depth, inner), default=0) if isinstance(value, dict | list) else 0


def is_text(value: Any) -> bool:
    """Whether it is a non-empty string."""
    return isinstance(value, str) and value != ""


def is_time(value: Any) -> bool:
    """Whether it is a number below 2**53, and no boolean."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53


def texts_of(name: str) -> set[str]:
    """Return the claims that are non-empty strings."""
    return CLAIMS[name][0] - {"exp", "iat", "iss", "aud"}


#: What is documented of each reason, asked of the parsed header and payload (docs/security.rst).
RULES: dict[Reason, Callable[[str, dict[str, Any], dict[str, Any]], bool]] = {
    Reason.CRITICAL: lambda name, header, said: (
        bool({"crit", "b64"} & header.keys()) or header.get("zip", "NONE") != "NONE"
    ),
    Reason.BAD_PARAMETER: lambda name, header, said: (
        header.get("typ", "JWT") not in ("JWT", "jwt", "application/jwt")
        or not (isinstance(header.get("kid", ""), str) and len(header.get("kid", "")) <= 256)
    ),
    Reason.UNKNOWN_KEY: lambda name, header, said: header.get("kid", "") not in ("", "dev-1"),
    Reason.WRONG_TYPE: lambda name, header, said: bool(CLAIMS[name][1] & said.keys()),
    Reason.MISSING_CLAIM: lambda name, header, said: not said.keys() >= CLAIMS[name][0],
    Reason.WRONG_ISSUER: lambda name, header, said: said["iss"] != "Sentinel",
    Reason.BAD_CLAIM: lambda name, header, said: (
        not all(is_text(said[each]) for each in texts_of(name) & said.keys())
        or not all(is_time(said[each]) for each in {"exp", "iat", "nbf"} & said.keys())
        or (
            name == "AppJWT"
            and not (
                isinstance(said.get("scope", ""), str)
                and (
                    is_text(said["aud"])
                    or (
                        isinstance(said["aud"], list)
                        and len(said["aud"]) == 1
                        and is_text(said["aud"][0])
                    )
                )
            )
        )
    ),
    Reason.EXPIRED: lambda name, header, said: said["exp"] <= NOW - 30,
    Reason.NOT_YET_VALID: lambda name, header, said: (
        max(said.get("iat", NOW), said.get("nbf", NOW)) > NOW + 30
    ),
}

raw_values = st.sampled_from(
    [
        *('""', '"a"', "0", "-0", "-1", "1800000000", "1800000030.0", "18e8", "1E400", "true"),
        *("null", "[]", "{}", "NaN", "-Infinity", "9007199254740992", '"\\ud800"', '["a"]'),
        *('"\\ud83d\\ude00"', '"\\u0000"', '["a","b"]', '{"a":1,"a":2}', '"Sentinel"', '"dev-1"'),
        *("9" * 400, "[" * 31 + "]" * 31, "[" * 32 + "]" * 32, "01", "1.", "'a'", '"JWT"'),
        *('"NONE"', '"jwt"', '"application/jwt"'),
    ]
) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
).map(json.dumps)
encodings = st.sampled_from(["utf-8"] * 8 + ["utf-8-sig", "utf-16", "utf-32-le", "latin-1"])
frames = st.sampled_from(["{%s}"] * 8 + [" {%s}\n", "[{%s}]", "{%s},", "{%s}{}", "\v{%s}", "{%s,}"])


def odd_objects(good: dict[str, Any], names: list[str]) -> st.SearchStrategy[bytes]:
    """Return texts of the object *good* with members replaced, left out, added or there twice."""
    members = st.tuples(st.sampled_from([*names, "\\u0061", "x"]), raw_values)

    def write(left: set[str], more: list[tuple[str, str]], frame: str, encoding: str) -> bytes:
        kept = ((name, json.dumps(value)) for name, value in good.items() if name not in left)
        text = ",".join(f'"{name}":{value}' for name, value in chain(kept, more))
        return frame.replace("%s", text).encode(encoding, "ignore")

    left = st.sets(st.sampled_from(names), max_size=2)
    return st.builds(write, left, st.lists(members, max_size=2), frames, encodings)


PAYLOADS = {
    name: odd_objects(good, [*good, "nbf", "exp", "iat", "scope", "azp", "lp_consumer_id"])
    for name, good in GOOD.items()
}
headers = st.just(json.dumps(HEADER).encode()) | odd_objects(
    HEADER, ["kid", "typ", "alg", "crit", "b64", "zip", "jwk"]
)


@pytest.mark.parametrize("name", GOOD)
@examples(200)
@given(data=st.data())
def test_what_we_accept_is_what_pyjwt_reads_and_what_we_refuse_is_by_a_rule(
    name: str, data: st.DataObject
) -> None:
    """Where both accept, claims are equal; where only PyJWT does, a documented rule says no; what
    PyJWT refuses, we refuse."""
    header, payload = data.draw(headers), data.draw(PAYLOADS[name])
    text = ISSUERS["HS256"].sign(payload, header)
    theirs, judge = pyjwt(text), JUDGES[name]
    reason = refusal(judge, text, NOW)
    event(f"{reason or 'accepted'}, PyJWT {'refuses' if theirs is None else 'accepts'}")
    if reason is None:
        assert judge.verify(text, NOW).token.claims == theirs
    elif theirs is not None:
        if reason is Reason.TOO_LARGE:
            assert text.index(".") > 2048 or len(text) > 16384
        elif reason is Reason.BAD_JSON:
            crowded = sum(map(header.count, (b"{", b"[", b","))) > 64
            assert crowded or not (is_strict(header) and is_strict(payload))
        else:
            assert RULES[reason](name, json.loads(header), theirs)


@pytest.mark.parametrize(("text", "name"), ISSUED.items(), ids=ISSUED.values())
def test_a_good_token_says_the_same_to_both(text: str, name: str) -> None:
    """Control: without anything odd, both accept."""
    assert refusal(JUDGES[name], text, NOW) is None
    claims = jwt.decode(text, options={"verify_signature": False})
    assert JUDGES[name].verify(text, NOW).token.claims == claims

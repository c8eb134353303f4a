"""Project Wycheproof's JSON Web Signature set: every case, in both headers of a real app.

Every algorithm that there is is allowed, so it is the key that has to keep them apart. None of the
payloads is a token's: a good signature is seen by a refusal for what comes after it.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from flask_connector_auth import ConfigurationError, Reason
from flask_connector_auth.keys import ALGORITHMS
from tests.support.vector_verifier import KINDS, Judge

SET = Path(__file__).parent / "wycheproof" / "json_web_signature_test.json"
GROUPS: list[dict[str, Any]] = json.loads(SET.read_text())["testGroups"]
CASES = {
    case["tcId"]: (number, case) for number, group in enumerate(GROUPS) for case in group["tests"]
}
#: Keys that are meant for encryption, or whose ``alg`` ("ES521") is none (RFC 7517 section 4).
UNUSABLE = {347, 351, 353, 354, 355, 356}
#: What the set says of a case, and what is right, where these differ.
ODD = {
    346: Reason.UNKNOWN_KEY,  # valid by the set; the JWK is for PS256, and the token says PS384
    350: Reason.UNKNOWN_KEY,  # likewise
    367: Reason.BAD_JSON,  # invalid by the set; the very text of case 357, which is valid
    370: Reason.BAD_JSON,  # likewise
    372: Reason.NOT_COMPACT,  # valid by the set; with a "?" in the header (RFC 7515 section 2)
    373: Reason.NOT_COMPACT,  # likewise, in the payload
}
#: Why an invalid case may be refused: for nothing that is looked at after the signature.
BEFORE = {
    *(Reason.MISSING, Reason.BAD_HEADER, Reason.NOT_COMPACT, Reason.BAD_ALGORITHM),
    *(Reason.UNKNOWN_KEY, Reason.BAD_SIGNATURE),
}


def key_of(group: dict[str, Any]) -> dict[str, Any]:
    """Return the key to verify with, which is the private one only where there is no public."""
    key: dict[str, Any] = group.get("public") or group["private"]
    return key


@cache
def judge_of(number: int) -> Judge:
    """Return the app of a group; made once."""
    return Judge(key_of(GROUPS[number]), ALGORITHMS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case_id", sorted(CASES.keys() - UNUSABLE - ODD.keys()))
def test_a_signature_is_good_where_the_set_says_so(case_id: int, kind: str) -> None:
    """RFC 7515 section 5.2: valid comes as far as the payload, and invalid does not."""
    number, case = CASES[case_id]
    reason = judge_of(number).why(kind, case["jws"])
    if case["result"] == "valid":
        # "foo", zeros and the like are no JSON object; a header that is none has no valid case.
        assert reason is Reason.BAD_JSON
    elif case["jws"].startswith("."):
        assert reason is Reason.BAD_JSON  # the header is missing, and was looked at first
    else:
        assert reason in BEFORE


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case_id", ODD)
def test_an_odd_case_is_judged_by_the_rfc(case_id: int, kind: str) -> None:
    """Where the set contradicts its own keys, texts or the RFC."""
    number, case = CASES[case_id]
    assert judge_of(number).why(kind, case["jws"]) is ODD[case_id]


@pytest.mark.parametrize("case_id", sorted(UNUSABLE))
def test_a_key_for_something_else_is_no_key(case_id: int) -> None:
    """RFC 7517 sections 4.2 to 4.4: ``use``, ``key_ops`` and ``alg`` are a key's own limits."""
    with pytest.raises(ConfigurationError, match="RFC 7517 section 4"):
        judge_of(CASES[case_id][0])


@pytest.mark.parametrize("case_id", [346, 347, 350, 351, 353, 354, 355, 356])
def test_its_signature_is_good_under_the_same_key_without_limits(case_id: int) -> None:
    """The control of the odd cases and of the unusable keys: nothing else is wrong with them."""
    number, case = CASES[case_id]
    key = key_of(GROUPS[number])
    free = {name: key[name] for name in key.keys() - {"alg", "use", "key_ops"}}
    assert Judge(free, ALGORITHMS).why("app_jwt", case["jws"]) is Reason.BAD_JSON


def test_the_set_is_whole() -> None:
    """401 cases, as its own header says: none was lost on the way here."""
    assert len(CASES) == json.loads(SET.read_text())["numberOfTests"] == 401
    assert CASES[357][1]["jws"] == CASES[367][1]["jws"] == CASES[370][1]["jws"]

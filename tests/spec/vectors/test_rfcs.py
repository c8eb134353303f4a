"""The examples of the RFCs, as they are printed there: each is taken or refused as ours says.

What they sign is not what an AppJWT or a ConsumerJWS says. So an example whose signature is good is
refused for its payload, and for its signature as soon as one bit of it or of the payload differs:
the reason shows how far it came.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from flask_connector_auth import ConfigurationError, Reason
from flask_connector_auth.keys import ALGORITHMS, KeyRules, import_key
from tests.support.floor_helpers import decoded, encoded
from tests.support.vector_verifier import KINDS, Judge

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "rfcs.json").read_text())
COMPACT, SERIALISED = VECTORS["compact"], VECTORS["json"]
#: Examples that are taken, and what the verifier misses in them once the signature is good.
TAKEN = {
    "RFC 7515 A.1": Reason.MISSING_CLAIM,
    "RFC 7515 A.2": Reason.MISSING_CLAIM,
    "RFC 7515 A.3": Reason.MISSING_CLAIM,
    "RFC 7515 A.4": Reason.BAD_JSON,
    "RFC 7520 4.1": Reason.BAD_JSON,
    "RFC 7520 4.2": Reason.BAD_JSON,
    "RFC 7520 4.3": Reason.BAD_JSON,
    "RFC 7520 4.4": Reason.BAD_JSON,
    "RFC 8037 A.4": Reason.BAD_JSON,
}
#: Examples that are good by their RFC (but for the one of appendix E), and no token here.
REFUSED = {
    "RFC 7515 A.5": Reason.BAD_ALGORITHM,  # "none" (RFC 8725 section 3.2)
    "RFC 7515 E": Reason.CRITICAL,  # an unknown extension
    "RFC 7520 4.5": Reason.BAD_SIGNATURE,  # detached content: there is no payload but that sent
    "RFC 7797 4.2": Reason.CRITICAL,  # "b64" is an extension, and none is supported
}
kinds = pytest.mark.parametrize("kind", KINDS)


def judge_of(name: str) -> Judge:
    """Return an app that trusts the key of a compact example."""
    vector = COMPACT[name]
    return Judge(vector["key"], [vector["algorithm"]])


def flipped(segment: str) -> str:
    """Return *segment* with another first bit of what it encodes."""
    content = decoded(segment)
    return encoded(bytes([content[0] ^ 0x80]) + content[1:])


@pytest.mark.parametrize("name", TAKEN)
@kinds
def test_the_example_is_taken_and_no_other(kind: str, name: str) -> None:
    """RFC 7515 appendices A.1 to A.4, RFC 7520 sections 4.1 to 4.4, RFC 8037 appendices A.4 and
    A.5: this signature alone."""
    judge, text = judge_of(name), COMPACT[name]["text"]
    header, payload, signature = text.split(".")
    for _ in range(2):
        assert judge.why(kind, text) is TAKEN[name]
        for other in (
            f"{header}.{flipped(payload)}.{signature}",
            f"{header}.{payload}.{flipped(signature)}",
        ):
            assert judge.why(kind, other) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("name", REFUSED)
@kinds
def test_the_example_is_refused_by_policy(kind: str, name: str) -> None:
    """RFC 7515 appendices A.5 and E, RFC 7520 section 4.5, RFC 7797 section 4.2: sound or not, it
    is no token here."""
    assert judge_of(name).why(kind, COMPACT[name]["text"]) is REFUSED[name]


def test_every_example_is_judged() -> None:
    """The tables of this module and the data name the same examples."""
    assert {*TAKEN, *REFUSED} == {*COMPACT}


@kinds
def test_detached_content_is_taken_where_it_is_attached(kind: str) -> None:
    """RFC 7520 section 4.5: the detached signature is the one of 4.4, over the same payload."""
    header, _, signature = COMPACT["RFC 7520 4.5"]["text"].split(".")
    payload = COMPACT["RFC 7520 4.4"]["text"].split(".")[1]
    attached = f"{header}.{payload}.{signature}"
    assert judge_of("RFC 7520 4.5").why(kind, attached) is TAKEN["RFC 7520 4.4"]


@pytest.mark.parametrize("name", SERIALISED)
@kinds
def test_the_json_serialisation_is_refused(kind: str, name: str) -> None:
    """RFC 7515 appendices A.6 and A.7, RFC 7520 sections 4.6 to 4.8: a header holds the compact
    form only."""
    vector = SERIALISED[name]
    judge = Judge(vector["keys"], vector["algorithms"])
    assert judge.why(kind, json.dumps(vector["object"])) is Reason.BAD_HEADER
    # Without the comma that makes it a list of credentials, and without any space.
    alone = json.dumps({"payload": vector["object"]["payload"]}, separators=(",", ":"))
    assert judge.why(kind, alone) is Reason.NOT_COMPACT


SIGNATURES = [
    (name, number)
    for name, vector in SERIALISED.items()
    for number in range(len(vector["object"].get("signatures", "1")))
]


@pytest.mark.parametrize(("name", "number"), SIGNATURES)
@kinds
def test_a_signature_of_it_is_taken_in_the_compact_form(kind: str, name: str, number: int) -> None:
    """RFC 7515 section 7.2.1: but where its protected header names no algorithm, nothing does."""
    vector = SERIALISED[name]
    signed = vector["object"].get("signatures", [vector["object"]])[number]
    header, payload = signed.get("protected", ""), vector["object"]["payload"]
    judge = Judge(vector["keys"], vector["algorithms"])
    good = judge.why(kind, f"{header}.{payload}.{signed['signature']}")
    bad = judge.why(kind, f"{header}.{payload}.{flipped(signed['signature'])}")
    if header:
        assert good is (Reason.MISSING_CLAIM if "7515" in name else Reason.BAD_JSON)
        assert bad is Reason.BAD_SIGNATURE
    else:
        assert (good, bad) == (Reason.BAD_JSON, Reason.BAD_JSON)


@pytest.mark.parametrize("name", VECTORS["thumbprints"])
def test_the_thumbprint_is_the_printed_one(name: str) -> None:
    """RFC 7638 section 3.1, RFC 8037 appendix A.3: SHA-256 of the members that make
    the key, no others."""
    vector = VECTORS["thumbprints"][name]
    for more in ({}, {"kid": "another", "use": "sig", "x5u": "https://127.0.0.1/"}):
        key = import_key({**vector["key"], **more}, KeyRules(ALGORITHMS))
        assert key.thumbprint == vector["thumbprint"]


def test_the_private_key_is_refused() -> None:
    """RFC 8037 appendices A.1 and A.2: the public half is a key here, with the private one
    it is none."""
    vector = COMPACT["RFC 8037 A.4"]
    secret = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
    with pytest.raises(ConfigurationError, match="a private key") as caught:
        Judge({**vector["key"], "d": secret}, [vector["algorithm"]])
    assert secret not in str(caught.value)
    assert Judge(vector["key"], [vector["algorithm"]]).why("app_jwt", vector["text"]) is (
        Reason.BAD_JSON
    )

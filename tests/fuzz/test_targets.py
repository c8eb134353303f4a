"""What the fuzzer calls: silent on the corpus, and loud where a parser is wrong."""

from pathlib import Path
from typing import Any

import pytest

from flask_connector_auth.core import ConsumerJWS, Malformed
from tests.fuzz import targets
from tests.fuzz.targets import ISSUED, ISSUERS, TARGETS

CORPUS = sorted(Path(__file__).with_name("corpus").glob("*/*"))
APP_JWT = ISSUERS["HS256"].app_jwt()


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_seed_is_no_finding(path: Path) -> None:
    """Each file of the corpus, once: a crash that was fixed stays fixed."""
    TARGETS[path.parent.name](path.read_bytes())


def test_the_seeds_of_the_verifier_are_good_tokens() -> None:
    """Near misses of good tokens are what the fuzzer has to try: half of the seeds pass."""
    seeds = {path.read_text() for path in CORPUS if path.parent.name == "verifier"}
    assert {text.removeprefix("Bearer ") for text in seeds} > ISSUED.keys()


@pytest.mark.parametrize("name", TARGETS)
def test_each_target_has_seeds_and_words(name: str) -> None:
    """A fuzzer that starts from nothing finds nothing in the seconds that it has in CI."""
    assert any(path.parent.name == name for path in CORPUS)
    assert Path(__file__).with_name("dictionaries").joinpath(f"{name}.dict").is_file()


class Lax:
    """Stands in for anything: whatever it is asked, this is the answer."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def __call__(self, *_args: Any, **_kwargs: Any) -> Any:
        """Return it, or raise it."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


CONSUMER = b'{"account_id":"a","ext_consumer_id":"c","lp_consumer_id":"l"}'


@pytest.mark.parametrize(
    ("name", "part", "answer", "data"),
    [
        ("verifier", "accepted", object(), b"no token"),
        ("verifier", "accepted", None, APP_JWT.encode()),
        ("verifier", "token_digest", RecursionError(), b"no token"),
        ("claims", "accepted", ConsumerJWS("a", "c", "l", "i", {}), CONSUMER),
        ("claims", "accepted", KeyError(), b"{}"),
        ("key_set", "parse_key_set", [], b"{}"),
        ("key_set", "parse_keys", ([], []), b"{}"),
        ("strict", "decode_base64url", b"", b"AA"),
        ("strict", "load_json_object", {}, b'{"a":1}'),
        ("strict", "load_json_object", RecursionError(), b"{}"),
        ("cache_control", "freshness_lifetime", -1.0, b""),
        ("cache_control", "retry_after", float("nan"), b""),
        ("cache_control", "conditional_headers", {"If-None-Match": "made up"}, b""),
    ],
)
def test_a_target_notices_a_fault(
    name: str, part: str, answer: Any, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one part that is wrong or raises what it should not, an input that was none is a
    finding."""
    TARGETS[name](data)
    monkeypatch.setattr(targets, part, Lax(answer))
    with pytest.raises((AssertionError, KeyError, RecursionError)):
        TARGETS[name](data)


def test_a_documented_refusal_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: what raises as it may is let go."""
    monkeypatch.setattr(targets, "load_json_object", Lax(Malformed("x")))
    TARGETS["strict"](b"{}")

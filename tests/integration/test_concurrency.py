"""Many requests at once, while keys are rotated and tokens revoked: no verdict is wrong.

The same a million times: ``python -m benchmarks.concurrency``.
"""

import re
import subprocess
import sys
import time
from math import inf

import pytest

from benchmarks import concurrency
from benchmarks.facts import NOBODY, Fact, Sent, Token, Who
from flask_connector_auth.revocation import RevocationCache
from tests.support.floor_helpers import cases

#: What a request can be told there: the view's answer, and each of the four rows.
ANSWERS = {"200", "40102", "40103", "40104", "40105"}
_whom = concurrency._whom


@pytest.mark.parametrize("requests", [6_000, pytest.param(100_000, marks=pytest.mark.soak)])
def test_no_verdict_is_wrong(requests: int) -> None:
    """64 threads: each answer is one that what happened meanwhile allows, and its own request's."""
    outcome = concurrency.run(requests)
    assert outcome.wrong == []
    assert outcome.answers.keys() == ANSWERS
    assert outcome.answers.total() == requests // 64 * 64
    # Enough happened, and still most answers were the only right ones.
    assert outcome.rotations > requests // 4_000
    assert outcome.revoked > requests // 200
    assert outcome.undecided < requests // 2


def test_greenlets_are_told_apart_too() -> None:
    """The same with gevent in place of threads, from the first import on."""
    command = [sys.executable, "-m", "gevent.monkey", "--module", "benchmarks.concurrency"]
    run = subprocess.run(  # noqa: S603
        [*command, "--requests", "1600"], capture_output=True, text=True, timeout=240
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"^0 wrong answers$", run.stdout, re.MULTILINE)
    assert all(re.search(rf"\b{answer}: [1-9]", run.stdout) for answer in ANSWERS)


class Shared:
    """What an extension does that keeps the identity for the thread, the app or the process."""

    last: Who = NOBODY

    def whom(self) -> Who:
        """Return whoever was seen last, somebody else's request or not."""
        mine = _whom()
        if mine != NOBODY:
            self.last = mine
        time.sleep(0)  # another thread's turn
        return self.last


def test_an_identity_of_another_request_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: where identities are shared, the same run finds wrong answers."""
    monkeypatch.setattr(concurrency, "_whom", Shared().whom)
    assert concurrency.run(640).wrong


def test_a_wrong_verdict_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: where revocations are not looked at, the same run finds wrong answers."""
    monkeypatch.setattr(RevocationCache, "check_not_revoked", lambda _self, _subject: None)
    [*wrong] = concurrency.run(3200).wrong
    assert any("permitted {40102}" in one or "permitted {40103}" in one for one in wrong)


@pytest.mark.parametrize(("wrong", "status"), [([], 0), (["/pair: 200"], 1)])
def test_the_command_says_what_came_of_it(
    wrong: list[str],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Counts on the screen, and a status that stops a build where an answer was wrong."""
    outcome = concurrency.Outcome(wrong=wrong, rotations=3, revoked=4, undecided=5, seconds=2)
    outcome.answers["200"] = 1000
    monkeypatch.setattr(concurrency, "run", lambda *_sizes: outcome)
    assert concurrency.main(["--requests", "1000"]) == status
    assert capsys.readouterr().out.splitlines() == [
        "1,000 requests, 64 threads, 2 s",
        "500 requests a second",
        "200: 1,000",
        "3 rotations, 4 revocations",
        "5 requests met a change, so that two answers or more were right",
        f"{len(wrong)} wrong answers",
        *wrong,
    ]


@cases(
    "start, finish, found",
    {
        "before": (1, 2, {True}),
        "until the begin": (1, 3, {True, False}),
        "within": (4, 5, {True, False}),
        "from the end": (6, 7, {True, False}),
        "after": (7, 8, {False}),
        "around": (1, 8, {True, False}),
        "over the next": (7, 9, {True, False}),
        "within the next, which has no end": (10, 11, {True, False}),
    },
)
def test_a_fact_is_both_while_it_changes(
    start: float, finish: float, found: set[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change from 3 to 6, and another from 9 on: what a request may have met in between."""
    times = iter([3.0, 6.0, 9.0])
    monkeypatch.setattr("benchmarks.facts.perf_counter", lambda: next(times))
    fact = Fact()
    with fact.changing():
        pass
    fact.begin()
    assert fact.during(start, finish) == found


GOOD = Token("a", "app", "account", (Fact(),))
BAD = Token("a", "app", "account", (Fact(), Fact(False)))
CONSUMER = Token("c", "consumer", "account", (Fact(),))
CHANGING = Fact()
CHANGING.begin()
EITHER = Token("e", "either", "account", (CHANGING,))


@cases(
    "sent, permitted",
    {
        "good": (Sent("pair", "account", GOOD, CONSUMER), {("app", "consumer")}),
        "both missing": (Sent("pair", "account", None, None), {40105}),
        "bad, and none": (Sent("pair", "account", BAD, None), {40102}),
        "consumer missing": (Sent("pair", "account", GOOD, None), {40104}),
        "consumer bad": (Sent("pair", "account", GOOD, BAD), {40103}),
        "another account": (Sent("pair", "other", GOOD, CONSUMER), {40102}),
        "either": (Sent("pair", "account", EITHER, CONSUMER), {("either", "consumer"), 40102}),
        "either, and none": (Sent("pair", "account", EITHER, None), {40104, 40102}),
        "either consumer": (Sent("pair", "account", GOOD, EITHER), {("app", "either"), 40103}),
        "open": (Sent("open", "account", BAD, None), {NOBODY}),
    },
)
def test_the_answers_that_are_right(sent: Sent, permitted: set[object]) -> None:
    """Rows 40102 to 40105, and who wins: for each token good, bad, missing, or changing."""
    assert sent.permitted(time.perf_counter(), inf) == permitted

"""The test kit's own ways to break a token, end to end: one for each reason there is.

That each is refused for its reason is held by ``tests/unit/testing/test_tampering.py``.
"""

import pytest

from flask_connector_auth.testing.tampering import TOKEN_FAULTS, TokenKind
from tests.support.attack_harness import assert_nothing_told, watching, withstand
from tests.support.attack_stage import KINDS, MODES, stages

WAYS_OF = [
    (name, kind)
    for name, way in TOKEN_FAULTS.items()
    for kind in KINDS
    if kind == "app_jwt" or not way.app_jwt_only
]


@pytest.mark.parametrize(("name", "kind"), WAYS_OF)
def test_every_way_to_break_a_token_gets_one_answer(name: str, kind: TokenKind) -> None:
    """Rows 40102 and 40103, RFC 8725 section 3.3: the same bytes, whatever was wrong."""
    withstand(TOKEN_FAULTS[name].apply, kind)


@pytest.mark.parametrize("mode", range(len(MODES)), ids=list(MODES))
def test_good_tokens_are_not_told_either(mode: int) -> None:
    """The control of every attack: the view runs, nothing is logged, and no signal has a token."""
    stage = stages()[mode]
    environ = stage.environ()
    with watching(stage.app) as told:
        answer = stage.send(environ)
    assert (answer.status_code, told.errors, told.lines) == (200, [], [])
    assert len(told.verified) == 1
    assert_nothing_told(told, answer, environ.values())

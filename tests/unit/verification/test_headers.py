"""Where a token is read from a header value, and what is refused (RFC 9110 section 11.4)."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from flask_connector_auth.core import Reason, Rejected
from flask_connector_auth.verification import APP_JWT, CONSUMER_JWS, read_token
from tests.support.floor_helpers import cases, untimed


def refusal(value: str | None, *, bearer: bool) -> Reason:
    """Return why *value* is refused."""
    with pytest.raises(Rejected) as caught:
        read_token(value, bearer=bearer)
    return caught.value.reason


@pytest.mark.parametrize("value", ["a.b.c", " a.b.c\t", "Bearer a.b.c", "bEARER   a.b.c"])
def test_authorization_holds_a_bare_token_or_a_bearer_token(value: Any) -> None:
    """RFC 9110 section 11.1: the scheme is optional and case-insensitive."""
    assert read_token(value, bearer=APP_JWT.allows_bearer_prefix) == "a.b.c"


@pytest.mark.parametrize("before", ["", " \t", "Bearer ", "bearer   "])
@pytest.mark.parametrize("token", ["X", "XaX", "\xa0a\xa0", "==", "bearer-", "-"])
def test_nothing_but_white_space_and_the_scheme_is_taken_away(token: str, before: Any) -> None:
    """RFC 9110 section 5.6.3: only space and tab are white space in a header."""
    assert read_token(f"{before}{token}\t ", bearer=True) == token


@pytest.mark.parametrize("bearer", [True, False])
@pytest.mark.parametrize("value", [None, "", " ", "\t \t"])
def test_an_absent_or_blank_header_is_missing(value: Any, bearer: bool) -> None:
    """Rows 40104 and 40105: spaces and tabs only count as absent."""
    assert refusal(value, bearer=bearer) is Reason.MISSING


@cases(
    "value",
    {
        "scheme alone": "Bearer",
        "scheme and space": "Bearer ",
        "scheme twice": "Bearer Bearer a.b.c",
        "another scheme": "Basic a.b.c",
        "scheme and tab": "Bearer\ta.b.c",
        "two tokens": "Bearer a.b.c d",
        "two bare tokens": "a.b.c d.e.f",
        "tab inside": "a\tb",
    },
)
def test_anything_but_one_token_is_invalid(value: Any) -> None:
    """Row 40102: another scheme, a scheme alone, two values."""
    assert read_token("a.b.c", bearer=True) == "a.b.c"
    assert refusal(value, bearer=True) is Reason.BAD_HEADER


@pytest.mark.parametrize("bearer", [True, False])
@pytest.mark.parametrize("value", ["a.b.c,d.e.f", "a.b.c, d.e.f", ",a.b.c", "a.b.c,", ","])
def test_a_credential_is_never_a_list(value: Any, bearer: bool) -> None:
    """RFC 9110 section 5.3: a comma is what joined headers look like, so it is refused."""
    assert read_token("a.b.c", bearer=bearer) == "a.b.c"
    assert refusal(value, bearer=bearer) is Reason.BAD_HEADER


@pytest.mark.parametrize("value", ["Bearer a.b.c", "bearer a.b.c", "Basic a.b.c", "a.b.c d.e.f"])
def test_the_consumer_header_holds_the_bare_token_only(value: Any) -> None:
    """Row 40103: no scheme is read in X-LP-ON-BEHALF."""
    assert read_token("a.b.c", bearer=CONSUMER_JWS.allows_bearer_prefix) == "a.b.c"
    assert refusal(value, bearer=CONSUMER_JWS.allows_bearer_prefix) is Reason.BAD_HEADER


@pytest.mark.parametrize("value", ["Bearera.b.c", "bearer.b.c", "Bearer-a.b.c"])
def test_a_scheme_ends_at_a_space(value: Any) -> None:
    """RFC 9110 section 11.4: a text that merely starts like the scheme is a bare token."""
    assert read_token(value, bearer=True) == value


@pytest.mark.parametrize("sign", "\xa0\x85\x0b\x0c\x1c\x1f\0\n")
def test_only_space_and_tab_are_white_space(sign: Any) -> None:
    """RFC 9110 section 5.6.3: what str.strip() would eat stays, for the verifier to refuse."""
    assert read_token(f"Bearer {sign}a.b.c{sign} ", bearer=True) == f"{sign}a.b.c{sign}"
    assert read_token(sign, bearer=True) == sign


@pytest.mark.parametrize("blanks", [" ", "\t", " \t"])
@pytest.mark.parametrize("value", ["{}a.b.c", "a.b.c{}", "Bearer{}a.b.c"])
def test_blanks_are_bounded(value: Any, blanks: str) -> None:
    """docs/exhaustion.rst: stripping them must not cost more than a verification; 64 are enough."""
    around = " " + (blanks * 64)[:63]
    if "Bearer" in value:
        around = " " * 64
    assert read_token(value.format(around), bearer=True) == "a.b.c"
    assert refusal(value.format(around + blanks[0]), bearer=True) is Reason.BAD_HEADER


@pytest.mark.parametrize("length", [64, 65, 10_000])
def test_nothing_but_blanks_is_missing_however_many(length: int) -> None:
    """Rows 40104 and 40105: what may be looked at is still read as what it is."""
    assert refusal(" \t" * length, bearer=True) is Reason.MISSING


header_values = st.lists(
    st.sampled_from(["Bearer", "bearer", "a.b.c", " ", "\t", ",", "\xa0"])
).map("".join)


@untimed
@given(st.text() | header_values, st.booleans())
def test_any_text_holds_one_token_or_is_refused(value: Any, bearer: bool) -> None:
    """RFC 9110 section 11.4: what comes out has no space, tab or comma; nothing else is raised."""
    try:
        token = read_token(value, bearer=bearer)
    except Rejected as rejected:
        assert rejected.reason in (Reason.MISSING, Reason.BAD_HEADER)
        return
    assert token in value
    assert token
    assert not set(token) & set(" \t,")

"""Where a token is read from a header value, and what is refused (RFC 9110 section 11.4)."""

import pytest

from flask_connector_auth.headers import read_token
from flask_connector_auth.reasons import Reason, Rejected


@pytest.mark.parametrize("value", ["a.b.c", " a.b.c\t", "Bearer a.b.c", "bEARER   a.b.c"])
def test_authorization_holds_a_bare_token_or_a_bearer_token(value):
    """DESIGN: the scheme is optional and case-insensitive."""
    assert read_token(value, bearer=True) == "a.b.c"


@pytest.mark.parametrize("bearer", [True, False])
@pytest.mark.parametrize("value", [None, "", " ", "\t \t"])
def test_an_absent_or_blank_header_is_missing(value, bearer):
    """Rows 40104 and 40105: spaces and tabs only count as absent."""
    with pytest.raises(Rejected) as caught:
        read_token(value, bearer=bearer)
    assert caught.value.reason is Reason.MISSING


@pytest.mark.parametrize(
    "value", ["Bearer", "Bearer ", "Basic a.b.c", "Bearer a.b.c d", "a.b.c,d.e.f", "a\tb"]
)
def test_anything_but_one_token_is_invalid(value):
    """Row 40102: another scheme, a scheme alone, two values, a list."""
    with pytest.raises(Rejected) as caught:
        read_token(value, bearer=True)
    assert caught.value.reason is Reason.BAD_HEADER


def test_the_consumer_header_holds_the_bare_token_only():
    """Row 40103: no scheme is read in X-LP-ON-BEHALF."""
    assert read_token("a.b.c", bearer=False) == "a.b.c"
    with pytest.raises(Rejected) as caught:
        read_token("Bearer a.b.c", bearer=False)
    assert caught.value.reason is Reason.BAD_HEADER

"""The error envelope, byte for byte, what an error row may be, and the exceptions of the checks."""

from dataclasses import FrozenInstanceError

import pytest

from flask_connector_auth.core import (
    ErrorRow,
    Reason,
    Rejected,
    Unavailable,
    errors as envelope,
    render_envelope,
)

ROWS = {
    envelope.INVALID_APP_JWT: (
        b'{"kind":"resp","code":401,"body":{"title":"Invalid AppJWT",'
        b'"details":"AppJWT has expired or is invalid","errorCode":40102},'
        b'"type":".ReqBody$ErrorResp"}'
    ),
    envelope.INVALID_CONSUMER_JWS: (
        b'{"kind":"resp","code":401,"body":{"title":"Invalid ConsumerJWS",'
        b'"details":"ConsumerJWS is invalid","errorCode":40103},"type":".ReqBody$ErrorResp"}'
    ),
    envelope.CONSUMER_JWS_MISSING: (
        b'{"kind":"resp","code":401,"body":{"title":"ConsumerJWS is missing",'
        b'"details":"X_ON_BEHALF_HEADER is not present","errorCode":40104},'
        b'"type":".ReqBody$ErrorResp"}'
    ),
    envelope.APP_JWT_MISSING: (
        b'{"kind":"resp","code":401,"body":{"title":"AppJWT is missing",'
        b'"details":"AUTHORIZATION header is not present","errorCode":40105},'
        b'"type":".ReqBody$ErrorResp"}'
    ),
    envelope.MISSING_PARAMETER: (
        b'{"kind":"resp","code":400,"body":{"title":"Missing parameter",'
        b'"details":"Brand Id is missing","errorCode":40001},"type":".ReqBody$ErrorResp"}'
    ),
    envelope.UNAVAILABLE: (
        b'{"kind":"resp","code":503,"body":{"title":"Authentication unavailable",'
        b'"details":"The tokens cannot be verified at the moment","errorCode":50301},'
        b'"type":".ReqBody$ErrorResp"}'
    ),
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.error_code)
def test_a_row_renders_to_its_documented_bytes(row: ErrorRow) -> None:
    """Rows 40102 to 40105, 40001 and 50301: members, order and spelling are the protocol page's."""
    assert render_envelope(row) == ROWS[row]


def test_the_rows_that_can_be_overridden_are_all_rows() -> None:
    """Protocol page, Error Responses: each row is found by its documented code."""
    assert {row.error_code: row for row in ROWS} == envelope.ERROR_ROWS


@pytest.mark.parametrize(
    ("code", "status"), [(40000, 400), (40102, 401), (40499, 404), (50301, 503), (59999, 599)]
)
def test_the_first_three_digits_are_the_status(code: int, status: int) -> None:
    """Protocol page, Error Responses: row 40001 is sent with 400, row 50301 with 503."""
    assert ErrorRow(code, "title", "details").status == status


@pytest.mark.parametrize("code", [-40102, 0, 401, 4010, 20000, 30299, 39999, 60000, 401020])
def test_a_row_is_always_an_error(code: int) -> None:
    """Protocol page: an error code is five digits, and never travels under 2xx or 3xx."""
    with pytest.raises(ValueError, match=f"errorCode {code} does not start with an HTTP error"):
        ErrorRow(code, "title", "details")


def test_a_row_of_ones_own_is_escaped_and_compact() -> None:
    """RFC 8259 section 7: quotes, line breaks and any letter travel as ASCII, without a newline."""
    assert render_envelope(ErrorRow(40901, 'a "b"\n', "é")) == (
        b'{"kind":"resp","code":409,"body":{"title":"a \\"b\\"\\n","details":"\\u00e9",'
        b'"errorCode":40901},"type":".ReqBody$ErrorResp"}'
    )


def test_a_row_cannot_be_changed() -> None:
    """Rows are shared by all apps; an override of one app makes a new row."""
    with pytest.raises(FrozenInstanceError):
        envelope.INVALID_APP_JWT.title = "another"


def test_a_rejection_carries_its_reason_and_nothing_of_the_token() -> None:
    """Only the reason; loggable claims are added once the signature is verified."""
    rejected = Rejected(Reason.EXPIRED)
    assert (rejected.reason, rejected.loggable_claims, rejected.args) == (
        Reason.EXPIRED,
        {},
        (Reason.EXPIRED,),
    )
    assert rejected.reason_details == {}


def test_the_details_of_a_reason_stay_out_of_texts() -> None:
    """Error reporters show str(), repr() and the arguments of an exception."""
    rejected = Rejected(Reason.WRONG_ISSUER, {"issuer": "canary"})
    assert rejected.reason_details == {"issuer": "canary"}
    assert "canary" not in f"{rejected} {rejected!r} {rejected.args}"


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (["le1"], "le1"),
        (frozenset({"le2", "le1"}), "le1 or le2"),
        (frozenset("abcdefgh"), "a or b or c or d or e or f or g or h"),
        (frozenset("abcdefghi"), "one of 9"),
        (frozenset(), ""),
    ],
)
def test_the_expected_accounts_are_named_if_they_are_few(expected: list[str], text: str) -> None:
    """Sorting ten thousand accounts for each refused request would be work that clients cause."""
    assert Rejected.wrong_account(expected).reason_details == {"expected_account": text}


def test_a_client_tries_again_after_a_second_by_default() -> None:
    """``Retry-After`` of a 503: one second, unless the exception has another time."""
    unavailable = Unavailable(Reason.KEYS_UNAVAILABLE)
    assert (unavailable.reason, unavailable.retry_after) == (Reason.KEYS_UNAVAILABLE, 1)
    assert Unavailable(Reason.REVOCATION_UNAVAILABLE, 7.5).retry_after == 7.5

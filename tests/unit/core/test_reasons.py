"""The two exceptions of the checks: a refused token, and a service that cannot verify it."""

from flask_connector_auth.core import Reason, Rejected, Unavailable


def test_a_rejection_carries_its_reason_and_nothing_of_the_token() -> None:
    """Only the reason; loggable claims are added once the signature is verified."""
    rejected = Rejected(Reason.EXPIRED)
    assert (rejected.reason, rejected.loggable_claims, rejected.args) == (
        Reason.EXPIRED,
        {},
        (Reason.EXPIRED,),
    )


def test_a_client_tries_again_after_a_second_by_default() -> None:
    """``Retry-After`` of a 503: one second, unless the exception has another time."""
    unavailable = Unavailable(Reason.KEYS_UNAVAILABLE)
    assert (unavailable.reason, unavailable.retry_after) == (Reason.KEYS_UNAVAILABLE, 1)
    assert Unavailable(Reason.REVOCATION_UNAVAILABLE, 7.5).retry_after == 7.5

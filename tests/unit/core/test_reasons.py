"""Why a token was not accepted, as an exception on its way to the one place that answers it."""

from flask_connector_auth.core import Reason, Rejected, Unavailable


def test_a_rejection_carries_its_reason_and_nothing_of_the_token() -> None:
    """DESIGN: one word, for the log; what was verified is added by who verified it."""
    rejected = Rejected(Reason.EXPIRED)
    assert (rejected.reason, rejected.loggable_claims, rejected.args) == (
        Reason.EXPIRED,
        {},
        (Reason.EXPIRED,),
    )


def test_what_is_out_of_reach_is_asked_for_again_in_a_second() -> None:
    """DESIGN, 503: unless whoever raises it knows better."""
    unavailable = Unavailable(Reason.KEYS_UNAVAILABLE)
    assert (unavailable.reason, unavailable.retry_after) == (Reason.KEYS_UNAVAILABLE, 1)
    assert Unavailable(Reason.REVOCATION_UNAVAILABLE, 7.5).retry_after == 7.5

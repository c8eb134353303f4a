"""Keys of Edwards curves for which anyone can forge signatures."""

import pytest

from flask_connector_auth.keys import KeyProblem, KeyRules, import_key, importing
from tests.support.floor_helpers import encoded, jwk

P = 2**255 - 19
# RFC 8032 section 5.1: the constant of the curve.
D = -121665 * pow(121666, -1, P) % P
SIGN = 2**255
P_448, SIGN_448 = 2**448 - 2**224 - 1, 2**455
RULES = KeyRules(["EdDSA", "Ed25519", "Ed448"])
PROBLEM = "a point of small order, for which anyone can forge signatures"


def added(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """Return the sum of two points of Ed25519 (RFC 8032 section 5.1.4)."""
    (x1, y1), (x2, y2) = one, other
    k = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P
    return x, (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P


def multiples(point: tuple[int, int]) -> list[tuple[int, int]]:
    """Return *point*, twice that, and so on, to the neutral one."""
    found = [point]
    while found[-1] != (0, 1):
        found.append(added(found[-1], point))
    return found


def root(square: int) -> int:
    """Return a square root (RFC 8032 section 5.1.3)."""
    found = pow(square, (P + 3) // 8, P)
    return found if found * found % P == square else found * pow(2, (P - 1) // 4, P) % P


def test_the_table_has_every_point_of_small_order() -> None:
    """RFC 8032 section 5.1: the cofactor is 8, so there are eight, the multiples of one of them."""
    y = importing._Y_OF_ORDER_8
    x = root((y * y - 1) * pow(D * y * y + 1, -1, P) % P)
    points = multiples((x, y))
    assert len(set(points)) == 8
    assert {y for _, y in points} == importing._SMALL_25519


@pytest.mark.parametrize("sign", [0, SIGN], ids=["even", "odd"])
@pytest.mark.parametrize("y", sorted({*importing._SMALL_25519, P, P + 1}))
def test_an_ed25519_key_of_small_order_is_refused(y: int, sign: int) -> None:
    """RFC 8725 section 3.5: in each of its spellings, of which some are not canonical."""
    key = {"kty": "OKP", "crv": "Ed25519", "x": encoded((y + sign).to_bytes(32, "little"))}
    with pytest.raises(KeyProblem, match=PROBLEM):
        import_key(key, RULES)


@pytest.mark.parametrize("sign", [0, SIGN_448], ids=["even", "odd"])
@pytest.mark.parametrize("y", sorted({*importing._SMALL_448, P_448, P_448 + 1}))
def test_an_ed448_key_of_small_order_is_refused(y: int, sign: int) -> None:
    """RFC 8725 section 3.5: the cofactor is 4, so there are four of them; in each spelling."""
    key = {"kty": "OKP", "crv": "Ed448", "x": encoded((y + sign).to_bytes(57, "little"))}
    with pytest.raises(KeyProblem, match=PROBLEM):
        import_key(key, RULES)


@pytest.mark.parametrize("algorithm", ["Ed25519", "Ed448"])
def test_other_keys_are_taken_and_their_forgeries_are_not(
    algorithm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the rule is for: a signature of the neutral point and zero, which needs no key."""
    size = {"Ed25519": 32, "Ed448": 57}[algorithm]
    zeros = {"kty": "OKP", "crv": algorithm, "x": encoded(bytes(size))}
    forgeries = [point + bytes(size) for point in ((1).to_bytes(size, "little"), bytes(size))]
    good = import_key(jwk(algorithm), RULES)
    monkeypatch.setattr("flask_connector_auth.keys.importing.is_of_small_order", lambda _: False)
    weak = import_key(zeros, RULES)
    for key, forged in ((good, False), (weak, True)):
        verified = {
            key.verifies(algorithm, b"%d" % number, forgery)
            for number in range(64)
            for forgery in forgeries
        }
        assert (True in verified) is forged

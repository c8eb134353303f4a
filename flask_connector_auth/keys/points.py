"""The encoded public key of an Edwards curve in; whether anybody can sign for it out."""

# The field of each curve, and y of its points of small order (RFC 8032 section 5).
_P_25519 = 2**255 - 19
_Y_OF_ORDER_8 = 0x5FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_25519 = {0, 1, _P_25519 - 1, _Y_OF_ORDER_8, _P_25519 - _Y_OF_ORDER_8}
_P_448 = 2**448 - 2**224 - 1
_SMALL_448 = {0, 1, _P_448 - 1}
_ED25519_BYTES = 32


def is_of_small_order(encoded: bytes) -> bool:
    """Whether a key is a point of small order (RFC 8725 section 3.5): all zeros, for one.

    Under such a key many signatures or all are good that were made without a private one, and
    OpenSSL takes it.

    :param encoded: the bytes of an Ed25519 or Ed448 key (RFC 8032 sections 5.1.2 and 5.2.2).
    """
    number = int.from_bytes(encoded, "little")
    # Without the bit that is the sign of x; and y may be written as itself or plus the prime.
    if len(encoded) == _ED25519_BYTES:
        return number % 2**255 % _P_25519 in _SMALL_25519
    return number % 2**455 % _P_448 in _SMALL_448

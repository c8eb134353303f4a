"""The part of the tour that replaces and withdraws the signing key while the API runs."""

from collections.abc import Mapping

from ..keys import KeyFile
from ..sentinel import KEY_SET_PATH
from .asking import Documented, Question
from .caller import APP, CONSUMER, Caller
from .documented import INVALID_APP_JWT, INVALID_CONSUMER_JWS, KEY
from .saying import say

COMMAND = "$ flask --app example_app keys"


def rotate(
    caller: Caller, keys: KeyFile, old_tokens: Mapping[str, str], longest: float
) -> dict[str, str]:
    """Replace the key that signed *old_tokens*, and show which tokens are good when.

    :param longest: seconds after which a withdrawn key is certainly no longer accepted.
    :returns: the headers with tokens of the new key.
    """
    say(
        "\nNow the signing key is replaced. The next one is published first, and signs nothing yet:"
    )
    new = keys.add()
    say(f"\n{COMMAND} add\n{new}", "command")
    caller.asker.ask(
        "All are published here, where the API loads its keys.",
        Question(KEY_SET_PATH),
        Documented(200, {"keys": [KEY] * len(keys.read().keys)}),
    )
    say("\nIn operation, now is the time to wait until all who verify tokens have loaded both.")
    old = keys.use(new)
    say(f"\n{COMMAND} use {new}\n{old}", "command")
    say("\nThe new one signs. If the API does not know it yet, it asks when it meets it, unless it")
    say("has just asked.")
    tokens = caller.get_tokens(longest)
    caller.send("The new tokens are good.", tokens)
    caller.send("So are the old ones: their key is still published.", old_tokens)
    keys.withdraw(old)
    say(f"\n{COMMAND} withdraw {old}", "command")
    say("\nThe API uses the keys that it has loaded for a while before it asks for them again. The")
    say(f"settings of this demo make that {longest:g} seconds at most; then the old key is gone.")
    caller.send(
        "The old AppJWT is refused.",
        {**tokens, APP: old_tokens[APP]},
        documented=Documented(401, INVALID_APP_JWT),
        patience=longest,
    )
    caller.send(
        "So is the old ConsumerJWS, though it never expires.",
        {**tokens, CONSUMER: old_tokens[CONSUMER]},
        documented=Documented(401, INVALID_CONSUMER_JWS),
    )
    caller.send("The new tokens are good as before.", tokens)
    return tokens

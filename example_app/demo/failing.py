"""The part of the tour that sets the knobs, and shows what clients get then."""

from collections.abc import Mapping

from .. import knobs
from .asking import Documented
from .caller import Caller
from .documented import envelope
from .saying import say

COMMAND = "$ flask --app example_app knobs"


def turn_knobs(caller: Caller, tokens: Mapping[str, str]) -> None:
    """Force failures, shorten the lifetime of tokens, and reset the knobs."""
    say("\nKnobs, to test clients with. Two failures are forced, one after the other:")
    for status, error_code, retry_after in ((429, 42901, 2), (503, 50302, 7)):
        command = f"fail asyncMessagingEnt {status} --retry-after {retry_after} --times 1"
        say(f"\n{COMMAND} {command}", "command")
        knobs.fail("asyncMessagingEnt", status, retry_after, 1)
        headers = {"retry-after": str(retry_after)}
        forced = Documented(status, envelope(error_code), headers=headers)
        caller.send("It fails.", tokens, documented=forced)
        caller.send("The next one does not.", tokens)
    say("\nTokens can be made to end soon:")
    say(f"\n{COMMAND} token-life 90", "command")
    knobs.set_token_life(90)
    caller.life, usual = 90, caller.life
    caller.get_tokens()
    say(f"\n{COMMAND} reset", "command")
    knobs.recover()
    knobs.set_token_life(None)
    caller.life = usual

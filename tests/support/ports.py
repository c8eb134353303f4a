"""Ports on loopback for what must be given one, and does not take a bound socket."""

import random
import socket
from contextlib import ExitStack, suppress


def free_port() -> int:
    """Return a port on loopback that is not used, nor its neighbour 10000 above.

    Below those that the system hands out, or one of them may be handed out in the meantime.
    """
    while True:
        port = random.SystemRandom().randrange(11000, 22000)
        with suppress(OSError), ExitStack() as stack:
            for each in (port, port + 10000):
                stack.enter_context(socket.create_server(("127.0.0.1", each)))
            return port

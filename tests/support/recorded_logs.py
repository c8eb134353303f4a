"""All that is logged while a block runs."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from logging.handlers import QueueHandler
from queue import SimpleQueue


class Recorder(logging.Handler):
    """Keeps all that is logged, as lines and as records."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep *record*."""
        self.records.append(record)

    def lines(self) -> list[str]:
        """Return the lines so far, with level and logger, and forget them."""
        told, self.records = self.records, []
        return [f"{each.levelname} {each.name} {each.getMessage()}" for each in told]


@contextmanager
def listening() -> Iterator[Recorder]:
    """Record all that anybody logs, down to DEBUG."""
    root, recorder = logging.getLogger(), Recorder()
    level = root.level
    root.addHandler(recorder)
    root.setLevel(logging.DEBUG)
    try:
        yield recorder
    finally:
        root.setLevel(level)
        root.removeHandler(recorder)


@contextmanager
def awaiting(name: str) -> Iterator[Callable[[], str]]:
    """Yield a function that returns what the logger *name* logs next, as soon as it does."""
    records: SimpleQueue[logging.LogRecord] = SimpleQueue()
    logger, handler = logging.getLogger(name), QueueHandler(records)
    logger.addHandler(handler)
    try:
        yield lambda: records.get(timeout=30).getMessage()
    finally:
        logger.removeHandler(handler)

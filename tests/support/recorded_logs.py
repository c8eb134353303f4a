"""All that is logged while a block runs."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


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

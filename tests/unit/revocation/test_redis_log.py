"""What a worker concludes from its position and the state of the store: has the store lost data?"""

import gc
from dataclasses import replace
from math import inf

import pytest

from flask_connector_auth import Change, Update
from flask_connector_auth.revocation import RevocationCache
from flask_connector_auth.revocation.redis_log import (
    HEADER_BYTES,
    Answer,
    Header,
    Position,
    update_after,
)
from flask_connector_auth.revocation.revocation_set import (
    BUCKETS,
    RECORD_BYTES,
    RevocationSet,
    pack,
)
from tests.support.floor_helpers import cases

NUMBERS = range(1, 10)
RECORDS = [pack(Change(f"account:{number}", 1.0), mark=number) for number in NUMBERS]
OTHER = [pack(Change(f"account:{number}", 1.0), mark=number + 100) for number in NUMBERS]
#: The third log of its epoch. Its base has two records, its tail three, which the worker has read.
HEADER = Header(b"epoch-01", b"third---", 3, HEADER_BYTES + 2 * RECORD_BYTES)
CUT = HEADER.base_end + 3 * RECORD_BYTES
EARLIER_CUT = CUT - RECORD_BYTES
KNOWN = Position(HEADER, CUT, BUCKETS, RECORDS[2], confirmed=1000.0)
#: The log that continues it, with all that the worker has read in its base.
NEXT = Header(b"epoch-01", b"fourth--", 4, HEADER.base_end, cut=CUT)


def base(count: int) -> bytes:
    """Return a base of some records, bucket by bucket."""
    entries = RevocationSet()
    for number in range(count):
        entries.put(Change(f"install:{number}", 1.0))
    return b"".join(piece.records for piece in entries.pieces())


def answer(
    header: Header | None, *data: bytes, has_names: bool = True, old: Header | None = None
) -> Answer:
    """Return an answer of the store."""
    return Answer(2000.0, header, has_names, old, b"".join(data))


def outcome(update: Update) -> str:
    """Return in a word what the worker does."""
    if update.lost:
        return "lost"
    return "reads all" if update.complete else "goes on"


@cases(
    ("there", "expected"),
    {
        "as it was": (answer(HEADER, RECORDS[2]), "goes on"),
        "further": (answer(HEADER, *RECORDS[2:5]), "goes on"),
        "empty": (answer(None, has_names=False), "lost"),
        "evicted": (answer(None), "lost"),
        "evicted and used": (answer(Header(b"epoch-02", b"other---", incomplete=1)), "lost"),
        "emptied and used": (answer(Header(b"epoch-02", b"other---"), RECORDS[2]), "lost"),
        "with a shorter tail": (answer(HEADER), "lost"),
        "with another last change": (answer(HEADER, OTHER[2]), "lost"),
        "with other changes": (answer(HEADER, *OTHER[2:5]), "lost"),
        "an earlier log": (answer(HEADER._replace(generation=b"second--", number=2)), "lost"),
        "another third log": (answer(HEADER._replace(generation=b"other---")), "lost"),
        "replaced": (answer(NEXT, RECORDS[2], old=NEXT), "goes on"),
        "replaced, and further": (answer(NEXT, *RECORDS[2:4], old=NEXT), "goes on"),
        "replaced twice": (answer(NEXT._replace(number=5), RECORDS[2], old=NEXT), "goes on"),
        "replaced, with other changes": (answer(NEXT, *OTHER[2:4], old=NEXT), "lost"),
        "replaced, with a shorter tail": (answer(NEXT, old=NEXT), "lost"),
        "replaced, and gone": (answer(NEXT), "reads all"),
    },
)
def test_what_a_worker_with_a_copy_concludes(there: Answer, expected: str) -> None:
    """Decision 0015: the store was emptied, evicted its log, was restored, or a replica took over
    too early; or its log was replaced by a shorter one, and nothing is lost."""
    update = update_after(KNOWN, there)
    assert outcome(update) == expected
    if update.complete and there.header:
        lost_since = 1000.0 if update.lost else None
        assert update.position == Position(there.header, lost_since=lost_since)
    assert update.more is (there.header not in (HEADER, None) or (update.lost and update.more))


@cases(
    ("there", "expected"),
    {
        "something": (answer(HEADER, base(2), *RECORDS[:3]), "reads all"),
        "nothing yet": (answer(None, has_names=False), "reads all"),
        "names without a log": (answer(None), "lost"),
        "less than there was": (
            answer(HEADER._replace(incomplete=1), base(2), *RECORDS[:3]),
            "lost",
        ),
    },
)
def test_what_a_worker_without_a_copy_concludes(there: Answer, expected: str) -> None:
    """Only that entries are missing; an empty store may be a new one."""
    assert outcome(update_after(None, there)) == expected


@cases(
    ("there", "expected"),
    {
        "still nothing": (answer(None, has_names=False), "goes on"),
        "changes": (answer(Header(b"epoch-01", b"first---"), *RECORDS[:2]), "goes on"),
        "a log that was compacted": (answer(HEADER, base(2), *RECORDS[:3]), "goes on"),
        "less than there was": (answer(HEADER._replace(incomplete=1)), "lost"),
    },
)
def test_a_store_that_was_empty_has_lost_nothing(there: Answer, expected: str) -> None:
    """Any log may begin there; all that it has is new."""
    update = update_after(Position(confirmed=1.0), there)
    assert outcome(update) == expected
    in_base = sum(len(piece.records) for piece in update.pieces or ()) // RECORD_BYTES
    assert in_base + len([*update.changes]) == len(there.data) // RECORD_BYTES


@cases(
    ("cut", "offset", "last"),
    {
        "all that was read": (CUT, NEXT.base_end, b""),
        "less": (EARLIER_CUT, NEXT.base_end + RECORD_BYTES, RECORDS[2]),
    },
)
def test_the_position_in_the_log_that_continues(cut: int, offset: int, last: bytes) -> None:
    """What was appended while the log was written is in its tail."""
    header = NEXT._replace(cut=cut)
    update = update_after(KNOWN, answer(header, RECORDS[2], old=header))
    assert update.position == replace(KNOWN, header=header, offset=offset, last=last)
    assert update.more


@pytest.mark.parametrize("is_same", [True, False])
def test_a_loss_stays_known_while_the_rest_is_read(is_same: bool) -> None:
    """Until the end of the log, or of another one that replaced it meanwhile."""
    begun = Position(HEADER, lost_since=1000.0)
    header = HEADER if is_same else NEXT
    update = update_after(begun, answer(header, base(2), *RECORDS[:3]))
    assert update.lost
    assert update.more is not is_same
    assert update.position.lost_since == (None if is_same else 1000.0)
    assert (update.lost_since == 1000.0) is is_same


def test_another_change_while_the_rest_is_read_after_a_loss() -> None:
    """A second loss: reading begins again, and the first one stays known."""
    reading = replace(KNOWN, lost_since=500.0)
    update = update_after(reading, answer(HEADER, OTHER[2]))
    assert (update.lost, update.complete) == (True, True)
    assert update.position == Position(HEADER, lost_since=500.0)


def test_a_base_is_read_bucket_by_bucket() -> None:
    """A bucket that may not be complete is read with the next part."""
    entries = base(3000)
    header = HEADER._replace(base_end=HEADER_BYTES + len(entries))
    position, read = Position(header), b""
    while position.bucket < BUCKETS:
        part = entries[position.offset - HEADER_BYTES :][: 32 * RECORD_BYTES]
        update = update_after(position, answer(header, part))
        [piece] = update.pieces or ()
        assert piece.first == position.bucket
        read += piece.records
        position = update.position
    assert read == entries
    assert position.offset == header.base_end


def test_many_changes_leave_the_collector_nothing_to_do() -> None:
    """A full collection would stop all threads of a worker that serves. The changes are made one by
    one, and returned by the cache only where a receiver of a signal needs them."""
    records = [pack(Change(f"install:{number % 1000}", float(number))) for number in range(9000)]
    cache, collected = RevocationCache(RevocationSet(), 5), 0
    cache.is_observed = lambda: False

    def count(phase: str, _info: dict[str, int]) -> None:
        nonlocal collected
        collected += phase == "start"

    gc.callbacks.append(count)
    try:
        update = update_after(KNOWN, answer(HEADER, RECORDS[2], *records))
        assert cache.apply_changes(update.changes, None) == []
    finally:
        gc.callbacks.remove(count)
    # One for each 700 objects that stay; other threads may make some too.
    assert collected < 5
    assert len(cache.revoked) == 1000
    cache.is_observed = lambda: True
    assert len(cache.apply_changes([Change("install:0", inf), Change("install:0", 1.0)], None)) == 1


def test_no_change_is_applied_if_one_is_not_understood() -> None:
    """The error comes with the answer, whichever it is."""
    wrong = RECORDS[3][:15] + b"\xff" + RECORDS[3][16:]
    with pytest.raises(ValueError, match="kind"):
        update_after(KNOWN, answer(HEADER, RECORDS[2], *RECORDS, wrong))

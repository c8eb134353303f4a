"""The set of entries: what is put is found, whatever else is there, and counted."""

import random
from math import inf, nan

import hypothesis.strategies as st
import pytest
from hypothesis import given

from flask_connector_auth import Change
from flask_connector_auth.revocation import SLACK, RevocationSet, entry_key
from flask_connector_auth.revocation.revocation_set import BUCKETS, Piece, pack
from tests.support.floor_helpers import NOW, untimed
from tests.support.revocation_entries import table_of

# Keys of few buckets, so that these have several records.
keys = st.binary(min_size=0, max_size=2).map(
    lambda end: b"\x00\x01" + end.rjust(13, b"k") + b"\x00"
)
times = st.sampled_from([0.0, 1.0, 2.0, inf])
changes = st.builds(Change, keys, st.none() | times, st.sampled_from([1.0, 5.0, inf]))


@untimed
@given(st.lists(changes))
def test_a_set_has_the_later_time_of_each_key(made: list[Change]) -> None:
    """As a dictionary would, restorations in between included; and so does a set made of its
    records."""
    table = table_of(*made)
    model: dict[bytes, tuple[float, float]] = {}
    for key, value, until in made:
        assert isinstance(key, bytes)
        if value is None:
            model.pop(key, None)
        else:
            present = model.get(key, (-inf, 0.0))
            model[key] = max(present[0], value), max(present[1], until)
    copy = RevocationSet()
    for piece in table.pieces():
        for number, records in piece.buckets():
            assert copy.put_bucket(number, records)
            assert not copy.put_bucket(number, b"")
    for each in (table, copy):
        assert {change.key: change[1:] for change in each.changes()} == model
        assert len(each) == len(model)
        for key in {change.key for change in made}:
            assert isinstance(key, bytes)
            assert each.get(key) == model.get(key, (None,))[0]


def test_an_exact_change_counts_even_if_it_is_earlier() -> None:
    """What a store has in the end, rather than one change: a set that follows it agrees."""
    table = table_of(Change("account:a", 5.0, 9.0))
    assert table.put(Change("account:a", 2.0, 3.0), exact=True)
    assert table.change_of("account:a") == (entry_key("account:a"), 2.0, 3.0)
    assert not table.put(Change("account:a", 1.0))
    assert table.get(entry_key("account:a")) == 2.0


def test_the_bytes_of_a_key_inside_of_other_records_are_no_entry() -> None:
    """A key is found only where a record begins."""
    other = pack(Change(b"\x00\x01" + b"\x00" * 14, 0.0, 256.0))
    inside = other[4:20]
    assert inside[:2] == b"\x00\x00"
    own = b"\x00\x00" + bytes(14)
    table = table_of(Change(b"\x00\x02" + bytes(14), 0.0, 1.0))
    assert table.get(own) is None
    table.put(Change(own, 3.0))
    assert (table.get(own), len(table)) == (3.0, 2)


def test_a_million_random_keys_are_spread_evenly() -> None:
    """The first bits of a digest choose the bucket: none is long to search."""
    rng = random.Random(1)  # it names entries
    table = table_of(*(Change(rng.randbytes(32), 1.0) for _ in range(50_000)))
    sizes = [len(records) // 32 for piece in table.pieces() for _, records in piece.buckets()]
    assert sum(sizes) == len(table) == 50_000
    assert max(sizes) < 20


def test_a_piece_has_an_end_where_a_bucket_has() -> None:
    """Pieces together have all buckets, and each bucket is in one of them."""
    rng = random.Random(2)  # it names entries
    table = table_of(*(Change(rng.randbytes(32), 1.0) for _ in range(40_000)))
    pieces = [*table.pieces()]
    assert len(pieces) == 2
    assert (pieces[0].first, pieces[0].end, pieces[1].end) == (0, pieces[1].first, BUCKETS)
    for piece in pieces:
        numbers = [number for number, _ in piece.buckets()]
        assert numbers == sorted(set(numbers))
        assert piece.first <= numbers[0] <= numbers[-1] < piece.end


def test_a_piece_of_an_unknown_kind_is_an_error() -> None:
    """Before any of its records is in force."""
    record = pack(Change(b"k" * 32, 1.0))
    spoilt = record[:15] + b"\x09" + record[16:]
    with pytest.raises(ValueError, match="unknown kind"):
        next(Piece(0, BUCKETS, record + spoilt).buckets())


def test_a_time_that_is_none_is_an_error() -> None:
    """It may be the record of a later version."""
    with pytest.raises(ValueError, match="not a time"):
        RevocationSet().differences(0, pack(Change(b"k" * 32, nan)))


def test_only_what_has_expired_is_removed() -> None:
    """Of the given buckets, or of all."""
    table = table_of(*(Change(f"account:{number}", 1.0, NOW + number) for number in range(100)))
    table.remove_expired(NOW + SLACK + 49, [])
    assert len(table) == 100
    table.remove_expired(NOW + SLACK + 49)
    assert {change.until for change in table.changes()} == {NOW + at for at in range(50, 100)}


def test_a_name_is_known_as_long_as_its_entry() -> None:
    """Of what was put with a name."""
    table, key = table_of(Change("account:a", 1.0)), entry_key("account:a")
    assert table.name_of(key) == table.name_of("account:a") == "account:a"
    table.put(Change(key, 2.0))
    assert [*table.changes()] == [Change("account:a", 2.0)]
    table.put(Change(key, None))
    assert table.name_of(key) == key

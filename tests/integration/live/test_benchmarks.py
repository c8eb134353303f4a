"""The benchmarks behind gunicorn: each worker serves each load, and no wrong answer is measured."""

import json
import os
from pathlib import Path

import pytest

from benchmarks import loads, scale_requests, served
from benchmarks.mint import Mint
from benchmarks.scale_fleet import Size, fleet


def test_every_load_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """One number for each round, load and subject, all of them more than nothing."""
    monkeypatch.setattr(loads, "HOT_SET", 3)
    found = served.measure(["bare", "ours-url"], rounds=2, size=9)
    assert len(found) == 11
    for times in found.values():
        assert [*times] == ["bare", "ours-url"]
        assert all(len(some) == 2 and min(some) > 0 for some in times.values())


def test_the_workers_take_turns(tmp_path: Path) -> None:
    """Neighbours among the connections lead to different workers, and neither is this process."""
    mint, keys = Mint(), tmp_path / "keys.json"
    keys.write_text(json.dumps(mint.key_set()))
    with served.gunicorn(f"benchmarks.served:application('ours',{str(keys)!r})", 2) as server:
        assert len({*server.workers, os.getpid()}) == served.WORKERS + 1
        answered = []
        for connection in server.connections:
            connection.request("GET", "/worker")
            answered.append(int(connection.getresponse().read()))
        assert answered == [*server.workers] * 2
        good, bad = loads.good(mint, 0, consumer=True), loads.bad(b"x")
        assert served.worker_time(server, [good, bad]) > 0
        refused = loads.Case(bad.path, {}, 200, None)
        for wrong, case in ((server, refused), (server._replace(authenticates=False), bad)):
            with pytest.raises(AssertionError, match="instead of"):
                served.worker_time(wrong, [case])


def test_requests_that_come_together_to_a_new_worker_are_all_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Twice as many as there are threads, keys and store at hand, before and after a full load."""
    near = {name: scale_requests.STARTS[name] for name in ("all near", "the same with warm()")}
    monkeypatch.setattr(scale_requests, "STARTS", near)
    size = Size(entries=0, missed=2000, limit=30)
    with fleet(None) as processes:
        rows = dict(scale_requests.cold_start(processes, size))
        rows |= scale_requests.requests_while_loading(processes, size)
    assert all(value is not None for value in rows.values())
    refused = [value for name, value in rows.items() if "503" in name]
    assert refused == [0, 0, 0]

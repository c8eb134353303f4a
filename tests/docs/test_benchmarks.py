"""The parts of the benchmarks that measure nothing: what is divided by what, tables, plots."""

import json
import os
import random
import time
from collections.abc import Iterable
from itertools import islice, repeat
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment
from xml.etree import ElementTree

import pytest

from benchmarks import driver, exhaustion_report, interpreters, loads, plots, report, scale, served
from benchmarks.mint import Mint
from benchmarks.views import serve
from flask_connector_auth import (
    ConnectorAuth,
    current_app_jwt,
    current_consumer_jws,
    require_app_jwt,
    require_consumer_jws,
)

TITLES = {"bare": "bare view", "raw": "RSA", "ours": "this package", "pyjwt": "PyJWT & friends"}
SVG = "{http://www.w3.org/2000/svg}"
RNG = random.Random(1)  # it draws and orders, and keeps no secret


def results() -> Any:
    """Return results of the form that a run has, after a round trip through JSON."""
    spreads = {name: driver.Spread(0.9, 1 + place, 5.0) for place, name in enumerate(TITLES)}
    by_load = dict.fromkeys([*plots.LOADS, "expired"], spreads)
    by_load["missing"] = {name: spreads[name] for name in spreads if name != "raw"}
    found = {
        "date": "2026-01-31",
        "machine": "a machine",
        "python": "CPython 3.11",
        "versions": {"flask": "3.1"},
        "rounds": 21,
        "batch": 100,
        "requests": 20_000,
        "titles": TITLES,
        "loads": by_load,
        "four_threads": spreads,
        "key_sets": {"ours": spreads["ours"], "pyjwt": spreads["pyjwt"]},
        "curve": {name: {1: spreads[name], 1_000_000: spreads[name]} for name in ("bare", "ours")},
        "flood": {"before": spreads["ours"], "after": spreads["ours"]},
        "memory": {"new": {"whole": 2.5, "second_half": 0.0}},
        "imports": {"flask": 0.1, "flask_connector_auth": 0.16},
    }
    return json.loads(json.dumps(found))


class Recorder:
    """A WSGI app that keeps the tokens it was sent, the very objects."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Keep the tokens of a request."""
        names = ("HTTP_AUTHORIZATION", "HTTP_X_LP_ON_BEHALF")
        self.tokens += [environ[name] for name in names if name in environ]
        start_response("200 OK", [])
        return []


def test_a_ratio_is_that_of_one_round() -> None:
    """A round that was slow for all of them changes nothing."""
    times = {"bare": [1.0, 1.0, 10.0], "ours": [2.0, 2.0, 20.0]}
    assert driver.ratios(times, "bare") == {"bare": (1, 1, 1), "ours": (2, 2, 2)}


def test_a_spread_is_median_and_quartiles() -> None:
    """What lies outside the middle half does not count."""
    assert driver.spread([3.0, 1.0, 2.0, 4.0, 1000.0, 0.0, 5.0]) == (1, 3, 5)


@pytest.mark.parametrize("threads", [1, 4])
def test_all_apps_get_the_same_requests_in_new_strings(threads: int) -> None:
    """The same requests in each round, the warm ones before them, and no string a second time."""
    apps = {"one": Recorder(), "other": Recorder()}
    warm = [loads.bad(b"warm")]
    load = loads.Load((loads.bad(b"%d" % number) for number in range(100)), warm)
    with driver.in_threads(threads) as run:
        driver.measure(apps, load, RNG, rounds=3, size=8, run=run)
    expected = ["Bearer warm", *(f"Bearer {number}" for number in range(32))]
    assert sorted(apps["one"].tokens) == sorted(apps["other"].tokens) == sorted(expected)
    everything = apps["one"].tokens + apps["other"].tokens
    assert len({id(token) for token in everything}) == len(everything)


@pytest.mark.parametrize("name", ["one token, repeated", "two tokens, hot set of 3"])
def test_a_token_that_comes_again_is_a_new_string(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a server: a string keeps its hash, and a look-up by a string seen before is faster."""
    monkeypatch.setattr(loads, "HOT_SET", 3)
    apps = {"one": Recorder(), "other": Recorder()}
    driver.measure(apps, loads.good_loads(Mint(), RNG)[name], RNG, rounds=2, size=8)
    tokens = apps["one"].tokens + apps["other"].tokens
    assert len(set(tokens)) < 7
    assert len({id(token) for token in tokens}) == len(tokens) > 40


def test_each_app_has_a_time_for_each_round() -> None:
    """Rounds are not thrown away, whatever they look like."""
    load = loads.Load(repeat(loads.bad(b"token")))
    times = driver.measure({"one": Recorder()}, load, RNG, rounds=3, size=2)
    assert [len(values) for values in times.values()] == [3]


def test_every_load_gets_the_answer_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """This package answers each load as every subject must: claims of that token, or 401."""
    monkeypatch.setattr(loads, "HOT_SET", 3)
    mint = Mint()
    app = serve(
        "app",
        require_app_jwt,
        lambda view: require_app_jwt(require_consumer_jws(view)),
        lambda: current_app_jwt.install_id,
        lambda: current_consumer_jws.ext_consumer_id,
    )
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = mint.key_set(3)
    ConnectorAuth(app)
    everything = {**loads.good_loads(mint, RNG), **loads.bad_loads(mint)}
    everything["garbage"] = loads.Load(loads.garbage(mint.app_jwt(0)))
    for load in everything.values():
        driver.check(app, [*load.warm, *islice(load.cases, 4)])


@pytest.mark.parametrize("authenticates", [True, False])
def test_a_wrong_answer_stops_the_run(authenticates: bool) -> None:
    """An app that lets everything pass is not measured as one that authenticates, nor the bare
    view if it answers with something else."""
    app = serve("app", lambda view: view, lambda view: view, lambda: "somebody", lambda: "else")
    with pytest.raises(AssertionError):
        driver.check(app, [loads.good(Mint(), 1, consumer=True)], authenticates)


def test_no_new_token_comes_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every token new: in no load is there one of another."""
    monkeypatch.setattr(loads, "HOT_SET", 3)
    tokens = [
        value
        for load in loads.good_loads(Mint(), RNG).values()
        if not load.warm
        for case in islice(load.cases, 20)
        for value in case.headers.values()
    ]
    assert len(tokens) == len(set(tokens)) == 60


def test_a_table_has_a_cell_for_each_of_its_heads() -> None:
    """What was not measured is an empty cell."""
    for table in report.tables(results()):
        assert {len(row) for row in table.rows} == {len(table.head)}
    [missing] = [row for row in report.tables(results())[0].rows if row[0] == "missing"]
    assert missing == ["missing", "1.00", "", "3.00", "4.00"]


def test_a_run_of_some_subjects_has_a_table_too() -> None:
    """Without this package there is no table of it alone."""
    some = {key: value for key, value in results().items() if key != "memory"}
    assert len(report.tables(some)) == len(report.tables(results())) - 1


def test_interpreters_stand_side_by_side() -> None:
    """A column for each, a row for each load, and the threads' share of requests a second."""
    table = interpreters.table([results(), {**results(), "python": "CPython 3.13"}])
    assert table.head == ["", "CPython 3.11", "CPython 3.13"]
    first, *_others, last = table.rows
    assert first == [plots.LOADS[0], "3.00", "3.00"]
    assert last[1:] == ["0.33", "0.33"]


def test_a_process_has_a_clock() -> None:
    """User and system time of all its threads: what the process itself reads."""
    before = time.process_time()
    found = served.processor_time(os.getpid())
    assert before <= found <= time.process_time()


def test_processor_time_behind_gunicorn_is_a_table() -> None:
    """The bare view in microseconds, the others as ratios of the same round."""
    times = {"bare": [0.0002, 0.0004, 0.0004], "ours": [0.0003, 0.0006, 0.0007]}
    titles = {"bare": "bare view", "ours": "this package"}
    table = served.table({"titles": titles, "times": {"missing": times, "expired": times}})
    assert table.head == ["", "bare view, microseconds", "this package"]
    assert table.rows == [["missing", "400", "1.50"], ["expired", "400", "1.50"]]


def test_text_and_rst_say_the_same() -> None:
    """Facts and numbers are in both; the docs have titles where the screen has short names."""
    text, rst = report.text(results()), report.rst(results())
    for word in ("2026-01-31", "flask 3.1", "1.60 (100 ms for flask)", "1,000,000"):
        assert word in text
        assert word in rst
    assert "PyJWT & friends" in rst
    assert "pyjwt" in text


def exhaustion() -> Any:
    """Return results of the form that the benchmark of exhaustion has, read from a file."""
    each = {"good, new": (1.0, "the issuer"), "1 MB": (0.5, "anybody")}
    tokens = {
        name: {"cost": driver.Spread(cost, cost, cost), "peak": 2.5, "maker": maker}
        for name, (cost, maker) in each.items()
    }
    flood = {"whole": 2.5, "second_half": 0.0, "after_over_before": 1.0}
    key_set = {"bytes": 2048, "seconds": 0.01, "megabytes": 0.5, "request": 1.0}
    found = {
        **{name: results()[name] for name in ("date", "machine", "python", "versions")},
        **{"rounds": 51, "batch": 20, "requests": 100_000, "kids": 10_000},
        "tokens": {"app_jwt": tokens, "consumer_jws": tokens},
        "entries": {"AppJWT, good, 16 KB of text": 12.0},
        "floods": {"garbage": flood, "new": flood},
        "unknown_keys": {"fetches": 2, "seconds": 3.0, "median": 0.5},
        "key_sets": {"100": key_set, "10000": key_set},
        "refused_key_set": 0.02,
        "keys": {"RSA": {"cost": 1.0, "accepted": True}, "long": {"cost": 9, "accepted": False}},
    }
    return json.loads(json.dumps(found))


def test_what_hostile_tokens_cost_is_in_tables_too() -> None:
    """A cell for each head; the same numbers on the screen and in the docs."""
    for table in exhaustion_report.tables(exhaustion()):
        assert {len(row) for row in table.rows} == {len(table.head)}
    text, rst = exhaustion_report.text(exhaustion()), exhaustion_report.rst(exhaustion())
    for word in ("2026-01-31", "Medians of 51 rounds", "10,000, fetched", "2, in 3 s", "12 KB"):
        assert word in text
        assert word in rst


def test_what_scale_costs_has_a_column_for_each_size() -> None:
    """Small numbers have decimals; what has not ended in time is *never*, and what was not measured
    is empty."""
    rows = {
        "seconds": {"small": 0.126, "large": None},
        "commands": {"small": 12345.6},
        "difference": {"small": -0.5, "large": 100.0},
    }
    table = scale.table({"sizes": ["small", "large"], "rows": rows})
    assert table.head == ["", "1,000 entries", "1,000,000 entries"]
    assert table.rows == [
        ["seconds", "0.13", "never"],
        ["commands", "12,346", ""],
        ["difference", "-0.50", "100"],
    ]


@pytest.mark.parametrize(
    "arguments", [["--sizes", "huge"], ["--only", "fill,nothing"]], ids=["size", "row"]
)
def test_scale_has_no_other_rows(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown name is a wrong option, and nothing is started."""
    with pytest.raises(SystemExit, match="2"):
        scale.main(arguments)
    assert "not among these: " in capsys.readouterr().err


@pytest.mark.parametrize("plot", [plots.peers, plots.tokens])
def test_a_plot_is_well_formed_and_described(plot: Any) -> None:
    """A title, a description with the numbers in it, and colours for light and dark."""
    root = ElementTree.fromstring(plot(results()))  # noqa: S314  # it was written just now
    title, desc, style = (root.find(f"{SVG}{name}") for name in ("title", "desc", "style"))
    assert title is not None
    assert desc is not None
    assert style is not None
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"
    assert "this package" in (desc.text or "")
    assert "3.00" in (desc.text or "")
    assert "prefers-color-scheme:dark" in (style.text or "")


def test_bars_have_a_length_in_proportion() -> None:
    """Twice the cost is twice the length, from zero."""
    root = ElementTree.fromstring(plots.peers(results()))  # noqa: S314
    lengths = {
        kind: {float(bar.get("width", 0)) for bar in root.findall(f"{SVG}rect[@class='{kind}']")}
        for kind in ("floor", "ours", "peer")
    }
    [floor], [ours], [peer] = lengths["floor"], lengths["ours"], lengths["peer"]
    assert ours / floor == pytest.approx(3 / 2, rel=0.01)
    assert peer / floor == pytest.approx(4 / 2, rel=0.01)


def test_labels_of_lines_do_not_cover_each_other_up() -> None:
    """Lines that end close together get their names above each other, in their order."""
    placed = plots.apart({"low": 400.0, "middle": 398.0, "high": 396.0, "far": 100.0})
    assert placed == {"low": 400.0, "middle": 384.0, "high": 368.0, "far": 100.0}

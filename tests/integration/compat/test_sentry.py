"""The page on Sentry: what the real SDK sends of a request that carries both tokens."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.project import files_of
from tests.support.sentry_reports import reports

OPTIONS: list[dict[str, Any]] = [
    {},
    {"send_default_pii": True, "traces_sample_rate": 1.0, "enable_logs": True},
]
IDS = ["as it comes", "with all it can send"]
#: Of three requests whose view fails, one that is refused, and one while keys are out of reach.
STATUSES = [500, 500, 500, 401, 503]


@pytest.fixture(scope="module", params=OPTIONS, ids=IDS)
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What was sent, answered and reported with the module that is on the page."""
    folder = tmp_path_factory.mktemp("service")
    [(name, text)] = files_of("docs/sentry.rst").items()
    (folder / name).write_text(text)
    return {**reports(folder, name.removesuffix(".py"), **request.param), "options": request.param}


def places(value: Any, searched: str, path: str = "") -> list[str]:
    """Return where *searched* is in a JSON value: the path to each string and name that has it."""
    match value:
        case dict():
            named = [f"{path}.{name}" for name in value if searched in name]
            return named + [
                place
                for name, each in value.items()
                for place in places(each, searched, f"{path}.{name}")
            ]
        case list():
            return [place for each in value for place in places(each, searched, f"{path}[]")]
        case _:
            return [path] if searched in str(value) else []


def requested(told: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the events and traces, which have a request; lines of log have none."""
    return [event for event in told["sent"] if "request" in event]


def test_no_token_is_in_a_report(told: dict[str, Any]) -> None:
    """Not in headers, variables, breadcrumbs, the exception or a trace; what else helps is sent."""
    assert told["statuses"] == STATUSES
    for token in told["tokens"]:
        assert places(told["sent"], token) == []
        assert places(told["sent"], token.rpartition(".")[2]) == []  # the signature
    assert places(told["sent"], told["other"]) == []
    for event in requested(told):
        headers = {name.lower(): value for name, value in event["request"]["headers"].items()}
        assert headers["x-lp-on-behalf"] == "[Filtered]"
        assert headers.get("authorization", "[Filtered]") == "[Filtered]"
        assert headers["host"] == "localhost"
    *failures, _ = [event for event in told["sent"] if "exception" in event]
    assert len(failures) == 2
    for failure in failures:
        *_, frame = failure["exception"]["values"][-1]["stacktrace"]["frames"]
        assert frame["vars"]["jws"] == "'[Filtered]'"
        assert frame["function"] == "fails"
        [breadcrumb] = failure["breadcrumbs"]["values"]
        assert breadcrumb["message"].endswith("[Filtered] and [Filtered]")


def test_a_refusal_is_no_event_and_an_outage_is(told: dict[str, Any]) -> None:
    """One for each failure of a view, none for the 401; for the 503 the lines of log at ERROR."""
    assert told["statuses"] == STATUSES
    events = [each for each in requested(told) if each.get("type") != "transaction"]
    *failures, key_set, outage = events
    assert [each["exception"]["values"][-1]["type"] for each in failures] == ["LookupError"] * 3
    assert key_set["logger"] == "flask_connector_auth.keys.remote"
    assert outage["logger"] == "flask_connector_auth.web.reporting"
    assert outage["logentry"]["params"][0] == "keys_unavailable"
    traces = len(STATUSES) if "traces_sample_rate" in told["options"] else 0
    assert len(requested(told)) == len(events) + traces


@pytest.mark.parametrize("options", OPTIONS, ids=IDS)
def test_without_the_recipe_tokens_are_sent(options: dict[str, Any], tmp_path: Path) -> None:
    """Positive control: the ConsumerJWS is among the headers, and both are all over the event."""
    told = reports(tmp_path, "", **options)
    app_jwt, consumer_jws = told["tokens"]
    assert all(
        places(event, consumer_jws) or places(event, told["other"]) for event in requested(told)
    )
    of_consumer_jws, of_app_jwt = (places(told["sent"], token) for token in (consumer_jws, app_jwt))
    header = "[].request.headers.X-Lp-On-Behalf"
    assert header in of_consumer_jws
    assert header in places(told["sent"], told["other"])
    everywhere = (
        "[].exception.values[].value",
        "[].exception.values[].stacktrace.frames[].vars.app_jwt",
        "[].breadcrumbs.values[].message",
        *(["[].items[].body"] if "enable_logs" in options else []),
    )
    assert set(everywhere) <= {*of_app_jwt}

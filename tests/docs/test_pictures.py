"""The drawings on the pages of concepts show what the code does."""

import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from xml.etree import ElementTree

import pytest
import rooms
from request_picture import picture

from flask_connector_auth import Reason, require_app_jwt, require_consumer_jws
from flask_connector_auth.keys import (
    KeyIndex,
    KeySetState,
    LoadedKeySet,
    RefreshPolicy,
    RemoteRules,
)
from flask_connector_auth.testing import Issuer
from flask_connector_auth.verification import CHECKS
from tests.support.http_helpers import headers
from tests.support.project import PAGES
from tests.support.types import MakeApp

STATIC = Path(__file__).parents[2] / "docs" / "_static"
PICTURES = {
    "request": "request",
    "wins": "request",
    "key_set": "key_sets",
    "rooms": "extending",
}
SVG = "{http://www.w3.org/2000/svg}"


def drawing(name: str) -> ElementTree.Element:
    """Return the root of a drawing; that of a request is made when the docs are built."""
    if name == "request":
        return ElementTree.fromstring(picture())  # noqa: S314
    return ElementTree.parse(STATIC / f"{name}.svg").getroot()  # noqa: S314


def words(element: ElementTree.Element) -> list[str]:
    """Return the text in *element*, piece by piece."""
    return ["".join(text.itertext()) for text in element.iter(f"{SVG}text")]


def groups(name: str, prefix: str = "") -> dict[str, list[str]]:
    """Return the words of each group of a drawing, by the rest of its id."""
    found = drawing(name).iter(f"{SVG}g")
    return {group.get("id", "").removeprefix(prefix): words(group) for group in found}


@pytest.mark.parametrize(("name", "page"), PICTURES.items())
def test_a_drawing_can_be_read_in_words_too(name: str, page: str) -> None:
    """WCAG 1.1.1: title and description in the drawing, and a description beside it on its page."""
    root = drawing(name)
    ids = (root.get("aria-labelledby") or "").split()
    labels = [root.find(f"{SVG}{tag}") for tag in ("title", "desc")]
    assert root.get("role") == "img"
    assert [label.get("id") for label in labels if label is not None and label.text] == ids
    assert len(ids) == 2
    assert re.search(rf"image:: _static/{name}\.svg\n   :alt: \S", PAGES[f"docs/{page}.rst"])
    assert "prefers-color-scheme:dark" in (root.findtext(f"{SVG}style") or "")


def test_the_path_of_a_request_has_every_check_in_its_order() -> None:
    """The reasons beside the steps, from top to bottom, are those of the checks, once a stage."""
    shown = {
        step: [word for word in beside if word in set(Reason)]
        for step, beside in groups("request", "step-").items()
    }
    expected = {"header": [], "cache": []} | {
        check.stage.value: list(
            dict.fromkeys(
                reason for other in CHECKS if other.stage is check.stage for reason in other.reasons
            )
        )
        for check in CHECKS
    }
    assert shown == {**expected, "view": []}
    assert (STATIC / "request.svg").read_text() == picture()
    assert list(shown) == [*expected, "view"]
    for step, beside in groups("request", "step-").items():
        ours = any(word.endswith("_unavailable") for word in beside)
        answers = [word for word in beside if word in ("401", "503")]
        assert answers == ["401"] * bool(shown[step]) + ["503"] * ours, step


def test_the_drawing_of_which_error_wins_is_what_is_answered(
    make_app: MakeApp, issuer: Issuer, stranger: Issuer
) -> None:
    """Each way through it, by a request."""
    app = make_app()
    app.add_url_rule("/", "view", require_consumer_jws(require_app_jwt(lambda: {})))
    good = issuer.app_jwt()
    ways = {
        "app-missing": headers(),
        "app-invalid": headers(stranger.app_jwt()),
        "consumer-missing": headers(good),
        "consumer-good": headers(good, issuer.consumer_jws()),
        "consumer-invalid": headers(good, stranger.consumer_jws()),
    }
    answers = {}
    for name, sent in ways.items():
        body = app.test_client().get("/", headers=sent).json
        answers[name] = [str(body["body"]["errorCode"]) if body else "the view"]
    assert groups("wins") == answers


def test_the_drawing_of_a_key_set_has_every_state() -> None:
    """The boxes are the members of the enum."""
    assert {told[0] for told in groups("key_set", "state-").values()} == set(KeySetState)
    assert list(groups("key_set", "state-")) == list(KeySetState)


def test_the_drawing_of_the_rooms_is_made_from_the_layers() -> None:
    """``python docs/_ext/rooms.py`` was run since the layers changed, which hold every package."""
    assert rooms.PICTURE.read_text() == rooms.drawing()
    package = rooms.ROOT / rooms.PACKAGE
    folders = {path.parent.name for path in package.glob("*/__init__.py")}
    modules = {path.stem for path in package.glob("*.py")} - {"__init__"}
    boxes = list(groups("rooms", "room-"))
    assert boxes == [room for layer in rooms.layers() for room in layer]
    assert set(boxes) == folders | modules


def events(machine: RefreshPolicy, now: float) -> Iterator[tuple[RefreshPolicy, float]]:
    """Return what *machine* becomes by each thing that can happen to it at *now*, and when."""
    index = KeyIndex([])
    for pause in (1, 310, 3700):
        # Time passes without a token; only a set that serves, or none, is as it was.
        yield deepcopy(machine), now + pause
    confirmed, failed = deepcopy(machine), deepcopy(machine)
    confirmed.start_fetch(now, for_unknown_key=False)
    confirmed.complete_fetch(now, LoadedKeySet(index, "https://issuer.example"))
    yield confirmed, now
    failed.start_fetch(now, for_unknown_key=False)
    failed.fail_fetch(now, "down")
    yield failed, now
    if machine.snapshot is None and machine.failures:
        # A backup is read only in this state, and only if it is young enough.
        restored = deepcopy(machine)
        restored.restore_backup(now, LoadedKeySet(index, "https://issuer.example", age=600))
        yield restored, now


def transitions() -> set[tuple[str, str]]:
    """Return the changes of state that happen within six events."""
    found = set()
    reached = [(RefreshPolicy(RemoteRules(), lambda: 0.5), 1000.0)]
    for _ in range(6):
        following = {}
        for machine, now in reached:
            for changed, then in events(machine, now):
                before, after = machine.state(now), changed.state(then)
                # A pause is told in one piece; what lies between is passed through.
                if not (before is KeySetState.FRESH and after is KeySetState.OUTAGE):
                    found |= {(before.value, after.value)} if before != after else set()
                following[after, changed.failures > 0, then] = changed, then
        reached = list(following.values())
    return found


def test_the_drawing_of_a_key_set_has_every_change_of_state() -> None:
    """The arrows are the changes that the state machine makes, all of them and no others."""
    arrows = {
        tuple(path.get("id", "").split("-"))
        for path in drawing("key_set").iter(f"{SVG}path")
        if path.get("id")
    }
    assert arrows == transitions()

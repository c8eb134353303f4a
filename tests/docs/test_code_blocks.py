"""README and docs: every example runs, and what they state is what the code does."""

import json
import logging
import re
import runpy
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from blinker import NamedSignal
from flask import Config, Flask
from settings_tables import GROUPS
from tables import TABLES

import flask_connector_auth
from flask_connector_auth import (
    AppJWTMissing,
    ConnectorAuth,
    ConsumerJWSMissing,
    InvalidAppJWT,
    InvalidConsumerJWS,
    Reason,
    RevocationStore,
    require_app_jwt,
    require_consumer_jws,
    testing,
)
from flask_connector_auth.config import (
    LIMITS,
    PREFIX,
    IssuerSettings,
    Settings,
    SettingsSchema,
    load_settings,
)
from flask_connector_auth.core import ERROR_ROWS, render_envelope
from flask_connector_auth.integrations import (
    authlib as resource_protector,
    openapi,
    opentelemetry,
    prometheus,
)
from flask_connector_auth.integrations.figures import FIGURES
from flask_connector_auth.keys import ALGORITHMS
from flask_connector_auth.testing import Issuer, plugin
from flask_connector_auth.testing.tampering import TOKEN_FAULTS
from flask_connector_auth.verification import CHECKS, Stage
from tests.support.http_helpers import headers
from tests.support.project import (
    PAGES,
    PROJECT,
    README,
    ROOT,
    blocks,
    files_of,
    generated,
    pages_with,
    write_files,
)
from tests.support.pytest_runs import run_pytest
from tests.support.types import MakeApp

Fixture = type(plugin.issuer)


@pytest.fixture
def log_as_it_was() -> Iterator[None]:
    """Let no page that sets the log up do so for the tests that follow."""
    loggers = [logging.getLogger(name) for name in (None, "flask_connector_auth")]
    before = [(logger, logger.level, logger.handlers.copy()) for logger in loggers]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.mark.usefixtures("log_as_it_was")
@pytest.mark.parametrize("page", pages_with("python"))
def test_the_examples_of_a_page_run(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page's Python blocks run as they stand, in order, and the tests in them; those with a file
    name, as that file."""
    monkeypatch.chdir(tmp_path)
    files = files_of(page)
    if "conftest.py" in files:
        # The app that the page's tests are of.
        files.setdefault("service.py", blocks("docs/quickstart.rst", "python")[0])
    write_files(files, tmp_path)
    if "page.py" in files:
        defined = runpy.run_path("page.py")
        for name in [name for name in defined if name.startswith("test_")]:
            defined[name]()
    if "conftest.py" in files:
        assert run_pytest(tmp_path).keys() == {"passed"}


def test_the_readme_shows_two_commands() -> None:
    """The first command runs the demo, the second the tests; all they need is Python."""
    tox = "python3 -m venv .venv && .venv/bin/pip install -q tox && .venv/bin/tox run -q -e "
    assert re.findall(r"^ *\$ (.*)$", README, re.MULTILINE) == [f"{tox}demo", f"{tox}py"]


@pytest.mark.parametrize("page", pages_with("json"))
def test_an_envelope_that_is_shown_is_the_one_that_is_sent(page: str) -> None:
    """The envelope, byte for byte (protocol page, Error Responses)."""
    for literal in blocks(page, "json"):
        row = ERROR_ROWS[json.loads(literal)["body"]["errorCode"]]
        assert literal.strip().encode() == render_envelope(row)


def test_the_readme_shows_the_four_rows() -> None:
    """Rows 40102 to 40105: code, title, details, exception."""
    errors = (InvalidAppJWT, InvalidConsumerJWS, ConsumerJWSMissing, AppJWTMissing)
    shown = [re.split("  +", line) for line in README.splitlines() if re.match(r"401\d\d ", line)]
    assert shown == [
        [str(error.row.error_code), error.row.title, error.row.details, f"``{error.__name__}``"]
        for error in errors
    ]


@pytest.mark.parametrize("page", ["README.rst", "docs/request.rst"])
def test_the_nine_cells_that_are_shown_are_what_is_answered(
    page: str, make_app: MakeApp, issuer: Issuer, stranger: Issuer
) -> None:
    """Which error wins: AppJWT missing, invalid, valid by ConsumerJWS missing, invalid, valid."""
    app = make_app()
    app.add_url_rule("/", "view", require_consumer_jws(require_app_jwt(lambda: {})))
    client = app.test_client()
    consumer_jwses = (None, stranger.consumer_jws(), issuer.consumer_jws())

    def answers(app_jwt: str | None) -> list[str]:
        bodies = (client.get("/", headers=headers(app_jwt, jws)).json for jws in consumer_jwses)
        return [str(body["body"]["errorCode"]) if body else "the view runs" for body in bodies]

    rows = re.findall(r"^(missing|invalid|valid)  +(\S.*)$", PAGES[page], re.MULTILINE)
    assert {state: re.split("  +", cells) for state, cells in rows} == {
        "missing": answers(None),
        "invalid": answers(stranger.app_jwt()),
        "valid": answers(issuer.app_jwt()),
    }


def described(*names: str) -> dict[str, str]:
    """Return what generated sections say of each thing, in one line."""
    text = "\n".join(TABLES[name]() for name in names)
    _, *parts = re.split(r"^\.\. _.+:\n\n``(\w+)``\n~+\n", text, flags=re.MULTILINE)
    return {
        name: " ".join(body.split()) for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


def settings() -> dict[str, str]:
    """Return the entry of each setting on the page."""
    return described(*(f"settings-{group}" for group in GROUPS))


def test_the_settings_page_lists_every_setting() -> None:
    """Each field of the schema is in one group: its meaning, then type, default and example."""
    fields = {field.data_key: field for field in SettingsSchema().fields.values()}
    told = settings()
    assert told.keys() == fields.keys()
    assert sum(map(len, GROUPS.values())) == len(fields)
    for key, field in fields.items():
        meaning, *parts = re.split(r" - (\w+): ", told[key])
        assert meaning == field.metadata["doc"]
        assert parts[::2][:3] == ["Type", "Default", "Example"]
        assert parts[::2][3:] in ([], ["Limit"])


def test_the_settings_page_says_how_settings_limit_each_other() -> None:
    """Each limit that is checked at start stands with its setting."""
    shown = {
        key.removeprefix(PREFIX): entry.partition(" - Limit: ")[2]
        for key, entry in settings().items()
    }
    max_age = f"``{PREFIX}JWKS_MAX_AGE``"
    assert {name: sentence for name, sentence in shown.items() if sentence} == {
        "JWKS_MIN_AGE": f"Must be at most {max_age}.",
        "JWKS_COOLDOWN": f"Must be less than {max_age}.",
        "JWKS_TIMEOUT": f"Must be less than {max_age}.",
        "JWKS_RETRY": f"Must be at most ``{PREFIX}JWKS_RETRY_MAX``.",
        "JWKS_MAX_STALE": f"Must be 0, or at least {max_age}.",
        "REVOCATION_URL": f"Cannot be combined with ``{PREFIX}REVOCATION_STORE``.",
        "REVOCATION_KEEP": f"Must be at least ``{PREFIX}MAX_LIFETIME`` + ``{PREFIX}LEEWAY``: an "
        "AppJWT can be accepted for that long.",
    }
    assert {limit.name.upper() for limit in LIMITS} == {name for name in shown if shown[name]}


class Forgetful(RevocationStore):
    """A store that has nothing."""

    def read(self, position: Any, wait: float) -> Any:
        """Return nothing."""

    def change(self, changes: Any, *, absent: bool = False) -> None:
        """Do nothing."""


# What an example would need of the machine: a file with certificates.
NEEDS_A_FILE = {"jwks_ca_file"}
EXAMPLES = {name: text for group in GROUPS.values() for name, text in group.items()}


@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - NEEDS_A_FILE))
def test_the_example_of_a_setting_is_accepted(name: str) -> None:
    """As a value of that setting, beside keys; and it is not the default."""
    field = SettingsSchema().fields[name]
    names = {"my_fetch": lambda url, *args: b"", "MyStore": Forgetful}
    value = eval(EXAMPLES[name], names)  # noqa: S307
    default = field.load_default() if callable(field.load_default) else field.load_default
    assert value != default
    beside = {} if name == "issuers" else {"APP_JWT_KEYS": "https://issuer.example/jwks.json"}
    config = {f"{PREFIX}{key}": each for key, each in beside.items()}
    load_settings({**config, f"{PREFIX}{name.upper()}": value})


def read_environment(block: str) -> Config:
    """Return the configuration that the lines of a shell script set."""
    words = shlex.split(block)
    assert {*words[::2]} == {"export"}
    config = Config("")
    with pytest.MonkeyPatch.context() as environment:
        for assignment in words[1::2]:
            environment.setenv(*assignment.split("=", 1))
        config.from_prefixed_env()
    return config


def load_environment(block: str) -> Settings:
    """Return the settings that the lines of a shell script set."""
    return load_settings(read_environment(block))


@pytest.mark.parametrize("page", ["docs/issuers.rst", "docs/claims.rst"])
def test_the_environment_of_a_page_says_what_its_example_says(page: str, tmp_path: Path) -> None:
    """docs/settings.rst, In the environment: mappings and lists as JSON are the Python values."""
    [block] = blocks(page, "bash")
    (tmp_path / "example.py").write_text(blocks(page, "python")[0])
    configured = runpy.run_path(str(tmp_path / "example.py"))["app"].config
    read = read_environment(block)
    assert read
    assert read == {name: configured[name] for name in read}


def test_the_environment_of_the_settings_page_is_read() -> None:
    """docs/settings.rst, In the environment: numbers, texts, flags, lists and mappings."""
    block, of_issuers = blocks("docs/settings.rst", "bash")
    settings = load_environment(block)
    assert (settings.leeway, [*settings.issuers]) == (10, ["Sentinel"])
    issuer = settings.issuers["Sentinel"]
    assert settings.missing_parameter_row is True
    assert issuer.audience == {"le1", "le2"}
    assert issuer.app_jwt.algorithms == ("RS256", "ES256")
    assert settings.error_catalogue[40102].title == "Invalid token"
    assert len(issuer.app_jwt.keys.health()["sources"]) == 2
    names = ["Sentinel", "https://login.example/"]
    assert [*load_environment(of_issuers).issuers] == names


def test_the_issuers_of_the_settings_page(tmp_path: Path) -> None:
    """docs/settings.rst, Several issuers: the example can be loaded, and is what the text says."""

    def issuers_of(block: str) -> Iterable[IssuerSettings]:
        (tmp_path / "example.py").write_text(block)
        given = {"Flask": Flask, "ConnectorAuth": ConnectorAuth}
        names = runpy.run_path(str(tmp_path / "example.py"), given)
        return load_settings(names["app"].config).issuers.values()

    several = [text for text in blocks("docs/settings.rst", "python") if "ISSUERS" in text]
    (sentinel, login), (one, two) = map(issuers_of, several)
    assert one.consumer_jws.keys is two.consumer_jws.keys is not one.app_jwt.keys
    assert (sentinel.audience, login.audience) == ({"le1", "le2"}, {"le3"})
    assert login.consumer_jws.keys is login.app_jwt.keys
    assert login.app_jwt.types == {"at+jwt"} != sentinel.app_jwt.types


@pytest.mark.parametrize(
    ("key", "kind", "default"),
    [
        ("APP_JWT_KEYS", "key, or list of keys", "none; this setting is required"),
        ("ISSUER", "text", '``"Sentinel"``'),
        ("ISSUERS", "mapping", "not set"),
        ("AUDIENCE", "text, or list of texts", "not set"),
        ("APP_JWT_TYPES", "list of texts", '``["JWT"]``'),
        ("ERROR_CATALOGUE", "mapping", "``{}``"),
        ("MISSING_PARAMETER_ROW", "``True`` or ``False``", "``False``"),
        ("LEEWAY", "number, at least 0, at most 3600", "``30``"),
        ("MAX_LIFETIME", "number, more than 0", "not set"),
        ("MAX_TOKEN_BYTES", "whole number, at least 1", "``16384``"),
        ("JWKS_FETCH", "callable", "not set"),
        ("REVOCATION_STORE", "``RevocationStore`` object", "not set"),
    ],
)
def test_the_settings_page_says_type_bounds_and_default(key: str, kind: str, default: str) -> None:
    """Required, not set, or the value itself; bounds where the schema has a range."""
    assert (
        f" - Type: {kind} - Default: {default} - Example: " in settings()[f"CONNECTOR_AUTH_{key}"]
    )


def test_the_table_of_rows_lists_every_row() -> None:
    """One row for each of the error table, with the exception that is sent as it."""
    assert [row[:4] for row in generated("rows")] == [
        [str(row.status), str(row.error_code), row.title, row.details]
        for row in ERROR_ROWS.values()
    ]
    for _status, code, *_texts, exception in generated("rows"):
        assert getattr(flask_connector_auth, exception.strip("`")).row is ERROR_ROWS[int(code)]


def test_the_table_of_reasons_lists_every_reason() -> None:
    """One row for each member, with the comment beside it."""
    rows = generated("reasons")
    assert [row[0] for row in rows] == [f"``{each}``" for each in Reason]
    assert rows[list(Reason).index(Reason.SAME_TOKEN)][1] == "Both headers have the same text."


def test_the_table_of_ways_lists_every_way_to_break_a_token() -> None:
    """One row for each, with its reason, the tokens that it is for, and its docstring."""
    rows = generated("ways")
    assert [row[0] for row in rows] == [f"``{name}``" for name in TOKEN_FAULTS]
    assert rows[0][1:] == [
        "``expired``",
        "both",
        "It expired two hours ago, which is longer than any leeway.",
    ]
    assert {row[0] for row in rows if row[2] == "AppJWT"} == {
        f"``{name}``" for name, way in TOKEN_FAULTS.items() if way.app_jwt_only
    }


def test_the_testing_page_names_every_fixture() -> None:
    """What the plugin has for a user's tests."""
    named = re.findall(r"^``(\w+)``$", PAGES["docs/testing.rst"], re.MULTILINE)
    defined = (name for name, value in vars(plugin).items() if isinstance(value, Fixture))
    assert named == [*defined]


def test_the_security_page_has_a_check_for_every_reason() -> None:
    """The list of checks is complete: only what a view or a user loader refuses is not in it."""
    named = {name for row in generated("checks") for name in re.findall(r"\w+", row[1])}
    assert named == set(Reason) - {Reason.UNKNOWN_USER, Reason.VIEW}


def test_a_body_by_reason_tells_a_forger_nothing() -> None:
    """docs/error_rows.rst: the named reasons of this package are found only after the signature."""
    section = PAGES["docs/error_rows.rst"].partition(".. _reason-bodies:")[2]
    named = set(re.findall(r"``(\w+)``", " ".join(re.findall(r"^- .+$", section, re.MULTILINE))))
    at = [check.stage for check in CHECKS].index(Stage.SIGNATURE)
    before = {str(reason) for check in CHECKS[: at + 1] for reason in check.reasons}
    after = {str(reason) for check in CHECKS[at + 1 :] for reason in check.reasons}
    assert named - {Reason.UNKNOWN_USER} <= after - before
    assert {"expired", "revoked", "unknown_user"} <= named


def test_the_keys_page_names_every_algorithm() -> None:
    """What an allow-list may name (RFC 7518 section 3.1, RFC 8037, RFC 9864)."""
    assert set(ALGORITHMS) <= set(re.findall(r"\w+", PAGES["docs/keys.rst"]))


def test_the_log_lines_that_are_shown_are_the_ones_that_are_logged(
    make_app: MakeApp,
    issuer: Issuer,
    stranger: Issuer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The lines of the operations page, each made by the request that it is about."""
    app = make_app()
    view = require_app_jwt(require_consumer_jws(lambda: {}), scopes="msg.consumer")
    app.add_url_rule("/", "send", view)
    app_jwt, another = issuer.app_jwt(azp="install-1"), issuer.consumer_jws(account_id="le5")
    with caplog.at_level(logging.INFO, "flask_connector_auth"):
        for sent in (
            headers(),
            headers(stranger.app_jwt()),
            headers(issuer.app_jwt(azp="install-1", exp=1)),
            headers(app_jwt, another),
            headers(issuer.app_jwt(azp="install-1", scope="msg.agent")),
        ):
            app.test_client().get("/", headers=sent)
    lines = [f"{each.levelname} {each.name} {each.getMessage()}" for each in caplog.records]
    assert blocks("docs/operations.rst", "text") == ["\n".join([*lines, "", ""])]


def exported_signals() -> set[str]:
    """Return the names of the signals that a user may connect to."""
    exported = vars(flask_connector_auth).items()
    return {name for name, value in exported if isinstance(value, NamedSignal)}


def test_the_signals_page_has_every_signal() -> None:
    """Each that is exported, with the comment on it in the source."""
    told = described("signals")
    assert told.keys() == exported_signals()
    assert told["keys_refresh_failed"] == (
        "The fetch of a key set failed. The sender is the key source. ``reason`` says why."
    )


def test_the_alerts_are_about_what_is_counted() -> None:
    """The metrics page: each word of an alert is a metric or the value of a label."""
    page = PAGES["docs/metrics.rst"]
    alerts = page.partition("Alerts worth having")[2]
    reasons = re.findall(r'reason=~?"([\w|]+)"', alerts)
    assert {each for words in reasons for each in words.split("|")} <= set(Reason)
    events = re.findall(r'event="(\w+)"', alerts)
    assert {f"keys_{event}" for event in events} <= exported_signals()
    names = {row[0].strip("`") for row in generated("figures")}
    assert len(names) == len(FIGURES)
    alerting = set(re.findall(r"connector_auth_\w+", alerts))
    assert alerting
    assert alerting <= names


@pytest.mark.parametrize(
    "module",
    [flask_connector_auth, testing, openapi, opentelemetry, prometheus, resource_protector],
    ids=lambda m: m.__name__,
)
def test_the_api_page_has_every_public_name(module: Any) -> None:
    """What a module exports is documented, once."""
    entries = re.findall(r"^\.\. (?:auto)?\w+:: ([\w.]+)", PAGES["docs/api.rst"], re.MULTILINE)
    if module is flask_connector_auth:
        entries += exported_signals()  # which have a page to themselves
    names = [entry.removeprefix(f"{module.__name__}.") for entry in entries]
    assert {name: names.count(name) for name in module.__all__} == dict.fromkeys(module.__all__, 1)


def test_the_newest_changes_are_those_of_this_version() -> None:
    """CHANGES.rst starts with the version that pyproject.toml states."""
    changes = (ROOT / "CHANGES.rst").read_text()
    heading = re.search(r"^(\d\S*) \(.+\)\n-+$", changes, re.MULTILINE)
    assert heading
    assert heading[1] == PROJECT["version"]


def test_the_readme_states_the_supported_versions() -> None:
    """Python, Flask and the systems that the tests run on, as pyproject.toml has them."""
    python = PROJECT["requires-python"].removeprefix(">=")
    [flask] = [need for need in PROJECT["dependencies"] if need.startswith("flask>=")]
    assert f"Python {python} or newer; Flask {flask.removeprefix('flask>=')} or newer" in README
    about = "Operating System :: "
    systems = [each for each in PROJECT["classifiers"] if each.startswith(about)]
    assert systems == [f"{about}POSIX :: Linux"]
    assert f"The tests run on {systems[0].rpartition(' ')[2]}." in README


def test_the_readme_has_the_figures_that_were_measured() -> None:
    """What it costs: the README's table is a part of the file that the benchmarks wrote."""
    measured = json.loads((ROOT / "docs" / "_static" / "benchmarks.json").read_text())
    loads = [
        *("one token, repeated", "two tokens, repeated"),
        *("two tokens, every one new", "missing"),
    ]
    for name, title in measured["titles"].items():
        cells = [measured["loads"][load].get(name, [0, 0])[1] for load in loads]
        shown = re.findall(rf"^{re.escape(title)} +(.*)$", README, re.MULTILINE)
        expected = [" ".join(f"{cell:.2f}" for cell in cells)]
        assert [" ".join(line.split()) for line in shown] in ([], expected)
    assert "flask-connector-auth  " in README

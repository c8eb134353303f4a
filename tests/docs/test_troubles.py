"""The troubleshooting page: every reason has its entry, and is answered as that says."""

import re
from collections import defaultdict
from typing import Any

import pytest
from flask import Flask
from tables import TABLES
from troubles import TROUBLES

from flask_connector_auth import (
    ConnectorAuth,
    Reason,
    RevocationStore,
    RevocationStoreError,
    current_app_jwt,
    require_app_jwt,
    require_consumer_jws,
    token_rejected,
)
from flask_connector_auth.cli.explanation import Explanation
from flask_connector_auth.core import token_requirement
from flask_connector_auth.testing import ConnectorClient, Issuer
from flask_connector_auth.testing.tampering import TOKEN_FAULTS
from flask_connector_auth.web import current_runtime
from tests.support.project import PAGES, blocks, generated
from tests.support.types import MakeApp

URL = "/api/account/le81823118"


class Down(RevocationStore):
    """A store that is out of reach."""

    def read(self, position: Any, wait: float) -> Any:
        """Fail."""
        raise RevocationStoreError("down")

    def change(self, changes: Any, *, absent: bool = False) -> None:
        """Fail."""
        raise RevocationStoreError("down")


def client_of(app: Flask, issuer: Issuer) -> ConnectorClient:
    """Return a client of *app*, which asks for all that a token can be refused for."""
    view = require_app_jwt(scopes="msg.consumer")(require_consumer_jws(lambda account_id: {}))
    app.add_url_rule("/api/account/<account_id>", "view", view)
    return ConnectorClient(app, issuer)


def send_all_that_is_refused(make_app: MakeApp, issuer: Issuer) -> None:
    """Send a request for each reason there is, beside good ones."""
    for told_apart in (False, True):
        app = make_app(MAX_LIFETIME=7200, MISSING_PARAMETER_ROW=told_apart)
        client = client_of(app, issuer)
        assert client.get(URL).status_code == 200
        for name, way in TOKEN_FAULTS.items():
            client.get(URL, app_jwt=issuer.broken(name))
            if not way.app_jwt_only:
                client.get(URL, consumer_jws=issuer.broken(name, "consumer_jws"))
    client.get(URL, app_jwt=None)
    client.get(URL, consumer_jws=None)
    twice = issuer.app_jwt()
    client.get(URL, app_jwt=twice, consumer_jws=twice)
    for kind in ("app_jwt", "consumer_jws"):
        token = getattr(issuer, kind)()
        with app.app_context():
            ConnectorAuth().revocations.revoke(token=token)
        client.get(URL, **{kind: token})
        with app.app_context():
            ConnectorAuth().revocations.restore(token=token)
    other = Issuer(name="other")
    names = (issuer, other)
    several = make_app(ISSUERS={each.name: {"APP_JWT_KEYS": each.key_set()} for each in names})
    client_of(several, issuer).get(URL, consumer_jws=other.consumer_jws(iss=other.name))
    client_of(make_app(APP_JWT_KEYS="http://127.0.0.1:9/"), issuer).get(URL)
    client_of(make_app(REVOCATION_STORE=Down()), issuer).get(URL)
    send_without_a_user(issuer)


def send_without_a_user(issuer: Issuer) -> None:
    """Send good tokens to an app that knows no user, for one token and for both."""
    auth, app = ConnectorAuth(), Flask("an_app")
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = issuer.key_set()
    auth.init_app(app)
    auth.user_loader(lambda identity: None)
    app.add_url_rule("/one", "one", require_app_jwt(lambda: {}))
    app.add_url_rule("/both", "both", require_app_jwt(require_consumer_jws(lambda: {})))
    for url in ("/one", "/both"):
        ConnectorClient(app, issuer).get(url)


def test_every_reason_is_answered_as_its_entry_says(make_app: MakeApp, issuer: Issuer) -> None:
    """The rows of each reason but that of a view's own errors, found by real requests."""
    rows = defaultdict(set)

    def note(_app: Flask, error: Any) -> None:
        rows[error.reason].add(error.row.error_code)

    with token_rejected.connected_to(note):
        send_all_that_is_refused(make_app, issuer)
    told = {reason: set(trouble.rows) for reason, trouble in TROUBLES.items()}
    assert told.pop(Reason.VIEW) == set()
    assert rows == told


def test_every_reason_has_its_entry() -> None:
    """One for each member of the enum, in its order, with all that an entry has."""
    assert list(TROUBLES) == list(Reason)
    text = TABLES["troubles"]()
    entries = re.split(r"^\.\. _reason-(\w+):\n", text, flags=re.MULTILINE)[1:]
    assert entries[::2] == list(Reason)
    for entry in entries[1::2]:
        parts = re.findall(r"^- \*\*([\w ]+)\*\*: \S.*$", entry, re.MULTILINE)
        assert parts == ["Meaning", "errorCode", "Usual causes", "Failing check", "What to do"]


@pytest.mark.parametrize("reason", Reason)
def test_an_entry_names_the_check_of_inspect_or_says_why_there_is_none(reason: Reason) -> None:
    """What inspect prints where a token is refused for it, by the command's own list."""
    entry = TABLES["troubles"]().split(f"_reason-{reason}:")[1]
    shown = re.search(r"^- \*\*Failing check\*\*: (.+)$", entry, re.MULTILINE)
    assert shown
    own = TROUBLES[reason].inspect
    assert (own == "") == shown[1].startswith("“")
    assert (own != "") == (reason in (Reason.SAME_TOKEN, Reason.UNKNOWN_USER, Reason.VIEW))


def test_the_check_of_a_revoked_consumer_jws_is_quoted(make_app: MakeApp) -> None:
    """Beside that of an AppJWT in the entry: its sentence names other kinds."""
    runtime = current_runtime(make_app())
    explanation = Explanation(runtime, runtime.consumer_jws, None, token_requirement())
    [sentence] = [
        check.sentence.format_map(explanation.values(verifier))
        for check, verifier in explanation.checks()
        if Reason.REVOKED in check.reasons
    ]
    assert f"“{sentence}”" in " ".join(PAGES["docs/troubleshooting.rst"].split())


def test_the_log_line_that_is_shown_is_one_that_is_logged() -> None:
    """The same line stands on the operations page, whose lines are compared with the log."""
    [line, _] = blocks("docs/troubleshooting.rst", "text")
    assert " refused: missing_scope " in line
    assert line.strip() in PAGES["docs/operations.rst"]


def test_the_table_by_error_code_has_every_reason_under_its_rows() -> None:
    """From what a client sees to what may be behind it."""
    for code, _title, reasons in generated("row-reasons"):
        expected = [each for each in Reason if int(code) in TROUBLES[each].rows]
        assert re.findall(r"\w+", reasons) == expected


def test_the_page_names_the_exceptions_that_are_raised(make_app: MakeApp) -> None:
    """The words by which a developer finds them are those of the exceptions."""
    page = PAGES["docs/troubleshooting.rst"]
    app = Flask("an_app")
    app.testing = True
    app.add_url_rule("/", "index", require_app_jwt(lambda: {}))
    with pytest.raises(RuntimeError, match="The app has no ConnectorAuth"):
        app.test_client().get("/")
    with pytest.raises(RuntimeError, match="ConnectorAuth was set up for this app before"):
        ConnectorAuth(make_app())
    with pytest.raises(RuntimeError, match="current_app_jwt exists only in a request"):
        str(current_app_jwt.install_id)
    for words in (
        "the app has no ConnectorAuth",
        "ConnectorAuth was set up for this app before",
        "``current_app_jwt`` exists only in a request",
    ):
        assert words in page

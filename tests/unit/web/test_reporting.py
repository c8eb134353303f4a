"""What the log says of a refused request: one line, of verified things only, and never too many."""

import logging
import pickle
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from hypothesis import given, strategies as st

from flask_connector_auth import (
    ConnectorAuth,
    KeySource,
    Reason,
    Unavailable,
    require_app_jwt,
    require_consumer_jws,
    token_rejected,
    verify_request,
)
from flask_connector_auth.testing import OMIT, Issuer
from flask_connector_auth.web import LogLimit, current_runtime
from tests.support.floor_helpers import cases, signing_key, untimed
from tests.support.http_helpers import ACCOUNT, assert_row, headers
from tests.support.recorded_logs import listening
from tests.support.types import MakeApp

APP = f"app_jwt.kid='dev-1' app_jwt.account_id='{ACCOUNT}' app_jwt.install_id='install-1'"
CONSUMER = f"consumer_jws.kid='dev-1' consumer_jws.account_id='{ACCOUNT}'"
NO_ACCOUNT = APP.replace(f" app_jwt.account_id='{ACCOUNT}'", "")
NO_INSTALL = APP.replace(" app_jwt.install_id='install-1'", "")
CANARY = "do-not-tell-this"
KEY = signing_key()


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    """An issuer whose private key the tests know."""
    return Issuer(KEY)


def pair_view(app: Flask) -> Flask:
    """Add views that require both tokens; one also requires an account and a scope."""
    app.add_url_rule("/x", "x", require_app_jwt(require_consumer_jws(lambda: {})))
    view = require_app_jwt(require_consumer_jws(lambda account_id: {}), scopes="msg.consumer")
    app.add_url_rule("/of/<account_id>", "of", view)
    return app


def line(reason: str, row: int, endpoint: str = "x", known: str = "", level: str = "INFO") -> str:
    """Return the line that a refusal is logged with, where none was held back."""
    parts = [f"row={row}", f"endpoint={endpoint!r}", *([known] if known else []), "held_back=0"]
    return f"{level} flask_connector_auth.web.reporting refused: {reason} {' '.join(parts)}"


def test_a_request_is_refused_where_no_code_listens(
    monkeypatch: pytest.MonkeyPatch, make_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    """docs/signals.rst: without a receiver the signal is left out; answer and log are the same."""
    monkeypatch.setattr(token_rejected, "receivers", {})
    caplog.set_level("INFO")
    assert_row(pair_view(make_app()).test_client().get("/x"), 40105)
    assert [record.connector_auth["reason"] for record in caplog.records] == ["missing"]  # type: ignore[attr-defined]


def test_what_is_not_verified_is_not_told(
    make_app: MakeApp, issuer: Issuer, stranger: Issuer
) -> None:
    """docs/operations.rst: of a missing or forged token only reason, row and endpoint."""
    client = pair_view(make_app()).test_client()
    good, forged = issuer.app_jwt(azp="install-1"), stranger.app_jwt(azp=CANARY)
    kid = stranger.sign({"aud": CANARY}, {"kid": CANARY})
    with listening() as recorder:
        client.get("/x")
        client.get("/x", headers=headers("Basic x"))
        client.get("/x", headers=headers(forged))
        client.get("/x", headers=headers(kid))
        client.get("/x", headers=headers(good[:-9] + "AAAAAAAAA"))
    assert recorder.lines() == [
        line("missing", 40105),
        line("bad_header", 40102),
        line("bad_signature", 40102),
        line("unknown_key", 40102),
        line("bad_signature", 40102),
    ]


@cases(
    "claims, reason, known",
    {
        "expired": ({"exp": 1}, "expired", APP),
        "early": ({"nbf": 2**40}, "not_yet_valid", APP),
        "another issuer": ({"iss": "x"}, "wrong_issuer", f"{APP} issuer='x'"),
        "no issuer": ({"iss": OMIT}, "missing_claim", f"{APP} claim='iss'"),
        "an audience of one": ({"aud": [ACCOUNT], "exp": 1}, "expired", APP),
        "no account": ({"aud": OMIT}, "missing_claim", f"{NO_ACCOUNT} claim='aud'"),
        "two accounts": ({"aud": ["a", "b"]}, "bad_claim", f"{NO_ACCOUNT} claim='aud'"),
        "install id of a wrong type": ({"azp": 7}, "bad_claim", f"{NO_INSTALL} claim='azp'"),
        "a ConsumerJWS": ({"lp_consumer_id": "x"}, "wrong_type", APP),
    },
)
def test_of_a_token_with_a_good_signature_its_ids_are_told(
    claims: dict[str, Any], reason: str, known: str, make_app: MakeApp, issuer: Issuer
) -> None:
    """docs/operations.rst: kid, account, install id and what the reason is about, if they were
    verified; no other claim."""
    client = pair_view(make_app()).test_client()
    token = issuer.app_jwt(**{"azp": "install-1", "sub": CANARY, **claims})
    with listening() as recorder:
        assert_row(client.get("/x", headers=headers(token)), 40102)
    assert recorder.lines() == [line(reason, 40102, known=known)]


def test_of_a_payload_that_is_no_json_the_kid_is_told(make_app: MakeApp, issuer: Issuer) -> None:
    """The signature covers the header too (RFC 7515 section 5.2)."""
    client = pair_view(make_app()).test_client()
    with listening() as recorder:
        client.get("/x", headers=headers(issuer.sign(b"no JSON")))
    assert recorder.lines() == [line("bad_json", 40102, known="app_jwt.kid='dev-1'")]


@cases("size", {"remembered": 4096, "not remembered": 0})
@cases("prefix", {"bare": "", "Bearer": "Bearer ", "bearer": "bearer  "})
def test_good_tokens_that_are_not_good_for_this_are_told(
    size: int, prefix: str, make_app: MakeApp, issuer: Issuer, stranger: Issuer
) -> None:
    """A foreign account, a missing scope, two accounts; and who sent the bad ConsumerJWS."""
    client = pair_view(make_app(CACHE_SIZE=size)).test_client()
    app_jwt = prefix + issuer.app_jwt(azp="install-1")
    good, other = issuer.consumer_jws(), issuer.consumer_jws(account_id="le2")
    no_scope = prefix + issuer.app_jwt(azp="install-1", scope="x")
    with listening() as recorder:
        for _ in range(2):
            client.get("/of/le2", headers=headers(app_jwt, good))
            client.get(f"/of/{ACCOUNT}", headers=headers(no_scope, good))
            client.get("/x", headers=headers(app_jwt, f" {other}\t"))
            client.get("/x", headers=headers(app_jwt, issuer.consumer_jws(exp=1)))
            client.get("/x", headers=headers(app_jwt, stranger.consumer_jws()))
            client.get("/x", headers=headers(app_jwt))
    scopes = "required_scopes='msg.consumer' granted_scopes='x'"
    account = f"expected_account='{ACCOUNT}'"
    expected = [
        line("wrong_account", 40102, "of", f"{APP} expected_account='le2'"),
        line("missing_scope", 40102, "of", f"{APP} {scopes}"),
        line("wrong_account", 40103, "x", f"{APP} {CONSUMER.replace(ACCOUNT, 'le2')} {account}"),
        line("expired", 40103, "x", f"{APP} {CONSUMER}"),
        line("bad_signature", 40103, "x", APP),
        line("missing", 40104, "x", APP),
    ]
    assert recorder.lines() == expected * 2


def test_the_kid_of_a_header_that_was_not_kept_is_told(make_app: MakeApp, issuer: Issuer) -> None:
    """Headers beyond those that the verifier keeps are read once more."""
    client = pair_view(make_app(CACHE_SIZE=0)).test_client()
    with listening() as recorder:
        for number in range(70):
            claims = {"aud": "a", "azp": "i", "iss": "Sentinel", "exp": 2**40, "iat": 1}
            client.get("/x", headers=headers(issuer.sign(claims, {"x": number})))
    known = "app_jwt.kid='dev-1' app_jwt.account_id='a' app_jwt.install_id='i'"
    assert recorder.lines() == [line("missing", 40104, known=known)] * 10


def test_a_kid_that_a_token_does_not_have_is_not_told(make_app: MakeApp, issuer: Issuer) -> None:
    """RFC 7515 section 4.1.4: the parameter is optional."""
    client = pair_view(make_app()).test_client()
    with listening() as recorder:
        client.get("/x", headers=headers(issuer.sign({"azp": "i"}, {"kid": OMIT})))
    known = "app_jwt.install_id='i' claim='iss'"
    assert recorder.lines() == [line("missing_claim", 40102, known=known)]


def test_a_request_that_has_no_endpoint(make_app: MakeApp) -> None:
    """verify_request() may be called where no view was found."""
    app = make_app()
    app.before_request(lambda: verify_request() and None)
    with listening() as recorder:
        assert_row(app.test_client().get("/nowhere"), 40105)
    assert recorder.lines() == [
        line("missing", 40105).replace("'x'", "None"),
    ]


def test_our_own_outage_is_an_error(make_app: MakeApp, issuer: Issuer) -> None:
    """503 is logged as ERROR, within the same limit, with the ids of a verified AppJWT."""

    class Out(KeySource):
        def candidates(self, kid: str | None, algorithm: str) -> Any:
            raise Unavailable(Reason.KEYS_UNAVAILABLE)

    client = pair_view(make_app(CONSUMER_JWS_KEYS=Out(), LOG_BURST=2)).test_client()
    sent = headers(issuer.app_jwt(azp="install-1"), issuer.consumer_jws())
    with listening() as recorder:
        for _ in range(4):
            assert client.get("/x", headers=sent).status_code == 503
    assert recorder.lines() == [line("keys_unavailable", 50301, "x", APP, "ERROR")] * 2


def test_an_outage_of_one_of_several_issuers_has_its_name(make_app: MakeApp) -> None:
    """docs/issuers.rst: in log, signal and exception, remembered tokens or not."""

    class Out(KeySource):
        keys: KeySource | None = None

        def candidates(self, kid: str | None, algorithm: str) -> Any:
            if self.keys is None:
                raise Unavailable(Reason.KEYS_UNAVAILABLE)
            return self.keys.candidates(kid, algorithm)

    name, source, told = "https://b.example", Out(), []
    other, made = Issuer(name="https://a.example"), Issuer(KEY, name=name)
    keys = {other.name: {"APP_JWT_KEYS": other.key_set()}, name: {"APP_JWT_KEYS": source}}
    app = pair_view(make_app(ISSUERS=keys))

    def note(_app: Flask, error: Any) -> None:
        told.append((error.reason, error.reason_details))

    source.keys = (
        current_runtime(make_app(APP_JWT_KEYS=made.key_set())).app_jwt.verifiers["Sentinel"].keys
    )
    sent, client = headers(made.app_jwt()), app.test_client()
    with listening() as recorder, token_rejected.connected_to(note):
        assert_row(client.get("/x", headers=sent), 40104)
        source.keys = None
        for each in (sent, headers(made.app_jwt(jti="new"))):
            assert_row(client.get("/x", headers=each), 50301)
    assert told[1:] == [("keys_unavailable", {"issuer": name})] * 2
    logged = line("keys_unavailable", 50301, "x", f"issuer={name!r}", "ERROR")
    assert recorder.lines()[1:] == [logged] * 2


def test_a_record_has_the_same_values_for_a_formatter(make_app: MakeApp, issuer: Issuer) -> None:
    """For structured logs: one dict beside the text, with long values cut likewise."""
    client = pair_view(make_app()).test_client()
    with listening() as recorder:
        client.get("/x", headers=headers(issuer.app_jwt(azp="i" * 1000, exp=1)))
    (record,) = recorder.records
    assert vars(record)["connector_auth"] == {
        "reason": "expired",
        "row": 40102,
        "endpoint": "x",
        "app_jwt.kid": "dev-1",
        "app_jwt.account_id": ACCOUNT,
        "app_jwt.install_id": "i" * 64 + "...",
        "held_back": 0,
    }


DETAILS = {
    "missing_scope": ({"scope": "b c"}, {"required_scopes": "a x|y b", "granted_scopes": "b c"}),
    "no scope": (
        {"scope": OMIT},
        {"required_scopes": "a b x|y", "granted_scopes": "", "scope_claim": "absent: scope"},
    ),
    "wrong_account": ({"aud": "le3"}, {"expected_account": ACCOUNT}),
    "wrong_issuer": ({"iss": "https://login.example"}, {"issuer": "https://login.example"}),
    "missing_claim": ({"azp": OMIT}, {"claim": "azp"}),
    "bad_claim": ({"exp": "soon"}, {"claim": "exp"}),
    "revoked": ({"azp": "revoked"}, {"kind": "install"}),
    "expired": ({"exp": 1}, {}),
}


@pytest.mark.parametrize("reason", DETAILS)
def test_log_signal_and_exception_have_the_details_of_the_reason(
    reason: str, make_app: MakeApp, issuer: Issuer
) -> None:
    """docs/errors.rst: what was required and what the token says, in all three; not in the answer,
    nor in what str() of the error hands to a client."""
    claims, details = DETAILS[reason]
    reason = reason.replace("no scope", "missing_scope")
    app, told = make_app(), []
    with app.app_context():
        current_runtime().revocations.revoke(install_id="revoked")
    view = require_app_jwt(lambda account_id: {}, scopes="a b", any_scope="y x")
    app.add_url_rule("/<account_id>", "view", view)

    def note(_app: Flask, error: Any) -> None:
        told.append(error)

    client = app.test_client()
    token = issuer.app_jwt(**{"scope": "a b x", **claims})
    with listening() as recorder, token_rejected.connected_to(note):
        answer = client.get(f"/{ACCOUNT}", headers=headers(token))
    [error] = told
    [record] = recorder.records
    assert (error.reason, error.reason_details) == (reason, details)
    assert repr(error) == f"<InvalidAppJWT 40102: {reason}>"
    assert pickle.loads(pickle.dumps(error)).reason_details == details  # noqa: S301
    logged = vars(record)["connector_auth"]
    assert {name: logged.get(name) for name in details} == details
    assert set(logged) - set(details) <= {
        *("reason", "row", "endpoint", "held_back"),
        *("app_jwt.kid", "app_jwt.account_id", "app_jwt.install_id"),
    }
    assert_row(answer, 40102)
    assert str(error) == "40102 Invalid AppJWT: AppJWT has expired or is invalid"


def test_what_is_not_verified_is_no_detail(make_app: MakeApp, stranger: Issuer) -> None:
    """RFC 8725 section 3.8: the issuer that a forged token names is not told."""
    app, told = pair_view(make_app()), []

    def note(_app: Flask, error: Any) -> None:
        told.append(error)

    with token_rejected.connected_to(note):
        app.test_client().get("/x", headers=headers(stranger.app_jwt(iss=CANARY)))
    assert [(error.reason, error.reason_details) for error in told] == [("bad_signature", {})]


@cases(
    "parameters, details",
    {
        "typ": ({"typ": CANARY}, {"parameter": "typ", "accepted": "at+jwt or jwt"}),
        "a number": ({"typ": 7}, {"parameter": "typ", "accepted": "at+jwt or jwt"}),
        "kid": ({"kid": 7}, {"parameter": "kid"}),
        "a long kid": ({"kid": CANARY * 20}, {"parameter": "kid"}),
    },
)
def test_a_bad_parameter_is_named_with_what_is_accepted(
    parameters: Any, details: Any, make_app: MakeApp, issuer: Issuer
) -> None:
    """RFC 7515 section 4.1.9: by the settings alone, since the token is not verified."""
    app, told = pair_view(make_app(APP_JWT_TYPES=["JWT", "at+jwt"])), []

    def note(_app: Flask, error: Any) -> None:
        told.append((error.reason, error.reason_details))

    with listening() as recorder, token_rejected.connected_to(note):
        app.test_client().get("/x", headers=headers(issuer.sign({}, parameters)))
    assert told == [("bad_parameter", details)]
    known = " ".join(f"{name}={text!r}" for name, text in details.items())
    assert recorder.lines() == [line("bad_parameter", 40102, known=known)]


def test_the_details_of_another_reason_are_dropped(make_app: MakeApp, issuer: Issuer) -> None:
    """RFC 8725 section 3.12: with one text in both headers that is the reason, not its claims."""
    app, told = pair_view(make_app()), []
    app.add_url_rule("/consumer", "consumer", require_consumer_jws(lambda: {}))

    def note(_app: Flask, error: Any) -> None:
        told.append((error.reason, error.reason_details))

    text = issuer.consumer_jws(lp_consumer_id=OMIT)
    with token_rejected.connected_to(note):
        for sent in (headers(None, text), headers(text, text)):
            assert_row(app.test_client().get("/consumer", headers=sent), 40103)
    assert told == [("missing_claim", {"claim": "lp_consumer_id"}), ("same_token", {})]


def test_long_details_are_cut_with_what_is_missing_first(make_app: MakeApp, issuer: Issuer) -> None:
    """docs/operations.rst: 64 characters of each, wherever it is told; the token may hold any."""
    scopes = [f"scope-{number}" for number in range(20)]
    app, told = make_app(), []
    app.add_url_rule("/x", "x", require_app_jwt(lambda: {}, scopes=[*scopes, "z"]))

    def note(_app: Flask, error: Any) -> None:
        told.append(error.reason_details)

    sent = headers(issuer.app_jwt(scope=" ".join(scopes)))
    with listening() as recorder, token_rejected.connected_to(note):
        app.test_client().get("/x", headers=sent)
    [details], [record] = told, recorder.records
    assert details["required_scopes"].startswith("z scope-0 scope-1 ")
    assert {len(text) for text in details.values()} == {64 + len("...")}
    assert details.items() <= vars(record)["connector_auth"].items()


@pytest.fixture(scope="module")
def client(issuer: Issuer) -> Any:
    """A client of an app without a limit to its log, made once for all examples of hypothesis.

    The key has no ``kid``, so that a token may have any.
    """
    app = Flask("an_app")
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = issuer.pem()
    app.config["CONNECTOR_AUTH_LOG_LIMIT"] = None
    ConnectorAuth(app)
    return pair_view(app).test_client()


@untimed
@given(kid=st.text(min_size=1, max_size=80), account=st.text(min_size=1), install=st.text())
def test_no_id_can_forge_a_line(
    client: Any, issuer: Issuer, kid: str, account: str, install: str
) -> None:
    """CWE-117: line ends, escape sequences and all else that is not printable ASCII is escaped."""
    claims = {
        "aud": account,
        "azp": f"\r\n\x1b[31m{install}",
        "iss": "Sentinel",
        "exp": 1,
        "iat": 1,
    }
    with listening() as recorder:
        client.get("/x", headers=headers(issuer.sign(claims, {"kid": kid})))
        claims["iss"] = f"\r\n{account}"
        client.get("/x", headers=headers(issuer.sign(claims, {"kid": kid})))
    told, details = recorder.lines()
    assert details.isascii()
    assert details.isprintable()
    assert " issuer='\\r\\n" in details or ' issuer="\\r\\n' in details
    assert told.isascii()
    assert told.isprintable()
    assert told.startswith("INFO flask_connector_auth.web.reporting refused: expired row=40102 ")
    assert all(f" app_jwt.{name}=" in told for name in ("kid", "account_id", "install_id"))
    assert len(told) < 3000


good_or_not = st.sampled_from(["issuer", "stranger"])
# Never seen by the log but in what is verified: both kinds of claims, and the parameters.
SECRETS = {"sub": CANARY, "jti": CANARY, "scope": CANARY}


@untimed
@given(
    signers=st.tuples(good_or_not, good_or_not),
    prefix=st.sampled_from(["", "Bearer ", "Basic ", "\r\n\x1b[31m"]),
    change=st.text("AZaz09-_. ,\r\n\x1b\x85", max_size=3),
    place=st.integers(0, 900),
    removed=st.integers(0, 3),
)
def test_no_line_has_a_token_a_key_or_what_is_not_verified(
    client: Any,
    issuer: Issuer,
    stranger: Issuer,
    signers: tuple[str, str],
    prefix: str,
    change: str,
    place: int,
    removed: int,
) -> None:
    """Good, forged and mutated tokens; the log of all libraries, down to DEBUG."""
    by = {"issuer": issuer, "stranger": stranger}
    ids = {"issuer": {}, "stranger": {"aud": CANARY, "azp": CANARY, "iss": CANARY}}
    app_jwt = by[signers[0]].app_jwt(**SECRETS, **ids[signers[0]])
    consumer_jws = by[signers[1]].consumer_jws(ext_consumer_id=CANARY, sub=CANARY)
    sent = {
        "HTTP_AUTHORIZATION": prefix + app_jwt[:place] + change + app_jwt[place + removed :],
        "HTTP_X_LP_ON_BEHALF": consumer_jws[:place] + change + consumer_jws[place + removed :],
    }
    with listening() as recorder:
        client.get("/x", environ_overrides=sent)
        client.get("/x", environ_overrides={**sent, "HTTP_AUTHORIZATION": issuer.app_jwt()})
    # All that a formatter could show, whatever its format; what it quotes is escaped.
    told = [str(vars(each)) + each.getMessage() for each in recorder.records]
    private = KEY.as_dict(private=True)
    segments = {part for text in sent.values() for part in text.split(".") if len(part) > 8}
    for secret in [CANARY, *segments, *(private[name] for name in ("n", "d", "p", "q"))]:
        assert not any(secret in line or ascii(secret)[1:-1] in line for line in told)
    assert all(line.isprintable() for line in recorder.lines())


def test_a_flood_of_one_kind_is_held_back(make_app: MakeApp) -> None:
    """docs/operations.rst: ten lines at once, then one a second, with the number held back."""
    app, now = pair_view(make_app()), [1000.0]
    state = app.extensions["connector_auth"]
    limit = LogLimit(state.settings.log_limit, state.settings.log_burst, lambda: now[0])
    app.extensions["connector_auth"] = replace(state, log_limit=limit)
    client = app.test_client()
    with listening() as recorder:
        for _ in range(200):
            client.get("/x")
        client.get("/x", headers=headers("a b"))
        now[0] += 1
        client.get("/x")
    held = line("missing", 40105).replace("held_back=0", "held_back=190")
    assert recorder.lines() == [line("missing", 40105)] * 10 + [line("bad_header", 40102), held]


def test_the_limit_is_a_setting(make_app: MakeApp) -> None:
    """CONNECTOR_AUTH_LOG_LIMIT and CONNECTOR_AUTH_LOG_BURST."""
    for settings, lines in [({"LOG_LIMIT": 0}, 30), ({"LOG_LIMIT": 1e-6, "LOG_BURST": 3}, 3)]:
        client = pair_view(make_app(**settings)).test_client()
        with listening() as recorder:
            for _ in range(30):
                client.get("/x")
        assert recorder.lines() == [line("missing", 40105)] * lines


def test_a_line_that_is_not_wanted_takes_no_place(make_app: MakeApp) -> None:
    """Where INFO is off, nothing is made, counted or held back; the signal is sent all the same."""
    client, told = pair_view(make_app(LOG_BURST=1)).test_client(), []

    def log_rejection(_app: Flask, error: Exception) -> None:
        told.append(error)

    with listening() as recorder, token_rejected.connected_to(log_rejection):
        logging.getLogger().setLevel(logging.WARNING)
        for _ in range(3):
            client.get("/x")
        assert (recorder.lines(), len(told)) == ([], 3)
        logging.getLogger().setLevel(logging.INFO)
        client.get("/x")
    assert recorder.lines() == [line("missing", 40105)]

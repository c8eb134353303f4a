"""Checks of the application: which tokens they get, when they run, and what they refuse."""

import gc
import logging
import sys
import weakref
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Any

import pytest
from flask import Flask

from flask_connector_auth import (
    AppJWT,
    ClaimRejected,
    ConnectorAuth,
    ConsumerJWS,
    Reason,
    Unavailable,
    current_app_jwt,
    require_app_jwt,
    require_consumer_jws,
    token_rejected,
    token_verified,
    verify_request,
)
from flask_connector_auth.core import Rejected, forget_origin
from flask_connector_auth.keys import KeyRules, KeySource, StaticKeys, parse_keys
from flask_connector_auth.testing import OMIT, ConnectorClient, Issuer
from flask_connector_auth.web import LogLimit
from tests.support.floor_helpers import cases
from tests.support.http_helpers import ACCOUNT, assert_row, headers
from tests.support.recorded_logs import listening

Token = AppJWT | ConsumerJWS


def set_up(issuer: Issuer, auth: ConnectorAuth | None = None, **settings: Any) -> ConnectorClient:
    """Return the client of an app with a view for each token, and for both."""
    app = Flask("an_app")
    app.testing = True
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = issuer.key_set()
    app.config.update({f"CONNECTOR_AUTH_{name}": value for name, value in settings.items()})
    (auth or ConnectorAuth()).init_app(app)
    app.add_url_rule("/app", "app", require_app_jwt(lambda: {}))
    app.add_url_rule("/consumer", "consumer", require_consumer_jws(lambda: {}))
    app.add_url_rule("/both", "both", require_app_jwt(require_consumer_jws(lambda: {})))
    app.add_url_rule("/optional", "optional", require_app_jwt(lambda: {}, optional=True))
    scoped = require_app_jwt(require_consumer_jws(lambda account_id: {}), scopes="msg.consumer")
    app.add_url_rule("/of/<account_id>", "of", scoped)
    return ConnectorClient(app, issuer)


class Recorder:
    """A check that records the tokens that it gets, and accepts them."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    def __call__(self, token: Token) -> None:
        """Record the class of *token*."""
        self.tokens.append(type(token).__name__)


class Rotating(StaticKeys):
    """Keys of an issuer whose remembered ones may no longer be in force."""

    def __init__(self, issuer: Issuer) -> None:
        super().__init__(parse_keys(issuer.key_set(), KeyRules(["RS256"]))[0])
        self.in_force = True

    def is_active(self, key: Any, kid: str | None, algorithm: str) -> bool:
        """Whether that was said."""
        return self.in_force


def no_mfa(token: Token) -> None:
    """Refuse what did not log in with two factors."""
    if token.claims.get("amr") != "mfa":
        raise ClaimRejected("no_mfa", amr=token.claims.get("amr", "none"))


@cases(
    "options, seen",
    {
        "bare": (None, ["AppJWT", "ConsumerJWS"]),
        "called": ({}, ["AppJWT", "ConsumerJWS"]),
        "AppJWT": ({"token": "app_jwt"}, ["AppJWT"]),
        "ConsumerJWS": ({"token": "consumer_jws"}, ["ConsumerJWS"]),
        "its issuer": ({"issuer": "Sentinel"}, ["AppJWT", "ConsumerJWS"]),
        "both": ({"issuer": "Sentinel", "token": "app_jwt"}, ["AppJWT"]),
    },
)
def test_a_check_gets_the_tokens_that_it_is_registered_for(
    options: dict[str, Any] | None, seen: list[str], issuer: Issuer
) -> None:
    """docs/callbacks.rst: by type and issuer, or all. The function itself is returned."""
    auth, check = ConnectorAuth(), Recorder()
    register = auth.claim_check if options is None else auth.claim_check(**options)
    assert register(check) is check
    assert set_up(issuer, auth).get("/both").status_code == 200
    assert check.tokens == seen


def test_a_check_of_one_issuer_does_not_get_the_tokens_of_another(issuer: Issuer) -> None:
    """One ConnectorAuth of two apps, each with an issuer of its own."""
    auth, other = ConnectorAuth(), Issuer(name="Other")
    ours, theirs = set_up(issuer, auth), set_up(other, auth, ISSUER="Other")

    @auth.claim_check(issuer="Other")
    def refuse(token: Token) -> None:
        raise ClaimRejected("no_other")

    for url, row in (("/app", 40102), ("/consumer", 40103)):
        assert_row(theirs.get(url), row)
        assert ours.get(url).status_code == 200


def test_a_refusal_has_the_word_and_details_of_the_check(
    issuer: Issuer, refusals: list[Reason | str]
) -> None:
    """Log, signal and exception have them; the answer is the row of the token, byte for byte."""
    auth, errors = ConnectorAuth(), []
    auth.claim_check(no_mfa)
    client = set_up(issuer, auth)

    def note(_app: Flask, error: Any) -> None:
        errors.append(error)

    with listening() as recorder, token_rejected.connected_to(note):
        assert_row(client.get("/app", app_jwt=issuer.app_jwt(azp="i", amr="pwd")), 40102)
        good = issuer.app_jwt(amr="mfa")
        assert_row(client.get("/both", app_jwt=good, consumer_jws=issuer.consumer_jws()), 40103)
    assert [(error.reason, type(error.reason)) for error in errors] == [("no_mfa", str)] * 2
    assert [error.reason_details for error in errors] == [{"amr": "pwd"}, {"amr": "none"}]
    assert refusals == ["no_mfa", "no_mfa"]
    assert repr(errors[0]) == "<InvalidAppJWT 40102: no_mfa>"
    app, consumer = recorder.records
    assert app.getMessage() == (
        "refused: no_mfa row=40102 endpoint='app' app_jwt.kid='dev-1' "
        f"app_jwt.account_id='{ACCOUNT}' app_jwt.install_id='i' amr='pwd' held_back=0"
    )
    assert app.connector_auth["reason"] == "no_mfa"  # type: ignore[attr-defined]
    assert "consumer_jws.kid='dev-1'" in consumer.getMessage()


def test_a_long_detail_is_cut(issuer: Issuer) -> None:
    """As all details are; a value that is no text is shown as one."""
    auth = ConnectorAuth()

    @auth.claim_check
    def refuse(token: Token) -> None:
        raise ClaimRejected("too_old", age=7, note="x" * 99)

    with listening() as recorder:
        assert_row(set_up(issuer, auth).get("/app"), 40102)
    assert f"age='7' note='{'x' * 64}...'" in recorder.lines()[0]


def test_the_value_of_an_enum_is_the_word() -> None:
    """An app may keep its words in an enum, as this package does."""

    class Why(StrEnum):
        NO_MFA = "no_mfa"

    rejected = ClaimRejected(Why.NO_MFA)
    assert (rejected.reason, type(rejected.reason)) == ("no_mfa", str)
    assert isinstance(rejected, Rejected)


@pytest.mark.parametrize(
    "word", ["", "No_mfa", "no-mfa", "1st", "_x", "é", "a\n", "no mfa", "x" * 65, *Reason]
)
def test_a_word_is_short_plain_and_not_one_of_this_package(word: str) -> None:
    """It stands in logs and labels as it is, and must not be taken for another reason."""
    with pytest.raises(ValueError, match="is not a word of your own"):
        ClaimRejected(word)
    assert ClaimRejected("x" * 64).reason == "x" * 64


@pytest.mark.parametrize("name", ["reason", "row", "endpoint", "held_back", "a b", "app_jwt.kid"])
def test_a_detail_has_no_name_that_the_log_uses(name: str) -> None:
    """Nor one that could pass for further fields of the line."""
    with pytest.raises(ValueError, match="is not a word of your own"):
        ClaimRejected("word", **{name: "x"})
    assert ClaimRejected("word", rows="x").reason_details == {"rows": "x"}


@cases("result", {"False": False, "True": True, "a text": "x", "0": 0})
def test_a_check_that_returns_something_is_an_error(result: Any, issuer: Issuer) -> None:
    """``return False`` must not pass, so only ``None`` does."""
    auth = ConnectorAuth()

    @auth.claim_check
    def is_good(token: Token) -> Any:
        return result

    client = set_up(issuer, auth)
    with pytest.raises(TypeError, match=f"'is_good' returned {type(result).__name__}: return None"):
        client.get("/app")
    client.application.testing = False
    assert client.get("/app").status_code == 500


@cases("token, url", {"AppJWT": ("app_jwt", "/app"), "ConsumerJWS": ("consumer_jws", "/both")})
def test_what_a_check_raises_by_accident_is_a_500(token: str, url: str, issuer: Issuer) -> None:
    """Never a pass, for remembered tokens neither; no frame of ours holds the token meanwhile."""
    auth = ConnectorAuth()

    @auth.claim_check(token=token)
    def lookup(token: Token) -> None:
        raise KeyError("tenant")

    client = set_up(issuer, auth)
    tokens = {"app_jwt": issuer.app_jwt(), "consumer_jws": issuer.consumer_jws()}
    for _ in range(2):
        with pytest.raises(KeyError) as raised:
            client.get(url, **tokens)
        assert held_in_our_frames(raised.value, tokens) == []
    client.application.testing = False
    assert client.get(url, **tokens).status_code == 500


def held_in_our_frames(error: BaseException, tokens: dict[str, str]) -> list[str]:
    """Return the names of local variables of this package that hold the text of a token."""
    found, traceback = [], error.__traceback__
    while traceback is not None:
        frame = traceback.tb_frame
        if "flask_connector_auth/web" in frame.f_code.co_filename:
            for name, value in frame.f_locals.items():
                if any(token in repr(value) for token in tokens.values()):
                    found.append(f"{frame.f_code.co_name}: {name}")
        traceback = traceback.tb_next
    return found


@cases(
    "register",
    {
        "check": lambda auth, look: auth.claim_check(look),
        "user loader": lambda auth, look: auth.user_loader(lambda each: look(each) or each),
    },
)
def test_no_frame_holds_a_token_meanwhile(register: Callable[..., Any], issuer: Issuer) -> None:
    """An error reporter shows the local variables of every frame that is running."""
    auth, held = ConnectorAuth(), []
    tokens = {"app_jwt": issuer.app_jwt(), "consumer_jws": issuer.consumer_jws()}

    def look(_token: Any) -> Any:
        frame: Any = sys._getframe()
        while frame := frame.f_back:
            if "flask_connector_auth/web" in frame.f_code.co_filename:
                held.append(any(t in repr(frame.f_locals) for t in tokens.values()))

    register(auth, look)
    assert set_up(issuer, auth).get("/both", **tokens).status_code == 200
    assert len(held) >= 3
    assert not any(held)


def test_an_outage_that_a_check_reports_is_a_503(issuer: Issuer) -> None:
    """Row 50301 and ``Retry-After``: it is not known whether the token is good."""
    auth = ConnectorAuth()

    @auth.claim_check
    def ask(token: Token) -> None:
        raise Unavailable(Reason.KEYS_UNAVAILABLE, retry_after=7)

    response = set_up(issuer, auth).get("/app")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "7")


class Down(StaticKeys):
    """Keys that are out of reach, which is told by one exception for all requests."""

    def __init__(self, outage: Unavailable, issuer: Issuer) -> None:
        super().__init__(parse_keys(issuer.key_set(), KeyRules(["RS256"]))[0])
        self.outage = outage

    def candidates(self, kid: str | None, algorithm: str) -> Any:
        """Find nothing."""
        raise self.outage


class Elsewhere(KeySource):
    """Keys of which it is not known beforehand which there are."""

    def __init__(self, issuer: Issuer) -> None:
        self.keys = StaticKeys(parse_keys(issuer.key_set(), KeyRules(["RS256"]))[0])

    def candidates(self, kid: str | None, algorithm: str) -> Any:
        """Find the keys."""
        return self.keys.candidates(kid, algorithm)


def of_check(issuer: Issuer, error: Exception) -> tuple[ConnectorClient, int]:
    """Return the client of an app with a check that raises *error*, and the status."""
    auth = ConnectorAuth()

    @auth.claim_check
    def refuse(token: Token) -> None:
        try:
            {}[token]
        except KeyError as cause:
            raise error from cause

    return set_up(issuer, auth), 401 if isinstance(error, Rejected) else 503


def of_keys(issuer: Issuer, error: Any) -> tuple[ConnectorClient, int]:
    """Return likewise that of an app whose only keys are out of reach."""
    return set_up(issuer, APP_JWT_KEYS=Down(error, issuer)), 503


def of_first_keys(issuer: Issuer, error: Any) -> tuple[ConnectorClient, int]:
    """Return likewise that of an app with keys elsewhere."""
    keys = [Down(error, issuer), issuer.key_set()]
    return set_up(issuer, APP_JWT_KEYS=keys, CACHE_SIZE=0), 200


def of_first_keys_of_a_known_token(issuer: Issuer, error: Any) -> tuple[ConnectorClient, int]:
    """Return likewise that of an app that remembers the ConsumerJWS."""
    keys = [Down(error, issuer), Elsewhere(issuer)]
    client = set_up(issuer, APP_JWT_KEYS=keys)
    client.get("/consumer", consumer_jws=issuer.consumer_jws(iss=OMIT))
    return client, 200


def of_keys_of_an_issuer(issuer: Issuer, error: Any) -> tuple[ConnectorClient, int]:
    """Return likewise that of an app with several issuers, of which one's keys are out of reach."""
    other = {"APP_JWT_KEYS": Issuer(name="Other", kid="other").key_set()}
    issuers = {"Other": other, "Sentinel": {"APP_JWT_KEYS": Down(error, issuer)}}
    return set_up(issuer, ISSUERS=issuers), 503


def of_other_issuer(issuer: Issuer, error: Any) -> tuple[ConnectorClient, int]:
    """Return likewise that of an app with another issuer, whose keys are out of reach."""
    other = Down(error, Issuer(name="Other", kid="other"))
    issuers = {"Other": {"APP_JWT_KEYS": other}, "Sentinel": {"APP_JWT_KEYS": Elsewhere(issuer)}}
    return set_up(issuer, ISSUERS=issuers, CACHE_SIZE=0), 200


@cases(
    "make, error",
    {
        "check": (of_check, ClaimRejected("nope")),
        "outage in a check": (of_check, Unavailable(Reason.KEYS_UNAVAILABLE)),
        "keys": (of_keys, Unavailable(Reason.KEYS_UNAVAILABLE)),
        "first of the keys": (of_first_keys, Unavailable(Reason.KEYS_UNAVAILABLE)),
        "first of the keys, for a known token": (
            of_first_keys_of_a_known_token,
            Unavailable(Reason.KEYS_UNAVAILABLE),
        ),
        "keys of one of several issuers": (
            of_keys_of_an_issuer,
            Unavailable(Reason.KEYS_UNAVAILABLE),
        ),
        "keys of another issuer": (of_other_issuer, Unavailable(Reason.KEYS_UNAVAILABLE)),
    },
)
def test_an_exception_that_is_raised_again_and_again_holds_no_request(
    make: Callable[..., tuple[ConnectorClient, int]], error: Exception, issuer: Issuer
) -> None:
    """``NO = ClaimRejected("nope")`` in a module: neither tokens nor frames pile up in it."""

    def reached() -> set[str]:
        seen: dict[int, Any] = {}
        waiting: list[Any] = [error]
        while waiting:
            each = waiting.pop()
            if id(each) not in seen and not isinstance(each, type):
                seen[id(each)] = each
                waiting += gc.get_referents(each)
        return {type(each).__name__ for each in seen.values()}

    client, status = make(issuer, error)
    sent = {"app_jwt": issuer.app_jwt(), "consumer_jws": issuer.consumer_jws(iss=OMIT)}
    assert client.get("/consumer", **sent).status_code == status
    assert reached() <= {type(error).__name__, "dict", "tuple", "str", "int", "Reason", "NoneType"}
    assert error.__traceback__ is error.__context__ is error.__cause__ is None
    with pytest.raises(type(error)):
        raise error
    assert {"traceback", "frame"} <= reached()  # as it would have been
    forget_origin(error)  # a parameter is kept until all tests have run


def test_a_check_runs_in_every_request(issuer: Issuer) -> None:
    """For remembered tokens too; once a request, however many decorators ask for the token."""
    auth, check, known = ConnectorAuth(), Recorder(), Recorder()
    auth.claim_check(check)
    auth.claim_check(claims_only=True)(known)
    client = set_up(issuer, auth)
    tokens = {"app_jwt": issuer.app_jwt(), "consumer_jws": issuer.consumer_jws()}
    for _ in range(3):
        assert client.get("/both", **tokens).status_code == 200
    assert check.tokens == ["AppJWT", "ConsumerJWS"] * 3
    assert known.tokens == ["AppJWT", "ConsumerJWS"]


def test_a_check_of_claims_alone_that_refuses_does_so_each_time(issuer: Issuer) -> None:
    """Only a token that has passed all checks of the app is remembered as such."""
    auth, asked = ConnectorAuth(), []

    @auth.claim_check(claims_only=True)
    def first(token: Token) -> None:
        asked.append("first")

    @auth.claim_check(claims_only=True)
    def refuse(token: Token) -> None:
        asked.append("refuse")
        raise ClaimRejected("no")

    client, token = set_up(issuer, auth), issuer.app_jwt()
    for _ in range(2):
        assert_row(client.get("/app", app_jwt=token), 40102)
    assert asked == ["first", "refuse"] * 2


def test_a_check_of_claims_alone_runs_again_for_a_token_that_is_verified_again(
    issuer: Issuer,
) -> None:
    """After eviction. A change of what is revoked is no reason to check claims again."""
    auth, check = ConnectorAuth(), Recorder()
    auth.claim_check(claims_only=True)(check)
    client = set_up(issuer, auth, CACHE_SIZE=1)
    first, second = issuer.app_jwt(azp="1"), issuer.app_jwt(azp="2")
    for token in (first, second, first):
        assert client.get("/app", app_jwt=token).status_code == 200
    assert check.tokens == ["AppJWT"] * 3
    with client.application.app_context():
        auth.revocations.revoke(install_id="1")
        assert_row(client.get("/app", app_jwt=first), 40102)
        auth.revocations.restore(install_id="1")
    assert client.get("/app", app_jwt=first).status_code == 200
    assert check.tokens == ["AppJWT"] * 3


def test_without_a_cache_each_check_runs_each_time(issuer: Issuer) -> None:
    """CACHE_SIZE 0: nothing is remembered."""
    auth, check = ConnectorAuth(), Recorder()
    auth.claim_check(claims_only=True)(check)
    client, token = set_up(issuer, auth, CACHE_SIZE=0), issuer.app_jwt()
    for _ in range(2):
        assert client.get("/app", app_jwt=token).status_code == 200
    assert check.tokens == ["AppJWT"] * 2


def test_a_check_of_claims_alone_runs_again_after_a_rotation(issuer: Issuer) -> None:
    """A token whose key is no longer in force is verified anew, and so it is checked anew."""
    auth, check, keys = ConnectorAuth(), Recorder(), Rotating(issuer)
    auth.claim_check(claims_only=True)(check)
    client, token = set_up(issuer, auth, APP_JWT_KEYS=keys), issuer.app_jwt()
    for in_force in (True, True, False, True):
        keys.in_force = in_force
        assert client.get("/app", app_jwt=token).status_code == 200
    assert check.tokens == ["AppJWT"] * 2


def test_the_checks_of_the_app_run_last(issuer: Issuer, refusals: list[Reason | str]) -> None:
    """A token that this package refuses reaches none; the AppJWT's run before the ConsumerJWS."""
    auth, check = ConnectorAuth(), Recorder()

    @auth.claim_check
    def record(token: Token) -> None:
        check(token)
        no_mfa(token)

    client, of = set_up(issuer, auth), f"/of/{ACCOUNT}"
    good = issuer.app_jwt(amr="mfa")
    for options in (
        {"app_jwt": issuer.app_jwt(exp=1)},
        {"app_jwt": issuer.app_jwt(scope="other")},
        {"app_jwt": issuer.app_jwt(aud="le1")},
    ):
        assert_row(client.get(of, **options), 40102)
    assert (check.tokens, refusals) == ([], ["expired", "missing_scope", "wrong_account"])
    assert_row(client.get(of, app_jwt=issuer.app_jwt(), consumer_jws="junk"), 40102)
    assert_row(
        client.get(of, app_jwt=good, consumer_jws=issuer.consumer_jws(account_id="x")), 40103
    )
    assert check.tokens == ["AppJWT", "AppJWT"]
    assert_row(client.get(of, app_jwt=good, consumer_jws=issuer.consumer_jws()), 40103)
    assert refusals[3:] == ["no_mfa", "wrong_account", "no_mfa"]
    assert (
        client.get(of, app_jwt=good, consumer_jws=issuer.consumer_jws(amr="mfa")).status_code == 200
    )


def test_optional_does_not_let_a_refused_token_pass(issuer: Issuer) -> None:
    """A token that is not sent is not checked; one that is sent is."""
    auth, check = ConnectorAuth(), Recorder()
    auth.claim_check(no_mfa)
    auth.claim_check(check)
    client = set_up(issuer, auth)
    assert client.get("/optional", app_jwt=None, consumer_jws=None).status_code == 200
    assert check.tokens == []
    assert_row(client.get("/optional"), 40102)


def test_a_refused_request_has_no_identity_and_sends_no_signal(issuer: Issuer) -> None:
    """``token_verified`` means that the checks of the app have passed too."""
    auth, verified = ConnectorAuth(), []
    auth.claim_check(no_mfa)
    client = set_up(issuer, auth)

    def note(_app: Flask, app_jwt: AppJWT, consumer_jws: ConsumerJWS | None) -> None:
        verified.append(app_jwt)

    with (
        token_verified.connected_to(note),
        client.application.test_request_context(headers=headers(issuer.app_jwt())),
    ):
        with pytest.raises(Exception, match="40102"):
            verify_request(consumer_jws=False)
        with pytest.raises(RuntimeError, match="exists only in a request"):
            str(current_app_jwt.install_id)
    assert verified == []


def test_verify_request_checks_again(issuer: Issuer) -> None:
    """A socket is one request: what has changed since then counts."""
    auth, banned = ConnectorAuth(), set()

    @auth.claim_check
    def is_banned(token: Token) -> None:
        if token.account_id in banned:
            raise ClaimRejected("banned")

    client = set_up(issuer, auth)
    with client.application.test_request_context(headers=headers(issuer.app_jwt())):
        assert verify_request(consumer_jws=False).app_jwt.account_id == ACCOUNT
        banned.add(ACCOUNT)
        with pytest.raises(Exception, match="40102"):
            verify_request(consumer_jws=False)


async def coroutine(token: Any) -> None:
    """Not for a check."""


def generator(token: Any) -> Any:
    """Not for a check: nothing would run."""
    yield no_mfa(token)


async def async_generator(token: Any) -> Any:
    """Not for a check either."""
    yield no_mfa(token)


class AsyncChecker:
    """An object that is called: its method is what counts."""

    async def __call__(self, token: Any) -> None:
        """Not for a check."""


class GeneratorChecker:
    """An object of which nothing would run."""

    def __call__(self, token: Any) -> Any:
        """Not for a check."""
        yield no_mfa(token)


@cases(
    "register, error, words",
    {
        "no function": (lambda auth: auth.claim_check("app_jwt"), TypeError, "by keyword, as in @"),
        "async": (
            lambda auth: auth.claim_check(coroutine),
            TypeError,
            "a function that is not async",
        ),
        "async, bound": (
            *(lambda auth: auth.claim_check(partial(coroutine)), TypeError),
            "a function that is not async",
        ),
        "generator": (lambda auth: auth.claim_check(generator), TypeError, "and no generator"),
        "async generator": (
            *(lambda auth: auth.claim_check(async_generator), TypeError),
            "and no generator",
        ),
        "async object": (
            *(lambda auth: auth.claim_check(AsyncChecker()), TypeError),
            "is not async",
        ),
        "generator object": (
            *(lambda auth: auth.claim_check(GeneratorChecker()), TypeError),
            "and no generator",
        ),
        "generator as loader": (
            *(lambda auth: auth.user_loader(partial(generator)), TypeError),
            "as in @connector_auth.user",
        ),
        "async generator as loader": (
            *(lambda auth: auth.user_loader(async_generator), TypeError),
            "and no generator",
        ),
        "no such token": (
            *(lambda auth: auth.claim_check(token="appjwt")(no_mfa), ValueError),
            "token is 'app_jwt', 'consumer_jws' or left out, not 'appjwt'",
        ),
        "no such issuer": (
            *(lambda auth: auth.claim_check(issuer="sentinel")(no_mfa), ValueError),
            "check 'no_mfa' is for the issuer 'sentinel'; the issuers are 'Sentinel'",
        ),
        "no loader": (lambda auth: auth.user_loader(True), TypeError, "as in @connector_auth.user"),
        "async loader": (lambda auth: auth.user_loader(coroutine), TypeError, "is not async"),
        "second loader": (
            lambda auth: (auth.user_loader(str), auth.user_loader(lazy=True)(no_mfa)),
            RuntimeError,
            "the user loader is 'str': register one only",
        ),
    },
)
def test_what_cannot_be_registered_is_refused_at_once(
    register: Callable[[ConnectorAuth], Any], error: type[Exception], words: str, issuer: Issuer
) -> None:
    """Where it is registered, with what to do; what was registered before stays."""
    auth = ConnectorAuth()
    client = set_up(issuer, auth)
    with pytest.raises(error, match=words):
        register(auth)
    assert client.get("/consumer").status_code == 200


def test_an_issuer_that_no_app_has_is_refused_when_the_app_is_set_up(issuer: Issuer) -> None:
    """A check that was registered before any app: the app is not set up."""
    auth, app = ConnectorAuth(), Flask("an_app")
    auth.claim_check(issuer="Other")(no_mfa)
    app.config["CONNECTOR_AUTH_APP_JWT_KEYS"] = issuer.key_set()
    with pytest.raises(ValueError, match="is for the issuer 'Other'; the issuers are 'Sentinel'"):
        auth.init_app(app)
    assert "connector_auth" not in app.extensions
    set_up(issuer, auth, ISSUER="Other")
    auth.init_app(app)


@cases(
    "first",
    {
        "a request": lambda client: client.get("/app"),
        "one without a token": lambda client: client.get("/app", app_jwt=None),
        "one of an open URL": lambda client: client.get("/nowhere"),
    },
)
def test_after_the_first_request_nothing_can_be_registered(
    first: Callable[[ConnectorClient], Any], issuer: Issuer
) -> None:
    """Of any app of the extension: requests before it would not have been checked."""
    auth = ConnectorAuth()
    client, other = set_up(issuer, auth), ConnectorAuth()
    set_up(issuer, auth)
    auth.claim_check(Recorder())
    first(client)
    for register in (auth.claim_check, auth.user_loader):
        with pytest.raises(
            RuntimeError, match=r"after the first request to 'an_app': register it where"
        ):
            register(no_mfa)
    other.claim_check(no_mfa)


@cases("path", {"of a view": "/app", "of none": "/nowhere"})
def test_a_request_that_flask_does_not_dispatch_counts(path: str, issuer: Issuer) -> None:
    """In a test's context: the first token that was verified."""
    auth = ConnectorAuth()
    client = set_up(issuer, auth)
    with client.application.test_request_context(path, headers=headers(issuer.app_jwt())):
        verify_request(consumer_jws=False)
    with pytest.raises(RuntimeError, match="after the first request"):
        auth.claim_check(no_mfa)


def test_an_extension_does_not_keep_its_apps(issuer: Issuer) -> None:
    """An app that nothing else refers to is freed, though the extension lives on."""
    auth = ConnectorAuth()
    app = weakref.ref(set_up(issuer, auth).application)
    gc.collect()
    assert app() is None
    auth.claim_check(no_mfa)


def test_words_cannot_fill_the_memory_of_the_log_limit() -> None:
    """The first 64 words have lines of their own; all others share them; reasons keep theirs."""
    limit = LogLimit(1, 2, lambda: 0.0)
    assert [[limit.take(f"word_{n}") for _ in range(3)] for n in range(64)] == [[0, 0, None]] * 64
    taken = [limit.take(f"word_{n}") for n in range(64, 10_000)]
    assert taken[:3] == [0, 0, None]
    assert set(taken[2:]) == {None}
    assert len(limit._buckets) == 65
    assert limit.take(Reason.EXPIRED) == 0


def test_a_flood_of_refusals_is_held_back(issuer: Issuer, caplog: pytest.LogCaptureFixture) -> None:
    """Ten lines at once for a word too, as for each reason."""
    auth = ConnectorAuth()
    auth.claim_check(no_mfa)
    client = set_up(issuer, auth, LOG_BURST=2)
    with caplog.at_level(logging.INFO, "flask_connector_auth"):
        for _ in range(4):
            client.get("/app")
    assert [each.getMessage().split()[1] for each in caplog.records] == ["no_mfa"] * 2

"""``keygen`` and ``mint``: keys and tokens for development, that the app accepts like any other."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.cli import ScriptInfo
from joserfc.jwk import ECKey, OctKey

from flask_connector_auth import ConnectorAuth
from flask_connector_auth.cli import connector_auth
from flask_connector_auth.cli.keygen import ASYMMETRIC
from flask_connector_auth.config import load_settings
from flask_connector_auth.keys import ALGORITHMS
from flask_connector_auth.web import EXTENSION, current_runtime
from tests.support.floor_helpers import NOW, SECRET, cases, decoded, jwk, pem, signing_key
from tests.support.http_helpers import ACCOUNT
from tests.support.ports import free_port
from tests.support.types import MakeApp, RunCommand


@pytest.fixture
def develop(
    run: RunCommand, make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> RunCommand:
    """Return what runs commands in an empty folder, for an app in testing."""
    monkeypatch.chdir(tmp_path)
    app = make_app()
    app.testing = True
    return lambda *args, app=app, **more: run(*args, app=app, **more)


def in_testing(make_app: MakeApp, **settings: Any) -> Flask:
    """Return an app in testing."""
    app = make_app(**settings)
    app.testing = True
    return app


@pytest.mark.parametrize("form", ["jwk", "pem"])
@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_a_token_of_a_new_key_is_accepted(
    develop: RunCommand, make_app: MakeApp, algorithm: str, form: str
) -> None:
    """RSA, EC, Ed25519, Ed448; JWK and PEM: the app trusts the .pub and takes what mint signs."""
    made = develop("keygen", "dev", "--algorithm", algorithm, "--format", form, "--json")
    assert json.loads(made.stdout) == {
        "private": "dev",
        "public": "dev.pub",
        "algorithm": algorithm,
        "kid": "dev-1" if form == "jwk" else None,
    }
    app = in_testing(make_app, APP_JWT_KEYS="dev.pub", APP_JWT_ALGORITHMS=[algorithm])
    named = ["--algorithm", algorithm] if form == "pem" else []
    for option in ("--app-jwt", "--consumer-jws"):
        text = develop("mint", "--key", "dev", option, *named, app=app).stdout
        assert json.loads(decoded(text.split(".")[0]))["alg"] == algorithm
        assert develop("inspect", option, app=app, input=text).exit_code == 0


def test_hmac_has_no_private_key() -> None:
    """Every algorithm but HS is one to make a key for."""
    assert set(ALGORITHMS) - set(ASYMMETRIC) == {"HS256", "HS384", "HS512"}


def test_the_files_are_for_their_owner_alone(develop: RunCommand) -> None:
    """Mode 0600, whatever the umask is; the public half has nothing of the private one."""
    before = os.umask(0)
    try:
        told = develop("keygen", "dev.jwk", "--kid", "k", "--bits", 3072).output
        develop("mint", "--key", "dev.jwk", "--output", "token")
    finally:
        os.umask(before)
    assert {path.name: path.stat().st_mode & 0o777 for path in Path().iterdir()} == {
        "dev.jwk": 0o600,
        "dev.jwk.pub": 0o600,
        "token": 0o600,
    }
    private = json.loads(Path("dev.jwk").read_text())
    [public] = json.loads(Path("dev.jwk.pub").read_text())["keys"]
    assert public == {name: private[name] for name in ("kty", "n", "e", "kid", "use", "alg")}
    assert len(public["n"]) == 512
    assert private["d"] not in told
    assert public["n"] not in told
    assert told.startswith("private: dev.jwk, ")


def test_what_the_app_must_allow_is_said(develop: RunCommand) -> None:
    """RS256 is what an app allows by default; another algorithm has to be set."""
    assert "ALGORITHMS" not in develop("keygen", "one").stdout
    told = develop("keygen", "two", "--algorithm", "ES256").stdout
    assert 'CONNECTOR_AUTH_APP_JWT_ALGORITHMS = ["ES256"]' in told


@pytest.mark.parametrize("there", ["dev", "dev.pub"])
@pytest.mark.parametrize("link", [False, True])
def test_no_file_is_overwritten(develop: RunCommand, there: str, link: bool) -> None:
    """Not even through a link; and then no other file is left behind."""
    target = Path("target" if link else there)
    target.write_text("mine")
    if link:
        Path(there).symlink_to("target")
    result = develop("keygen", "dev", "--algorithm", "ES256")
    assert (result.exit_code, "File exists" in result.stderr) == (2, True)
    assert target.read_text() == "mine"
    assert {path.name for path in Path().iterdir()} == {there, target.name}


def test_a_folder_that_is_not_there_is_no_answer(develop: RunCommand) -> None:
    """Status 2."""
    result = develop("keygen", "nowhere/dev", "--algorithm", "ES256")
    assert (result.exit_code, "No such file" in result.stderr) == (2, True)


@pytest.mark.parametrize("kid", ["", "k" * 257])
def test_a_kid_must_be_one_that_a_token_may_have(develop: RunCommand, kid: str) -> None:
    """1 to 256 characters."""
    result = develop("keygen", "dev", "--kid", kid)
    assert (result.exit_code, "1 to 256" in result.stderr) == (2, True)


@pytest.mark.parametrize("args", [("keygen", "new"), ("mint", "--key", "dev")])
def test_they_are_for_development(
    develop: RunCommand, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]
) -> None:
    """Outside of debug and testing they refuse, unless they are forced."""
    assert develop("keygen", "dev").exit_code == 0
    app = make_app(APP_JWT_KEYS="dev.pub")
    result = develop(*args, app=app)
    assert (result.exit_code, "Only for development" in result.stderr) == (2, True)
    assert (result.stdout, Path("new").exists()) == ("", False)
    assert develop(*args, "--force", app=app).exit_code == 0
    for path in Path().glob("new*"):
        path.unlink()
    monkeypatch.setenv("FLASK_DEBUG", "1")
    assert develop(*args, app=app).exit_code == 0


def test_an_app_without_keys_can_get_its_first_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In debug, no app is loaded for it: it could not start yet."""
    monkeypatch.setenv("FLASK_DEBUG", "1")
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(connector_auth, ["keygen", "dev"]).exit_code == 0


@pytest.mark.parametrize("args", [("keygen", "new"), ("mint", "--key", __file__)])
def test_without_an_app_that_starts_the_next_step_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]
) -> None:
    """What the app lacks may be the very keys: the message has ``--debug`` before the cause."""
    monkeypatch.chdir(tmp_path)
    for info, cause in (
        (ScriptInfo(create_app=without_keys), "CONNECTOR_AUTH_APP_JWT_KEYS: Missing"),
        (ScriptInfo(), "Could not locate a Flask application"),
    ):
        result = CliRunner().invoke(connector_auth, args, obj=info)
        assert (result.exit_code, result.stdout, Path("new").exists()) == (2, "", False)
        step, _, rest = result.stderr.partition("\n\n")
        assert "Use flask --debug" in step
        assert cause in rest
    assert CliRunner().invoke(connector_auth, ["keygen", "new", "--force"]).exit_code == 0


def without_keys() -> Flask:
    """Make an app that has no keys yet."""
    app = Flask("shop")
    ConnectorAuth(app)
    return app


def minted(develop: RunCommand, *args: str, app: Flask) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of a new token."""
    found = json.loads(develop("mint", "--json", *args, app=app).stdout)
    header, claims, _ = found["text"].split(".")
    assert list(found) == ["token", "text"]
    return json.loads(decoded(header)), json.loads(decoded(claims))


def test_the_issuer_of_a_token_is_chosen(develop: RunCommand, make_app: MakeApp) -> None:
    """--issuer: one of the configured ones, or else the first of them."""
    develop("keygen", "dev")
    names = ["https://one.example", "two"]
    app = in_testing(make_app, ISSUER=names[0])
    keys = {name: {"APP_JWT_KEYS": jwk(owner=name)} for name in names}
    several = load_settings({"CONNECTOR_AUTH_ISSUERS": keys})
    app.extensions[EXTENSION] = replace(current_runtime(app), settings=several)
    given: list[list[str]] = [[], *(["--issuer", name] for name in names)]
    found = [minted(develop, "--key", "dev", *each, app=app)[1]["iss"] for each in given]
    assert found == [names[0], *names]
    result = develop("mint", "--key", "dev", "--issuer", "three", app=app)
    assert result.exit_code == 2
    assert "--issuer: not one of 'https://one.example', 'two'." in result.stderr


def test_a_key_that_is_none_of_the_issuer_is_a_warning(
    develop: RunCommand, make_app: MakeApp
) -> None:
    """As far as its keys are known without a fetch; a token for tests may be a bad one."""
    for name in ("one", "two", "of_consumers"):
        develop("keygen", name)
    url = f"http://127.0.0.1:{free_port()}/jwks.json"
    two = {"APP_JWT_KEYS": "two.pub", "CONSUMER_JWS_KEYS": "of_consumers.pub"}
    issuers = {"1": {"APP_JWT_KEYS": "one.pub"}, "2": two, "3": {"APP_JWT_KEYS": [url, jwk()]}}
    several = in_testing(make_app, ISSUERS=issuers)
    single = in_testing(make_app, APP_JWT_KEYS="one.pub")

    def warned(app: Flask, *args: str) -> str:
        result = develop("mint", *args, app=app)
        assert (result.exit_code, result.stdout.count(".")) == (0, 2)
        return result.stderr

    assert warned(several, "--key", "one") == ""
    assert warned(several, "--key", "two", "--issuer", "2") == ""
    warning = 'warning: the key is not one of the keys of "{}".\n'
    assert warned(several, "--key", "two") == warning.format(1)
    assert warned(several, "--key", "two", "--issuer", "2", "--consumer-jws") == warning.format(2)
    assert warned(several, "--key", "two", "--issuer", "3") == ""
    assert warned(single, "--key", "two") == ""


def test_what_a_token_says(develop: RunCommand, make_app: MakeApp) -> None:
    """The documented claims, by the app's clock and issuer, and others in place of them."""
    develop("keygen", "dev", "--kid", "k")
    app = in_testing(make_app, clock=lambda: NOW, APP_JWT_KEYS="dev.pub", ISSUER="ours")
    header, claims = minted(develop, "--key", "dev", app=app)
    assert header == {"kid": "k", "typ": "JWT", "alg": "RS256"}
    assert (claims["aud"], claims["iss"], claims["iat"]) == (ACCOUNT, "ours", NOW)
    assert claims["exp"] == NOW + 3600
    options = ["--key", "dev", "--kid", "x", "--algorithm", "PS256"]
    given = ["--claim", "n=[1]", "--claim", "scope=a b", "--claim", "x==", "--claim", "e="]
    header, claims = minted(develop, *options, *given, "--lifetime", "9", app=app)
    assert (header["kid"], header["alg"], claims["exp"]) == ("x", "PS256", NOW + 9)
    assert {name: claims[name] for name in "nxe"} == {"n": [1], "x": "=", "e": ""}
    assert claims["scope"] == "a b"
    for option, name in (("--app-jwt", "aud"), ("--consumer-jws", "account_id")):
        _, claims = minted(develop, "--key", "dev", option, "--account-id", "7", app=app)
        assert claims[name] == "7"


def test_a_token_in_a_file_is_not_shown(develop: RunCommand, make_app: MakeApp) -> None:
    """Only where it is; and an existing file is never overwritten."""
    develop("keygen", "dev")
    app = in_testing(make_app, APP_JWT_KEYS="dev.pub")
    result = develop("mint", "--key", "dev", "--output", "token", "--json", app=app)
    assert json.loads(result.stdout) == {"token": "app_jwt", "file": "token"}
    text = Path("token").read_text()
    assert develop("inspect", app=app, input=text).exit_code == 0
    result = develop("mint", "--key", "dev", "--output", "token", app=app)
    assert (result.exit_code, Path("token").read_text()) == (2, text)
    assert develop("mint", "--key", "dev", "--output", "other", app=app).stdout == (
        "written to other\n"
    )


@pytest.mark.parametrize("text", ["name", "=value", "", "[" * 99999])
def test_a_claim_has_a_name(develop: RunCommand, text: str) -> None:
    """Status 2; anything may be its value."""
    develop("keygen", "dev")
    result = develop("mint", "--key", "dev", "--claim", text)
    assert (result.exit_code, "NAME=VALUE" in result.stderr) == (2, True)
    assert develop("mint", "--key", "dev", "--claim", f"x={text}").exit_code == 0


def test_a_claim_has_the_name_that_an_app_jwt_gives_it(develop: RunCommand) -> None:
    """Status 2, with the name; a ConsumerJWS does have an account_id."""
    develop("keygen", "dev")
    options = ["--key", "dev", "--claim", "account_id=le1"]
    result = develop("mint", *options)
    assert (result.exit_code, "give it as aud" in result.stderr) == (2, True)
    assert develop("mint", *options, "--consumer-jws").exit_code == 0


def test_a_secret_signs_too(develop: RunCommand, make_app: MakeApp) -> None:
    """A JWK of type oct, for an app that is configured with it."""
    secret = OctKey.import_key(SECRET).as_dict(kid="s")
    Path("secret").write_text(json.dumps(secret))
    app = in_testing(make_app, APP_JWT_KEYS="secret", APP_JWT_ALGORITHMS=["HS256"])
    text = develop("mint", "--key", "secret", app=app).stdout
    assert develop("inspect", app=app, input=text).exit_code == 0


EC = ECKey.generate_key("P-256")


@cases(
    "content",
    {
        "nothing": "",
        "text": SECRET,
        "a public PEM": pem(),
        "a public JWK": json.dumps(EC.as_dict(private=False)),
        "JSON that is no key": '{"kty": "EC"}',
        "a set": json.dumps({"keys": [EC.as_dict(private=True)]}),
        "duplicate members": json.dumps(EC.as_dict(private=True))[:-1] + ', "kty": "EC"}',
        "a key that signs nothing": (
            "-----BEGIN PRIVATE KEY-----\n"
            "MC4CAQAwBQYDK2VuBCIEIHcHbQpzGKV9PBbBclGyZkXfTC+H68CZKrF3+6UduSwq\n"
            "-----END PRIVATE KEY-----\n"
        ),
    },
)
def test_what_is_no_private_key_is_not_quoted(develop: RunCommand, content: str) -> None:
    """Status 2, and nothing of what the file has."""
    Path("key").write_text(content)
    result = develop("mint", "--key", "key")
    assert result.exit_code == 2
    assert result.output == (
        "Error: The file has no private key: a JWK, or PEM without a password.\n"
    )


def test_a_key_signs_only_by_its_own_kind(develop: RunCommand) -> None:
    """RFC 7518 section 3.1; a JWK for encryption signs by nothing."""
    Path("ec").write_text(json.dumps(EC.as_dict(private=True, alg="ECDH-ES")))
    assert "not for signatures" in develop("mint", "--key", "ec").stderr
    for algorithm in ("RS256", "ES384"):
        result = develop("mint", "--key", "ec", "--algorithm", algorithm)
        assert (result.exit_code, f"cannot sign by {algorithm}" in result.stderr) == (2, True)
    assert develop("mint", "--key", "ec", "--algorithm", "ES256").exit_code == 0
    named = signing_key("ES384").as_dict(private=True)  # type: ignore[call-arg]
    Path("ec384").write_text(json.dumps(named))
    assert develop("mint", "--key", "ec384").exit_code == 0

"""The token endpoint: an AppJWT for an app install (RFC 6749 section 4.4), and its public keys."""

from urllib.parse import quote

import pytest

from tests.support.example_api import ACCOUNT, OTHER_ACCOUNT, api_of, claims, header

GRANT = {"grant_type": "client_credentials"}
V1 = {"v": "1.0"}


@pytest.mark.parametrize(
    ("in_query", "in_form", "version"),
    [
        ("v grant_type client_id client_secret", "", ""),
        ("v grant_type", "client_id client_secret", ""),
        ("v", "grant_type client_id client_secret", ""),
        ("", "grant_type client_id client_secret", "v2/"),
        ("", "v grant_type client_id client_secret", ""),
    ],
    ids=["old", "mixed", "current", "V2", "body"],
)
def test_each_form_of_the_request(api, in_query, in_form, version):
    """Protocol pages Get AppJWT and Client Credentials: parameters in query, body, or both."""
    sent = {**V1, **GRANT, **api.credentials}
    query, form = ({name: sent[name] for name in names.split()} for names in (in_query, in_form))
    answer = api.token(query, form, version)
    assert answer.status_code == 200
    assert answer.headers.getlist("Content-Type") == ["application/json;charset=utf-8"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["token_type"] == "Bearer"
    assert api.consumer({"ext_consumer_id": "x"}, answer.json["access_token"]).status_code == 201


def test_a_body_that_is_no_form(api):
    """One client sends all in the query, and an empty JSON object as body."""
    query = "&".join(f"{name}={value}" for name, value in {**GRANT, **api.credentials}.items())
    answer = api.post(f"/sentinel/api/account/{ACCOUNT}/app/token?v=1.0&{query}", {}, {})
    assert answer.status_code == 200


def test_what_the_token_says(api):
    """Protocol page, Authorization: account, install, scope, issuer, one hour."""
    said = claims(api.app_jwt)
    assert said == {
        "aud": ACCOUNT,
        "azp": api.credentials["client_id"],
        "scope": "msg.consumer",
        "iss": "Sentinel",
        "exp": said["iat"] + 3600,
        "iat": said["iat"],
    }
    assert header(api.app_jwt) == {**header(api.app_jwt), "alg": "RS256", "typ": "JWT"}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_secret": "wröng"}, "invalid_client"),
        ({"client_secret": ""}, "invalid_client"),
        ({"client_secret": None}, "invalid_client"),
        ({"client_id": "wrong"}, "invalid_client"),
        ({"client_id": "\0"}, "invalid_client"),
        ({"client_id": None}, "invalid_client"),
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"scope": "msg.consumer other"}, "invalid_scope"),
        ({"scope": "agent"}, "invalid_scope"),
        ({"scope": " "}, "invalid_scope"),
    ],
    ids=str,
)
def test_a_refused_request(api, change, error):
    """RFC 6749 section 5.2: 400, and the error by its code."""
    good = {**GRANT, **api.credentials}
    form = {name: value for name, value in {**good, **change}.items() if value is not None}
    answer = api.token(V1, form)
    assert (answer.status_code, answer.json["error"]) == (400, error)
    assert answer.headers.getlist("Content-Type") == ["application/json"]
    assert api.token(V1, {**good, "scope": "msg.consumer"}).status_code == 200


@pytest.mark.parametrize(
    "asked", [{}, {"scope": ""}, {"scope": "msg.consumer"}, {"scope": "msg.consumer msg.consumer"}]
)
def test_the_scope(api, asked):
    """RFC 6749 section 3.3: the one there is, by default too; the answer and the token state it."""
    answer = api.token(V1, {**GRANT, **api.credentials, **asked})
    assert answer.json["scope"] == claims(answer.json["access_token"])["scope"] == "msg.consumer"


@pytest.mark.parametrize(
    ("scope", "granted"),
    [("agent", None), ("agent msg.consumer", "msg.consumer"), ("msg.consumer", "msg.consumer")],
)
def test_a_scope_that_is_for_others(api, example, monkeypatch, scope, granted):
    """RFC 6749 section 3.3: an app never gets the agents' scope, where the service has that too."""
    monkeypatch.setattr(
        example.extensions["sentinel"], "scopes_supported", ["msg.consumer", "agent"]
    )
    answer = api.token(V1, {**GRANT, **api.credentials, "scope": scope})
    assert answer.json.get("scope") == granted
    assert answer.json.get("error") == (None if granted else "invalid_scope")


@pytest.mark.parametrize("name", ["grant_type", "client_id", "client_secret", "v"])
def test_a_parameter_that_is_there_twice(api, name):
    """RFC 6749 section 3.2: once in the query and once in the body is twice."""
    form = {**V1, **GRANT, **api.credentials}
    answer = api.token({name: form[name]}, form)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert api.token({}, form).status_code == 200


@pytest.mark.parametrize("account", [OTHER_ACCOUNT, OTHER_ACCOUNT.upper(), quote("\0")])
def test_a_client_of_another_account(api, example, account):
    """An install gets tokens of its account only, whichever account is in the URL."""
    form = {**GRANT, **api.credentials}
    assert api_of(example, OTHER_ACCOUNT).app_jwt
    answer = api.token(V1, form, account=account)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_client")


@pytest.mark.parametrize(
    ("base_url", "status"),
    [("http://example.org", 400), ("https://example.org", 200), ("http://localhost:8080", 200)],
)
def test_a_secret_sent_in_the_clear(example, base_url, status):
    """RFC 6749 section 3.2: TLS is a must, but on the machine itself."""
    api = api_of(example, base_url=base_url)
    answer = api.token(V1, {**GRANT, **api.credentials})
    assert answer.status_code == status
    assert answer.json.get("error") == (None if status == 200 else "insecure_transport")


def test_the_keys_are_published(api):
    """RFC 7517 section 5: the public half, under the kid of the tokens."""
    answer = api.get("/sentinel/well-known/jwks")
    assert answer.status_code == 200
    (key,) = answer.json["keys"]
    assert set(key) == {"kty", "n", "e", "kid", "use", "alg"}
    assert key["kid"] == header(api.app_jwt)["kid"]

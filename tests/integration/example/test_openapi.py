"""The example app behaves as its OpenAPI document says, for any request.

The requests are made by schemathesis from the document alone: paths, bodies, and in which header
which token with which scopes goes. Its plugin for pytest is switched off: it is not needed.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import validate
from schemathesis import Case, Config, Response, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.openapi.checks import IgnoredAuth
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi import checks

from example_app.keys import current_issuer
from example_app.operations import OPERATIONS
from flask_connector_auth import require_app_jwt
from flask_connector_auth.integrations.openapi import add_authentication
from flask_connector_auth.testing import Issuer
from flask_connector_auth.web import audit
from tests.support.example_api import ACCOUNT, Api
from tests.support.example_desk import Desk
from tests.support.types import MakeApp

Json = dict[str, Any]

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.ignored_auth,
]
# The same requests in each run; none is kept for the next one.
bounded = settings(
    max_examples=20,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
ONLY_OUR_TOKENS = Config.from_dict({"generation": {"with-security-parameters": False}})
#: Operations that need no token.
OPEN = {
    "domain.host_of_service",
    "domain.all_hosts",
    "sentinel.app_token",
    "sentinel.key_set",
    "agents.login",
}
PROTECTED = sorted(OPERATIONS.keys() - OPEN)
#: What takes a secret that no document has.
SECRET = {"sentinel.app_token", "agents.login"}


def operations_of(app: Flask, document: Json, endpoint: str) -> list[APIOperation]:
    """Return the operations of *document* that a view of *app* serves."""
    schema = openapi.from_dict(document, config=ONLY_OUR_TOKENS)
    schema.app = app
    paths = [re.sub("<(.+?)>", r"{\1}", rule.rule) for rule in app.url_map.iter_rules(endpoint)]
    return [operation for path in paths for operation in schema[path].values()]


def answers(operation: APIOperation, headers: Mapping[str, str]) -> list[Response]:
    """Return the answers to requests with *headers*, each found to be as documented."""
    found = []

    def ask(case: Case) -> None:
        response = case.call(headers=dict(headers))
        case.validate_response(response, checks=CHECKS, headers=dict(headers))
        found.append(response)

    bounded(given(case=operation.as_strategy())(ask))()
    return found


def demanded(operation: APIOperation) -> Json:
    """Return the schemes that *operation* demands, with their roles."""
    [security] = operation.definition.raw.get("security", [{}])
    return security


@pytest.fixture
def document(example: Flask, api: Api) -> Json:
    """The document that the app serves, in which ids are those of things that exist."""
    served: Json = example.test_client().get("/openapi.json").json
    known = {"Account": ACCOUNT, "Client": api.credentials["client_id"]}
    served["components"]["schemas"] |= {name: {"enum": [id]} for name, id in known.items()}
    return served


@pytest.fixture
def app_jwt(example: Flask) -> Callable[[str], str]:
    """Return a function that returns a good AppJWT with a scope."""
    with example.app_context():
        issuer = current_issuer()
    return lambda scope: issuer.app_jwt(aud=ACCOUNT, scope=scope)


def test_the_document_has_all_that_is_protected(example: Flask, document: Json) -> None:
    """Valid OpenAPI 3.1; exactly the views that require tokens have a security scheme."""
    validate(document)
    asking = {route.endpoint for route in audit(example) if route.requirements}
    assert asking == set(PROTECTED)
    for endpoint in OPERATIONS:
        for operation in operations_of(example, document, endpoint):
            assert ("AppJWT" in demanded(operation)) is (endpoint in asking), endpoint


@pytest.mark.parametrize("endpoint", OPERATIONS)
def test_any_request_is_answered_as_documented(
    example: Flask, api: Api, app_jwt: Callable[[str], str], document: Json, endpoint: str
) -> None:
    """Status, headers and body are those of the document, never 5xx; some get what they want."""
    consumer = api.someone()["X-LP-ON-BEHALF"]
    if endpoint != "messaging.create":
        tokens = {"Authorization": api.app_jwt, "X-LP-ON-BEHALF": consumer}
        conversation = api.opened(tokens)
        document["components"]["schemas"]["Conversation"] = {"enum": [conversation]}
        place = Desk(example).new_file(conversation, {"fileType": "PNG", "fileSize": 1})
        document["components"]["schemas"]["Path"] = {"enum": [place.json["relativePath"]]}
    scheme = document["components"]["securitySchemes"]["ConsumerJWS"]
    statuses = set()
    for operation in operations_of(example, document, endpoint):
        headers, asked = {}, demanded(operation)
        if "AppJWT" in asked:
            headers["Authorization"] = f"Bearer {app_jwt(' '.join(asked['AppJWT']))}"
        if "ConsumerJWS" in asked:
            headers[scheme["name"]] = consumer
        statuses |= {answer.status_code for answer in answers(operation, headers)}
    assert bool(statuses & {200, 201}) is (endpoint not in SECRET)
    assert 401 not in statuses or endpoint in SECRET


@pytest.mark.parametrize("endpoint", PROTECTED)
def test_no_request_without_good_tokens_gets_in(
    example: Flask,
    stranger: Issuer,
    app_jwt: Callable[[str], str],
    document: Json,
    endpoint: str,
) -> None:
    """Rows 40102 to 40105, in the bytes of the document's examples, for any request."""
    for operation in operations_of(example, document, endpoint):
        asked = demanded(operation)
        scope = " ".join(asked["AppJWT"])
        good, bad = app_jwt(scope), stranger.app_jwt(aud=ACCOUNT, scope=scope)
        ways = {
            "AppJWTMissing": [{}, {"X-LP-ON-BEHALF": "x"}],
            "InvalidAppJWT": [{"Authorization": bad}, {"Authorization": app_jwt("")}],
        }
        if "ConsumerJWS" in asked:
            both = {"Authorization": good, "X-LP-ON-BEHALF": stranger.consumer_jws()}
            ways |= {"ConsumerJWSMissing": [{"Authorization": good}], "InvalidConsumerJWS": [both]}
        for name, each in ways.items():
            envelope = document["components"]["examples"][name]["value"]
            body = json.dumps(envelope, separators=(",", ":")).encode()
            for headers in each:
                assert {answer.content for answer in answers(operation, headers)} == {body}, name


def test_an_app_that_asks_for_nothing_is_found_out(make_app: MakeApp, issuer: Issuer) -> None:
    """Positive control: the tests above fail for tokens that are documented and not required."""
    protected, unprotected = make_app(), make_app()
    protected.add_url_rule("/x", "x", require_app_jwt(lambda: {}))
    unprotected.add_url_rule("/x", "x", lambda: {})
    fine = {
        "get": {"responses": {"200": {"description": "Fine", "content": {"application/json": {}}}}}
    }
    info = {"title": "An API", "version": "1"}
    document = add_authentication(
        {"openapi": "3.1.0", "info": info, "paths": {"/x": fine}}, protected
    )
    headers = {"Authorization": issuer.app_jwt()}
    [operation] = operations_of(protected, document, "x")
    assert {answer.status_code for answer in answers(operation, headers)} == {200}
    [operation] = operations_of(unprotected, document, "x")
    with pytest.raises(FailureGroup) as failed:
        answers(operation, headers)
    assert [type(each) for each in failed.value.exceptions] == [IgnoredAuth]

"""OpenAPI documents: what they state for an operation is what the app requires and answers."""

import json
from copy import deepcopy
from typing import Any

import pytest
from apispec import APISpec
from flask import Blueprint, Flask
from flask.views import MethodView
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from werkzeug.routing import BaseConverter, Map

from flask_connector_auth import (
    ConnectorAuth,
    EnvelopeSchema,
    public,
    require_app_jwt,
    require_consumer_jws,
)
from flask_connector_auth.integrations.openapi import ConnectorAuthPlugin, add_authentication
from flask_connector_auth.testing import Issuer
from tests.support.floor_helpers import cases
from tests.support.http_helpers import headers
from tests.support.outages import Outage
from tests.support.types import MakeApp

Json = dict[str, Any]
VERSIONS = ("3.0.3", "3.1.0")
NOBODY = "redis://127.0.0.1:1"  # not connected to before there is a request
PARAMETER = {"name": "account_id", "in": "path", "schema": {"type": "string"}, "required": True}
FINE: Json = {"responses": {"200": {"description": "Fine"}}}
ACCOUNT = {"parameters": [PARAMETER], **FINE}


def view(**_arguments: Any) -> Json:
    """Answer."""
    return {}


def documented(
    app: Flask, path: str = "/x", version: str = "3.1.0", operation: Json = FINE, **options: Any
) -> Json:
    """Return the document, found valid, of an *operation* that is GET *path* of *app*."""
    spec = APISpec("An API", "1", version, plugins=[ConnectorAuthPlugin(app)], **options)
    spec.path(path, operations={"get": operation})
    document = spec.to_dict()
    validate(document)
    return document


def stated(app: Flask, path: str = "/x", version: str = "3.1.0", **options: Any) -> Json:
    """Return the operation of such a document."""
    return documented(app, path, version, **options)["paths"][path]["get"]


def answers(operation: Json) -> dict[str, list[str]]:
    """Return the names of the examples of each of the refusals of *operation*, by status."""
    return {
        status: [*response["content"]["application/json"]["examples"]]
        for status, response in operation["responses"].items()
        if status != "200"
    }


APP, CONSUMER = {"AppJWT": []}, {"ConsumerJWS": []}


@cases(
    "declared, security",
    {
        "AppJWT": (require_app_jwt, [APP]),
        "ConsumerJWS": (require_consumer_jws, [CONSUMER]),
        "both": (lambda view: require_app_jwt(require_consumer_jws(view)), [APP | CONSUMER]),
        "in the other order": (
            lambda view: require_consumer_jws(require_app_jwt(view)),
            [APP | CONSUMER],
        ),
        "AppJWT optional": (require_app_jwt(optional=True), [APP, {}]),
        "ConsumerJWS optional": (
            lambda view: require_app_jwt(require_consumer_jws(optional=True)(view)),
            [APP | CONSUMER, APP],
        ),
        "AppJWT optional, ConsumerJWS not": (
            lambda view: require_app_jwt(optional=True)(require_consumer_jws(view)),
            [APP | CONSUMER, CONSUMER],
        ),
        "both optional": (
            lambda view: require_app_jwt(optional=True)(require_consumer_jws(optional=True)(view)),
            [APP | CONSUMER, APP, CONSUMER, {}],
        ),
    },
)
@pytest.mark.parametrize("version", VERSIONS)
def test_tokens_are_security_requirements(
    make_app: MakeApp, version: str, declared: Any, security: list[Json]
) -> None:
    """All of one object and one of the list must be met (OpenAPI, Security Requirement Object)."""
    app = make_app()
    app.add_url_rule("/x", "x", declared(view))
    assert stated(app, version=version)["security"] == security


@cases(
    "scopes, in_3_1, members, sentence",
    {
        "all of them": (
            {"scopes": "write read"},
            [{"AppJWT": ["read", "write"]}],
            {"all": ["read", "write"]},
            "The AppJWT must be granted read, and write.",
        ),
        "one of them": (
            {"any_scope": "b a"},
            [{"AppJWT": ["a"]}, {"AppJWT": ["b"]}],
            {"any": [["a", "b"]]},
            "The AppJWT must be granted one of a, b.",
        ),
        "both, optional": (
            {"scopes": "s", "any_scope": "a b", "optional": True},
            [{"AppJWT": ["a", "s"]}, {"AppJWT": ["b", "s"]}, {}],
            {"all": ["s"], "any": [["a", "b"]]},
            "The AppJWT must be granted s, and one of a, b.",
        ),
    },
)
def test_scopes_are_roles_in_3_1_and_beside_the_list_in_3_0(
    make_app: MakeApp, scopes: Any, in_3_1: list[Json], members: Json, sentence: str
) -> None:
    """OpenAPI 3.1 allows roles for any scheme, 3.0 demands empty lists; words say it in both."""
    app = make_app()
    app.add_url_rule("/x", "x", require_app_jwt(**scopes)(view))
    newer, older = (stated(app, version=version) for version in reversed(VERSIONS))
    assert newer["security"] == in_3_1
    assert older["security"] == [APP, *([{}] if "optional" in scopes else [])]
    for operation in (newer, older):
        assert operation["x-app-jwt-scopes"] == members
        assert sentence in operation["responses"]["401"]["description"]


def test_scopes_of_two_decorators_are_each_chosen_from(make_app: MakeApp) -> None:
    """One of each set must be granted, so each choice is one way in."""
    app = make_app()
    decorated = require_app_jwt(any_scope="a b")(require_app_jwt(any_scope="b c")(view))
    app.add_url_rule("/x", "x", decorated)
    scopes = [each["AppJWT"] for each in stated(app)["security"]]
    assert scopes == [["a", "b"], ["a", "c"], ["b"], ["b", "c"]]


@cases(
    "settings, declared, examples",
    {
        "AppJWT": ({}, require_app_jwt, {"401": ["AppJWTMissing", "InvalidAppJWT"]}),
        "optional": ({}, require_app_jwt(optional=True), {"401": ["InvalidAppJWT"]}),
        "ConsumerJWS": (
            {},
            require_consumer_jws,
            {"401": ["ConsumerJWSMissing", "InvalidConsumerJWS"]},
        ),
        "optional ConsumerJWS": (
            {},
            lambda view: require_app_jwt(require_consumer_jws(optional=True)(view)),
            {"401": ["AppJWTMissing", "InvalidAppJWT", "InvalidConsumerJWS"]},
        ),
        "row 40001": (
            {"MISSING_PARAMETER_ROW": True},
            require_app_jwt(optional=True),
            {"400": ["MissingParameter"], "401": ["InvalidAppJWT"]},
        ),
        "row 40001 is of the AppJWT": (
            {"MISSING_PARAMETER_ROW": True},
            require_consumer_jws(optional=True),
            {"401": ["InvalidConsumerJWS"]},
        ),
        "keys from elsewhere": (
            {"APP_JWT_KEYS": Outage(1)},
            require_app_jwt(optional=True),
            {"401": ["InvalidAppJWT"], "503": ["AuthenticationUnavailable"]},
        ),
        "those of the other token": (
            {"CONSUMER_JWS_KEYS": Outage(1)},
            require_app_jwt(optional=True),
            {"401": ["InvalidAppJWT"]},
        ),
        "revocations from elsewhere": (
            {"REVOCATION_URL": NOBODY},
            require_app_jwt(optional=True),
            {"401": ["InvalidAppJWT"], "503": ["AuthenticationUnavailable"]},
        ),
        "revocations that are not waited for": (
            {"REVOCATION_URL": NOBODY, "REVOCATION_ON_OUTAGE": "open"},
            require_app_jwt(optional=True),
            {"401": ["InvalidAppJWT"]},
        ),
    },
)
def test_an_operation_has_the_rows_that_it_can_answer(
    make_app: MakeApp, settings: Json, declared: Any, examples: dict[str, list[str]]
) -> None:
    """Rows 40001, 40102 to 40105 and 50301, where they can be sent and nowhere else."""
    app = make_app(**settings)
    app.add_url_rule("/x", "x", declared(view))
    assert answers(stated(app)) == examples


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overridden", [False, True], ids=["documented", "overridden"])
def test_the_examples_are_the_bytes_that_are_sent(
    make_app: MakeApp, issuer: Issuer, stranger: Issuer, overridden: bool, version: str
) -> None:
    """Each row of an operation is the answer to the request that it is about."""
    catalogue = {40105: {"title": "Who are you?", "errorCode": 40199}} if overridden else {}
    app = make_app(ERROR_CATALOGUE=catalogue)
    app.add_url_rule("/x", "x", require_app_jwt(require_consumer_jws(view)))
    examples = documented(app, version=version)["components"]["examples"]
    for name, sent in {
        "AppJWTMissing": headers(),
        "InvalidAppJWT": headers(stranger.app_jwt()),
        "ConsumerJWSMissing": headers(issuer.app_jwt()),
        "InvalidConsumerJWS": headers(issuer.app_jwt(), stranger.consumer_jws()),
    }.items():
        answer = app.test_client().get("/x", headers=sent)
        example = examples.pop(name)
        assert json.dumps(example["value"], separators=(",", ":")).encode() == answer.data
        assert example["summary"] == answer.json["body"]["title"]
        assert (example["value"]["body"]["errorCode"] == 40199) is (
            overridden and name == "AppJWTMissing"
        )
    assert examples == {}


@cases("keys, statuses", {"here": (None, ["401"]), "elsewhere": (Outage(1), ["401", "503"])})
def test_the_keys_of_any_issuer_may_be_out_of_reach(
    keys: Any, statuses: list[str], make_app: MakeApp, issuer: Issuer
) -> None:
    """Row 50301: where the keys of one of several issuers come from outside of the process."""
    other = {"APP_JWT_KEYS": keys or Issuer().key_set()}
    app = make_app(ISSUERS={"Sentinel": {"APP_JWT_KEYS": issuer.key_set()}, "other": other})
    app.add_url_rule("/x", "x", require_app_jwt(view))
    assert [status for status in stated(app)["responses"] if status != "200"] == statuses


def test_an_outage_is_documented_as_it_is_told(make_app: MakeApp, issuer: Issuer) -> None:
    """Row 50301 with Retry-After, seconds from 1 to 30 (RFC 9110 section 10.2.3)."""
    app = make_app(APP_JWT_KEYS=Outage(3600))
    app.add_url_rule("/x", "x", require_app_jwt(view))
    document = documented(app)
    header = document["paths"]["/x"]["get"]["responses"]["503"]["headers"]["Retry-After"]
    answer = app.test_client().get("/x", headers=headers(issuer.app_jwt()))
    assert header["required"]
    assert header["schema"]["maximum"] == int(answer.headers["Retry-After"]) == 30
    example = document["components"]["examples"]["AuthenticationUnavailable"]
    assert example["value"] == answer.json


def test_the_challenge_is_documented_as_it_is_sent(make_app: MakeApp) -> None:
    """Each 401 has WWW-Authenticate (RFC 9110 section 11.6.1), so the header is required."""
    app = make_app()
    app.add_url_rule("/x", "x", require_app_jwt(view))
    documented_headers = stated(app)["responses"]["401"]["headers"]
    assert {name for name, header in documented_headers.items() if header["required"]} == {
        "WWW-Authenticate"
    }
    assert "WWW-Authenticate" in app.test_client().get("/x").headers


def test_the_schemes_name_the_headers_of_the_app(make_app: MakeApp, issuer: Issuer) -> None:
    """HTTP bearer for Authorization (RFC 6750), and CONSUMER_HEADER; what tools send gets in."""
    app = make_app(CONSUMER_HEADER="LP-On-Behalf")
    app.add_url_rule("/x", "x", require_app_jwt(require_consumer_jws(view)))
    schemes = documented(app)["components"]["securitySchemes"]
    app_jwt, consumer_jws = schemes["AppJWT"], schemes["ConsumerJWS"]
    assert (app_jwt["type"], app_jwt["scheme"]) == ("http", "bearer")
    assert (consumer_jws["type"], consumer_jws["in"]) == ("apiKey", "header")
    sent = {
        "Authorization": f"Bearer {issuer.app_jwt()}",
        consumer_jws["name"]: issuer.consumer_jws(),
    }
    assert consumer_jws["name"] == "LP-On-Behalf"
    assert app.test_client().get("/x", headers=sent).status_code == 200


@cases(
    "path, settings, sentence",
    {
        "URL": ("/<account_id>", {}, "of the account in the URL."),
        "audience": ("/x", {"AUDIENCE": "le1"}, "of an account that is served here."),
        "both": ("/<account_id>", {"AUDIENCE": "le1"}, "in the URL, if that is served here."),
        "nothing": ("/x", {}, "Invalid AppJWT."),
    },
)
def test_the_refusal_says_of_which_account_a_token_must_be(
    make_app: MakeApp, path: str, settings: Json, sentence: str
) -> None:
    """As the audit has it; no account is named, which any reader would see."""
    app = make_app(**settings)
    app.add_url_rule(path, "x", require_app_jwt(view))
    path = path.replace("<", "{").replace(">", "}")
    described = stated(app, path, operation=ACCOUNT if "{" in path else FINE)
    assert described["responses"]["401"]["description"].endswith(sentence)
    assert "le1" not in described["responses"]["401"]["description"]


class Conversations(MethodView):
    """Reading is free, writing is not."""

    def get(self) -> Json:
        """Answer."""
        return {}

    @require_app_jwt(scopes="write")
    def post(self) -> Json:
        """Answer."""
        return {}


def test_each_method_of_a_class_has_its_own(make_app: MakeApp) -> None:
    """GET, which requires nothing, is left as it was, as are all other members; POST is not."""
    app = make_app()
    app.add_url_rule("/x", view_func=Conversations.as_view("x"))
    note = {"x-note": "a text"}
    paths = {"/x": {"get": FINE, "post": FINE, "summary": "X"}, **note}
    document = {"openapi": "3.1.0", "paths": paths, "components": note, **note}
    given = deepcopy(document)
    described = add_authentication(document, app)
    assert described["paths"]["/x"].pop("post")["security"] == [{"AppJWT": ["write"]}]
    assert described["paths"] == {"/x": {"get": FINE, "summary": "X"}, **note}
    assert [part["x-note"] for part in (described, described["components"])] == ["a text"] * 2
    assert document == given


@cases(
    "path, security",
    {
        "in a protected blueprint": ("/outer/in", [{"AppJWT": ["s"], "ConsumerJWS": []}]),
        "in one within it": ("/outer/inner/in", [{"AppJWT": ["s"], "ConsumerJWS": []}]),
        "public there": ("/outer/inner/out", None),
        "public, with a decorator": ("/outer/inner/own", [APP]),
        "beside it": ("/x", None),
        "not in the app": ("/elsewhere", None),
    },
)
def test_what_blueprints_ask_for_counts(
    make_app: MakeApp, path: str, security: list[Json] | None
) -> None:
    """protect() for all of a blueprint, nested ones too; what requires nothing stays as it was."""
    app = make_app()
    outer, inner = Blueprint("outer", __name__), Blueprint("inner", __name__)
    ConnectorAuth().protect(outer, scopes="s")
    outer.add_url_rule("/in", "in", lambda: {})
    for name, decorated in {
        "in": lambda: {},
        "out": public(lambda: {}),
        "own": public(require_app_jwt(lambda: {})),
    }.items():
        inner.add_url_rule(f"/{name}", name, decorated)
    outer.register_blueprint(inner, url_prefix="/inner")
    app.register_blueprint(outer, url_prefix="/outer")
    app.add_url_rule("/x", "x", view)
    operation = stated(app, path)
    assert operation.get("security") == security
    assert security is not None or operation == FINE


def test_what_is_declared_after_a_path_was_added_counts(make_app: MakeApp) -> None:
    """The document states what holds when it is made, in JSON and in YAML."""
    app = make_app()
    app.add_url_rule("/x", "x", view)
    spec = APISpec("An API", "1", "3.1.0", plugins=[ConnectorAuthPlugin(app)])
    spec.path("/x", operations={"get": FINE})
    assert spec.to_dict()["paths"]["/x"]["get"] == FINE
    ConnectorAuth().protect(app, consumer_jws=False)
    assert spec.to_dict()["paths"]["/x"]["get"]["security"] == [APP]
    assert "AppJWTMissing" in spec.to_yaml()


def test_what_a_document_says_itself_stands(make_app: MakeApp) -> None:
    """Own security, responses and components are not overwritten; what is missing is added."""
    app = make_app(APP_JWT_KEYS=Outage(1))
    app.add_url_rule("/x", "x", require_app_jwt(require_consumer_jws(view)))
    own = {
        "security": [{"Cookie": []}],
        "x-app-jwt-scopes": {},
        "responses": {401: {"description": "Mine"}, "default": {"description": "Mine too"}},
    }
    schemes = {name: {"type": "apiKey", "in": "cookie", "name": name} for name in ("AppJWT", "C")}
    document = {
        "openapi": "3.1.0",
        "paths": {"/x": {"get": own}},
        "components": {"securitySchemes": schemes},
    }
    described = add_authentication(document, app)
    operation = described["paths"]["/x"]["get"]
    assert operation["responses"].pop("503")["description"] == "Authentication unavailable."
    assert operation == own
    found = described["components"]["securitySchemes"]
    assert {name: found.pop(name) for name in schemes} == schemes
    assert [*found] == ["ConsumerJWS"]


def test_rules_that_are_one_path_are_stated_together(make_app: MakeApp) -> None:
    """The path has no converters, so the operation requires what any of the rules requires."""
    app = make_app()
    app.add_url_rule("/<int:account_id>", "number", require_app_jwt(view))
    app.add_url_rule("/<account_id>", "text", require_consumer_jws(view))
    app.add_url_rule("/<path:account_id>", "path", view)
    described = stated(app, "/{account_id}", operation=ACCOUNT)
    assert described["security"] == [APP | CONSUMER]


class Letters(BaseConverter):
    """Takes what its argument, a pattern, says."""

    def __init__(self, url_map: Map, pattern: str) -> None:
        super().__init__(url_map)
        self.regex = pattern


def test_a_converter_may_have_arguments(make_app: MakeApp) -> None:
    """Of a rule's variable the name alone is in the path, whatever stands before it."""
    app = make_app()
    app.url_map.converters["letters"] = Letters
    app.add_url_rule('/<letters("[a-z:]+"):x>', "x", require_app_jwt(view))
    parameter = {"name": "x", "in": "path", "schema": {"type": "string"}, "required": True}
    assert stated(app, "/{x}", operation={"parameters": [parameter], **FINE})["security"] == [APP]


def test_the_schema_is_that_of_the_envelope(make_app: MakeApp) -> None:
    """Its members are EnvelopeSchema's, all required; the constants are the protocol page's."""
    app = make_app()
    app.add_url_rule("/x", "x", require_app_jwt(view))
    documented_schema = documented(app)["components"]["schemas"]["ConnectorAuthError"]
    schema = EnvelopeSchema()
    assert [*documented_schema["properties"]] == documented_schema["required"] == [*schema.fields]
    body = documented_schema["properties"]["body"]
    names = [field.data_key or name for name, field in schema.fields["body"].schema.fields.items()]
    assert [*body["properties"]] == body["required"] == names
    envelope = app.test_client().get("/x").json
    check = Draft202012Validator(documented_schema).is_valid
    assert check(envelope)
    for name in envelope:
        assert not check({**envelope, name: 7.5})
        assert not check({member: envelope[member] for member in envelope if member != name})


@pytest.mark.parametrize("document", [{"swagger": "2.0"}, {"openapi": "2.0"}, {}])
def test_documents_of_other_versions_are_refused(make_app: MakeApp, document: Json) -> None:
    """OpenAPI 2 has neither HTTP bearer nor examples by name: said at once, not left out."""
    app = make_app()
    with pytest.raises(ValueError, match="OpenAPI 3 only"):
        add_authentication(document, app)
    with pytest.raises(ValueError, match="OpenAPI 3 only"):
        APISpec("An API", "1", "2.0", plugins=[ConnectorAuthPlugin(app)])


def test_an_app_without_the_extension_has_nothing_to_state() -> None:
    """Nothing is verified there, so nothing is said to be."""
    with pytest.raises(RuntimeError, match="no ConnectorAuth"):
        add_authentication({"openapi": "3.1.0"}, Flask("plain"))

"""The domain look-up: where the services of an account are (protocol page, Domain API)."""

import pytest

from tests.support.example_api import ACCOUNT, OTHER_ACCOUNT, api_of

SERVICES = [
    "sentinel",
    "idp",
    "asyncMessagingEnt",
    "swift",
    "agentVep",
    "accountConfigReadWrite",
    "msgHist",
]


@pytest.mark.parametrize("suffix", [".json?version=1.0", "?version=1.0", ""])
@pytest.mark.parametrize("service", SERVICES)
def test_one_service(api, service, suffix):
    """The host of a service is returned, with and without .json in the path."""
    answer = api.get(f"/api/account/{ACCOUNT}/service/{service}/baseURI{suffix}")
    assert answer.status_code == 200
    assert answer.json == {"service": service, "account": ACCOUNT, "baseURI": "127.0.0.1:8080"}


@pytest.mark.parametrize("suffix", [".json?version=1.0", "?version=1.0", ""])
def test_all_services(api, suffix):
    """The hosts of all services are returned, each service once."""
    answer = api.get(f"/api/account/{ACCOUNT}/service/baseURI{suffix}")
    assert answer.status_code == 200
    assert answer.json == {
        "baseURIs": [
            {"service": service, "account": ACCOUNT, "baseURI": "127.0.0.1:8080"}
            for service in SERVICES
        ]
    }


@pytest.mark.parametrize("service", ["Sentinel", "acCdnDomain", "%00"])
def test_a_service_that_is_not_there(api, service):
    """Names are case-sensitive; an unknown one is 404, in the protocol's shape."""
    answer = api.get(f"/api/account/{ACCOUNT}/service/{service}/baseURI.json")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == {"code": "NOT_FOUND", "body": {"msg": "There is no such service."}}


@pytest.mark.parametrize("account", [OTHER_ACCOUNT[:-1], OTHER_ACCOUNT.upper(), "%00"])
def test_an_account_that_is_not_there(api, account):
    """404 in the protocol's shape, for one service and for all."""
    for path in ("service/idp/baseURI.json", "service/baseURI"):
        answer = api.get(f"/api/account/{account}/{path}")
        assert answer.status_code == 404
        assert answer.json == {"code": "NOT_FOUND", "body": {"msg": "There is no such account."}}


def test_where_the_configuration_says(start, tmp_path):
    """Host and port of another listener, such as that for TLS: only the look-up is redirected."""
    api = api_of(start(tmp_path, CONNECTOR_BASE_URI="api.example:8443"))
    answer = api.get(f"/api/account/{ACCOUNT}/service/baseURI")
    assert {entry["baseURI"] for entry in answer.json["baseURIs"]} == {"api.example:8443"}


def test_a_wrong_method(api):
    """RFC 9110 section 15.5.6: 405 with the methods in Allow, in the protocol's shape."""
    answer = api.post(f"/api/account/{ACCOUNT}/service/baseURI", {}, {})
    assert (answer.status_code, answer.json["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}

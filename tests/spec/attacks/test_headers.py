"""What stands around a token, and where else one may stand.

RFC 6750 section 2; RFC 9110 sections 5 and 11; PEP 3333. What real bytes on a real
connection become is in ``test_wire.py``.
"""

import json
from typing import Any

import pytest

from flask_connector_auth.testing.broken import Kind
from tests.support.attack_harness import Attack, against_both, assert_refused, untouched, withstand
from tests.support.attack_stage import HEADERS, KINDS, good_token, stages
from tests.support.floor_helpers import cases
from tests.support.http_helpers import INVALID, MISSING

SPELLED = {
    "scheme alone": "Bearer",
    "scheme and spaces": "Bearer   ",
    "scheme twice": "Bearer Bearer {0}",
    "scheme and tab": "Bearer\t{0}",
    "no space": "Bearer{0}",
    "colon": "Bearer: {0}",
    "equals": "Bearer={0}",
    "parameter": 'Bearer token="{0}"',
    "no-break space": "Bearer\xa0{0}",
    "next line": "Bearer\x85{0}",
    "vertical tab": "Bearer\x0b{0}",
    "another scheme": "Basic {0}",
    "Token": "Token {0}",
    "JWT": "JWT {0}",
    "DPoP": "DPoP {0}",
    "scheme that starts like it": "Bearers {0}",
    "letters that fold to it": "\u0181earer {0}".encode().decode("latin-1"),
    "something behind": "Bearer {0} x",
    "something before": "Bearer x {0}",
    "semicolon": "{0}; q=1",
    "comment": "(x) {0}",
    "quotes": '"{0}"',
    "encoded word": "=?utf-8?q?{0}?=",
    "comma before": ", {0}",
    "comma behind": "{0},",
    "comma alone": ",",
    "twice": "{0},{0}",
    "twice with a space": "{0}, {0}",
    "twice with schemes": "Bearer {0}, Bearer {0}",
    "junk, then it": "junk, Bearer {0}",
    "it, then junk": "Bearer {0}, Basic eDp5",
    "twice without a comma": "{0} {0}",
    "line end inside": "Bearer \r\n {0}",
    "JSON": '{{"token":"{0}"}}',
}


@against_both(
    {name: lambda good, form=form: form.format(good.having()) for name, form in SPELLED.items()}
)
def test_a_header_holds_one_token_and_nothing_else(attack: Attack, kind: Kind) -> None:
    """RFC 9110 sections 5.3 and 11.4: another scheme, two values, a list, or something around."""
    withstand(attack, kind)


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER   "])
def test_the_consumer_header_has_no_scheme(scheme: str) -> None:
    """RFC 6750 section 2.1: ``Bearer`` is read in ``Authorization`` alone, in any case."""
    for stage in stages():
        tokens = stage.environ()
        for kind in KINDS:
            environ = {**tokens, HEADERS[kind]: scheme + tokens[HEADERS[kind]]}
            if kind == "app_jwt":
                assert stage.send(environ).status_code == 200
                continue
            with untouched(stage):
                assert_refused(stage, 40103, environ)


BLANK = {"empty": "", "spaces": "   ", "tabs": "\t\t", "both": " \t ", "absent": None}


@cases("blank", BLANK)
@pytest.mark.parametrize("kind", KINDS)
def test_a_blank_header_is_missing(kind: Kind, blank: str | None) -> None:
    """Rows 40104 and 40105: and where a token is optional, it counts as not sent."""
    for stage in stages():
        environ = stage.environ()
        del environ[HEADERS[kind]]
        if blank is not None:
            environ[HEADERS[kind]] = blank
        with untouched(stage):
            if stage.mode == "debug":
                assert stage.send(environ).status_code == 200
            else:
                assert_refused(stage, MISSING[kind], environ)


ELSEWHERE: dict[str, dict[str, Any]] = {
    "query": {"query_string": {"access_token": "{0}", "token": "{0}", "Authorization": "{0}"}},
    "form": {
        "method": "GET",
        "data": {"access_token": "{0}"},
        "content_type": "application/x-www-form-urlencoded",
    },
    "JSON": {"json": {"access_token": "{0}"}},
    "cookie": {"headers": {"Cookie": "access_token={0}; Authorization={0}; X-LP-ON-BEHALF={0}"}},
    "other headers": {
        "headers": {
            "Proxy-Authorization": "Bearer {0}",
            "X-Authorization": "Bearer {0}",
            "X-Forwarded-Authorization": "Bearer {0}",
            "X-Original-Authorization": "{0}",
            "Authentication": "{0}",
            "LP-On-Behalf": "{0}",
            "X-LP-ON-BEHALF-OF": "{0}",
            "ON-BEHALF": "{0}",
            "Sec-WebSocket-Protocol": "{0}",
        }
    },
}


@cases("place", ELSEWHERE)
@pytest.mark.parametrize("kind", KINDS)
def test_a_token_elsewhere_is_no_token(kind: Kind, place: dict[str, Any]) -> None:
    """RFC 6750 section 2: query, body, cookie and other headers are never read."""
    request = json.loads(json.dumps(place).replace("{0}", good_token(kind, "RS256")))
    for stage in stages():
        environ = stage.environ()
        del environ[HEADERS[kind]]
        if stage.mode != "debug":
            with untouched(stage):
                assert_refused(stage, MISSING[kind], environ, **request)


def test_the_tokens_change_places() -> None:
    """Row 40102, RFC 8725 section 3.12: each is good, in the other's header."""
    for stage in stages():
        app_jwt, consumer_jws = (good_token(kind, "RS256") for kind in KINDS)
        swapped = {HEADERS["app_jwt"]: consumer_jws, HEADERS["consumer_jws"]: app_jwt}
        with untouched(stage):
            assert_refused(stage, INVALID["app_jwt"], swapped)


@pytest.mark.parametrize("kind", KINDS)
def test_one_text_stands_in_both_headers(kind: Kind) -> None:
    """Rows 40102 and 40103, RFC 8725 section 3.12: it is the token of one of them at most."""
    for stage in stages():
        both = dict.fromkeys(HEADERS.values(), good_token(kind, "RS256"))
        with untouched(stage):
            assert_refused(stage, 40103 if kind == "app_jwt" else 40102, both)


@pytest.mark.parametrize("junk", ["junk", "a.b.c", "\xff", ","])
def test_the_app_jwt_is_told_first(junk: str) -> None:
    """Row 40102: with both tokens bad, the answer does not say that the second one is."""
    for stage in stages():
        with untouched(stage):
            assert_refused(stage, 40102, dict.fromkeys(HEADERS.values(), junk))

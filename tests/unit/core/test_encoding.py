"""Strict base64url and strict JSON: what is read, and that nothing else is."""

import functools
import json
import traceback
from base64 import urlsafe_b64encode
from string import ascii_letters, digits
from typing import Any

import pytest
from hypothesis import given, strategies as st

from flask_connector_auth.core import Malformed, decode_base64url, load_json_object
from tests.support.floor_helpers import HEADER, broken_json, cases, untimed

ALPHABET = (ascii_letters + digits + "-_").encode()
SECRET = "do-not-tell-this"


def is_read(segment: bytes) -> bool:
    """Whether *segment* is taken for base64url."""
    try:
        decode_base64url(segment)
    except Malformed:
        return False
    return True


@pytest.mark.parametrize(
    ("segment", "content"),
    [
        (b"", b""),
        (b"Zg", b"f"),
        (b"Zm8", b"fo"),
        (b"Zm9v", b"foo"),
        (b"Zm9vYg", b"foob"),
        (b"-_-_", b"\xfb\xff\xbf"),
        (b"AA", b"\0"),
        (b"__8", b"\xff\xff"),
    ],
)
def test_base64url_is_read(segment: bytes, content: bytes) -> None:
    """RFC 4648 section 10, without padding and in the alphabet of section 5."""
    assert decode_base64url(segment) == content


@cases(
    "bad",
    {
        "padding": b"Zg==",
        "padding of three": b"Zm8=",
        "padding alone": b"====",
        "space before": b" Zm9v",
        "newline after": b"Zm9v\n",
        "tab inside": b"Zm\t9v",
        "line break inside": b"Zm9v\r\nYg",
        "standard alphabet +": b"+_-_",
        "standard alphabet /": b"-/-_",
        "dot": b"Zm.v",
        "NUL": b"Zm\x009",
        "Latin-1 letter": "Zmév".encode("latin-1"),
        "fullwidth digit": "Zm\uff19".encode(),
        # As many as leave a length that is possible: a lenient decoder passes over them.
        "four spaces after": b"Zm9v    ",
        "four line breaks inside": b"Zm\n\n\n\n9v",
        "four dots": b"....",
        "four Latin-1 letters before": b"\xe9\xe9\xe9\xe9Zm9v",
        "one character": b"Z",
        "five characters": b"Zm9vY",
    },
)
def test_what_is_not_base64url_is_refused(bad: Any) -> None:
    """RFC 7515 section 2: no padding, no white space, no foreign character, no odd length."""
    assert is_read(b"Zm9v")
    assert not is_read(bad)


@pytest.mark.parametrize(("stem", "spellings"), [(b"Z", 4), (b"Zm9vY", 4), (b"Zm", 16), (b"", 0)])
def test_spare_bits_must_be_zero(stem: bytes, spellings: int) -> None:
    """RFC 4648 section 3.5: of all last characters, only those without spare bits are read."""
    read = [sign for sign in ALPHABET if is_read(stem + bytes([sign]))]
    assert len(read) == spellings


@untimed
@given(st.binary())
def test_canonical_base64url_decodes_as_the_standard_library_encodes_it(content: bytes) -> None:
    """RFC 7515 appendix C: what is encoded without padding is read back."""
    assert decode_base64url(urlsafe_b64encode(content).rstrip(b"=")) == content


@untimed
@given(st.binary() | st.lists(st.sampled_from(ALPHABET + b"=+/ \n")).map(bytes))
def test_a_segment_that_is_read_is_the_only_spelling_of_its_content(segment: bytes) -> None:
    """RFC 4648 section 3.5: one content, one text; else a digest of the text names no token."""
    if is_read(segment):
        assert urlsafe_b64encode(decode_base64url(segment)).rstrip(b"=") == segment


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"{}", {}),
        (b' \t\r\n{"a" : 1}\n', {"a": 1}),
        ('{"é":"日本"}'.encode(), {"é": "日本"}),
        (b'{"a":"\\ud83d\\ude00"}', {"a": "\U0001f600"}),
        (b'{"a":{"b":1},"c":{"b":1}}', {"a": {"b": 1}, "c": {"b": 1}}),
        (b'{"a":"' + b"[" * 99 + b'"}', {"a": "[" * 99}),
        (b'{"a":[' + b"[]," * 98 + b"[]]}", {"a": [[]] * 99}),
        (
            b'{"a":' + b"[" * 31 + b"]" * 31 + b"}",
            {"a": functools.reduce(lambda inner, _: [inner], range(30), [])},
        ),
        (b'{"a":-1.5e3,"b":true,"c":null,"d":[]}', {"a": -1500, "b": True, "c": None, "d": []}),
    ],
)
def test_a_json_object_is_read(text: Any, value: Any) -> None:
    """RFC 8259: white space, any letter, whole surrogate pairs, a name at two depths, 32 levels."""
    assert load_json_object(text) == value


@cases("bad", broken_json(HEADER) | broken_json(b'{"n":1}'))
def test_what_two_parsers_could_read_differently_is_refused(bad: Any) -> None:
    """RFC 8725 sections 3.7 and 2.4: one object, strict UTF-8, nothing twice, no NaN."""
    assert load_json_object(HEADER)["alg"] == "RS256"
    with pytest.raises(Malformed):
        load_json_object(bad)


@pytest.mark.parametrize("value", ["true", "1", "null", '"a"', "[]", "{}"])
@pytest.mark.parametrize("rest", ["{" * 40, "[" * 40, '{"a":' * 40, '\\u0000"' + "{" * 40])
def test_a_value_before_many_brackets_is_no_object(value: str, rest: str) -> None:
    """RFC 8725 section 2.4: a value of any type, and what could be deeply nested after it."""
    with pytest.raises(Malformed):
        load_json_object(f"{value}{rest}".encode())


@cases("bad", broken_json(json.dumps({"secret": SECRET}).encode()))
def test_the_error_never_holds_the_input(bad: Any) -> None:
    """Parsers quote their input, so the error shows neither their text nor their exception."""
    with pytest.raises(Malformed) as caught:
        load_json_object(bad)
    assert caught.value.__cause__ is None
    assert SECRET not in "".join(traceback.format_exception(caught.value))


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # Without half surrogate pairs, which are no characters.
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=10,
)


@untimed
@given(st.dictionaries(st.text(st.characters(codec="utf-8")), json_values), st.booleans())
def test_every_json_object_is_read_as_it_was_written(value: Any, escaped: bool) -> None:
    """RFC 8259 section 8: with escapes or without, an object survives the round trip."""
    assert load_json_object(json.dumps(value, ensure_ascii=escaped).encode()) == value


@untimed
@given(st.binary() | st.text().map(lambda text: text.encode(errors="surrogatepass")))
def test_any_bytes_are_an_object_or_malformed(text: Any) -> None:
    """Any input results in an object or in ``Malformed``, never in another exception."""
    try:
        value = load_json_object(text)
    except Malformed:
        return
    assert type(value) is dict


@untimed
@given(st.lists(st.sampled_from(['"a"', "{", "}", "[", "]", ":", ",", "1", "NaN", "\\ud800", " "])))
def test_any_tokens_of_json_are_an_object_or_malformed(tokens: list[str]) -> None:
    """RFC 8259 section 2: text that is almost JSON is JSON or is refused."""
    try:
        value = load_json_object("".join(tokens).encode())
    except Malformed:
        return
    assert json.loads(json.dumps(value)) == value


NAMES = st.sampled_from(["a", "b", ":", "a:b", "\\u0061", "{", "[]", ""])
MEMBERS = st.lists(
    st.tuples(NAMES, st.sampled_from(["1", '":"', '"\\u003a"', "[]", "{}", '{"a":1}', '[{"b":1}]']))
)


@untimed
@given(MEMBERS, st.sampled_from(["{}", '{{"z":{}}}', '{{"z":[{}]}}']))
def test_a_name_stands_once_whatever_else_stands_there(
    members: list[tuple[str, str]], around: str
) -> None:
    """RFC 8725 section 2.4: a duplicate is found beside any strings, and at any depth."""
    text = around.format("{" + ",".join(f'"{name}":{value}' for name, value in members) + "}")
    names = [json.loads(f'"{name}"') for name, _ in members]
    if len({*names}) == len(names):
        assert load_json_object(text.encode()) == json.loads(text)
    else:
        with pytest.raises(Malformed):
            load_json_object(text.encode())

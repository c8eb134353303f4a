"""What the tests of floors 0 to 2 share: keys made once, issuers at a fixed time, verifiers."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

import hypothesis
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from flask_connector_auth.config import (
    PREFIX,
    ConfigurationError,
    IssuerSettings,
    Settings,
    load_settings,
)
from flask_connector_auth.core import Reason, Rejected
from flask_connector_auth.keys import KeyRules, StaticKeys, VerificationKey, parse_keys
from flask_connector_auth.testing import Issuer
from flask_connector_auth.verification import (
    APP_JWT,
    CONSUMER_JWS,
    Authenticator,
    Examination,
    Stage,
    TokenProfile,
    Verifier,
    VerifierRules,
)

#: The time at which tokens are made and verified, in seconds since the epoch.
NOW = 1_800_000_000
SECRET = "a secret of sixty-four bytes, which is what HS512 asks for at least"

_KEY_CLASSES: dict[str, Callable[[Any, Any], Key]] = {"RS": RSAKey, "PS": RSAKey, "ES": ECKey}
_NATIVE_KEYS: dict[str, Callable[[], Any]] = {
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "RSA-1024": lambda: rsa.generate_private_key(65537, 1024),  # noqa: S505
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": Ed25519PrivateKey.generate,
    "Ed25519": Ed25519PrivateKey.generate,
    "Ed448": Ed448PrivateKey.generate,
}

#: The problem of a text that is no key and no file.
NO_KEY_OR_FILE = (
    "neither a key nor a readable file (No such file or directory). A key is PEM, a certificate, a "
    'JWK, a JWK Set, a text secret as {"secret": "..."}, the path of a file with one of these, or '
    "the URL of a JWK Set"
)


@cache
def native_key(kind: str, owner: str, /) -> Any:
    """Return the private key of an *owner*, made at its first use: RSA keys take their time."""
    return _NATIVE_KEYS[kind]()


def signing_key(algorithm: str = "RS256", owner: str = "ours") -> Key:
    """Return the key with which *owner* signs by *algorithm*; all RSA algorithms share one."""
    if algorithm.startswith("HS"):
        return OctKey.import_key(f"{owner}: {SECRET}")
    native = native_key("RSA" if algorithm[:2] in ("RS", "PS") else algorithm, owner)
    return _KEY_CLASSES.get(algorithm[:2], OKPKey)(native, native)


def issuer_of(algorithm: str = "RS256", owner: str = "ours", **kwargs: Any) -> Issuer:
    """Return an issuer at :data:`NOW`; each *owner* has a key of its own."""
    key = signing_key(algorithm, owner)
    return Issuer(key, algorithm=algorithm, clock=lambda: NOW, **kwargs)


def jwk(algorithm: str = "RS256", owner: str = "ours", **members: Any) -> dict[str, Any]:
    """Return the JWK that verifies what *owner* signs by *algorithm*, without a ``kid``."""
    key = signing_key(algorithm, owner)
    return {**key.as_dict(private=algorithm.startswith("HS")), **members}


def pem(algorithm: str = "RS256", owner: str = "ours") -> str:
    """Return the PEM of the public key that *owner* signs with."""
    return signing_key(algorithm, owner).as_pem(private=False).decode()  # type: ignore[attr-defined]


def der(kind: str = "RSA", owner: str = "ours") -> bytes:
    """Return the DER of a public key."""
    public = native_key(kind, owner).public_key()
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


class TokenType(NamedTuple):
    """One of the two tokens, in the words of a test."""

    profile: TokenProfile[Any]
    mint: Callable[..., str]  #: issuer and claims in; a token out

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return the claims of a good token, with *changes*."""
        return {**json.loads(decoded(self.mint(issuer_of()).split(".")[1])), **changes}

    def payload(self) -> bytes:
        """Return the payload of a good token."""
        return json.dumps(self.claims()).encode()


APP = TokenType(APP_JWT, Issuer.app_jwt)
CONSUMER = TokenType(CONSUMER_JWS, Issuer.consumer_jws)
#: A rule that holds for both tokens.
both_tokens = pytest.mark.parametrize("token", [APP, CONSUMER], ids=["AppJWT", "ConsumerJWS"])
#: A property holds on a busy machine too, so no example has a deadline.
untimed = hypothesis.settings(deadline=None)


def examples(number: int, **settings: Any) -> hypothesis.settings:
    """Return settings for *number* examples, and for more in the profile ``soak``."""
    default = hypothesis.settings()
    return hypothesis.settings(
        deadline=None, max_examples=number * default.max_examples // 100, **settings
    )


HEADER = b'{"kid":"dev-1","typ":"JWT","alg":"RS256"}'


def cases(names: str, rows: Mapping[str, Any]) -> pytest.MarkDecorator:
    """Parametrise by a table, whose keys name its rows."""
    return pytest.mark.parametrize(names, list(rows.values()), ids=list(rows))


def verifier(
    token: TokenType,
    keys: Any = None,
    algorithms: Sequence[str] = ("RS256",),
    **rules: Any,
) -> Verifier[Any]:
    """Return a verifier with the default settings but *rules*, that trusts *keys* or ours."""
    trusted, problems = parse_keys(
        issuer_of().key_set() if keys is None else keys, KeyRules(algorithms)
    )
    assert problems == []
    defaults = {
        "issuer": "Sentinel",
        "leeway": 30,
        "max_lifetime": None,
        "max_token_bytes": 16384,
        "max_header_bytes": 2048,
    }
    decided = VerifierRules(algorithms=algorithms, **{**defaults, **rules})
    return Verifier(token.profile, decided, StaticKeys(trusted))


def authenticate(judge: Verifier[Any] | Authenticator[Any], header: str, now: float = NOW) -> Any:
    """Return the token in *header*, or ``None`` if it is blank.

    :raises Rejected: if it is refused.
    """
    authenticator = Authenticator([judge]) if isinstance(judge, Verifier) else judge
    entry = authenticator.authenticate(header, now)
    return entry and entry.token


def refusal(judge: Verifier[Any], text: str, now: float = NOW) -> Reason | None:
    """Return why *judge* refuses *text* at *now*, or ``None`` if it accepts it.

    Where the JOSE header was seen before, the outcome is the same.
    """
    found = outcome(judge, text, now)
    if isinstance(judge.keys, StaticKeys):
        assert outcome(with_known_header(judge, text), text, now) == found
    return found.get("reason")


def outcome(judge: Verifier[Any], text: str, now: float = NOW) -> dict[str, Any]:
    """Return all that *judge* says of *text*: the entry for the cache, or the refusal."""
    try:
        entry = judge.verify(text, now)
    except Rejected as rejected:
        details = {"details": rejected.reason_details, "claims": rejected.loggable_claims}
        return {"reason": rejected.reason, **details}
    names = ("token", "kid", "algorithm", "key", "not_before", "expires")
    return {name: getattr(entry, name) for name in names}


def with_known_header(judge: Verifier[Any], text: str) -> Verifier[Any]:
    """Return a verifier like *judge* that has seen the JOSE header of *text*, if that is good."""
    warm = Verifier(judge.profile, judge.rules, judge.keys, judge.checks)
    # Payload and signature do not matter: other tokens have this header too.
    header = text.partition(".")[0]
    examined = Examination(judge.profile, judge.rules, judge.keys, f"{header}..", NOW)
    with suppress(Rejected):
        for run in judge.runs(Stage.FORM, Stage.PARAMETERS):
            run(examined)
        warm.accepted_headers[examined.header] = examined.algorithm, examined.kid
    return warm


def why_refused(token: TokenType, text: str, now: float = NOW, **kwargs: Any) -> Reason | None:
    """Return why a :func:`verifier` made of the keywords refuses *text*, or ``None``."""
    return refusal(verifier(token, **kwargs), text, now)


def load(**settings: Any) -> Settings:
    """Return the settings made of the keywords, with our key unless others are given."""
    given = {"APP_JWT_KEYS": pem(), **settings}
    return load_settings({PREFIX + name: value for name, value in given.items()})


def only_issuer(settings: Settings) -> IssuerSettings:
    """Return the settings of the one issuer."""
    [issuer] = settings.issuers.values()
    return issuer


def load_issuer(**settings: Any) -> IssuerSettings:
    """Return the settings of the one issuer of what :func:`load` returns."""
    return only_issuer(load(**settings))


def problems(**settings: Any) -> dict[str, list[str]]:
    """Return what is wrong, by setting; no sentence quotes :data:`SECRET`."""
    with pytest.raises(ConfigurationError) as caught:
        load(**settings)
    assert SECRET not in str(caught.value)
    return {key.removeprefix(PREFIX): told for key, told in caught.value.problems.items()}


def parsed_keys(value: Any, rules: KeyRules, *more: Any) -> tuple[list[VerificationKey], list[str]]:
    """Return the keys in a configured *value*, and the sentences about its problems."""
    keys, found = parse_keys(value, rules, *more)
    return keys, [str(problem) for problem in found]


def encoded(content: bytes) -> str:
    """Return *content* as a segment."""
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def number(value: int) -> str:
    """Return *value* as a member of a JWK (RFC 7518 section 2)."""
    return encoded(value.to_bytes((value.bit_length() + 7) // 8 or 1))


def decoded(segment: str) -> bytes:
    """Return what a good *segment* encodes."""
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and payload of *token*."""
    header, payload, _ = token.split(".")
    return json.loads(decoded(header)), json.loads(decoded(payload))


def broken_json(good: bytes) -> dict[str, bytes]:
    """Return bytes that are no strict JSON object, by name, each one step away from *good*."""

    def plus(member: bytes) -> bytes:
        return good[:-1] + b"," + member + b"}"

    text = good.decode()
    name, value = next(iter(json.loads(good).items()))
    again = json.dumps(value).encode()
    return {
        "duplicate member": plus(b'"%b":%b' % (name.encode(), again)),
        "duplicate by escape": plus(b'"\\u%04x%b":%b' % (ord(name[0]), name[1:].encode(), again)),
        "duplicate deep inside": plus(b'"x":[{"y":{"a":1,"b":2,"a":1}}]'),
        "NaN": plus(b'"x":NaN'),
        "Infinity": plus(b'"x":Infinity'),
        "-Infinity deep inside": plus(b'"x":[{"y":-Infinity}]'),
        "float beyond a double": plus(b'"x":1e400'),
        "negative float beyond a double": plus(b'"x":[-1e400]'),
        "UTF-16 with BOM": text.encode("utf-16"),
        "UTF-16-LE": text.encode("utf-16-le"),
        "UTF-16-BE": text.encode("utf-16-be"),
        "UTF-32": text.encode("utf-32"),
        "UTF-8 with BOM": text.encode("utf-8-sig"),
        "Latin-1": plus('"x":"é"'.encode("latin-1")),
        "overlong UTF-8": plus(b'"x":"\xc0\xaf"'),
        "encoded surrogate": plus(b'"x":"\xed\xa0\x80"'),
        "escaped surrogate": plus(b'"x":"\\ud800"'),
        "escaped surrogate in a name": plus(b'"\\udfff":1'),
        "33 levels of lists": plus(b'"x":' + b"[" * 32 + b"]" * 32),
        "33 levels of objects": plus(b'"x":' + b'{"a":' * 32 + b"1" + b"}" * 32),
        "levels beyond the stack": plus(b'"x":' + b"[" * 100_000 + b"]" * 100_000),
        "integer of 5000 digits": plus(b'"x":' + b"9" * 5000),
        "control character": plus(b'"x":"\n"'),
        "trailing comma": good[:-1] + b",}",
        "trailing text": good + b"x",
        "two objects": good + good,
        "comment": good + b"/**/",
        "no-break space": good + b"\xc2\xa0",
        "string that holds the object": json.dumps(text).encode(),
        "list that holds the object": b"[" + good + b"]",
        "number": b"1",
        "null": b"null",
        "nothing": b"",
    }

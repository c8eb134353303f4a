"""An algorithm in; a new private key out; or the text of a private key in, and the key out."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

from ..core import load_json_object
from ..keys import ALGORITHMS, MAX_KID
from .app import CannotRun, only_in_development
from .terminal import create, json_option, show

#: The algorithms that have a private key.
ASYMMETRIC = tuple(name for name in ALGORITHMS if not name.startswith("HS"))
_CURVES = {
    **{"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"},
    **{"EdDSA": "Ed25519", "Ed25519": "Ed25519", "Ed448": "Ed448"},
}
# What a key signs by unless it says otherwise: by its curve, or else by its type.
_USUAL = {
    **{curve: name for name, curve in reversed(_CURVES.items())},
    **{"RSA": "RS256", "oct": "HS256"},
}
# What a JWK says of its use, in place of which an option may say something else.
_NAMED = frozenset({"kid", "alg", "use", "key_ops"})
_KEY_CLASSES: tuple[tuple[type, Callable[[Any, Any], Key]], ...] = (
    (RSAPrivateKey, RSAKey),
    (EllipticCurvePrivateKey, ECKey),
    (Ed25519PrivateKey, OKPKey),
    (Ed448PrivateKey, OKPKey),
)


class SigningKey(NamedTuple):
    """A private key, and what it is used as."""

    key: Key
    kid: str | None  #: as its JWK names it
    algorithm: str


def generate(algorithm: str, bits: int) -> Key:
    """Return a new private key for *algorithm*.

    :param bits: of an RSA key.
    """
    curve: Any = _CURVES.get(algorithm)
    if curve is None:
        return RSAKey.generate_key(bits)
    return (ECKey if curve.startswith("P-") else OKPKey).generate_key(curve)


def read(text: bytes) -> SigningKey:
    """Return the private key in *text*: a JWK, a secret one too, or PEM.

    :raises CannotRun: if there is none; what it says has nothing of *text*.
    """
    try:
        jwk: dict[str, Any] = {}
        if text.lstrip().startswith(b"{"):
            jwk = load_json_object(text)
            material = {name: one for name, one in jwk.items() if name not in _NAMED}
            key: Key = JWKRegistry.import_key(material)
        else:
            key = _wrap(load_pem_private_key(text, None))
        usual = _USUAL[getattr(key, "curve_name", key.key_type)]
        if key.is_private:
            return SigningKey(key, jwk.get("kid"), jwk.get("alg", usual))
    except Exception:
        # Whatever it is: its text, or that of its cause, may quote the key.
        key = None  # type: ignore[assignment]
    raise CannotRun("The file has no private key: a JWK, or PEM without a password.")


def _wrap(native: Any) -> Key:
    [key_class] = [each for kind, each in _KEY_CLASSES if isinstance(native, kind)]
    return key_class(native, native)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--algorithm",
    type=click.Choice(ASYMMETRIC),
    metavar="NAME",
    default="RS256",
    show_default=True,
    help=f"What the key signs by: {', '.join(ASYMMETRIC)}.",
)
@click.option(
    "--bits",
    type=click.IntRange(2048, 8192),
    default=2048,
    show_default=True,
    help="Size of an RSA key.",
)
@click.option(
    "--format", "form", type=click.Choice(["jwk", "pem"]), default="jwk", show_default=True
)
@click.option("--kid", default="dev-1", show_default=True, help="Its id; PEM has none.")
@click.option("--force", is_flag=True, help="Even if the app is neither in debug nor in testing.")
@json_option
@click.pass_context
def keygen(
    ctx: click.Context,
    file: Path,
    algorithm: str,
    bits: int,
    form: str,
    kid: str,
    force: bool,
    as_json: bool,
) -> None:
    """Make a key for development: FILE, and FILE.pub for the app.

    Only the owner can read the files; an existing one is never overwritten.

    \b
    Example:
      flask --debug connector-auth keygen dev.jwk
      export FLASK_CONNECTOR_AUTH_APP_JWT_KEYS=dev.jwk.pub
    """
    only_in_development(ctx, force=force)
    if not 0 < len(kid) <= MAX_KID:
        raise click.BadParameter(f"1 to {MAX_KID} characters.", ctx, param_hint="--kid")
    key = generate(algorithm, bits)
    public = file.with_name(f"{file.name}.pub")
    texts = _pem(key) if form == "pem" else _jwk(key, {"kid": kid, "use": "sig", "alg": algorithm})
    create(dict(zip((file, public), texts, strict=True)))
    found = {
        "private": str(file),
        "public": str(public),
        "algorithm": algorithm,
        "kid": None if form == "pem" else kid,
    }
    show(found, as_json, _lines)


def _jwk(key: Key, named: dict[str, Any]) -> tuple[str, str]:
    private, public = (key.as_dict(private=each, **named) for each in (True, False))
    return json.dumps(private, indent=2) + "\n", json.dumps({"keys": [public]}, indent=2) + "\n"


def _pem(key: Any) -> tuple[str, str]:
    return key.as_pem(private=True).decode(), key.as_pem(private=False).decode()


def _lines(found: Mapping[str, Any]) -> Iterable[str]:
    yield f"private: {found['private']}, for connector-auth mint"
    yield f"public:  {found['public']}, for CONNECTOR_AUTH_APP_JWT_KEYS"
    if found["algorithm"] != "RS256":
        yield f'The app must allow it: CONNECTOR_AUTH_APP_JWT_ALGORITHMS = ["{found["algorithm"]}"]'

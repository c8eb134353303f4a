"""Private keys for development: the ``keygen`` command makes one, ``mint`` reads one."""

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
from joserfc.jws import JWSRegistry

from ..core import load_json_object
from ..keys import ALGORITHMS, MAX_KID
from .common import CannotRun, create_files, json_option, only_in_development, show

#: The algorithms that have a private key.
ASYMMETRIC = tuple(name for name in ALGORITHMS if not name.startswith("HS"))
# The algorithm of a key that names none, by its curve, or else by its type.
_DEFAULT_ALGORITHM = {
    **{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"},
    **{"Ed25519": "EdDSA", "Ed448": "Ed448", "RSA": "RS256", "oct": "HS256"},
}
# Members of a JWK that options override: they are not part of the key material.
_METADATA = frozenset({"kid", "alg", "use", "key_ops"})
_KEY_CLASSES: tuple[tuple[type, Callable[[Any, Any], Key]], ...] = (
    (RSAPrivateKey, RSAKey),
    (EllipticCurvePrivateKey, ECKey),
    (Ed25519PrivateKey, OKPKey),
    (Ed448PrivateKey, OKPKey),
)


class SigningKey(NamedTuple):
    """A private key with its id and its algorithm."""

    key: Key
    kid: str | None  #: as its JWK names it
    algorithm: str


def read_private_key(text: bytes) -> SigningKey:
    """Return the private key in *text*: a JWK, a secret one too, or PEM.

    :raises CannotRun: if there is none; its message quotes nothing of *text*.
    """
    try:
        jwk: dict[str, Any] = {}
        if text.lstrip().startswith(b"{"):
            jwk = load_json_object(text)
            material = {name: value for name, value in jwk.items() if name not in _METADATA}
            key: Key = JWKRegistry.import_key(material)
        else:
            native: Any = load_pem_private_key(text, None)
            [key_class] = [each for kind, each in _KEY_CLASSES if isinstance(native, kind)]
            key = key_class(native, native)
        default = _DEFAULT_ALGORITHM[getattr(key, "curve_name", key.key_type)]
        if key.is_private:
            return SigningKey(key, jwk.get("kid"), jwk.get("alg", default))
    except Exception:
        # Every error: its text, or that of its cause, may quote the key.
        key = None  # type: ignore[assignment]
    raise CannotRun("The file has no private key: a JWK, or PEM without a password.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--algorithm",
    type=click.Choice(ASYMMETRIC),
    metavar="NAME",
    default="RS256",
    show_default=True,
    help=f"The signature algorithm: {', '.join(ASYMMETRIC)}.",
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
@click.option("--kid", default="dev-1", show_default=True, help="The key id. PEM has none.")
@click.option("--force", is_flag=True, help="Run without debug or testing mode too.")
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
    """Make a key for development.

    The private key is written to FILE, and the public key, which the app needs, to FILE.pub. Only
    the owner can read the files. An existing file is never overwritten.

    \b
    Example:
      flask --debug connector-auth keygen dev.jwk
      export FLASK_CONNECTOR_AUTH_APP_JWT_KEYS=dev.jwk.pub
    """
    only_in_development(ctx, force=force)
    if not 0 < len(kid) <= MAX_KID:
        raise click.BadParameter(f"1 to {MAX_KID} characters.", ctx, param_hint="--kid")
    model = JWSRegistry.algorithms[algorithm]
    size = bits if model.key_type == "RSA" else getattr(model, "curve", "Ed25519")
    key: Any = JWKRegistry.generate_key(model.key_type, size)
    public = file.with_name(f"{file.name}.pub")
    if form == "pem":
        texts = [key.as_pem(private=private).decode() for private in (True, False)]
    else:
        members = {"kid": kid, "use": "sig", "alg": algorithm}
        jwk = key.as_dict(private=True, **members)
        key_set = {"keys": [key.as_dict(private=False, **members)]}
        texts = [json.dumps(each, indent=2) + "\n" for each in (jwk, key_set)]
    create_files(dict(zip((file, public), texts, strict=True)))
    report = {
        "private": str(file),
        "public": str(public),
        "algorithm": algorithm,
        "kid": None if form == "pem" else kid,
    }
    show(report, as_json, _lines)


def _lines(report: Mapping[str, Any]) -> Iterable[str]:
    yield f"private: {report['private']}, for connector-auth mint"
    yield f"public:  {report['public']}, for CONNECTOR_AUTH_APP_JWT_KEYS"
    if report["algorithm"] != "RS256":
        allowed = f'["{report["algorithm"]}"]'
        yield f"The app must allow it: CONNECTOR_AUTH_APP_JWT_ALGORITHMS = {allowed}"

"""``keygen`` in; a private key for development, and its public half for the app, out."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click
from joserfc.jwk import Key

from ..keys.source import MAX_KID
from .files import create
from .loading import only_in_development
from .output import json_option, show
from .private_keys import ASYMMETRIC, generate


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

"""``mint`` in; a token for development, signed with a private key of one's own, out."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click
from joserfc.jws import JWSRegistry

from ..keys import ALGORITHMS
from ..testing import Issuer
from ..web import Runtime
from .app import CannotRun, load_state, only_in_development
from .keygen import SigningKey, read
from .terminal import create, json_option, show


@click.command()
@click.option(
    "--key",
    "key_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The private key: a JWK or PEM, as keygen makes it.",
)
@click.option(
    "--app-jwt/--consumer-jws",
    "is_app_jwt",
    default=True,
    show_default=True,
    help="Which of the two tokens.",
)
@click.option("--account", metavar="ID", help="The account it is for.")
@click.option(
    "--claim",
    "claims",
    metavar="NAME=VALUE",
    multiple=True,
    help="A claim in place of or beside the usual ones; JSON, or else text. May be given again.",
)
@click.option(
    "--lifetime",
    type=click.IntRange(1),
    default=3600,
    show_default=True,
    help="Seconds from iat to exp of an AppJWT.",
)
@click.option("--kid", help="In place of the key's own.")
@click.option(
    "--algorithm",
    type=click.Choice(ALGORITHMS),
    metavar="NAME",
    help=f"In place of the key's own: {', '.join(ALGORITHMS)}.",
)
@click.option(
    "--output", type=click.Path(path_type=Path), help="A new file in place of the screen."
)
@click.option("--force", is_flag=True, help="Even if the app is neither in debug nor in testing.")
@json_option
@click.pass_context
def mint(ctx: click.Context, /, force: bool, as_json: bool, **options: Any) -> None:
    """Sign a token for development.

    It says what one of the real issuer would say, for an hour from now. A file that it is written
    to can be read by its owner only, and is never overwritten.

    \b
    Example:
      flask --app shop --debug connector-auth mint --key dev.jwk --claim scope=msg.consumer
    """
    only_in_development(ctx, force=force)
    text = _mint(load_state(ctx), read(options["key_file"].read_bytes()), **options)
    found: dict[str, Any] = {"token": "app_jwt" if options["is_app_jwt"] else "consumer_jws"}
    if options["output"] is None:
        found["text"] = text
    else:
        create({options["output"]: text + "\n"})
        found["file"] = str(options["output"])
    show(found, as_json, _lines)


def _mint(
    state: Runtime,
    private: SigningKey,
    *,
    is_app_jwt: bool,
    account: str | None,
    claims: Iterable[str],
    lifetime: int,
    kid: str | None,
    algorithm: str | None,
    **_others: Any,
) -> str:
    algorithm = algorithm or private.algorithm
    _check(private, algorithm)
    issuer = Issuer(
        private.key,
        kid=kid or private.kid or "dev-1",
        algorithm=algorithm,
        name=state.settings.issuer,
        lifetime=lifetime,
        clock=state.clock,
    )
    given = dict(map(_claim, claims))
    if account is not None:
        given = {"aud" if is_app_jwt else "account_id": account, **given}
    return issuer.app_jwt(**given) if is_app_jwt else issuer.consumer_jws(**given)


def _check(private: SigningKey, algorithm: str) -> None:
    try:
        if algorithm in ALGORITHMS:
            JWSRegistry.algorithms[algorithm].check_key(private.key)
            return
    except Exception as error:
        raise CannotRun(f"The key cannot sign by {algorithm} ({type(error).__name__}).") from None
    raise CannotRun("The key is for something else than signatures.")


def _claim(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.BadParameter("not NAME=VALUE", param_hint="--claim")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value


def _lines(found: Mapping[str, Any]) -> Iterable[str]:
    yield found["text"] if "text" in found else f"written to {found['file']}"

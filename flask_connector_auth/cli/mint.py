"""The ``mint`` command: tokens for development, signed with a private key from a file."""

import json
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import click
from joserfc.jws import JWSRegistry

from ..core import DEFAULT_TYPE
from ..keys import ALGORITHMS, KeySource, leaf_sources, list_keys
from ..testing import Issuer
from .common import (
    CannotRun,
    create_files,
    json_option,
    literal,
    load_runtime,
    only_in_development,
    show,
)
from .keygen import SigningKey, read_private_key


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
    help="The token to make.",
)
@click.option("--account-id", "account", metavar="ID", help="The account that the token is for.")
@click.option(
    "--claim",
    "claims",
    metavar="NAME=VALUE",
    multiple=True,
    help="A claim to add or replace. VALUE is JSON, or else text. Can be given several times.",
)
@click.option(
    "--lifetime",
    type=click.IntRange(1),
    default=3600,
    show_default=True,
    help="Seconds from iat to exp of an AppJWT.",
)
@click.option("--issuer", metavar="ISS", help="The issuer of the token. [default: the first one]")
@click.option("--kid", help="The key id, instead of the one in the key file.")
@click.option(
    "--algorithm",
    type=click.Choice(ALGORITHMS),
    metavar="NAME",
    help=f"The algorithm, instead of the one in the key file: {', '.join(ALGORITHMS)}.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Write the token to this new file.")
@click.option("--force", is_flag=True, help="Run without debug or testing mode too.")
@json_option
@click.pass_context
def mint(
    ctx: click.Context,
    key_file: Path,
    is_app_jwt: bool,
    account: str | None,
    claims: tuple[str, ...],
    lifetime: int,
    issuer: str | None,
    kid: str | None,
    algorithm: str | None,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Sign a token for development.

    The token has the claims that a real issuer writes. An AppJWT is valid for an hour, unless
    --lifetime says otherwise. Only the owner can read the file of --output. An existing file is
    never overwritten.

    \b
    Example:
      flask --app shop --debug connector-auth mint --key dev.jwk --claim scope=msg.consumer
    """
    only_in_development(ctx, force=force)
    runtime = load_runtime(ctx)
    private = read_private_key(key_file.read_bytes())
    algorithm = algorithm or private.algorithm
    _check_algorithm(private, algorithm)
    issuers = runtime.settings.issuers
    settings = issuers.get(next(iter(issuers)) if issuer is None else issuer)
    if settings is None:
        known = ", ".join(map(repr, issuers))
        raise click.BadParameter(f"not one of {known}.", param_hint="--issuer")
    tokens = settings.app_jwt if is_app_jwt else settings.consumer_jws
    if len(issuers) > 1:
        _warn_of_unknown_key(private, settings.name, tokens.keys)
    signer = Issuer(
        private.key,
        kid=kid or private.kid or "dev-1",
        algorithm=algorithm,
        name=settings.name,
        lifetime=lifetime,
        clock=runtime.clock,
        claims=settings.app_jwt.claims,
        consumer_claims=settings.consumer_jws.claims,
        type=_type_of(settings.app_jwt.types),
        consumer_type=_type_of(settings.consumer_jws.types),
    )
    overrides = dict(map(_claim, claims))
    if account is not None:
        overrides = {tokens.claims.ids["account_id"]: account, **overrides}
    try:
        text = signer.app_jwt(**overrides) if is_app_jwt else signer.consumer_jws(**overrides)
    except TypeError as error:
        raise click.BadParameter(f"{error}.", param_hint="--claim") from None
    report = {"token": "app_jwt" if is_app_jwt else "consumer_jws"}
    if output is None:
        report["text"] = text
    else:
        create_files({output: text + "\n"})
        report["file"] = str(output)
    show(report, as_json, _lines)


def _type_of(types: frozenset[str]) -> str:
    return DEFAULT_TYPE.upper() if DEFAULT_TYPE in types else min(types)


def _warn_of_unknown_key(private: SigningKey, issuer: str, source: KeySource) -> None:
    """Warn if all keys of *issuer* are known without a fetch, and the private key is of none."""
    parts = [[key.thumbprint for key, *_ in list_keys(leaf)] for leaf in leaf_sources(source)]
    if all(parts) and private.key.thumbprint() not in chain(*parts):
        click.echo(f"warning: the key is not one of the keys of {literal(issuer)}.", err=True)


def _check_algorithm(private: SigningKey, algorithm: str) -> None:
    try:
        if algorithm in ALGORITHMS:
            JWSRegistry.algorithms[algorithm].check_key(private.key)
            return
    except Exception as error:
        raise CannotRun(f"The key cannot sign by {algorithm} ({type(error).__name__}).") from None
    raise CannotRun("The key is not for signatures.")


def _claim(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.BadParameter("not NAME=VALUE", param_hint="--claim")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value


def _lines(report: Mapping[str, Any]) -> Iterable[str]:
    yield report["text"] if "text" in report else f"written to {report['file']}"

"""Whether a process that starts now can verify, what to do if not, and the ``health`` command."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from time import monotonic, sleep
from typing import Any

import click

from ..core import Unavailable
from ..keys import KeySource, start_daemon
from ..revocation import Revocations, RevocationStoreError
from ..revocation.redis import RedisStore
from ..verification import Verifier
from ..web import Runtime, is_ready
from .common import json_option, literal, load_runtime, mask_url, show

_PAUSE = 0.02
# What is wrong with what does not answer.
_TOO_LATE = "no answer in time"
_NO_EVICTION = "noeviction"
# Steps by a pattern in the cause; the first one that matches counts.
_ANY_SERVER = (
    ("gaierror", "Check the host name, and the name server of this machine."),
    ("ConnectionRefusedError", "Check the port, and that the server runs."),
    (
        "CertVerificationError: .* mismatch",
        "Use a host name that the certificate of the server is for.",
    ),
    (
        "CertVerificationError: certificate has expired",
        "Have the certificate of the server renewed, or set the clock of this machine.",
    ),
)
_ANY_NETWORK = (
    ("SSL", "Check that the server speaks TLS 1.2 or later at this port."),
    ("Timeout|in time|within", "Check that the server runs, and that no firewall blocks the way."),
    ("OSError|Connection", "Check the network of this machine, and that the server runs."),
)
_KEY_SET = (
    # First, because the host that a redirect names follows.
    ("^status 3", "Set the URL that the server redirects to, because no redirect is followed."),
    ("^status 40[13]", "Let the server answer without credentials, because none are sent."),
    ("^status 4(04|10)", "Check the path of the URL."),
    ("^status 5", "Ask the operator of the server, which has a failure of its own."),
    ("^the proxy refuses.* 407", "Check user and password in JWKS_PROXY."),
    ("^the proxy refuses", "Check to which hosts the proxy of JWKS_PROXY may connect."),
    ("^the proxy", "Check host and port of JWKS_PROXY, and that the proxy runs."),
    *_ANY_SERVER,
    ("CertVerificationError", "Name a file with the server's authority in JWKS_CA_FILE."),
    *_ANY_NETWORK,
    ("JWKS_MAX", "Raise this setting if the URL is that of the key set."),
    ("", "Request the URL with curl: the answer must be a JWK Set with a usable public key."),
)
_STORE = (
    *_ANY_SERVER,
    (
        "CertVerificationError",
        "Name a file with the server's authority as ssl_ca_certs in the URL.",
    ),
    ("password", "Check user and password in the URL."),
    ("permission", "Grant the user these keys and the commands that the store sends."),
    ("no memory", "Raise maxmemory of the server."),
    ("is full", "Give each group of workers a server of its own, split by account."),
    ("too old", "Upgrade the server."),
    ("no Redis", "Check host and port, because another kind of server answers."),
    ("MasterNotFound", "Check the name of the service in the URL, and that its master runs."),
    ("Cluster", "Check that this machine can reach the nodes of the Cluster."),
    *_ANY_NETWORK,
    ("", "Look into the log of the server."),
)

#: For commands that look further than this machine: ``timeout``.
timeout_option: Callable[[Any], Any] = click.option(
    "--timeout",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0, 3600, min_open=True),
    help="Seconds to wait for the key sets and the revocation store, all together.",
)


def find_problems(runtime: Runtime, seconds: float) -> tuple[dict[str, dict[str, str]], str | None]:
    """Try the key sources and the revocation store of an app, all at once.

    :param seconds: to wait for all of them together; what has not answered then is left alone.
    :returns: what is wrong with the keys of each issuer, by ``app_jwt`` and ``consumer_jws``; and
        what is wrong with the revocations, or ``None``.
    """
    until = monotonic() + seconds
    # Each source once, by an algorithm of the first token that it serves.
    verifiers = {id(verifier.keys): verifier for verifier in reversed(runtime.verifiers)}
    found: dict[int, str | None] = dict.fromkeys(verifiers, _TOO_LATE)

    def probe(source_id: int, verifier: Verifier[Any]) -> None:
        found[source_id] = _problem_of(verifier.keys, verifier.rules.algorithms[0])

    # In threads, since a custom source may hang.
    threads = [start_daemon(partial(probe, *each)) for each in verifiers.items()]
    # This starts the follower, which reads the store while the keys are waited for.
    runtime.revocations.health()
    for thread in threads:
        thread.join(max(0.0, until - monotonic()))
    of_revocations = wait_for_revocations(runtime.revocations, until - monotonic())
    of_keys = {
        issuer: {
            token: problem
            for token, verifier in tokens.items()
            if (problem := found[id(verifier.keys)]) is not None
        }
        for issuer, tokens in runtime.issuers.items()
    }
    return of_keys, of_revocations


def _problem_of(source: KeySource, algorithm: str) -> str | None:
    """Look for any key in *source*, and return what is wrong, or ``None``."""
    try:
        source.candidates(None, algorithm)
    except Unavailable as unavailable:
        problem: str = source.health().get("last_error") or unavailable.reason.value
        return problem
    except Exception as error:
        # Its class only: the text of another package's error may quote a secret.
        return type(error).__name__
    return None


def wait_for_revocations(revocations: Revocations, seconds: float) -> str | None:
    """Wait until this process has read what is revoked; return what is wrong, or ``None``.

    ``health()`` starts the follower, if it does not run yet. The wait ends after *seconds*.
    """
    until = monotonic() + seconds
    while not (status := revocations.health())["ready"]:
        if status["last_error"] or monotonic() >= until:
            return status["last_error"] or _TOO_LATE
        sleep(_PAUSE)
    return None


def describe_key_sources(health: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with each key set in *health*: its URL, the cause, and the next step."""
    for source in health.get("sources", ()):
        yield from describe_key_sources(source)
    cause = health.get("last_error")
    if "errors" not in health:
        # A key source of the app: its text is its own.
        yield from [str(cause)] if cause else []
    elif errors := health["errors"]:
        yield from (_sentences(url, each, _KEY_SET) for url, each in errors.items())
    elif not health["ready"]:
        # No URL has answered at all.
        yield _sentences(health["source"], cause or _TOO_LATE, _KEY_SET)


def describe_store(url: Any, cause: str) -> str:
    """Return what is wrong with the revocation store: its URL, the cause, and the next step.

    :param url: as configured; ``None`` for a store of the app, which names no server.
    """
    if url is None:
        return cause
    place = mask_url(str(url)).replace("***@", "").removesuffix("?***")
    return _sentences(place, cause, _STORE)


def _sentences(url: str, cause: str, steps: tuple[tuple[str, str], ...]) -> str:
    step = next(step for pattern, step in steps if re.search(pattern, cause))
    return f"{url}: {cause.removesuffix('.')}. {step}"


def find_eviction(runtime: Runtime) -> Iterator[tuple[str, str]]:
    """Yield a warning, a stable word and a sentence, if the store may drop entries.

    This sends a command to the server, so call it only if the store is in reach.
    """
    store = runtime.settings.revocation_store
    policy = None
    if isinstance(store, RedisStore):
        # Some providers refuse the command, and the store may be out of reach by now: no warning.
        with suppress(RevocationStoreError):
            policy = store.eviction_policy()
    if policy not in (None, _NO_EVICTION):
        yield (
            "revocation_eviction",
            f"The revocation store has maxmemory-policy {policy}, so it may drop revocations when "
            f"its memory is full: set {_NO_EVICTION}.",
        )


@click.command()
@timeout_option
@json_option
@click.pass_context
def health(ctx: click.Context, timeout: float, as_json: bool) -> None:
    """Show whether a process that starts now can verify tokens.

    The command fetches the key sets, reads the revocation store, and then shows what health()
    returns. For processes that already run, use health_blueprint().

    Status 1: the process is not ready. With several issuers, it is ready as soon as one of them is.

    \b
    Example:
      flask --app shop connector-auth health --timeout 3 && gunicorn shop:app
    """
    runtime = load_runtime(ctx)
    of_keys, of_revocations = find_problems(runtime, timeout)
    status = runtime.health()
    [first, *others] = of_keys
    parts = status["issuers"] if others else {first: status}
    issuers_ready = [is_ready(parts[issuer]) and not of_keys[issuer] for issuer in of_keys]
    ready = is_ready(status) and any(issuers_ready) and of_revocations is None
    found = {issuer: problems for issuer, problems in of_keys.items() if problems}
    problems: dict[str, Any] = (found and {"issuers": found}) if others else of_keys[first]
    if of_revocations is not None:
        problems = {**problems, "revocation": of_revocations}
    show({"ready": ready, "problems": problems, **status}, as_json, _lines)
    ctx.exit(0 if ready else 1)


def _lines(status: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for name, value in status.items():
        if name == "sources":
            for number, source in enumerate(value):
                yield from _lines(source, f"{path}{name}.{number}.")
        elif isinstance(value, Mapping) and value:
            yield from _lines(value, f"{path}{name}.")
        else:
            yield f"{path}{name}: {literal(value)}"

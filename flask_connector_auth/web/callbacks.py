"""Functions of the application: checks of its own for tokens, and the loader of its user."""

import re
from abc import ABC
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import Any
from weakref import WeakSet

from flask import Flask, Request, has_request_context
from werkzeug.exceptions import HTTPException

from ..core import AppJWT, ConsumerJWS, Reason, Rejected
from ..verification import APP_JWT, CONSUMER_JWS, CachedToken
from .context import (
    Entries,
    Identity,
    IdentityProxy,
    TokenNotSent,
    current_request_context,
    entries_of,
    identity_of,
)
from .reporting import report_failure
from .runtime import Runtime, current_runtime

# Reasons and names of details stand in the log as they are.
_WORD = re.compile(r"[a-z][a-z0-9_]{0,63}")
_REASONS = frozenset(Reason)
_LOG_FIELDS = frozenset({"reason", "row", "endpoint", "held_back"})
_TOKENS = {None: AppJWT | ConsumerJWS, APP_JWT.label: AppJWT, CONSUMER_JWS.label: ConsumerJWS}
_USER_ATTRIBUTE = "_connector_auth_user"  # of the request: an identity and its user
_NO_TOKEN = TokenNotSent("require_app_jwt")
_UNKNOWN_USER = Rejected(Reason.UNKNOWN_USER)
# Functions that return before any line of theirs has run.
_DEFERRED_FUNCTIONS = (iscoroutinefunction, isgeneratorfunction, isasyncgenfunction)
# Of what is no user yet: awaitables, generators, async generators, futures of threads. A proxy can
# be awaited too, and may stand for no user.
_DEFERRED_ATTRIBUTES = ("__await__", "gi_frame", "ag_frame", "add_done_callback")


class ClaimRejected(Rejected):
    """Raise it in a check of your own to refuse the token.

    :param reason: a word of your own, used in place of a :class:`Reason`. It starts with a letter
        from a to z; letters, digits and ``_`` follow; it has 64 characters at most. Use a few fixed
        words: logs and metrics distinguish 64.
    :param reason_details: texts for the log and for ``reason_details``, by name. The names have the
        same form as *reason*.
    :raises ValueError: if a word has another form, or is one that this package uses.

    .. versionadded:: 0.1
    """

    def __init__(self, reason: str, /, **reason_details: object) -> None:
        for word, taken in ((reason, _REASONS), *((name, _LOG_FIELDS) for name in reason_details)):
            if not _WORD.fullmatch(word) or word in taken:
                raise ValueError(f"{word!r} is not a word of your own, of up to 64 a-z, 0-9 and _")
        details = {name: str(value) for name, value in reason_details.items()}
        super().__init__(str.__str__(reason), details)  # of a member of an enum, the value


@dataclass(frozen=True, slots=True)
class ClaimCheck:
    """A check of the application."""

    function: Callable[[Any], object]
    token_class: Any
    issuer: str | None  #: the only one whose tokens are checked; ``None``: any
    claims_only: bool  #: whether a remembered token that has passed is not checked again

    @property
    def name(self) -> str:
        """The name of the function."""
        return _name(self.function)

    def applies_to(self, token: AppJWT | ConsumerJWS) -> bool:
        """Whether the check is for *token*."""
        return isinstance(token, self.token_class) and self.issuer in (None, token.issuer)

    def run(self, token: AppJWT | ConsumerJWS) -> None:
        """Accept *token* only if the function returns ``None``, so ``return False`` never does."""
        if (result := self.function(token)) is not None:
            called = f"claim check {self.name!r} returned {type(result).__name__}"
            raise TypeError(f"{called}: return None to accept the token, else raise ClaimRejected")


class Callbacks:
    """What the application has registered with one ``ConnectorAuth``, for all of its apps."""

    def __init__(self) -> None:
        self.checks: list[ClaimCheck] = []
        self.user_loader: Callable[[Any], Any] | None = None
        self.loads_before_view: bool = False
        self._issuers: set[str] = set()
        #: Weak, since an app is closed once nothing else refers to it.
        self.apps: WeakSet[Flask] = WeakSet()

    def add_app(self, app: Flask, issuers: Iterable[str]) -> None:
        """Add *app*, which is about to be set up, and accepts tokens of *issuers*."""
        known = self._issuers.union(issuers)
        for check in self.checks:
            _refuse_unknown_issuer(check, known)
        self._issuers = known
        self.apps.add(app)

    def add_check(
        self, token: str | None, issuer: str | None, claims_only: bool, function: Any
    ) -> Any:
        """Register a check; see ``ConnectorAuth.claim_check``."""
        self._refuse_function(function, 'claim_check(token="app_jwt")')
        if token not in _TOKENS:
            raise ValueError(f"token is 'app_jwt', 'consumer_jws' or left out, not {token!r}")
        check = ClaimCheck(function, _TOKENS[token], issuer, claims_only)
        _refuse_unknown_issuer(check, self._issuers)
        self.checks.append(check)
        return function

    def set_user_loader(self, lazy: bool, function: Any) -> Any:
        """Register the user loader; see ``ConnectorAuth.user_loader``."""
        self._refuse_function(function, "user_loader(lazy=True)")
        if self.user_loader is not None:
            raise RuntimeError(f"the user loader is {_name(self.user_loader)!r}: register one only")
        self.user_loader, self.loads_before_view = function, not lazy
        return function

    def check_claims(self, entry: CachedToken[Any]) -> None:
        """Run the checks that are for the token of *entry*."""
        for check in self.checks:
            if not (check.claims_only and entry.passed_own_checks) and check.applies_to(
                entry.token
            ):
                check.run(entry.token)
        entry.passed_own_checks = True

    def _refuse_function(self, function: Any, usage: str) -> None:
        if not callable(function) or any(
            is_deferred(each)
            for is_deferred in _DEFERRED_FUNCTIONS
            for each in (function, type(function).__call__)
        ):
            raise TypeError(
                f"only a function that is not async, and no generator, can be registered, not "
                f"{function!r}; pass arguments by keyword, as in @connector_auth.{usage}"
            )
        for app in self.apps:
            runtime = current_runtime(app)
            # Tests verify requests that Flask does not dispatch.
            verified = any(verifier.accepted_headers for verifier in runtime.verifiers)
            if app._got_first_request or runtime.endpoints or verified:
                late = f"{_name(function)!r} is registered after the first request to {app.name!r}"
                raise RuntimeError(f"{late}: register it where the app is set up")


def _refuse_unknown_issuer(check: ClaimCheck, known: set[str]) -> None:
    if known and check.issuer not in (None, *known):
        idle = f"claim check {check.name!r} is for the issuer {check.issuer!r}"
        raise ValueError(f"{idle}; the issuers are {', '.join(map(repr, sorted(known)))}")


def _name(function: object) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


class _Deferred(ABC):  # noqa: B024
    """What is no user yet. A class like this remembers which types were found to be so, or not."""

    @classmethod
    def __subclasshook__(cls, other: type) -> bool:
        return any(hasattr(other, name) for name in _DEFERRED_ATTRIBUTES)


def load_user(runtime: Runtime, request: Request, identity: Identity, entries: Entries) -> Any:
    """Return the user of *identity*, loaded once and kept on *request*; refuse if it has none."""
    required, app_jwt, consumer_jws = identity
    if app_jwt is None and consumer_jws is None:
        return _NO_TOKEN
    kept = getattr(request, _USER_ATTRIBUTE, None)
    if kept is None or kept[0] is not identity:
        user = runtime.callbacks.user_loader(identity)  # type: ignore[misc]
        if isinstance(user, _Deferred):
            returned = f"the user loader returned a {type(user).__name__}"
            raise TypeError(f"{returned}: let it return the user itself")
        kept = identity, user
        setattr(request, _USER_ATTRIBUTE, kept)
    if kept[1] is None:
        profile: Any = APP_JWT if required.consumer_jws is None else CONSUMER_JWS
        raise report_failure(runtime, request, profile, _UNKNOWN_USER, entries)
    return kept[1]


class _UserLoaderFailed(Exception):
    """Raised where ``current_user`` is read, in place of what a lazy user loader has raised.

    What reads a value takes errors of many classes for one that is absent or at its end:
    ``getattr()`` with a default, loops, subscripts in Jinja. This one has no such base.
    """


def _find_user() -> Any:
    context = current_request_context() if has_request_context() else None
    if context is None or (identity := identity_of(context.request)) is None:
        raise RuntimeError(
            "current_user exists only in a request for which a token is required: put "
            "@require_app_jwt on the view, or call verify_request() first."
        )
    runtime = current_runtime(context.app)
    if runtime.callbacks.user_loader is None:
        raise RuntimeError("current_user needs a user loader: see @connector_auth.user_loader.")
    try:
        return load_user(runtime, context.request, identity, entries_of(context.request))
    except Exception as error:
        # KeyError: that of a form field that is absent is an HTTP error too.
        if isinstance(error, HTTPException) and not isinstance(error, KeyError):
            raise
        raise _UserLoaderFailed("the user loader failed") from error


#: What the user loader has returned for the current request; false if no token was sent.
current_user: Any = IdentityProxy(_find_user)

"""The Flask extension: sets apps up, protects blueprints, reports health."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, overload

from flask import Blueprint, Flask, Response, jsonify

from .config import load_settings
from .core import (
    Declaration,
    Scopes,
    attach_hook_requirements,
    attach_requirements,
    get_attached_requirements,
    requirements_of,
    wall_time,
)
from .decorators import public
from .revocation import Revocations
from .web import (
    EXTENSION,
    Callbacks,
    PreflightAnswered,
    Runtime,
    blueprint,
    current_request,
    current_runtime,
    guard,
    is_ready,
    recognise,
    warm_up,
)

CheckT = TypeVar("CheckT", bound=Callable[[Any], None])
LoaderT = TypeVar("LoaderT", bound=Callable[[Any], Any])


class ConnectorAuth:
    """The Flask extension: ``ConnectorAuth(app)``, or ``init_app(app)`` in an application factory.

    One instance serves any number of apps, each configured by its own ``app.config``. Functions
    registered by :meth:`claim_check` and :meth:`user_loader` apply to all of them.

    :param app: an app to set up at once.
    :param clock: returns the time in seconds since the epoch; by default the system's clock.
    :raises ConfigurationError: see :meth:`init_app`.

    .. versionadded:: 0.1
    """

    def __init__(
        self, app: Flask | None = None, *, clock: Callable[[], float] | None = None
    ) -> None:
        self._clock = clock
        self._callbacks = Callbacks()
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Read the settings ``CONNECTOR_AUTH_…`` from ``app.config`` once, and set *app* up.

        :raises ConfigurationError: if settings are wrong; it lists all of them.
        :raises RuntimeError: if *app* was set up before.
        :raises ValueError: if a :meth:`claim_check` is for an issuer that is not configured.
        """
        if EXTENSION in app.extensions:
            raise RuntimeError("ConnectorAuth was set up for this app before")
        clock = self._clock or wall_time
        runtime = Runtime.from_settings(load_settings(app.config), clock, self._callbacks)
        self._callbacks.add_app(app, runtime.issuers)
        app.extensions[EXTENSION] = runtime
        app.register_blueprint(blueprint)

    @overload
    def claim_check(self, check: CheckT, /) -> CheckT: ...
    @overload
    def claim_check(
        self, /, *, token: str | None = None, issuer: str | None = None, claims_only: bool = False
    ) -> Callable[[CheckT], CheckT]: ...
    def claim_check(
        self,
        check: Any = None,
        /,
        *,
        token: str | None = None,
        issuer: str | None = None,
        claims_only: bool = False,
    ) -> Any:
        """Register *check*, which is called with each token that has passed this package's checks.

        To accept the token, *check* returns nothing. To refuse it, *check* raises
        :exc:`ClaimRejected`. Use this decorator with or without arguments.

        :param token: check only tokens of this type: ``app_jwt`` or ``consumer_jws``.
        :param issuer: check only tokens of this issuer.
        :param claims_only: whether the result depends on the claims alone. A token that has passed
            is then not checked again while it is in the cache.
        :raises RuntimeError: after the first request.
        :raises TypeError: if *check* is not a function, or is async or a generator.
        :raises ValueError: if there is no such *token*, or no app has *issuer*.
        """
        register = partial(self._callbacks.add_check, token, issuer, claims_only)
        return register if check is None else register(check)

    @overload
    def user_loader(self, loader: LoaderT, /) -> LoaderT: ...
    @overload
    def user_loader(self, /, *, lazy: bool = False) -> Callable[[LoaderT], LoaderT]: ...
    def user_loader(self, loader: Any = None, /, *, lazy: bool = False) -> Any:
        """Register *loader*, which gets the :class:`Identity` and returns ``current_user``.

        If it returns ``None``, the request is refused. Use it with or without arguments.

        :param lazy: whether to call it when ``current_user`` is first read, not before the view.
        :raises RuntimeError: after the first request, or if there is a user loader.
        :raises TypeError: if *loader* is not a function, or is async or a generator.
        """
        register = partial(self._callbacks.set_user_loader, lazy)
        return register if loader is None else register(loader)

    def protect(
        self,
        target: Flask | Blueprint,
        *,
        app_jwt: bool = True,
        consumer_jws: bool = True,
        scopes: Scopes = (),
        any_scope: Scopes = (),
        optional: bool = False,
    ) -> None:
        """Require tokens for all requests to *target*, its nested blueprints included.

        Decorators on a view add to the requirements; :func:`public` exempts a view. All arguments
        but *target* are those of :func:`verify_request`.

        :param target: a blueprint that is not registered yet, or an app.
        :raises ValueError: if no token is required; if scopes are passed without an AppJWT or are
            empty; or if a scope has characters that a token cannot carry.
        """
        requirements = requirements_of(app_jwt, consumer_jws, scopes, any_scope, optional)
        declared = Declaration(requirements, for_target=True)

        def before_view() -> None:
            request = current_request()
            rule = request.url_rule
            # No view will run: the URL is unknown, or Flask itself answers OPTIONS.
            if rule is None or (
                request.method == "OPTIONS" and getattr(rule, "provide_automatic_options", False)
            ):
                return
            if recognise(declared):
                return
            response = guard.enforce(declared)
            if response is not None:
                # Raised, because a wrapper of this hook may drop what the hook returns.
                raise PreflightAnswered(response)

        # Only for the audit and the order of errors: the hook enforces *declared* without it.
        attach_hook_requirements(before_view, requirements)
        target.before_request(before_view)
        # On the target as well: if the app calls the hook from a hook of its own, the requirements
        # of this hook are not found.
        attach_requirements(target, get_attached_requirements(target) | requirements)
        if isinstance(target, Flask) and EXTENSION in target.extensions:
            current_runtime(target).endpoints.clear()

    @property
    def revocations(self) -> Revocations:
        """The revocations of the current app: ``connector_auth.revocations.revoke(…)``.

        :raises RuntimeError: outside of an app context (``with app.app_context():``), or if the app
            has no extension.
        """
        return current_runtime().revocations

    def health(self, app: Flask | None = None) -> dict[str, Any]:
        """Return the health of keys, token caches and revocations of *app*, without any I/O.

        ``keys`` and ``cache`` have an entry for ``app_jwt`` and for ``consumer_jws``. In ``keys``
        it has ``ready``. For a fetched key set it also has ``state``, ``waiting_for``, ``kids``,
        ``counts``; in seconds ``age``, ``lifetime`` and ``next_attempt_in``; of failed fetches
        ``failures`` in a row, ``last_error``, and ``errors`` of each URL. In ``cache`` it has
        ``size``, ``entries``, ``hits`` and ``misses``. ``revocation`` has ``store``, ``ready`` and
        ``waiting_for`` of its copy, ``lag`` of the copy in seconds, ``entries``, and
        ``last_error``. With several issuers, ``keys`` and ``cache`` are in ``issuers``, by name.

        :param app: by default the current app.
        :raises RuntimeError: if the app has no extension.
        """
        return current_runtime(app).health()

    def warm(self, timeout: float, app: Flask | None = None) -> bool:
        """Fetch all keys and revocations now, so that the first requests need not wait for them.

        Call it in each worker process before it serves. It returns as soon as all is ready, and
        after *timeout* seconds at the latest. What is missing then is logged, and fetched when
        needed.

        :param app: by default all apps of this instance, loaded at the same time.
        :returns: whether all is ready.
        :raises RuntimeError: if the app has no extension, or no app was set up.
        :raises ValueError: if *timeout* is negative or not a number.
        """
        apps = [app] if app else [*self._callbacks.apps]
        if not apps:
            raise RuntimeError("no app was set up; call ConnectorAuth(app) or init_app(app) before")
        return warm_up(map(current_runtime, apps), timeout)

    def close(self, app: Flask | None = None) -> None:
        """End the threads of *app* at once, and close its sockets and connections.

        Call it for an app that serves no more requests. If nothing refers to an app any more, the
        next garbage collection does the same. Closing twice is not an error.

        A call that comes too early does no harm: later requests start anew, as in a new process.
        They wait up to a second until the store has confirmed the local copy of the revocations,
        and get 503 if it has not. Keys within their lifetime stay in use. A ``RevocationStore`` or
        ``KeySource`` that the app passed in stays open.

        :param app: by default the current app.
        :raises RuntimeError: if the app has no extension.
        """
        current_runtime(app).close()

    def health_blueprint(self) -> Blueprint:
        """Return a blueprint that answers ``GET /health`` with :meth:`health`, as JSON.

        Register it where only operators have access: it shows where the keys come from, their ids,
        and the last error::

            app.register_blueprint(connector_auth.health_blueprint(), url_prefix="/internal")

        The status is 200 if all that the worker needs for at least one issuer is ``ready``. It is
        503 otherwise. No token is required, not even in an app that is protected as a whole: the
        route must answer while the keys are unavailable.
        """
        health_blueprint = Blueprint("connector_auth_health", __name__)

        @health_blueprint.get("/health")
        @public
        def show() -> Response:
            health = self.health()
            ready = is_ready(health)
            response = jsonify({"ready": ready, **health})
            response.status_code = 200 if ready else 503
            response.headers["Cache-Control"] = "no-store"
            return response

        return health_blueprint

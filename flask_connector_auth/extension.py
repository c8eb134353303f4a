"""An app and its configuration in; everything wired to that app out."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask
from flask.typing import ResponseReturnValue

from .config import Settings, load_settings
from .core import Declared, attach_protection, attach_requirements, attached_requirements, lifecycle
from .core import clock as clocks
from .decorators import Scopes, requirements_from_arguments
from .health import health_blueprint, health_of
from .revocation import RevocationRules, Revocations
from .verification import APP_JWT, CONSUMER_JWS, Verifier, VerifierRules
from .web import (
    EXTENSION,
    ErrorResponses,
    LogLimit,
    Runtime,
    blueprint,
    current,
    current_request,
    guard,
)


class ConnectorAuth:
    """The Flask extension: ``ConnectorAuth(app)``, or ``init_app(app)`` in an application factory.

    One instance serves any number of apps; each is configured by its own ``app.config``.

    :param app: the app to set up at once.
    :param clock: returns the time in seconds since the epoch; that of the machine if not given.
    :raises ConfigurationError: see :meth:`init_app`.
    """

    def __init__(
        self, app: Flask | None = None, *, clock: Callable[[], float] | None = None
    ) -> None:
        self._clock = clock
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Read ``CONNECTOR_AUTH_…`` from ``app.config`` once, and set *app* up.

        :raises ConfigurationError: listing all that is wrong with the configuration.
        :raises RuntimeError: if *app* was set up before.
        """
        if EXTENSION in app.extensions:
            raise RuntimeError("ConnectorAuth was set up for this app before")
        clock = self._clock or clocks.wall
        app.extensions[EXTENSION] = _state(load_settings(app.config), clock)
        app.register_blueprint(blueprint)

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
        """Ask every request to *target* for tokens, its nested blueprints included.

        Decorators on a view add to it; :func:`public` exempts a view.

        :param target: a blueprint that is not registered yet, or an app.
        :param app_jwt: whether to ask for the AppJWT, with *scopes* and *any_scope*.
        :param consumer_jws: whether to ask for the ConsumerJWS.
        :param optional: let missing tokens pass; invalid ones never do.
        """
        requirements = requirements_from_arguments(
            app_jwt=app_jwt,
            consumer_jws=consumer_jws,
            scopes=scopes,
            any_scope=any_scope,
            optional=optional,
        )

        declared = Declared(requirements, for_target=True)

        def before_view() -> ResponseReturnValue | None:
            request = current_request()
            rule = request.url_rule
            # No view will run: the URL is unknown, or Flask itself answers OPTIONS.
            if rule is None or (
                request.method == "OPTIONS" and getattr(rule, "provide_automatic_options", False)
            ):
                return None
            return guard.enforce(declared)

        # For the audit and the order of errors; what is enforced is what the hook itself holds.
        attach_protection(before_view, requirements)
        target.before_request(before_view)
        # The app may hide the hook in one of its own: the target itself is marked as well.
        attach_requirements(target, attached_requirements(target) | requirements)
        if isinstance(target, Flask) and EXTENSION in target.extensions:
            current(target).routes.clear()

    @property
    def revocations(self) -> Revocations:
        """What is revoked in the current app: ``connector_auth.revocations.revoke(…)``.

        :raises RuntimeError: outside of an app's context; there is ``with app.app_context():``.
        """
        return current().revocations

    def health(self, app: Flask | None = None) -> dict[str, Any]:
        """Return how the verification of *app* is, without any I/O: plain values only.

        Both ``keys`` and ``cache`` have an entry for ``app_jwt`` and ``consumer_jws``. That of the
        keys has whether they are ``ready``; where they are fetched, also their state, age and life
        in seconds, the seconds to the next attempt, the failures in a row, the last error, their
        ``kid`` and counters. That of the cache has its size, entries, hits and misses.
        ``revocation`` has the ``store``, whether its copy is ``ready``, the ``lag`` of that in
        seconds, its ``entries``, and the last error.

        :param app: the current app, if not given.
        :raises RuntimeError: if the app has no extension.
        """
        return health_of(current(app))

    def close(self, app: Flask | None = None) -> None:
        """End the threads of *app* at once, and close its sockets and connections.

        Call it for an app that serves no more requests. An app that is merely dropped needs no
        call: the next garbage collection does the same. Closing twice is no error.

        It is safe to call too early. What comes after it begins anew, as in a new process: the
        copy of what is revoked does not serve until the store has confirmed it, so a request waits
        for that, up to a second, and is answered with 503 if it fails. Configured keys, and a
        fetched key set within its life, go on serving. A ``RevocationStore`` or ``KeySource`` that
        you made stays open; its thread ends.

        :param app: the current app, if not given.
        :raises RuntimeError: if the app has no extension.
        """
        state = current(app)
        for verifier in state.verifiers.values():
            lifecycle.close(verifier.keys)
        state.revocations.close()

    def health_blueprint(self) -> Blueprint:
        """Return a blueprint that answers ``GET /health`` with :meth:`health`, as JSON.

        Register it where only operators get::

            app.register_blueprint(connector_auth.health_blueprint(), url_prefix="/internal")

        Status 200 if all that the worker needs is ``ready``, else 503. It asks for no token, not
        even in an app that is protected as a whole, since it must answer when the keys are out of
        reach. But it shows where the keys come from, their ids, and the last error: keep it where
        only operators get.
        """
        return health_blueprint(self.health)


def _state(settings: Settings, clock: Callable[[], float]) -> Runtime:
    def rules(algorithms: tuple[str, ...]) -> VerifierRules:
        return VerifierRules(
            algorithms=algorithms,
            issuer=settings.issuer,
            leeway=settings.leeway,
            max_lifetime=settings.max_lifetime,
            max_token_bytes=settings.max_token_bytes,
            max_header_bytes=settings.max_header_bytes,
            cache_size=settings.cache_size,
            cache_max_age=settings.cache_max_age,
        )

    revocations = Revocations(
        settings.revocation_store,
        RevocationRules(
            leeway=settings.leeway,
            max_lifetime=settings.max_lifetime,
            keep=settings.revocation_keep,
            max_lag=settings.revocation_max_lag,
            closed=settings.revocation_on_outage == "closed",
        ),
        clock,
    )
    mirror = revocations.mirror
    app_rules, consumer_rules = map(
        rules, (settings.app_jwt_algorithms, settings.consumer_jws_algorithms)
    )
    return Runtime(
        settings=settings,
        app_jwt=Verifier(APP_JWT, app_rules, settings.app_jwt_keys, mirror),
        consumer_jws=Verifier(CONSUMER_JWS, consumer_rules, settings.consumer_jws_keys, mirror),
        revocations=revocations,
        catalogue=ErrorResponses(settings.error_catalogue, settings.realm),
        clock=clock,
        account_argument=settings.account_argument,
        audience=settings.audience,
        consumer_key="HTTP_" + settings.consumer_header.upper().replace("-", "_"),
        after_scheme=slice(len("Bearer "), 2 * settings.max_token_bytes + len("Bearer ") + 1),
        log_limit=LogLimit(settings.log_limit, settings.log_burst),
    )

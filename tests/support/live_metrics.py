"""The app of :mod:`tests.support.live_served`, with the metrics of all workers at ``/metrics``."""

from werkzeug.middleware.dispatcher import DispatcherMiddleware
from workers import metrics  # the module of the metrics page, which a test puts on the path

from flask_connector_auth.integrations.prometheus import instrument_app
from tests.support.live_served import app as app

instrument_app(app)
app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/metrics": metrics})  # type: ignore[method-assign]

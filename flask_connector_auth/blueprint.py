"""This package's HTTP errors in, wherever in the app they were raised; the envelope out."""

from flask import Blueprint, Response

from .errors import EnvelopeError

blueprint: Blueprint = Blueprint("connector_auth", __name__)


@blueprint.app_errorhandler(EnvelopeError)
def send_envelope(error: EnvelopeError) -> Response:
    """Return the answer that *error* was made with."""
    return error.response

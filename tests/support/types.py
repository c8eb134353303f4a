"""Types of the fixtures that many test modules take."""

from collections.abc import Callable

from click.testing import Result
from flask import Flask

#: The fixture ``make_app``: an app with the extension; keyword arguments are its settings.
MakeApp = Callable[..., Flask]
#: The fixture ``start``: the example app, served; a folder and settings are its arguments.
StartApp = Callable[..., Flask]
#: The fixture ``run``: what ``flask connector-auth`` with these arguments printed, and its status.
RunCommand = Callable[..., Result]

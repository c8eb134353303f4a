"""What the example app's tests share: apps with folders of their own, and the calls to one."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from example_app import create_app
from example_app.database import Base, db
from example_app.serving import Served, listen, served, serving
from tests.support.example_api import Api, api_of
from tests.support.example_processes import copy_of_the_app, keys_at
from tests.support.types import StartApp


@contextmanager
def starting() -> Iterator[StartApp]:
    """Yield a function that starts the app with a folder and settings; it is served, since it
    loads its keys from itself."""
    with ExitStack() as stack:

        def start(folder: Path, **config: Any) -> Flask:
            listener = stack.enter_context(listen(0))
            settings = {**keys_at(listener.getsockname()[1]), **config}
            app = create_app(settings, instance_path=str(folder))
            stack.enter_context(serving(app, listener))
            return app

        yield start


@pytest.fixture
def start() -> Iterator[StartApp]:
    """Return a function that starts the app; it is served until the test is over."""
    with starting() as start:
        yield start


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """One app for all tests that do not start another; each test uses new consumers."""
    with starting() as start:
        yield start(tmp_path_factory.mktemp("instance"))


@pytest.fixture
def api(example: Flask) -> Api:
    """The calls to that app."""
    return api_of(example)


@pytest.fixture
def rows(example: Flask) -> Callable[[], list[Any]]:
    """Return a function that returns all that is in the database."""

    def rows() -> list[Any]:
        with example.app_context():
            tables = Base.metadata.sorted_tables
            return [sorted(map(tuple, db.session.execute(select(table)))) for table in tables]

    return rows


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with nothing but the example app: its instance folder is made there too."""
    return copy_of_the_app(tmp_path)


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The app with its two listeners, as ``python -m example_app`` serves it."""
    with served(0, 0, {}, str(tmp_path_factory.mktemp("both"))) as running:
        yield running

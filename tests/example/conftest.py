"""What the example app's tests share: apps with folders of their own, and the calls to one."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

import example_app
from example_app import create_app
from example_app.models import Base, db

from .api import Api, api_of


@pytest.fixture(scope="session")
def start() -> Iterator[Callable[..., Flask]]:
    """Return a function that starts the app with a folder and settings."""
    started = []

    def start(folder: Path, **config: Any) -> Flask:
        app = create_app(config, instance_path=str(folder))
        started.append(app)
        return app

    yield start
    for app in started:
        with app.app_context():
            db.engine.dispose()


@pytest.fixture(scope="session")
def example(start: Callable[..., Flask], tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """One app for all tests that do not start their own; each test has its own consumers."""
    return start(tmp_path_factory.mktemp("instance"))


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
    source = Path(example_app.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(source, tmp_path / source.name, ignore=ignored)
    return tmp_path

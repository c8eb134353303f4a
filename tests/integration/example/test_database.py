"""The database: any that SQLAlchemy supports, if its tables have the version of this app."""

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.schema import CreateTable

from example_app.database import VERSION, Base, VersionError
from tests.support.example_api import api_of


@pytest.fixture
def database(start, tmp_path):
    """Return a function that runs statements in the database of an app that was started once."""
    start(tmp_path)

    def run(*statements):
        with closing(sqlite3.connect(tmp_path / "connector.db")) as connection:
            rows = [connection.execute(statement).fetchall() for statement in statements]
            connection.commit()
        return rows

    return run


def test_the_version_is_kept(database):
    """A setting beside the tables."""
    assert database("SELECT value FROM setting WHERE name = 'version'") == [[(VERSION,)]]


@pytest.mark.parametrize("version", [VERSION - 1, VERSION + 1])
def test_tables_of_another_version(database, start, tmp_path, version):
    """The error names the found version, the needed one and the remedies; nothing is changed."""
    database(f"UPDATE setting SET value = {version}", "DROP TABLE message")  # noqa: S608
    before = database("SELECT * FROM sqlite_schema")
    with pytest.raises(VersionError) as caught:
        start(tmp_path)
    for words in (f"version {version}", f"version {VERSION}", "SQLALCHEMY_DATABASE_URI", "delete"):
        assert words in str(caught.value)
    assert database("SELECT * FROM sqlite_schema") == before
    database(f"UPDATE setting SET value = {VERSION}")  # noqa: S608
    assert api_of(start(tmp_path)).app_jwt


def test_tables_without_a_version(database, start, tmp_path):
    """Those of the first version, which kept none."""
    database("DROP TABLE setting")
    before = database("SELECT * FROM sqlite_schema")
    with pytest.raises(VersionError, match="are of version 1, and this app needs version"):
        start(tmp_path)
    assert database("SELECT * FROM sqlite_schema") == before


def test_the_tables_of_others(start, tmp_path):
    """They are no hindrance."""
    with closing(sqlite3.connect(tmp_path / "connector.db")) as connection:
        connection.execute("CREATE TABLE another (id INTEGER)")
    assert api_of(start(tmp_path)).app_jwt


@pytest.mark.parametrize("dialect", [sqlite, postgresql, mysql], ids=lambda each: each.__name__)
def test_other_databases(dialect):
    """Every table can be created in each database: texts that are keys have a length."""
    for table in Base.metadata.sorted_tables:
        statement = str(CreateTable(table, if_not_exists=True).compile(dialect=dialect.dialect()))
        assert f"CREATE TABLE IF NOT EXISTS {table.name}" in statement

"""The database: its tables, which have a version, and helpers to find and to add rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import URL, String, Table, inspect, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import CreateTable

from . import folder

#: Version of the tables. Raise it with each change of a table.
VERSION = 3


class Base(DeclarativeBase):
    """Base class of the tables."""


db = SQLAlchemy(metadata=Base.metadata)
RowT = TypeVar("RowT", bound=Base)


class Setting(Base):
    """A number that all workers share."""

    __tablename__ = "setting"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[int]


class VersionError(RuntimeError):
    """The tables were created by another version of this app."""

    def __init__(self, found: int, where: str) -> None:
        super().__init__(
            f"The tables in {where} are of version {found}, and this app needs version "
            f"{VERSION}. Nothing was changed. Start the app that made them, or set "
            "FLASK_SQLALCHEMY_DATABASE_URI to another database, or delete this one to begin anew."
        )


def init_app(app: Flask) -> None:
    """Set up the database of *app*, and create the tables that are missing.

    :raises VersionError: if the tables have another version.
    """
    db.init_app(app)
    with app.app_context():
        keep_private(db.engine.url)
        found, where = _version(), db.engine.url.render_as_string()
    if found != VERSION:
        let_go(app)
        raise VersionError(found, where)
    with app.app_context(), first_come():
        _create(*Base.metadata.sorted_tables)


def keep_private(url: URL) -> None:
    """Restrict the file of an SQLite database, which holds secrets, to its owner."""
    name = url.database or ":memory:"
    in_memory = name == ":memory:" or url.query.get("mode") == "memory"
    if url.get_backend_name() != "sqlite" or in_memory:
        return
    # See "URI Filenames" in the documentation of SQLite.
    file = unquote(urlsplit(name).path) if url.query.get("uri") else name
    folder.reserve(Path(file))
    # SQLite creates the journals with the mode of the database file, but an older process may have
    # left some behind with another mode.
    folder.restrict(*(Path(f"{file}{end}") for end in ("", "-journal", "-wal", "-shm")))


def _version() -> int:
    """Return the version of the tables; an empty database gets :data:`VERSION`."""
    there = set(inspect(db.engine).get_table_names())
    if Setting.__tablename__ not in there and there & set(Base.metadata.tables):
        return 1  # version 1 had no table of settings, and so stored no version
    # Created before any other table: a worker that starts at the same time must find the version.
    with first_come():
        _create(Base.metadata.tables[Setting.__tablename__])
        if db.session.get(Setting, "version") is None:
            db.session.add(Setting(name="version", value=VERSION))
    return db.session.scalars(select(Setting.value).filter_by(name="version")).one()


def _create(*tables: Table) -> None:
    # Not create_all(): it looks first and creates afterwards, so two workers that start at the same
    # time would collide.
    for table in tables:
        db.session.execute(CreateTable(table, if_not_exists=True))


def let_go(app: Flask) -> None:
    """Close the connections that the start of *app* opened: a forked worker must not share them."""
    with app.app_context():
        db.engine.dispose()


@contextmanager
def first_come() -> Iterator[None]:
    """Commit what the block does; roll back if another request has just done the same."""
    try:
        yield
        db.session.commit()
    except IntegrityError:
        db.session.rollback()


def find(model: type[RowT], key: str) -> RowT | None:
    """Return the row whose primary key is *key*, a text from a client, or ``None``."""
    # Some database drivers fail on a NUL or on half of a surrogate pair.
    return db.session.get(model, key) if key.isprintable() else None


def find_or_add(model: type[RowT], **values: Any) -> RowT:
    """Return the row with *values*, which are unique; add it if there is none."""
    query = select(model).filter_by(**values)
    if db.session.scalar(query) is None:
        with first_come():
            db.session.add(model(**values))
    return db.session.scalars(query).one()

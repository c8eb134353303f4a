"""A database URL in; its tables, made once and known by a version, and rows found in them, out."""

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

#: The version of the tables: raised by whoever changes them.
VERSION = 2


class Base(DeclarativeBase):
    """What the tables are declared on."""


db = SQLAlchemy(metadata=Base.metadata)
RowT = TypeVar("RowT", bound=Base)


class Setting(Base):
    """A number that all workers go by."""

    __tablename__ = "setting"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[int]


class VersionError(RuntimeError):
    """The tables are those of another version of this app."""

    def __init__(self, found: int, where: str) -> None:
        super().__init__(
            f"The tables in {where} are of version {found}, and this app needs version "
            f"{VERSION}. Nothing was changed. Start the app that made them, or set "
            "FLASK_SQLALCHEMY_DATABASE_URI to another database, or delete this one to begin anew."
        )


def init_app(app: Flask) -> None:
    """Give *app* its database, with the tables that are missing.

    :raises VersionError: if the tables are of another version.
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
    """Keep the file of an SQLite database, which holds secrets, from all but its owner."""
    name = url.database or ":memory:"
    in_memory = name == ":memory:" or url.query.get("mode") == "memory"
    if url.get_backend_name() != "sqlite" or in_memory:
        return
    # See "URI Filenames" in the documentation of SQLite.
    file = unquote(urlsplit(name).path) if url.query.get("uri") else name
    folder.reserve(Path(file))
    # SQLite gives the others the mode of the first; they may have been left behind with another.
    folder.restrict(*(Path(f"{file}{end}") for end in ("", "-journal", "-wal", "-shm")))


def _version() -> int:
    """Return the version of the tables; where there are none, they are going to be of ours."""
    there = set(inspect(db.engine).get_table_names())
    if Setting.__tablename__ not in there and there & set(Base.metadata.tables):
        return 1  # which kept no version
    # Before any other table, so that a worker that starts at the same time finds it.
    with first_come():
        _create(Base.metadata.tables[Setting.__tablename__])
        if db.session.get(Setting, "version") is None:
            db.session.add(Setting(name="version", value=VERSION))
    return db.session.scalars(select(Setting.value).filter_by(name="version")).one()


def _create(*tables: Table) -> None:
    # create_all() looks first and creates afterwards; two workers may start at once.
    for table in tables:
        db.session.execute(CreateTable(table, if_not_exists=True))


def let_go(app: Flask) -> None:
    """Close what the start of *app* has opened: a worker that is forked from here needs its own."""
    with app.app_context():
        db.engine.dispose()


@contextmanager
def first_come() -> Iterator[None]:
    """Commit what is done inside, unless another request has done the same just before."""
    try:
        yield
        db.session.commit()
    except IntegrityError:
        db.session.rollback()


def find(model: type[RowT], key: str) -> RowT | None:
    """Return the row with the primary key *key*, a text that a client sent, or ``None``."""
    # A NUL, or half of a surrogate pair, is too much for one database driver or another.
    return db.session.get(model, key) if key.isprintable() else None


def find_or_add(model: type[RowT], **values: Any) -> RowT:
    """Return the one row with *values*, which are unique, and which is added if there is none."""
    query = select(model).filter_by(**values)
    if db.session.scalar(query) is None:
        with first_come():
            db.session.add(model(**values))
    return db.session.scalars(query).one()

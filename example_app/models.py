"""The tables of the database: which apps may call, who their consumers are, what was said."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from hmac import compare_digest
from typing import Any, TypeVar
from uuid import uuid4

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ForeignKey, String, Text, UniqueConstraint, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import CreateTable


class Base(DeclarativeBase):
    """What the tables are declared on."""


db = SQLAlchemy(metadata=Base.metadata)
RowT = TypeVar("RowT", bound=Base)


def _new_id() -> str:
    return str(uuid4())


class AppInstall(Base):
    """An app that may call for an account; one an account is enough here."""

    __tablename__ = "app_install"
    client_id: Mapped[str] = mapped_column(String(36), primary_key=True, default=_new_id)
    # Readable, because the demo must print it; a real service keeps a hash of it, and no more.
    client_secret: Mapped[str] = mapped_column(String(64), default=secrets.token_hex)
    account_id: Mapped[str] = mapped_column(String(64), unique=True)

    # The rest is what Authlib asks of an OAuth 2.0 client.

    def get_client_id(self) -> str:
        """Return the client id, the ``azp`` of its tokens."""
        return self.client_id

    def check_client_secret(self, client_secret: str) -> bool:
        """Whether *client_secret* is this app's, in a time that does not tell how nearly it is."""
        return compare_digest(self.client_secret.encode(), client_secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Whether the app may say by *method* who it is: there is but one method."""
        return True

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether the app may use *grant_type*: it asks for itself, never for a user."""
        return grant_type == "client_credentials"


class Consumer(Base):
    """Someone on whose behalf an app calls."""

    __tablename__ = "consumer"
    __table_args__ = (UniqueConstraint("account_id", "ext_consumer_id"),)
    lp_consumer_id: Mapped[str] = mapped_column(
        String(64), primary_key=True, default=secrets.token_hex
    )
    account_id: Mapped[str] = mapped_column(String(64))
    ext_consumer_id: Mapped[str] = mapped_column(String(256))
    profile: Mapped[str] = mapped_column(Text, default="{}")  #: JSON, the body of SetUserProfile


class Conversation(Base):
    """What a consumer and the account have to say to each other."""

    __tablename__ = "conversation"
    # One NULL never equals another: one open conversation a consumer, and any number of closed.
    __table_args__ = (UniqueConstraint("consumer_id", "is_open"),)
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=_new_id)
    consumer_id: Mapped[str] = mapped_column(ForeignKey(Consumer.lp_consumer_id))
    is_open: Mapped[bool | None] = mapped_column(default=True)  #: NULL once it is closed
    next_sequence: Mapped[int] = mapped_column(default=0)


class Message(Base):
    """One event of a conversation."""

    __tablename__ = "message"
    conversation_id: Mapped[str] = mapped_column(ForeignKey(Conversation.id), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  #: from 0
    body: Mapped[str] = mapped_column(Text)  #: JSON, the body of PublishEvent


def init_app(app: Flask) -> None:
    """Give *app* its database, with the tables that are missing."""
    db.init_app(app)
    with app.app_context(), first_come():
        # create_all() looks first and creates afterwards; two workers may start at once.
        for table in Base.metadata.sorted_tables:
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

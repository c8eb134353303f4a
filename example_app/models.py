"""The tables of the database: who may call, who their consumers are, what was said and sent."""

import secrets
import time
from hmac import compare_digest
from uuid import uuid4

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, String, Text, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .database import Base, db

#: The scope of an app install: the one that there is for apps.
SCOPE = "msg.consumer"
#: Bytes in the largest file (protocol page, Send API Examples).
MAX_FILE = 3 * 1024 * 1024


def _new_id() -> str:
    return str(uuid4())


def now_ms() -> int:
    """Return the time as the protocol tells it: milliseconds since the epoch."""
    return int(time.time() * 1000)


class AppInstall(Base):
    """An app that may call for an account; one an account is enough here."""

    __tablename__ = "app_install"
    client_id: Mapped[str] = mapped_column(String(36), primary_key=True, default=_new_id)
    # Readable, because webhooks are signed with it; a service that sends none keeps a hash of it.
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

    def get_allowed_scope(self, scope: str | None) -> str:
        """Return the one scope there is, by default too (RFC 6749 section 3.3), or none."""
        return SCOPE if scope is None or SCOPE in scope.split(" ") else ""


class Agent(Base):
    """Who answers for an account; one is enough here."""

    __tablename__ = "agent"
    account_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(36), default=_new_id)
    login_name: Mapped[str] = mapped_column(String(64), default="agent")
    # Readable, because it must be printed; a real service keeps a slow hash of it.
    password: Mapped[str] = mapped_column(String(64), default=lambda: secrets.token_hex(8))


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
    details: Mapped[str] = mapped_column(Text, default="{}")  #: JSON, what was asked for with it
    started_at: Mapped[int] = mapped_column(BigInteger, default=now_ms)  #: see :func:`now_ms`
    agent_id: Mapped[str | None] = mapped_column(String(36))  #: who answered first, if anyone did
    consumer: Mapped[Consumer] = relationship()


class Message(Base):
    """One event of a conversation."""

    __tablename__ = "message"
    conversation_id: Mapped[str] = mapped_column(ForeignKey(Conversation.id), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  #: from 0
    body: Mapped[str] = mapped_column(Text)  #: JSON, the body of PublishEvent
    originator: Mapped[str] = mapped_column(String(64))  #: the id of consumer or agent
    role: Mapped[str] = mapped_column(String(20))  #: as notifications tell it
    sent_at: Mapped[int] = mapped_column(BigInteger, default=now_ms)  #: see :func:`now_ms`


class File(Base):
    """A file of a consumer: a place that was given out, and what was put there."""

    __tablename__ = "file"
    path: Mapped[str] = mapped_column(String(160), primary_key=True)  #: ``relativePath``
    consumer_id: Mapped[str] = mapped_column(ForeignKey(Consumer.lp_consumer_id))
    key: Mapped[str] = mapped_column(String(64), default=secrets.token_hex)  #: signs its URLs
    content: Mapped[bytes | None] = mapped_column(LargeBinary(MAX_FILE), deferred=True)


class Fault(Base):
    """What a service answers instead of doing what it is asked."""

    __tablename__ = "fault"
    service: Mapped[str] = mapped_column(String(40), primary_key=True)
    status: Mapped[int]
    retry_after: Mapped[int]  #: seconds
    remaining: Mapped[int | None]  #: requests that are still to fail; NULL for all


def install_of(account_id: str) -> AppInstall | None:
    """Return the app install of an account, or ``None`` if there is no such account."""
    if not account_id.isprintable():
        return None
    return db.session.scalar(select(AppInstall).filter_by(account_id=account_id))

"""The tables of the database: app installs, agents, consumers, conversations, files, faults."""

import secrets
import time
from hmac import compare_digest
from uuid import uuid4

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, String, Text, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .database import Base, db

#: The scope of an app install, the only one for apps.
SCOPE = "msg.consumer"
#: Most bytes in a file (protocol page, Send API Examples).
MAX_FILE = 3 * 1024 * 1024


def _new_id() -> str:
    return str(uuid4())


def now_ms() -> int:
    """Return the time in the protocol's unit: milliseconds since the epoch."""
    return int(time.time() * 1000)


class AppInstall(Base):
    """An app that may call for an account; here each account has one."""

    __tablename__ = "app_install"
    client_id: Mapped[str] = mapped_column(String(36), primary_key=True, default=_new_id)
    # In plain text, because webhooks are signed with it; a service without webhooks stores a hash.
    client_secret: Mapped[str] = mapped_column(String(64), default=secrets.token_hex)
    account_id: Mapped[str] = mapped_column(String(64), unique=True)

    # The methods are the interface of Authlib for OAuth 2.0 clients.

    def get_client_id(self) -> str:
        """Return the client id, the ``azp`` of its tokens."""
        return self.client_id

    def check_client_secret(self, client_secret: str) -> bool:
        """Whether *client_secret* is this app's, compared in constant time."""
        return compare_digest(self.client_secret.encode(), client_secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Whether the app may authenticate by *method*: there is only one method."""
        return True

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether the app may use *grant_type*: it acts for itself, never for a user."""
        return grant_type == "client_credentials"

    def get_allowed_scope(self, scope: str | None) -> str:
        """Return the scope of apps, also by default (RFC 6749 section 3.3), or an empty text."""
        return SCOPE if scope is None or SCOPE in scope.split(" ") else ""


class Agent(Base):
    """A person who answers for an account; here each account has one."""

    __tablename__ = "agent"
    account_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(36), default=_new_id)
    login_name: Mapped[str] = mapped_column(String(64), default="agent")
    # In plain text, because it is printed at the start; a real service stores a slow hash.
    password: Mapped[str] = mapped_column(String(64), default=lambda: secrets.token_hex(8))


class Consumer(Base):
    """A person on whose behalf an app calls."""

    __tablename__ = "consumer"
    __table_args__ = (UniqueConstraint("account_id", "ext_consumer_id"),)
    lp_consumer_id: Mapped[str] = mapped_column(
        String(64), primary_key=True, default=secrets.token_hex
    )
    account_id: Mapped[str] = mapped_column(String(64))
    ext_consumer_id: Mapped[str] = mapped_column(String(256))
    profile: Mapped[str] = mapped_column(Text, default="{}")  #: JSON, the body of SetUserProfile


class Conversation(Base):
    """A conversation of a consumer with agents of the account."""

    __tablename__ = "conversation"
    # One NULL never equals another: a consumer has at most one open conversation, and any number of
    # closed ones.
    __table_args__ = (UniqueConstraint("consumer_id", "is_open"),)
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=_new_id)
    consumer_id: Mapped[str] = mapped_column(ForeignKey(Consumer.lp_consumer_id))
    is_open: Mapped[bool | None] = mapped_column(default=True)  #: NULL once it is closed
    next_sequence: Mapped[int] = mapped_column(default=0)
    details: Mapped[str] = mapped_column(Text, default="{}")  #: JSON, the body of the request
    #: JSON: skill, time to respond and rating, under their names in notifications.
    fields: Mapped[str] = mapped_column(Text, default="{}")
    agents: Mapped[str] = mapped_column(Text, default="[]")  #: JSON: ``id`` and ``role`` of each
    started_at: Mapped[int] = mapped_column(BigInteger, default=now_ms)  #: see :func:`now_ms`
    changed_at: Mapped[int] = mapped_column(BigInteger, default=now_ms)  #: of all but messages
    ended_at: Mapped[int | None] = mapped_column(BigInteger)
    closed_by: Mapped[str | None] = mapped_column(String(20))  #: ``CONSUMER`` or ``AGENT``
    closed_cause: Mapped[str | None] = mapped_column(Text)
    consumer: Mapped[Consumer] = relationship()


class Message(Base):
    """One event of a conversation."""

    __tablename__ = "message"
    conversation_id: Mapped[str] = mapped_column(ForeignKey(Conversation.id), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  #: from 0
    body: Mapped[str] = mapped_column(Text)  #: JSON, the body of PublishEvent
    metadata_: Mapped[str] = mapped_column("metadata", Text, default="[]")  #: JSON
    audience: Mapped[str] = mapped_column(String(20), default="ALL")  #: ``messageAudience``
    originator: Mapped[str] = mapped_column(String(64))  #: id of the consumer or agent
    role: Mapped[str] = mapped_column(String(20))  #: as in notifications
    sent_at: Mapped[int] = mapped_column(BigInteger, default=now_ms)  #: see :func:`now_ms`


class File(Base):
    """A file of a consumer: its path, and its content once it is uploaded."""

    __tablename__ = "file"
    path: Mapped[str] = mapped_column(String(160), primary_key=True)  #: ``relativePath``
    consumer_id: Mapped[str] = mapped_column(ForeignKey(Consumer.lp_consumer_id))
    size: Mapped[int]  #: most bytes in the content, as was declared
    key: Mapped[str] = mapped_column(String(64), default=secrets.token_hex)  #: signs its URLs
    content: Mapped[bytes | None] = mapped_column(LargeBinary(MAX_FILE), deferred=True)


class Fault(Base):
    """A failure that a service is set to answer with."""

    __tablename__ = "fault"
    service: Mapped[str] = mapped_column(String(40), primary_key=True)
    status: Mapped[int]
    retry_after: Mapped[int]  #: seconds
    remaining: Mapped[int | None]  #: number of requests that still fail; NULL for all


def install_of(account_id: str) -> AppInstall | None:
    """Return the app install of an account, or ``None`` if there is no such account."""
    if not account_id.isprintable():
        return None
    return db.session.scalar(select(AppInstall).filter_by(account_id=account_id))

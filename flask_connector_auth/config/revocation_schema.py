"""The settings of revocation as they stand in ``app.config``, one field each."""

from typing import Any

from marshmallow import Schema, fields
from marshmallow.validate import OneOf, Range

from ..revocation import RevocationStore
from .fields import Number, Text


class _Store(fields.Field[RevocationStore]):
    default_error_messages: dict[str, Any] = {"invalid": "Not a RevocationStore."}  # noqa: RUF012

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> RevocationStore:
        if not isinstance(value, RevocationStore) or isinstance(value, type):
            raise self.make_error("invalid")
        return value


class RevocationSchema(Schema):
    """Where revocations are kept, and what holds while that is out of reach; times in seconds."""

    revocation_url: Text = Text(
        load_default=None,
        allow_none=True,
        metadata={
            "doc": "Where all workers share revocations: ``redis://``, ``rediss://``, ``unix://``, "
            "``redis+sentinel://host:port,host:port/service`` or ``redis+cluster://host:port``; "
            "unset: each process has its own."
        },
    )
    revocation_store: _Store = _Store(
        load_default=None,
        allow_none=True,
        metadata={"doc": "A :class:`RevocationStore` of your own, in place of the URL."},
    )
    revocation_max_lag: Number = Number(
        load_default=5,
        validate=Range(min=1),
        metadata={"doc": "How old a worker's copy of the store may be."},
    )
    revocation_on_outage: fields.String = fields.String(
        load_default="closed",
        validate=OneOf(("closed", "open"), error="Neither closed nor open."),
        metadata={
            "doc": "What an older copy, or none yet, means: ``closed``, that requests are answered "
            "with 503; ``open``, that the last known copy serves, and revoked tokens may pass."
        },
    )
    revocation_keep: Number = Number(
        load_default=None,
        allow_none=True,
        validate=Range(min=0, min_inclusive=False),
        metadata={
            "doc": "How long a revocation is kept whose last token has no known expiry: of a token "
            "without ``exp``, an account, a consumer, and an app install in a shared store or "
            "without ``MAX_LIFETIME``; unset: for good. After it, such tokens pass again."
        },
    )

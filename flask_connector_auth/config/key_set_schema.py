"""The settings of remote key sets as they stand in ``app.config``, one field each."""

from collections.abc import Callable
from typing import Any

from marshmallow import Schema, ValidationError, fields
from marshmallow.validate import Range

from ..keys import check_proxy, check_url, crosses_in_the_clear, is_file_name, is_redis_url
from .fields import Number, Text, Whole


def _seconds(default: float, doc: str, *, zero: bool = False) -> Number:
    bounds = Range(min=0, min_inclusive=zero)
    return Number(load_default=default, validate=bounds, metadata={"doc": doc})


def _whole(default: int, doc: str) -> Whole:
    return Whole(load_default=default, validate=Range(min=1), metadata={"doc": doc})


def _checked(check: Callable[[str], None]) -> Callable[[str], None]:
    def validate(value: str) -> None:
        try:
            check(value)
        except ValueError as error:
            raise ValidationError(f"{str(error).capitalize()}.") from None

    return validate


def _check_backup(place: str) -> None:
    if not is_redis_url(place):
        if not is_file_name(place):
            raise ValidationError(
                "Neither the URL of one Redis (redis://, rediss://, unix://) nor the name of a "
                "file; a name with a colon starts with / or ./."
            )
        return
    try:
        exposed = crosses_in_the_clear(place)
    except ImportError:
        raise ValidationError("It needs pip install flask-connector-auth[redis].") from None
    except ValueError as error:
        raise ValidationError(f"It is {error}.") from None
    if exposed:
        raise ValidationError("A Redis elsewhere needs rediss://, with its certificate verified.")


def _optional(doc: str, **more: Any) -> Text:
    return Text(load_default=None, metadata={"doc": doc}, **more)


class _Callable(fields.Field[Any]):
    default_error_messages: dict[str, Any] = {"invalid": "Not callable."}  # noqa: RUF012

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if not callable(value):
            raise self.make_error("invalid")
        return value


class JwksSchema(Schema):
    """When a key set is fetched, and how; times in seconds."""

    jwks_max_age: Number = _seconds(
        300, "How long a set is used unchecked while its issuer answers; it may ask for less."
    )
    jwks_min_age: Number = _seconds(30, "The shortest such time, whatever the issuer asks for.")
    jwks_cooldown: Number = _seconds(
        10, "Least time between two fetches for unknown keys, in a process."
    )
    jwks_timeout: Number = _seconds(5, "Wall clock for one fetch.")
    jwks_wait: Number = _seconds(
        2, "How long a request waits for a fetch; 5 while there is no set at all."
    )
    jwks_max_waiting: Whole = _whole(
        4, "Most requests that wait for one fetch because of an unknown key, in a process."
    )
    jwks_retry: Number = _seconds(1, "First pause after a failed fetch; doubled each time.")
    jwks_retry_max: Number = _seconds(
        60,
        "The longest such pause while the last set serves. While none does, no pause is over 5; "
        "while one is fresh, none is over ``JWKS_COOLDOWN``.",
    )
    jwks_max_stale: Number = _seconds(
        3600,
        "How long after its last confirmation a set may serve while fetches fail; 0: not at all.",
        zero=True,
    )
    jwks_max_bytes: Whole = _whole(262144, "Largest key set, in bytes.")
    jwks_max_keys: Whole = _whole(100, "Most keys in a set.")
    jwks_failover: fields.List[str] = fields.List(
        Text(validate=_checked(check_url)),
        load_default=list,
        metadata={"doc": "Further URLs of the same issuer's set, asked where the first one fails."},
    )
    jwks_backup: Text = _optional(
        "Where the last good set is kept for a start without its issuer: a file, or the URL of one "
        "Redis, ``redis://``, ``rediss://`` or ``unix://``. Whoever can write there can sign "
        "tokens.",
        validate=_check_backup,
    )
    jwks_ca_file: Text = _optional("Certificates to trust for key sets, in place of the system's.")
    jwks_proxy: Text = _optional(
        "``http://host:port`` of a proxy for key sets; those of the environment are not used.",
        validate=_checked(check_proxy),
    )
    jwks_fetch: _Callable = _Callable(
        load_default=None,
        allow_none=True,
        metadata={"doc": "A callable in place of the built-in fetch; see :class:`Fetch`."},
    )

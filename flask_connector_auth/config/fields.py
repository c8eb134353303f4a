"""Field types and validators for the settings: a value has the right type, or it is refused.

Nothing is converted that only looks like the right type: ``"false"`` is a true string in Python.
"""

from collections.abc import Callable
from math import isfinite
from typing import Any, ClassVar

from marshmallow import Schema, ValidationError, fields, missing
from marshmallow.validate import Length, OneOf, Range

from ..keys import ALGORITHMS, crosses_in_the_clear, is_file_name, is_redis_url
from ..revocation import RevocationStore

#: What to do where redis-py, which is an extra, cannot be imported.
REDIS_MISSING = "Redis support is not installed: pip install flask-connector-auth[redis]."


class Setting(fields.Field[Any]):
    """A setting with its default and its description; a default of ``None`` also permits ``None``.

    :param default: the value of a setting that is not configured.
    :param doc: what the setting means, for the documentation.
    """

    message: ClassVar[str]  #: reported for a value of the wrong type
    bounds: ClassVar[Range | None] = None  #: where the setting has no validator

    def __init__(
        self, default: Any = missing, doc: str = "", validate: Any = None, **kwargs: Any
    ) -> None:
        validate = validate or self.bounds
        super().__init__(load_default=default, validate=validate, metadata={"doc": doc}, **kwargs)

    def _has_right_type(self, value: Any) -> bool:
        raise NotImplementedError

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if not self._has_right_type(value):
            raise ValidationError(self.message)
        return value


class Number(Setting):
    """A finite number; neither a string nor a boolean."""

    message = "Must be a finite number."

    def _has_right_type(self, value: Any) -> bool:
        return type(value) in (int, float) and isfinite(value)


class Whole(Setting):
    """A whole number; neither a string nor a boolean."""

    message = "Must be a whole number."

    def _has_right_type(self, value: Any) -> bool:
        return type(value) is int


class Seconds(Number):
    """A duration: above 0, unless the setting has its own bounds."""

    bounds = Range(min=0, min_inclusive=False)


class Count(Whole):
    """How many there may be: at least 1."""

    bounds = Range(min=1)


class Flag(Setting):
    """True or false; nothing that merely looks like one of them."""

    message = "Must be true or false."

    def _has_right_type(self, value: Any) -> bool:
        return type(value) is bool


class Function(Setting):
    """Any callable."""

    message = "Must be callable."

    def _has_right_type(self, value: Any) -> bool:
        return callable(value)


class Store(Setting):
    """A revocation store, by its methods; not the class of one."""

    message = "Must be an instance of RevocationStore."

    def _has_right_type(self, value: Any) -> bool:
        return isinstance(value, RevocationStore) and not isinstance(value, type)


class Text(Setting):
    """A non-empty string. An integer becomes its digits, because ``from_prefixed_env`` turns an
    account id into an integer."""

    message = "Must be a non-empty string."

    def _has_right_type(self, value: Any) -> bool:
        return type(value) is str and value != ""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return super()._deserialize(str(value) if type(value) is int else value)


class Audience(Text):
    """One account id or a list of them."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        account_ids = value if isinstance(value, list | tuple | set | frozenset) else [value]
        if not account_ids:
            raise ValidationError(self.message)
        return frozenset(super(Audience, self)._deserialize(each) for each in account_ids)


class OverrideSchema(Schema):
    """What a deployment may change in an error row."""

    errorCode: fields.Integer = fields.Integer(strict=True)
    title: Text = Text()
    details: Text = Text()


def algorithms(default: list[str] | None, doc: str) -> fields.List[str]:
    """Return a setting for an allow-list of ``alg``."""
    return fields.List(
        fields.String(validate=OneOf(ALGORITHMS, error="Unknown algorithm.")),
        load_default=default,
        validate=Length(min=1, error="Must not be empty: no token would be accepted."),
        error_messages={"invalid": 'Must be a list of algorithm names, such as ["RS256"].'},
        metadata={"doc": doc},
    )


def passes(check: Callable[[str], None]) -> Callable[[str], None]:
    """Return a validator that reports the ``ValueError`` that *check* raises."""

    def validate(value: str) -> None:
        try:
            check(value)
        except ValueError as error:
            raise ValidationError(sentence(error)) from None

    return validate


def check_backup_place(place: str) -> None:
    """Check where a backup of a key set is to be kept.

    :raises ValidationError: unless it is a file path, or the URL of one Redis that is on this
        machine or is reached by verified TLS.
    """
    if not is_redis_url(place):
        if not is_file_name(place):
            raise ValidationError(
                "Must be a file path, or the URL of one Redis server (redis://, rediss:// or "
                "unix://). A path with a colon needs / or ./ at its start."
            )
        return
    try:
        exposed = crosses_in_the_clear(place)
    except ImportError:
        raise ValidationError(REDIS_MISSING) from None
    except ValueError as error:
        raise ValidationError(sentence(error)) from None
    if exposed:
        raise ValidationError(
            "A Redis server on another host needs rediss:// and a verified certificate."
        )


def sentence(error: ValueError) -> str:
    """Return the text of *error* as a sentence."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."

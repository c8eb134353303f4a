"""A configured value in; a value of the right type out: the field types of the settings' schema."""

from math import isfinite
from typing import Any

from marshmallow import fields


class Text(fields.Field[str]):
    """A non-empty string.

    A whole number is its digits, since ``from_prefixed_env`` makes a number of an account id.
    """

    default_error_messages: dict[str, Any] = {"invalid": "Not a non-empty string."}  # noqa: RUF012

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        if type(value) is int:
            return str(value)
        if type(value) is not str or not value:
            raise self.make_error("invalid")
        return value


class Number(fields.Field[float]):
    """A finite number; neither a string nor a boolean."""

    default_error_messages: dict[str, Any] = {"invalid": "Not a finite number."}  # noqa: RUF012

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> float:
        if type(value) not in (int, float) or not isfinite(value):
            raise self.make_error("invalid")
        return value  # type: ignore[no-any-return]


class Whole(Number):
    """A whole number; neither a string nor a boolean."""

    default_error_messages: dict[str, Any] = {"invalid": "Not a whole number."}  # noqa: RUF012

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> int:
        if type(value) is not int:
            raise self.make_error("invalid")
        return value


class Flag(fields.Field[bool]):
    """True or false; nothing that merely looks like one of them."""

    default_error_messages: dict[str, Any] = {"invalid": "Not true or false."}  # noqa: RUF012

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> bool:
        if type(value) is not bool:
            raise self.make_error("invalid")
        return value


class Audience(Text):
    """One account id or a list of them."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        several = value if isinstance(value, list | tuple | set | frozenset) else [value]
        if not several:
            raise self.make_error("invalid")
        return frozenset(super(Audience, self)._deserialize(one) for one in several)

"""Field types and validators for the settings: a value has the right type, or it is refused.

A value is not converted because it looks like the right type: the string ``"false"`` is true.
"""

import re
from collections.abc import Callable, Sequence
from sys import float_info
from typing import Any, ClassVar

from marshmallow import Schema, ValidationError, fields, missing
from marshmallow.validate import Length, OneOf, Range

from ..core import ERROR_ROWS
from ..keys import clean_text
from ..revocation import RevocationStore

#: The problem if redis-py, which is an extra, cannot be imported.
REDIS_MISSING = "Redis support is not installed: pip install flask-connector-auth[redis]"
# What separates or encloses the items of a list, however it is written.
_LIST_MARK = re.compile(r"[,;\s\[\]\"']")


class Setting(fields.Field[Any]):
    """A setting with its default and its description; a default of ``None`` also permits ``None``.

    :param default: the value of a setting that is not configured.
    :param doc: what the setting means, for the documentation.
    """

    types: ClassVar[tuple[type, ...]] = ()  #: types of accepted values; not their subclasses
    message: ClassVar[str]  #: reported for a value of the wrong type
    bounds: ClassVar[Range | None] = None  #: used if the setting has no validator

    def __init__(
        self, default: Any = missing, doc: str = "", validate: Any = None, **kwargs: Any
    ) -> None:
        validate = validate or self.bounds
        super().__init__(load_default=default, validate=validate, metadata={"doc": doc}, **kwargs)

    def _accepts(self, value: Any) -> bool:
        return type(value) in self.types

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if not self._accepts(value):
            raise ValidationError(self.message)
        return value


class Literal(Setting):
    """A number or a truth value, which is easily given as text by mistake."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return super()._deserialize(value)
        except ValidationError:
            if type(value) is not str:
                raise
            # The text is not quoted: it may be a secret in the wrong place.
            found = "text" if value else "empty text"
            advice = "Write it without quotes, and in the environment as in JSON."
            raise ValidationError(f"{self.message[:-1]}, not {found}. {advice}") from None


class Number(Literal):
    """A finite number; neither a string nor a boolean."""

    types: ClassVar[tuple[type, ...]] = (int, float)
    message: ClassVar[str] = "Must be a finite number."

    def _accepts(self, value: Any) -> bool:
        return super()._accepts(value) and abs(value) <= float_info.max


class WholeNumber(Literal):
    """A whole number; neither a string nor a boolean."""

    types: ClassVar[tuple[type, ...]] = (int,)
    message: ClassVar[str] = "Must be a whole number."


class Seconds(Number):
    """A duration: above 0, unless the setting has its own bounds."""

    bounds: ClassVar[Range | None] = Range(min=0, min_inclusive=False)


class Count(WholeNumber):
    """A number of things: at least 1."""

    bounds: ClassVar[Range | None] = Range(min=1)


class Flag(Literal):
    """``True`` or ``False``, and nothing else."""

    types: ClassVar[tuple[type, ...]] = (bool,)
    message: ClassVar[str] = "Must be true or false."


class Function(Setting):
    """Any callable."""

    message: ClassVar[str] = "Must be callable."

    def _accepts(self, value: Any) -> bool:
        return callable(value)


class Store(Setting):
    """An object with the methods of a revocation store; not a class."""

    message: ClassVar[str] = "Must be an instance of RevocationStore."

    def _accepts(self, value: Any) -> bool:
        return isinstance(value, RevocationStore) and not isinstance(value, type)


class Text(Setting):
    """A non-empty string; the digits of an integer, which ``from_prefixed_env`` makes of an id."""

    types: ClassVar[tuple[type, ...]] = (str,)
    message: ClassVar[str] = "Must be a non-empty string."

    def _accepts(self, value: Any) -> bool:
        return super()._accepts(value) and value != ""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        is_number = type(value) is int and abs(value) <= float_info.max
        return super()._deserialize(str(value) if is_number else value)


class Location(Text):
    """A path or URL. White space, line ends and a byte order mark around it do not belong to it."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return super()._deserialize(clean_text(value) if isinstance(value, str) else value)


class Audience(Text):
    """One account id or a list of them.

    In an environment variable, a list that is not JSON stays one text, which no token would match.
    """

    message: ClassVar[str] = "Must be a non-empty string, or a list of non-empty strings."

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(value, str) and _LIST_MARK.search(value):
            raise ValidationError(
                "Not one account id: it has a comma, a semicolon, white space, a bracket or a "
                """quote. A list of ids is JSON in an environment variable: '["le1", "le2"]'."""
            )
        account_ids = value if isinstance(value, list | tuple | set | frozenset) else [value]
        if not account_ids:
            raise ValidationError(self.message)
        return frozenset(super(Audience, self)._deserialize(each) for each in account_ids)


class OverrideSchema(Schema):
    """What a deployment may change in an error row."""

    # No ClassVar, because the base class declares an instance variable.
    error_messages: dict[str, str] = {  # noqa: RUF012
        "type": 'Must be a mapping, such as {"title": "Invalid token"}.'
    }
    errorCode: fields.Integer = fields.Integer(
        strict=True,
        attribute="error_code",
        validate=Range(0, 99999, error="Must have five digits."),
    )
    title: Text = Text()
    details: Text = Text()


class Overrides(fields.Dict):
    """Changes to error rows, by their codes."""

    def __init__(self, doc: str) -> None:
        super().__init__(
            keys=fields.Integer(validate=OneOf(ERROR_ROWS, error="Not a code of the error table.")),
            values=fields.Nested(OverrideSchema),
            load_default=dict,
            error_messages={
                # The text is a format string.
                "invalid": "Must be a mapping of codes, such as "
                '{{"40102": {{"title": "Invalid token"}}}}.'
            },
            metadata={"doc": doc},
        )


_NOT_EMPTY = Length(min=1, error="Must not be empty: no token would be accepted.")


class Texts(fields.List[str]):
    """A list of texts, which may be empty if that is its default; ``None`` if that is.

    :param item: the field of each text.
    :param error: the problem of a value that is no list, with an example that is JSON too: in an
        environment variable, a list that is not JSON stays one text.
    """

    def __init__(
        self, item: fields.Field[str], doc: str, error: str, default: Sequence[str] | None = ()
    ) -> None:
        super().__init__(
            item,
            load_default=None if default is None else lambda: [*default],
            validate=None if default == () else _NOT_EMPTY,
            error_messages={"invalid": error},
            metadata={"doc": doc},
        )


def passes(check: Callable[[str], object]) -> Callable[[str], None]:
    """Return a validator that reports the ``ValueError`` that *check* raises.

    An ``ImportError`` is reported too: *check* needs redis-py then.
    """

    def validate(value: str) -> None:
        try:
            check(value)
        except ImportError:
            raise ValidationError(sentence(REDIS_MISSING)) from None
        except ValueError as error:
            raise ValidationError(sentence(str(error))) from None

    return validate


def sentence(text: str) -> str:
    """Return *text*, the message of an exception, as a sentence."""
    return f"{text[:1].upper()}{text[1:]}."

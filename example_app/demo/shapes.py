"""Compares JSON values with documented shapes.

A shape is a JSON value in which a type stands for any value of that type, and a pattern for any
text that matches it as a whole.
"""

import json
import re
from typing import Any


def matches(value: Any, shape: Any) -> bool:
    """Whether *value* has *shape*: exactly its members, and the items of arrays in their order."""
    if isinstance(shape, type):
        return type(value) is shape
    if isinstance(shape, re.Pattern):
        return isinstance(value, str) and bool(shape.fullmatch(value))
    if type(value) is not type(shape):
        return False
    if isinstance(shape, dict):
        return value.keys() == shape.keys() and all(matches(value[k], shape[k]) for k in shape)
    if isinstance(shape, list):
        return len(value) == len(shape) and all(map(matches, value, shape))
    return bool(value == shape)


def described(shape: Any) -> str:
    """Return *shape* in one line, to be printed."""
    return json.dumps(shape, separators=(",", ":"), ensure_ascii=False, default=_named)


def _named(part: Any) -> str:
    return f"<{part.pattern if isinstance(part, re.Pattern) else part.__name__}>"

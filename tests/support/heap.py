"""Where a text is held by whatever can be reached from some objects, as a heap dump would show."""

import gc
import io
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from types import FrameType, ModuleType
from typing import Any

#: Packages whose modules are followed; what only the globals of another one hold is not theirs.
FOLLOWED = ("flask_connector_auth", "flask", "werkzeug", "joserfc", "cryptography", "logging")


def holders(needles: Iterable[bytes], *roots: Any) -> dict[bytes, str]:
    """Return those of *needles* that a text or a buffer has in it, with the types that lead there.

    Follows all that the garbage collector knows of: attributes, ``__slots__``, items, keys,
    closures, default arguments, generators, frames, classes, and the modules of :data:`FOLLOWED`.
    """
    wanted, own = list(needles), _own_frames()
    modules = [each for each in sys.modules.values() if issubclass(type(each), ModuleType)]
    others = [vars(each) for each in modules if not _is_followed(each)]
    # With the objects themselves, so that no id is used again meanwhile.
    seen = {id(each): each for each in (*others, *own, others, own, roots, wanted)}
    found: dict[bytes, str] = {}
    waiting: list[tuple[Any, tuple[str, ...]]] = [(each, ()) for each in roots]
    while waiting:
        each, way = waiting.pop()
        # By its type alone: what an object of others says of itself may raise.
        kind = type(each)
        if (
            id(each) in seen
            or (issubclass(kind, ModuleType) and not _is_followed(each))
            # Pytest imports the test kit, and has the parameters of all tests.
            or kind.__module__.startswith("_pytest.")
        ):
            continue
        seen[id(each)] = each
        way = (*way, kind.__name__)
        for held in _bytes_of(each):
            found |= {needle: " > ".join(way) for needle in wanted if needle in held}
        waiting += [(inner, way) for inner in gc.get_referents(each)]
        if issubclass(kind, dict):
            # The collector leaves out keys that are text: they cannot lead anywhere.
            waiting += [(key, way) for key in dict.copy(each)]
    return found


def _bytes_of(value: Any) -> Iterator[bytes]:
    """Yield what *value* holds as bytes: text, any buffer, a file in memory."""
    kind = type(value)
    if issubclass(kind, str):
        yield str.encode(value, errors="replace")
    elif issubclass(kind, io.StringIO | io.BytesIO):
        with suppress(ValueError):  # it is closed, and holds nothing
            yield from _bytes_of(value.getvalue())
    else:
        with suppress(TypeError, BufferError, ValueError):
            yield memoryview(value).tobytes()


def _own_frames() -> list[FrameType]:
    """Return the frames that run now: what they hold is in use, and not at rest."""
    frames, frame = [], sys._getframe(1)
    while frame.f_back is not None:
        frames.append(frame)
        frame = frame.f_back
    return [*frames, frame]


def _is_followed(module: Any) -> bool:
    return str(getattr(module, "__name__", "")).partition(".")[0] in FOLLOWED

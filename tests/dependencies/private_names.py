"""The package in; the names with an underscore that it shares with its dependencies out."""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import flask_connector_auth

# Of the language itself, whose classes our own are made from.
_PYTHON = ("abc", "builtins", "enum", "typing")


def private_names() -> set[str]:
    """Return every such name that is read off an object which is not ours, or shared with a base
    class which is not ours."""
    return {name for name in {*_read(), *_shared()} if _is_private(name)}


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _read() -> set[str]:
    """Return the names of attributes that are read, and are defined nowhere in the package."""
    read: set[str] = set()
    defined: set[str] = set()
    for path in Path(flask_connector_auth.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Attribute(attr=name, ctx=ast.Load()):
                    read.add(name)
                case ast.Attribute(attr=name) | ast.Name(id=name, ctx=ast.Store()):
                    defined.add(name)
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                    defined.add(name)
    return read - defined


def _shared() -> Iterator[str]:
    for module in pkgutil.walk_packages(flask_connector_auth.__path__, "flask_connector_auth."):
        for _, one in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if one.__module__ == module.name:
                for base in one.__mro__[1:]:
                    if base.__module__.partition(".")[0] not in (*_PYTHON, "flask_connector_auth"):
                        yield from _names(one) & _names(base)


def _names(one: type[Any]) -> set[str]:
    """Return the names of the methods of a class, and those that they use."""
    methods = {name: each for name, each in vars(one).items() if inspect.isfunction(each)}
    return {*methods, *(name for each in methods.values() for name in _names_in(each.__code__))}


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names_in(inner)

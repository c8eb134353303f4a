"""Requirements: how they merge, and how they are found behind decorators of other code."""

import functools
from collections.abc import Callable
from types import MethodType
from typing import Any

import pytest

from flask_connector_auth.core import (
    NO_REQUIREMENTS,
    Requirements,
    TokenRequirement,
    attach_requirements,
    collect_requirements,
    get_attached_requirements,
    is_public,
    mark_public,
    token_requirement,
)
from tests.support.floor_helpers import cases

View = Callable[..., Any]
APP = Requirements(app_jwt=TokenRequirement())
CONSUMER = Requirements(consumer_jws=TokenRequirement())


@pytest.mark.parametrize(
    "value", ["a b", ["a", "b"], ("b", "a"), {"a", "b"}, iter(["a", "b", "a"])]
)
def test_scopes_are_a_string_or_any_collection(value: Any) -> None:
    """RFC 6749 section 3.3: a string is split at single spaces."""
    assert token_requirement(scopes=value).scopes == {"a", "b"}


def test_alternatives_are_one_set() -> None:
    """``any_scope`` requires one of the scopes that it lists."""
    assert token_requirement(any_scope="a b").any_scopes == {frozenset({"a", "b"})}


def test_the_defaults_require_no_scope() -> None:
    """An empty tuple is the default of both arguments."""
    assert token_requirement((), ()) == token_requirement() == TokenRequirement()


@pytest.mark.parametrize("argument", ["scopes", "any_scope"])
@cases("empty", {"text": "", "list": [], "set": frozenset(), "iterator": iter(())})
def test_empty_scopes_that_are_passed_are_an_error(argument: str, empty: Any) -> None:
    """From an unset variable, for example; else every token would be enough."""
    assert token_requirement(**{argument: ["a"]}) != TokenRequirement()
    with pytest.raises(ValueError, match=f"^{argument} is empty: leave it out if no scope is"):
        token_requirement(**{argument: empty})


def test_a_scope_is_any_other_printable_ascii() -> None:
    """RFC 6749 section 3.3: %x21, %x23 to %x5B and %x5D to %x7E."""
    signs = {chr(code) for code in (0x21, *range(0x23, 0x5C), *range(0x5D, 0x7F))}
    assert token_requirement(scopes=signs).scopes == signs
    assert token_requirement(scopes=" ".join(sorted(signs))).scopes == signs


@pytest.mark.parametrize(
    "bad",
    [" ", "a  b", " a", "a ", "a\tb", 'a"b', "a\\b", "é", "a\x7f", [""], ["a b"], ["a", "\n"]],
)
def test_a_scope_that_no_token_can_carry_is_an_error(bad: Any) -> None:
    """RFC 6749 section 3.3: a scope is printable ASCII but space, quote and backslash."""
    assert token_requirement("!#[]~", "!#[]~").scopes == {"!#[]~"}
    with pytest.raises(ValueError, match="is not a scope"):
        token_requirement(scopes=bad)
    with pytest.raises(ValueError, match="is not a scope"):
        token_requirement(any_scope=bad)


def test_merged_token_requirements_require_both() -> None:
    """The union has the scopes of both, and the alternatives of both."""
    one, other = token_requirement("a", "x y"), token_requirement("b", "y z")
    assert one | other == TokenRequirement(
        scopes=frozenset("ab"), any_scopes=frozenset({frozenset("xy"), frozenset("yz")})
    )
    assert one | other == other | one


@pytest.mark.parametrize(("one", "other"), [(True, True), (True, False), (False, False)])
def test_a_token_is_optional_only_if_all_declare_it_so(one: bool, other: bool) -> None:
    """A declaration that requires the token wins over one for which it is optional."""
    requirements = [token_requirement(optional=one), token_requirement(optional=other)]
    assert (requirements[0] | requirements[1]).optional is (one and other)
    assert (requirements[1] | requirements[0]).optional is (one and other)


@pytest.mark.parametrize(
    ("one", "other", "merged"),
    [
        (NO_REQUIREMENTS, NO_REQUIREMENTS, NO_REQUIREMENTS),
        (APP, NO_REQUIREMENTS, APP),
        (NO_REQUIREMENTS, APP, APP),
        (APP, APP, APP),
        (APP, CONSUMER, Requirements(TokenRequirement(), TokenRequirement())),
        (
            Requirements(token_requirement("a")),
            Requirements(token_requirement("b"), TokenRequirement()),
            Requirements(token_requirement("a b"), TokenRequirement()),
        ),
        (
            Requirements(token_requirement(optional=True)),
            NO_REQUIREMENTS,
            Requirements(token_requirement(optional=True)),
        ),
    ],
)
def test_merged_requirements_require_all_that_either_requires(
    one: Requirements, other: Requirements, merged: Requirements
) -> None:
    """Decision 0002: the requirements of an endpoint are the union of its declarations."""
    assert one | other == merged
    assert other | one == merged


def test_requirements_are_true_if_they_name_a_token() -> None:
    """Empty requirements are false; an optional token counts, since it is verified."""
    assert not NO_REQUIREMENTS
    assert APP
    assert CONSUMER
    assert Requirements(app_jwt=token_requirement(optional=True))


def view() -> None:
    """A view without requirements."""


def make_view(requirements: Requirements = APP) -> View:
    """Return a new view to which *requirements* are attached."""

    def required_view() -> None:
        return view()

    attach_requirements(required_view, requirements)
    return required_view


def with_wraps(inner: View) -> View:
    """Decorate with ``functools.wraps``."""

    @functools.wraps(inner)
    def wrapper() -> Any:
        return inner()

    return wrapper


def without_wraps(inner: View) -> View:
    """Decorate without ``functools.wraps``, as many decorators do."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return inner(*args, **kwargs)

    return wrapper


def as_method(inner: View) -> View:
    """Return *inner* as a bound method."""
    return MethodType(inner, object())


@pytest.mark.parametrize(
    "decorate",
    [with_wraps, without_wraps, as_method, lambda inner: without_wraps(without_wraps(inner))],
    ids=["functools.wraps", "closure", "method", "two closures"],
)
def test_requirements_are_found_behind_other_decorators(decorate: Callable[[View], View]) -> None:
    """Decision 0002: also behind decorators that drop the attributes of the view."""
    assert collect_requirements(decorate(view)) == NO_REQUIREMENTS
    assert collect_requirements(decorate(make_view())) == APP


def test_functions_that_a_view_calls_do_not_count() -> None:
    """Only a function that accepts any keyword is a decorator; a view may call another or not."""
    called = make_view()

    def a_plain_view(account_id: str | None = None) -> Any:
        return called() if account_id else None

    assert collect_requirements(a_plain_view) == NO_REQUIREMENTS
    assert get_attached_requirements(without_wraps(called)) == NO_REQUIREMENTS
    assert get_attached_requirements(called) == APP


def test_requirements_of_all_layers_merge() -> None:
    """All declarations count, in whatever order they are stacked."""
    outer = without_wraps(make_view(APP))
    attach_requirements(outer, CONSUMER)
    assert collect_requirements(with_wraps(outer)) == APP | CONSUMER


def test_a_view_can_be_any_callable() -> None:
    """A builtin, a partial and an object have no requirements and cause no error."""
    assert collect_requirements(print) == NO_REQUIREMENTS
    assert collect_requirements(functools.partial(view)) == NO_REQUIREMENTS
    assert collect_requirements(object()) == NO_REQUIREMENTS


def test_a_view_that_refers_to_itself_ends() -> None:
    """The search visits a function in a cycle of closures only once."""

    def again(**kwargs: Any) -> Any:
        return again if view else other

    def other(**kwargs: Any) -> Any:
        return again

    attach_requirements(other, APP)
    assert collect_requirements(again) == APP


def test_each_function_is_visited_once() -> None:
    """A function that is found in many ways counts once towards the bound."""

    def twice(inner: View) -> View:
        same = inner

        def wrapper(**kwargs: Any) -> Any:
            return inner(**kwargs), same(**kwargs)

        return wrapper

    assert (
        collect_requirements(
            functools.reduce(lambda inner, _: twice(inner), range(30), make_view())
        )
        == APP
    )


def test_an_empty_cell_is_passed_over() -> None:
    """The search works before a name in the closure is bound, and finds the function after that."""

    def early(**kwargs: Any) -> Any:
        return late

    assert collect_requirements(early) == NO_REQUIREMENTS
    late = make_view()
    assert collect_requirements(early) == APP


def test_the_search_is_bounded() -> None:
    """The search ends after 64 functions, however deep other code nests its closures."""

    def stack(height: int) -> View:
        layered = make_view()
        for _ in range(height):
            layered = without_wraps(layered)
        return layered

    assert collect_requirements(stack(60)) == APP
    assert collect_requirements(stack(100)) == NO_REQUIREMENTS


def test_the_search_touches_only_functions() -> None:
    """A context-bound proxy raises at any attribute access outside its context."""

    class Proxy:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("working outside of context")

    proxy = Proxy()

    def with_proxy(**kwargs: Any) -> Any:
        return proxy

    assert collect_requirements(with_proxy) == NO_REQUIREMENTS


def test_only_the_marked_view_is_public() -> None:
    """The exemption of a view does not extend to functions that call it."""
    exempt = make_view()
    mark_public(exempt)
    assert is_public(exempt)
    assert not is_public(view)
    assert not is_public(without_wraps(exempt))
    assert is_public(with_wraps(exempt))

"""What endpoints ask for: how it merges, and how a view carries it through foreign decorators."""

import functools
from types import MethodType

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

APP = Requirements(app_jwt=TokenRequirement())
CONSUMER = Requirements(consumer_jws=TokenRequirement())


@pytest.mark.parametrize(
    "value", ["a b", ["a", "b"], ("b", "a"), {"a", "b"}, iter(["a", "b", "a"])]
)
def test_scopes_are_a_string_or_any_collection(value):
    """RFC 6749 section 3.3: a string is split at single spaces."""
    assert token_requirement(scopes=value).scopes == {"a", "b"}


def test_alternatives_are_one_set():
    """DESIGN section 2: ``any_scope`` asks for one of the scopes that it names."""
    assert token_requirement(any_scope="a b").any_scopes == {frozenset({"a", "b"})}


@pytest.mark.parametrize("nothing", ["", (), [], frozenset()])
def test_no_scopes_ask_for_none(nothing):
    """DESIGN section 1: nothing is asked for where nothing is named."""
    assert token_requirement(nothing, nothing) == TokenRequirement()


def test_a_scope_is_any_other_printable_ascii():
    """RFC 6749 section 3.3: %x21, %x23 to %x5B and %x5D to %x7E."""
    signs = {chr(code) for code in (0x21, *range(0x23, 0x5C), *range(0x5D, 0x7F))}
    assert token_requirement(scopes=signs).scopes == signs
    assert token_requirement(scopes=" ".join(sorted(signs))).scopes == signs


@pytest.mark.parametrize(
    "bad",
    [" ", "a  b", " a", "a ", "a\tb", 'a"b', "a\\b", "é", "a\x7f", [""], ["a b"], ["a", "\n"]],
)
def test_a_scope_that_no_token_can_carry_is_an_error(bad):
    """RFC 6749 section 3.3: a scope is printable ASCII but space, quote and backslash."""
    assert token_requirement("!#[]~", "!#[]~").scopes == {"!#[]~"}
    with pytest.raises(ValueError, match="is not a scope"):
        token_requirement(scopes=bad)
    with pytest.raises(ValueError, match="is not a scope"):
        token_requirement(any_scope=bad)


def test_merged_token_requirements_ask_for_both():
    """DESIGN section 3: scopes add up, and so do the sets of alternatives."""
    one, other = token_requirement("a", "x y"), token_requirement("b", "y z")
    assert one | other == TokenRequirement(
        scopes=frozenset("ab"), any_scopes=frozenset({frozenset("xy"), frozenset("yz")})
    )
    assert one | other == other | one


@pytest.mark.parametrize(("one", "other"), [(True, True), (True, False), (False, False)])
def test_a_token_is_optional_only_where_all_say_so(one, other):
    """DESIGN section 2: whoever asks for a token gets it, whatever else is declared."""
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
def test_merged_requirements_ask_for_all_that_either_asks_for(one, other, merged):
    """DESIGN section 3: the requirement of an endpoint is the sum of its declarations."""
    assert one | other == merged
    assert other | one == merged


def test_requirements_are_true_where_they_ask_for_a_token():
    """DESIGN section 3: nothing asked is false; an optional token is still something asked."""
    assert not NO_REQUIREMENTS
    assert APP
    assert CONSUMER
    assert Requirements(app_jwt=token_requirement(optional=True))


def view():
    """Stand for a view; each test marks a copy of its own."""


def a_view(requirements=APP):
    """Return a new view with a mark."""

    def marked_view():
        return view()

    attach_requirements(marked_view, requirements)
    return marked_view


def with_wraps(inner):
    """Decorate as one should."""

    @functools.wraps(inner)
    def wrapper():
        return inner()

    return wrapper


def without_wraps(inner):
    """Decorate as one should not, but many do."""

    def wrapper(*args, **kwargs):
        return inner(*args, **kwargs)

    return wrapper


def as_method(inner):
    """Return *inner* as a bound method."""
    return MethodType(inner, object())


@pytest.mark.parametrize(
    "decorate",
    [with_wraps, without_wraps, as_method, lambda inner: without_wraps(without_wraps(inner))],
    ids=["functools.wraps", "closure", "method", "two closures"],
)
def test_the_mark_is_found_through_a_foreign_decorator(decorate):
    """DESIGN section 3: also through decorators that drop the attributes of what they wrap."""
    assert collect_requirements(decorate(view)) == NO_REQUIREMENTS
    assert collect_requirements(decorate(a_view())) == APP


def test_what_a_view_may_call_is_not_asked_for():
    """DESIGN section 3: only what hands any keyword on is a decorator; a view calls by choice."""
    called = a_view()

    def a_plain_view(account_id=None):
        return called() if account_id else None

    assert collect_requirements(a_plain_view) == NO_REQUIREMENTS
    assert get_attached_requirements(without_wraps(called)) == NO_REQUIREMENTS
    assert get_attached_requirements(called) == APP


def test_marks_of_all_layers_merge():
    """DESIGN section 3: whatever way they are stacked, all that was declared is asked for."""
    outer = without_wraps(a_view(APP))
    attach_requirements(outer, CONSUMER)
    assert collect_requirements(with_wraps(outer)) == APP | CONSUMER


def test_a_view_of_any_kind_is_looked_at_without_harm():
    """DESIGN section 3: a callable object, a builtin and a partial ask for nothing."""
    assert collect_requirements(print) == NO_REQUIREMENTS
    assert collect_requirements(functools.partial(view)) == NO_REQUIREMENTS
    assert collect_requirements(object()) == NO_REQUIREMENTS


def test_a_view_that_refers_to_itself_ends():
    """security.md section 1: the walk through closures takes no circle."""

    def again(**kwargs):
        return again if view else other

    def other(**kwargs):
        return again

    attach_requirements(other, APP)
    assert collect_requirements(again) == APP


def test_each_function_is_visited_once():
    """security.md section 1: what is reached in many ways counts once towards the bound."""

    def twice(inner):
        same = inner

        def wrapper(**kwargs):
            return inner(**kwargs), same(**kwargs)

        return wrapper

    assert (
        collect_requirements(functools.reduce(lambda inner, _: twice(inner), range(30), a_view()))
        == APP
    )


def test_an_empty_cell_is_passed_over():
    """DESIGN section 3: a view may be asked while the name it closes over is not bound yet."""

    def early(**kwargs):
        return late

    assert collect_requirements(early) == NO_REQUIREMENTS
    late = a_view()
    assert collect_requirements(early) == APP


def test_the_walk_is_bounded():
    """security.md section 1: other people's closures cannot make the walk long."""

    def stack(height):
        layered = a_view()
        for _ in range(height):
            layered = without_wraps(layered)
        return layered

    assert collect_requirements(stack(60)) == APP
    assert collect_requirements(stack(100)) == NO_REQUIREMENTS


def test_nothing_but_functions_is_looked_into():
    """security.md section 7: a proxy outside its context raises at any question."""

    class Proxy:
        def __getattr__(self, name):
            raise RuntimeError("working outside of context")

    proxy = Proxy()

    def with_proxy(**kwargs):
        return proxy

    assert collect_requirements(with_proxy) == NO_REQUIREMENTS


def test_public_is_the_views_own():
    """DESIGN section 2: an exemption holds for the view that has it, not for its callers."""
    exempt = a_view()
    mark_public(exempt)
    assert is_public(exempt)
    assert not is_public(view)
    assert not is_public(without_wraps(exempt))
    assert is_public(with_wraps(exempt))

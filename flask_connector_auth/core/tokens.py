"""The verified tokens as immutable values. Their repr shows ids, but neither claims nor token."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """Which claims of a token type have what this package reads, at one issuer."""

    ids: Mapping[str, str]  #: mandatory claims, by the attribute of the token they become
    #: The claims that may have the scopes. The first one that a token has is read.
    scopes: tuple[str, ...] = ()
    allows_scope_list: bool = False  #: whether the scopes may be a list, beside a string
    requires_issuer: bool = False  #: whether ``iss`` is mandatory

    def scope_claim(self, claims: Mapping[str, Any]) -> str:
        """Return the name of the claim that has the scopes of a token with these *claims*."""
        for name in self.scopes:
            if name in claims:
                return name
        return self.scopes[0]


APP_JWT_CLAIMS = ClaimNames(
    {"account_id": "aud", "install_id": "azp"}, scopes=("scope",), requires_issuer=True
)
CONSUMER_JWS_CLAIMS = ClaimNames(
    {name: name for name in ("account_id", "ext_consumer_id", "lp_consumer_id")}
)
#: The accepted ``typ``, in lower case and without ``application/``. A token without counts as this.
DEFAULT_TYPE = "jwt"


def _copying_claims(token_class: type[T]) -> type[T]:
    """Make the field ``claims`` of a dataclass copy the claims, when set and when read.

    All requests with one token share its object: what one of them does to the claims that it has
    read must not reach the others (RFC 8725 section 3.3).
    """
    slot: Any = vars(token_class)["claims"]

    copying = property(
        lambda token: _copy(slot.__get__(token)),
        lambda token, claims: slot.__set__(token, _copy(claims)),
    )
    for name, descriptor in {"claims": copying, "_shared_claims": slot}.items():
        setattr(token_class, name, descriptor)
    return token_class


@_copying_claims
@dataclass(frozen=True, slots=True)
class AppJWT:
    """A verified AppJWT: the app that calls, and its account (protocol page, Authorization).

    .. versionadded:: 0.1
    """

    account_id: str  #: ``aud``, the account
    install_id: str  #: ``azp``, the app install id
    scopes: frozenset[str] = field(repr=False)  #: ``scope``, split at single spaces
    issuer: str = field(repr=False)  #: ``iss``
    issued_at: float = field(repr=False)  #: ``iat``, seconds since the epoch
    expires_at: float = field(repr=False)  #: ``exp``, seconds since the epoch
    #: Every claim, as plain dicts, lists, strings and numbers. Each time, a new copy is returned.
    claims: dict[str, Any] = field(repr=False, hash=False)

    _shared_claims: ClassVar[Mapping[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Return ids, issuer, times and scopes (a sorted list) as JSON values, without claims."""
        return {
            "account_id": self.account_id,
            "install_id": self.install_id,
            "scopes": sorted(self.scopes),
            "issuer": self.issuer,
            "issued_at": self.issued_at,
            "expires_at": self.expires_at,
        }


@_copying_claims
@dataclass(frozen=True, slots=True)
class ConsumerJWS:
    """A verified ConsumerJWS: the consumer for whom the app calls (protocol page, Get ConsumerJWS).

    .. versionadded:: 0.1
    """

    account_id: str  #: the account
    ext_consumer_id: str  #: the consumer's id in the calling app
    lp_consumer_id: str  #: the consumer's id in the service
    issuer: str = field(repr=False)  #: the configured issuer whose keys have verified it
    #: Every claim, as plain dicts, lists, strings and numbers. Each time, a new copy is returned.
    claims: dict[str, Any] = field(repr=False, hash=False)

    _shared_claims: ClassVar[Mapping[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Return ids and issuer as JSON values, without claims."""
        return {
            "account_id": self.account_id,
            "ext_consumer_id": self.ext_consumer_id,
            "lp_consumer_id": self.lp_consumer_id,
            "issuer": self.issuer,
        }


def token_maker(token_class: type[T]) -> Callable[..., T]:
    """Return a function that makes a token of all its fields, in order, without a copy of claims.

    The constructor takes twice as long: it copies the claims, and sets each field by
    ``object.__setattr__``, since the class is frozen. Pass claims that nothing else refers to.
    """
    members = vars(token_class)
    slots = {name: members[name] for name in members["__slots__"]}
    slots["claims"] = members["_shared_claims"]
    setters = [slot.__set__ for slot in slots.values()]

    def make(*values: Any) -> T:
        token = object.__new__(token_class)
        for set_field, value in zip(setters, values, strict=True):
            set_field(token, value)
        return token

    return make


def shared_claims(token: AppJWT | ConsumerJWS) -> Mapping[str, Any]:
    """Return the claims of *token* without a copy: never change them, or hand them to a view."""
    return token._shared_claims


def _copy(value: Any) -> Any:
    """Return a copy of *value*, a JSON object or array, made of plain dicts and lists."""
    copied: Any
    if isinstance(value, list):
        copied, members = list(value), enumerate(value)
    else:
        copied, members = dict(value), value.items()
    for name, member in members:
        if isinstance(member, (dict, list)):
            copied[name] = _copy(member)
    return copied

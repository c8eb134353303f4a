"""What was issued, configured and revoked in; the row that a request gets out: the documented
rules once more, in plain Python that asks nothing of the package."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

#: The name of an id, the id, and its issuer; ``None``: all issuers.
Mark = tuple[str, str, str | None]


@dataclass(frozen=True)
class Sent:
    """A header value, with what the test knows about it."""

    text: str
    kind: str = "app"  #: ``app`` or ``consumer``
    token: str = ""  #: the compact token in it
    kid: str | None = None
    signer: int | None = None  #: the number of the key that signed it; None: no key of ours
    claims: dict[str, Any] = field(default_factory=dict)
    junk: bool = False  #: refused before any key is looked for
    unsound: bool = False  #: refused after the signature was found good
    bearer: bool = False  #: whether ``Bearer`` stands before it

    @property
    def blank(self) -> bool:
        """Whether it counts as missing."""
        return not self.text.strip(" \t")


@dataclass(frozen=True)
class View:
    """What one view asks for: per token ``asked``, ``optional`` or not at all."""

    app: str = ""
    consumer: str = ""
    account: str | None = None  #: in the URL
    scopes: frozenset[str] = frozenset()  #: all of them
    any_scope: frozenset[str] = frozenset()  #: one of them


class Refused(Exception):
    """The request gets a row; its number is the argument."""


@dataclass
class Model:
    """The state of one deployment."""

    leeway: int
    max_lifetime: int | None
    audience: frozenset[str] | None
    now: int
    static: set[tuple[str, int]]  #: configured keys: kid and number
    published: set[tuple[str, int]]  #: those of the key source
    down: bool = False  #: whether the source is out of reach
    tokens: set[bytes] = field(default_factory=set)  #: revoked, by digest
    marks: dict[Mark, float] = field(default_factory=dict)  #: revoked until

    def answer(self, view: View, app: Sent, consumer: Sent) -> dict[str, Any] | int:
        """Return the identity that the view sees, or the row (protocol page, Error Responses)."""
        try:
            app_claims = self.judged("app", view.app, app, 40105, 40102, view)
            if app_claims is not None and not (
                view.scopes <= scopes_of(app_claims)
                and (not view.any_scope or view.any_scope & scopes_of(app_claims))
            ):
                raise Refused(40102)
            claims = self.judged("consumer", view.consumer, consumer, 40104, 40103, view)
            if None not in (app_claims, claims) and account_of(app_claims) != account_of(claims):
                raise Refused(40103)
        except Refused as refused:
            return int(refused.args[0])
        return {"app": app_claims, "consumer": claims}

    def judged(
        self, kind: str, asked: str, sent: Sent, missing: int, invalid: int, view: View
    ) -> Any:
        """Return the claims of one header, or ``None`` where no token is needed or sent."""
        if not asked or (sent.blank and asked == "optional"):
            return None
        if sent.blank:
            raise Refused(missing)
        if sent.junk or (sent.bearer and kind == "consumer"):
            raise Refused(invalid)
        if not self.verifies(sent):
            raise Refused(invalid)
        if sent.kind != kind or sent.unsound or not self.in_time(sent) or self.revoked(sent):
            raise Refused(invalid)
        account = account_of(sent.claims)
        if view.account not in (None, account) or account not in (self.audience or {account}):
            raise Refused(invalid)
        return sent.claims

    def verifies(self, sent: Sent) -> bool:
        """Whether a key in force is the one that signed (docs/keys.rst, Which key is tried).

        A configured key is asked before the source is, whose outage then makes no difference.
        """
        static, all_of_them = (
            {number for kid, number in keys if sent.kid in (kid, None)}
            for keys in (self.static, self.static | self.published)
        )
        keys = static if self.down else all_of_them
        # Without a kid, a token is tried only where one key fits.
        if sent.kid is None and len(keys) > 1:
            return False
        if sent.signer not in keys and self.down:
            raise Refused(50301)
        return sent.signer in keys

    def in_time(self, sent: Sent) -> bool:
        """Whether it is good just now (RFC 7519 sections 4.1.4 to 4.1.6)."""
        exp, iat, nbf = (sent.claims.get(name) for name in ("exp", "iat", "nbf"))
        if self.max_lifetime is not None and sent.kind == "app" and exp - iat > self.max_lifetime:
            return False
        if exp is not None and self.now >= exp + self.leeway:
            return False
        return all(start is None or start <= self.now + self.leeway for start in (iat, nbf))

    def revoked(self, sent: Sent) -> bool:
        """Whether it, or all that one of its ids was issued, is revoked (docs/revocation.rst)."""
        issued_at = sent.claims.get("iat")
        ats = (self.marks.get(mark) for mark in marks_of(sent))
        return sha256(signing_input(sent).encode()).digest() in self.tokens or any(
            at is not None and (issued_at is None or issued_at <= at) for at in ats
        )


def signing_input(sent: Sent) -> str:
    """Return what a revocation of the token itself goes by: its header and payload."""
    return sent.token.rpartition(".")[0]


def marks_of(sent: Sent) -> set[Mark]:
    """Return the ids by which it can be revoked, of all issuers and of its own."""
    own = (
        {("install_id", sent.claims["azp"])}
        if sent.kind == "app"
        else {(name, sent.claims[name]) for name in ("lp_consumer_id", "ext_consumer_id")}
    )
    ids = {*own, ("account_id", account_of(sent.claims))}
    return {(*each, issuer) for each in ids for issuer in (None, "Sentinel")}


def account_of(claims: Any) -> str:
    """Return the account that the claims name."""
    return str(claims["aud"] if "aud" in claims else claims["account_id"])


def scopes_of(claims: dict[str, Any]) -> set[str]:
    """Return what was granted."""
    return set(claims["scope"].split(" "))

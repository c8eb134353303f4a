"""Apps and consumers that send good and bad requests, for the test of concurrency."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

from flask_connector_auth.testing import Issuer
from flask_connector_auth.testing.tampering import TOKEN_FAULTS

from .facts import Fact, Sent, Token
from .turmoil import Rotation, Turmoil

ACCOUNTS = ("account-0", "account-1")
_KEYS = 3
_NEVER = Fact(False)
# Faults that are errors only in apps with certain settings or requirements.
_NOT_ALWAYS_WRONG = {"too_long_lived", "missing_scope", "wrong_account"}


class Crowd:
    """Apps and consumers of two accounts; each has one token for each key.

    :param size: number of apps, and of consumers.
    """

    def __init__(self, size: int) -> None:
        self._issuers = [Issuer(kid=f"key-{number}") for number in range(_KEYS)]
        self._subjects: list[tuple[Fact, Mapping[str, Any]]] = []
        self._rotation = Rotation(self._issuers)
        accounts = {account: self._subject(account_id=account) for account in ACCOUNTS}
        numbers = range(size)
        self._app_jwts = [token for n in numbers for token in self._app(n, accounts)]
        self._consumers = [token for n in numbers for token in self._consumer(n, accounts)]
        self._consumers_of = {
            account: [token for token in self._consumers if token.account == account]
            for account in ACCOUNTS
        }
        self._bad_app_jwts = [*self._bad("app_jwt")]
        self._bad_consumers = [*self._bad("consumer_jws")]
        self.turmoil = Turmoil(self._rotation, self._subjects)

    def request(self, rng: random.Random) -> Sent:
        """Return a request; most are good, unless a rotation or a revocation makes them bad."""
        app_jwt = rng.choice(self._app_jwts)
        view, account = rng.choice(("pair", "stream")), app_jwt.account
        consumer = rng.choice(self._consumers_of[account])
        if rng.random() < 0.6:
            return Sent(view, account, app_jwt, consumer)
        return rng.choice(
            (
                Sent(view, account, rng.choice(self._bad_app_jwts), consumer),
                Sent(view, account, app_jwt, rng.choice(self._bad_consumers)),
                Sent(view, rng.choice(ACCOUNTS), app_jwt, rng.choice(self._consumers)),
                Sent(view, account, None, consumer),
                Sent(view, account, app_jwt, None),
                Sent("open", account, app_jwt, consumer),
            )
        )

    def _app(self, number: int, accounts: Mapping[str, Fact]) -> Iterator[Token]:
        who, account = f"install-{number}", ACCOUNTS[number % len(ACCOUNTS)]
        facts = accounts[account], self._subject(install_id=who)
        texts = [issuer.app_jwt(aud=account, azp=who) for issuer in self._issuers]
        return self._tokens(texts, who, account, facts)

    def _consumer(self, number: int, accounts: Mapping[str, Fact]) -> Iterator[Token]:
        who, account = f"consumer-{number}", ACCOUNTS[number % len(ACCOUNTS)]
        facts = accounts[account], self._subject(lp_consumer_id=f"lp-{number}")
        claims = {"account_id": account, "ext_consumer_id": who, "lp_consumer_id": f"lp-{number}"}
        texts = [issuer.consumer_jws(**claims) for issuer in self._issuers]
        return self._tokens(texts, who, account, facts)

    def _tokens(
        self, texts: list[str], who: str, account: str, facts: tuple[Fact, ...]
    ) -> Iterator[Token]:
        for text, published in zip(texts, self._rotation.published, strict=True):
            yield Token(text, who, account, (published, self._subject(token=text), *facts))

    def _bad(self, kind: Any) -> Iterator[Token]:
        claim = {"app_jwt": "aud", "consumer_jws": "account_id"}[kind]
        faults = [
            name
            for name, way in TOKEN_FAULTS.items()
            if name not in _NOT_ALWAYS_WRONG and (kind == "app_jwt" or not way.app_jwt_only)
        ]
        for account in ACCOUNTS:
            for issuer in self._issuers:
                for fault in faults:
                    text = issuer.broken(fault, kind, **{claim: account})
                    yield Token(text, fault, account, (_NEVER,))

    def _subject(self, **subject: str) -> Fact:
        fact = Fact()
        self._subjects.append((fact, subject))
        return fact

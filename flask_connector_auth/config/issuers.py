"""The settings of each issuer, with its key sources, and what two issuers must not share."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from typing import Any, NamedTuple

from ..core import APP_JWT_CLAIMS, CONSUMER_JWS_CLAIMS, ClaimNames
from ..keys import (
    ALGORITHMS,
    AlgorithmMismatch,
    KeyRules,
    KeySource,
    RemoteOptions,
    find_identities,
    key_source,
    public_numbers,
    remote_urls,
)
from .issuer_schema import IssuerSchema, is_issuer, is_setting_name
from .problems import Problems, is_issuer_name
from .schema import PREFIX

# White space and slashes that are easily added or left out by mistake.
_AROUND_NAME = re.compile(r"\A\s+|[\s/]+\Z")
_NULL_IS_ABSENT = {name.upper() for name in IssuerSchema().fields} - {"APP_JWT_KEYS"}
_OR_ISS = ', or require iss in their ConsumerJWSs: CONSUMER_JWS_CLAIMS = {"issuer": "iss"}'
_CLAIMS = {"app_jwt": APP_JWT_CLAIMS, "consumer_jws": CONSUMER_JWS_CLAIMS}


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """What one issuer's tokens of one type are verified by."""

    keys: KeySource
    algorithms: tuple[str, ...]
    claims: ClaimNames
    types: frozenset[str]  #: in lower case, without ``application/``


@dataclass(frozen=True, slots=True)
class IssuerSettings:
    """What :class:`IssuerSchema` loads for one issuer."""

    name: str  #: the ``iss`` of its tokens
    app_jwt: TokenSettings
    consumer_jws: TokenSettings
    #: Not in the repr: it may hold a secret in the wrong place.
    audience: frozenset[str] | None = field(repr=False)
    max_lifetime: float | None


@dataclass(frozen=True, slots=True)
class ReadIssuer:
    """The settings of one issuer before its keys are loaded."""

    values: Mapping[str, Any]  #: its own, and what comes from those for all issuers
    given: Collection[str]  #: the names of those that are configured
    label: str = ""  #: what it is called; empty if there is only one
    own: Collection[str] = ()  #: those of *given* that are in its mapping

    def place(self, name: str) -> str:
        """Return where problems of the setting *name* are reported."""
        return f"ISSUERS: {self.label}: {name}" if self.label else name

    def setting(self, token: str, kind: str) -> str:
        """Return the name of the setting that is used for *token*: the AppJWT's, if it has none."""
        name = f"{token}_{kind}".upper()
        return f"APP_JWT_{kind}" if self.values[name.lower()] is None else name

    def algorithms(self, token: str) -> tuple[str, ...]:
        """Return the allow-list for *token*."""
        # One that could not be read is taken for all algorithms: the keys are not reported because
        # of a mistake in another setting.
        return tuple(self.values[self.setting(token, "ALGORITHMS").lower()] or ALGORITHMS)


class _KeyUse(NamedTuple):
    """What the keys of a setting verify."""

    issuer: ReadIssuer
    setting: str
    token: str  #: ``app_jwt``, ``consumer_jws``, or ``named`` for a ConsumerJWS that must have iss


def read_issuers(
    values: Mapping[str, Any], given: Collection[str], problems: Problems
) -> dict[str, ReadIssuer]:
    """Return the settings of each issuer by ``iss``.

    :param values: the settings for all issuers; *given* are the names of those configured.
    """
    if values["issuers"] is None:
        # Without issuers that can be read, nothing is known of their keys.
        is_bad = f"{PREFIX}ISSUERS" in problems
        return {} if is_bad else {values["issuer"]: ReadIssuer(values, given)}
    issuers: dict[str, ReadIssuer] = {}
    twins: dict[str, str] = {}
    for number, (iss, mapping) in enumerate(values["issuers"].items(), 1):
        is_named = isinstance(mapping, Mapping) and is_issuer_name(iss)
        label = iss if is_named else f"item {number}"
        add = partial(problems.add, f"ISSUERS: {label}")
        if not is_issuer(iss):
            add("The name of an issuer must be a non-empty string.")
        elif (twin := twins.setdefault(_AROUND_NAME.sub("", iss), label)) != label:
            add(f"Differs from {twin} only in trailing slashes or white space around the name.")
        elif not isinstance(mapping, Mapping):
            add('Must be a mapping of settings, such as {"APP_JWT_KEYS": "https://..."}.')
        else:
            # Null lifts no restriction that holds for all: an environment variable may be unset.
            own = {
                name if is_setting_name(name) else "a name": value
                for name, value in mapping.items()
                if value is not None or name not in _NULL_IS_ABSENT
            }
            read = problems.read(IssuerSchema(partial=True), own, f"ISSUERS: {label}: ")
            issuers[iss] = ReadIssuer({**values, **read}, {*given, *own}, label, own)
    return issuers


def load_issuers(
    values: Mapping[str, Any],
    issuers: Mapping[str, ReadIssuer],
    options: RemoteOptions,
    problems: Problems,
) -> dict[str, IssuerSettings]:
    """Return the settings of each issuer with its keys, which are ``None`` if there are problems.

    :param values: the settings for all issuers.
    """
    pairs = [(issuer, token) for issuer in issuers.values() for token in _CLAIMS]
    # No HMAC secret may be a number that is public in a key of any issuer. Such numbers are only
    # collected if an HMAC algorithm is allowed, because that reads key files once more.
    has_secrets = any("HS" in name for issuer, token in pairs for name in issuer.algorithms(token))
    material = [issuer.values[f"{token}_keys"] for issuer, token in pairs if has_secrets]
    numbers = public_numbers(*material)
    loaded: dict[str, IssuerSettings] = {}
    # Issuers that have the keys beside ISSUERS share the source: a key set is fetched once.
    sources: dict[tuple[str, str, KeyRules], Any] = {}
    users: dict[object, list[_KeyUse]] = {}
    remote: list[tuple[str, int]] = []
    for iss, issuer in issuers.items():
        tokens = []
        for token, protocol in _CLAIMS.items():
            algorithms, name = issuer.algorithms(token), issuer.setting(token, "KEYS")
            rules = KeyRules(algorithms, values["min_rsa_bits"] or 1024, numbers)
            keys = issuer.label if name in issuer.own else "", name, rules
            if sources.get(keys) is None:
                sources[keys] = _load_keys(issuer, token, rules, options, problems)
            source = sources[keys]
            claims, types = (issuer.values[f"{token}_{kind}"] for kind in ("claims", "types"))
            types = frozenset(each.lower().removeprefix("application/") for each in types or ())
            tokens.append(TokenSettings(source, algorithms, claims or protocol, types))
            if source is not None:
                # Claims that could not be read are reported already.
                has_iss = claims is None or tokens[-1].claims.requires_issuer
                kind = "named" if has_iss and protocol is CONSUMER_JWS_CLAIMS else token
                _report_shared(source, _KeyUse(issuer, name, kind), users, problems)
                remote += [(issuer.label, id(source)) for _ in remote_urls(source)]
        _report_collisions(issuer, [each.claims for each in tokens], problems)
        loaded[iss] = IssuerSettings(
            iss, tokens[0], tokens[1], issuer.values["audience"], issuer.values["max_lifetime"]
        )
    labels = dict.fromkeys(label for label, _ in remote)
    if options.failover and len(labels) > 1 and len({source for _, source in remote}) > 1:
        text = (
            "Must not be set, because these issuers have key sets at different URLs: "
            f"{', '.join(labels)}. An issuer cannot have further URLs of its own."
        )
        problems.add("JWKS_FAILOVER", text)
    return loaded


def _load_keys(
    issuer: ReadIssuer, token: str, rules: KeyRules, options: RemoteOptions, problems: Problems
) -> KeySource | None:
    """Return the source of the keys for *token*, or ``None`` and report why."""
    name, allow_list = issuer.setting(token, "KEYS"), issuer.setting(token, "ALGORITHMS")
    keys, place, list_place = issuer.values[name.lower()], *map(issuer.place, (name, allow_list))
    if keys is None:
        if name not in issuer.given:
            problems.add(place, "Missing: tokens cannot be verified without keys.")
        return None
    source, found = key_source(keys, rules, options, PREFIX + place)
    for problem in found:
        if not isinstance(problem, AlgorithmMismatch):
            problems.add(place, f"{problem}.")
        # A key that does not fit a configured allow-list is a problem of that list.
        elif allow_list in issuer.given:
            problems.add(list_place, f"{PREFIX}{place} has no key for it: {problem}.")
        else:
            advice = f"Set {PREFIX}{list_place} to what the issuer uses."
            problems.add(place, f"{problem}. {advice}")
    return source


def _report_collisions(
    issuer: ReadIssuer, tokens: Sequence[ClaimNames], problems: Problems
) -> None:
    """Report each claim with two meanings in AppJWT and ConsumerJWS.

    By a claim of both tokens other than the account's, one could pass for the other.
    """
    given = [name for name in ("CONSUMER_JWS_CLAIMS", "APP_JWT_CLAIMS") if name in issuer.given]
    # One that could not be read is reported already.
    if any(issuer.values[name.lower()] is None for name in given):
        return
    claims = [
        (f"{name} of {token}", name, claim)
        for token, names in zip(("an AppJWT", "a ConsumerJWS"), tokens, strict=True)
        for name, claim in (*names.ids.items(), *(("scopes", each) for each in names.scopes))
    ]
    for (what, name, claim), (other, other_name, other_claim) in combinations(claims, 2):
        if claim == other_claim and name != other_name:
            text = f"{what} and {other} are the same claim; each needs one of its own."
            problems.add(issuer.place(given[0]), text)


def _report_shared(
    source: KeySource, use: _KeyUse, users: dict[object, list[_KeyUse]], problems: Problems
) -> None:
    """Report what *source* shares with another issuer, unless their tokens stay apart."""
    for identity, what in find_identities(source):
        others = users.setdefault(identity, [])
        for other in others:
            # A ConsumerJWS that names its issuer passes nowhere else, and never as an AppJWT.
            tokens = {use.token, other.token}
            mixes = "consumer_jws" in tokens or tokens == {"app_jwt"}
            if mixes and other.issuer is not use.issuer:
                way_out = "" if {use.setting, other.setting} == {"APP_JWT_KEYS"} else _OR_ISS
                text = (
                    f"Shares {what} with {other.issuer.label}: {other.setting}, so each could sign "
                    f"the tokens of the other. Give each issuer a key of its own{way_out}."
                )
                problems.add(use.issuer.place(use.setting), text)
                break
        others.append(use)

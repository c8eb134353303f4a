"""The settings of each issuer, with its key sources, and what two issuers must not share."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from ssl import SSLError
from typing import Any

from ..core import APP_JWT_CLAIMS, CONSUMER_JWS_CLAIMS, ClaimNames
from ..keys import (
    ALGORITHMS,
    AlgorithmMismatch,
    Fetch,
    HttpFetch,
    KeyRules,
    KeySource,
    RemoteOptions,
    RemoteRules,
    check_url,
    describe_read_error,
    find_identities,
    key_source,
    looks_like_path,
    public_numbers,
    remote_urls,
    url_host,
)
from .fields import sentence
from .issuer_schema import IssuerSchema, colliding_claims, is_issuer
from .problems import Problems, is_issuer_name, is_setting_name
from .schema import PREFIX

# White space and slashes that are easily added or left out by mistake.
_AROUND_NAME = re.compile(r"\A\s+|[\s/]+\Z")
_NULL_IS_ABSENT = {name.upper() for name in IssuerSchema().fields} - {"APP_JWT_KEYS"}
_FAILOVER_OF_SEVERAL = (
    "Its URLs have the keys of one issuer, but those of several come from URLs: {}. Leave it out: "
    "an issuer cannot have a list of its own."
)
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
    audience: frozenset[str] | None
    max_lifetime: float | None


@dataclass(frozen=True, slots=True)
class ReadIssuer:
    """The settings of one issuer before its keys are loaded."""

    values: Mapping[str, Any]  #: its own, and what comes from those for all issuers
    given: Collection[str]  #: the names of those that are configured
    label: str = ""  #: what it is called; empty if there is only one

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


def read_issuers(
    values: Mapping[str, Any], given: Collection[str], problems: Problems
) -> dict[str, ReadIssuer]:
    """Return the settings of each issuer by ``iss``.

    :param values: the settings for all issuers.
    :param given: the names of those that are configured.
    """
    if values["issuers"] is None:
        return {values["issuer"]: ReadIssuer(values, given)}
    issuers: dict[str, ReadIssuer] = {}
    twins: dict[str, str] = {}
    for number, (iss, mapping) in enumerate(values["issuers"].items(), 1):
        is_named = isinstance(mapping, Mapping) and is_issuer_name(iss)
        label = iss if is_named else f"item {number}"
        add = partial(problems.add, f"ISSUERS: {label}")
        if not is_issuer(iss):
            add("The name of an issuer must be a non-empty string.")
        elif (twin := twins.setdefault(_AROUND_NAME.sub("", iss), label)) != label:
            add(f"Differs from {twin} in trailing slashes or white space around it only.")
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
            if "app_jwt_keys" in read:
                # A key for ConsumerJWSs of another issuer must not join the keys of this one.
                read.setdefault("consumer_jws_keys", None)
            issuers[iss] = ReadIssuer({**values, **read}, {*given, *own}, label)
    return issuers


def load_issuers(
    values: Mapping[str, Any], issuers: Mapping[str, ReadIssuer], problems: Problems
) -> dict[str, IssuerSettings]:
    """Return the settings of each issuer with its keys, which are ``None`` if there are problems.

    :param values: the settings for all issuers.
    """
    options = _remote_options(values, problems)
    numbers = _public_numbers(issuers.values())
    loaded: dict[str, IssuerSettings] = {}
    owners: dict[object, ReadIssuer] = {}
    remote: list[str] = []
    for iss, issuer in issuers.items():
        sources: dict[tuple[str, KeyRules], Any] = {}
        tokens = []
        for token, protocol in _CLAIMS.items():
            algorithms = issuer.algorithms(token)
            rules = KeyRules(algorithms, values["min_rsa_bits"] or 1024, numbers)
            keys = issuer.setting(token, "KEYS"), rules
            if keys not in sources:
                sources[keys] = _load_keys(issuer, token, rules, options, problems)
            claims, types = (issuer.values[f"{token}_{kind}"] for kind in ("claims", "types"))
            types = frozenset(each.lower().removeprefix("application/") for each in types or ())
            tokens.append(TokenSettings(sources[keys], algorithms, claims or protocol, types))
        _report_collisions(issuer, tokens, problems)
        for (name, _), source in sources.items():
            for shared in _find_shared(source, issuer, owners) if source else ():
                problems.add(issuer.place(name), shared)
        loaded[iss] = IssuerSettings(
            iss, tokens[0], tokens[1], issuer.values["audience"], issuer.values["max_lifetime"]
        )
        if any(source and remote_urls(source) for source in sources.values()):
            remote.append(issuer.label)
    if options.failover and len(remote) > 1:
        problems.add("JWKS_FAILOVER", _FAILOVER_OF_SEVERAL.format(", ".join(remote)))
    return loaded


def _public_numbers(issuers: Collection[ReadIssuer]) -> frozenset[bytes]:
    """Return the numbers that are public in a key of any issuer: no HMAC secret may be one of them.

    They are collected only if an HMAC algorithm is allowed, because that reads key files once more.
    """
    names = {name for each in issuers for token in _CLAIMS for name in each.algorithms(token)}
    if not any(name.startswith("HS") for name in names):
        return frozenset()
    return public_numbers(*(each.values[f"{token}_keys"] for each in issuers for token in _CLAIMS))


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
    issuer: ReadIssuer, tokens: Sequence[TokenSettings], problems: Problems
) -> None:
    names = [name for name in ("CONSUMER_JWS_CLAIMS", "APP_JWT_CLAIMS") if name in issuer.given]
    # One that could not be read is reported already.
    if all(issuer.values[name.lower()] is not None for name in names):
        for text in colliding_claims(*(token.claims for token in tokens)):
            problems.add(issuer.place(names[0]), text)


def _find_shared(
    source: KeySource, issuer: ReadIssuer, owners: dict[object, ReadIssuer]
) -> Iterator[str]:
    """Yield what *source* shares with another issuer."""
    for identity, what in find_identities(source):
        owner = owners.setdefault(identity, issuer)
        if owner is not issuer:
            yield f"Shares {what} with {owner.label}: each could sign the tokens of the other."


def _remote_options(values: Mapping[str, Any], problems: Problems) -> RemoteOptions:
    """Return the options that the ``JWKS_`` settings describe."""
    configured = {rule.name: values[f"jwks_{rule.name}"] for rule in fields(RemoteRules)}
    # A setting that could not be read is reported already; its default is used here.
    rules = RemoteRules(**{name: value for name, value in configured.items() if value is not None})
    hosts = frozenset(map(url_host, values["jwks_http_hosts"] or ()))
    failover = values["jwks_failover"] or ()
    for number, url in enumerate(failover, 1):
        try:
            check_url(url, hosts)
        except ValueError as error:
            problems.add("JWKS_FAILOVER", f"item {number}: {sentence(str(error))}")
    fetch = values["jwks_fetch"] or _built_in_fetch(values, problems)
    return RemoteOptions(rules, fetch, failover, values["jwks_backup"], hosts)


def _built_in_fetch(values: Mapping[str, Any], problems: Problems) -> Fetch:
    try:
        return HttpFetch(values["jwks_ca_file"], values["jwks_proxy"])
    except (OSError, ValueError) as error:
        why = "no certificates in it" if isinstance(error, SSLError) else describe_read_error(error)
        path = values["jwks_ca_file"]
        name = f"file {path!r}" if looks_like_path(path) else "file"
        problems.add("JWKS_CA_FILE", f"The {name} cannot be loaded ({why}).")
        return HttpFetch()

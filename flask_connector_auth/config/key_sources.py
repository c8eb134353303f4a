"""Key sources made from the settings, and keys that two issuers must not share."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from ssl import SSLError
from typing import Any
from urllib.parse import urlsplit

from ..keys import (
    ALGORITHMS,
    AlgorithmMismatch,
    Fetch,
    HttpFetch,
    KeyProblem,
    KeyRules,
    KeySource,
    RemoteOptions,
    RemoteRules,
    check_url,
    describe_read_error,
    key_source,
    leaf_sources,
    list_keys,
    looks_like_path,
    public_numbers,
    remote_urls,
    url_host,
)
from .fields import sentence
from .problems import IssuerProblems, Problems


def allow_lists(values: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the allow-lists of AppJWTs and of ConsumerJWSs."""
    # If a setting could not be read, its most lenient value is used here: the keys are not reported
    # because of a mistake in another setting.
    algorithms = tuple(values["app_jwt_algorithms"] or ALGORITHMS)
    return algorithms, tuple(values["consumer_jws_algorithms"] or algorithms)


def numbers_of_all(issuers: Sequence[Mapping[str, Any]]) -> frozenset[bytes]:
    """Return the numbers that are public in a key of any token type of any of the *issuers*.

    No HMAC secret may be one of them. They are collected only if an HMAC algorithm is allowed,
    because that reads key files once more.
    """
    names = {name for values in issuers for names in allow_lists(values) for name in names}
    if not any(name.startswith("HS") for name in names):
        return frozenset()
    return public_numbers(
        *(values[name] for values in issuers for name in ("app_jwt_keys", "consumer_jws_keys"))
    )


def load_keys(
    values: Mapping[str, Any],
    numbers: frozenset[bytes],
    options: RemoteOptions,
    configured: Mapping[str, Any],
    problems: IssuerProblems,
) -> list[tuple[str, Any]]:
    """Return the keys of one issuer for AppJWTs and ConsumerJWSs, each after their setting.

    They are ``None`` if there are none, or problems.

    :param values: its settings, its own and those for all issuers.
    :param numbers: see :func:`numbers_of_all`.
    :param configured: the settings for all issuers, as they are configured.
    """
    rules, consumer_rules = (
        KeyRules(algorithms, values["min_rsa_bits"] or 1024, numbers)
        for algorithms in allow_lists(values)
    )
    allow_list = "APP_JWT_ALGORITHMS"
    consumer_allow_list = (
        allow_list if values["consumer_jws_algorithms"] is None else "CONSUMER_JWS_ALGORITHMS"
    )

    def load(name: str, key_rules: KeyRules, allow_list: str) -> tuple[str, KeySource | None]:
        keys = values[name.lower()]
        if keys is None:
            return name, None
        source, found = key_source(keys, key_rules, options, problems.place(name))
        # Own keys that do not fit the list for all issuers are the problem, not that list.
        is_set = allow_list in problems.own or (
            name not in problems.own and problems.key(allow_list) in configured
        )
        _report_keys(name, found, allow_list, is_set, problems)
        return name, source

    app_keys = consumer_keys = load("APP_JWT_KEYS", rules, allow_list)
    if values["consumer_jws_keys"] is not None:
        consumer_keys = load("CONSUMER_JWS_KEYS", consumer_rules, consumer_allow_list)
    elif consumer_rules != rules:
        consumer_keys = load("APP_JWT_KEYS", consumer_rules, consumer_allow_list)
    return [app_keys, consumer_keys]


def _report_keys(
    name: str,
    found: Sequence[KeyProblem],
    allow_list: str,
    is_set: bool,
    problems: Problems,
) -> None:
    """Report the problems of the keys in the setting *name*.

    :param allow_list: the setting of the algorithms that the keys are for.
    :param is_set: whether the allow-list is configured. If so, a key that does not fit it is a
        problem of the allow-list.
    """
    for problem in found:
        is_mismatch = isinstance(problem, AlgorithmMismatch)
        if is_mismatch and is_set:
            problems.add(allow_list, f"{problems.key(name)} has no key for it: {problem}.")
        elif is_mismatch:
            # In front of the allow-list as in front of the keys: it is set beside them.
            key = problems.key(name).replace(name, allow_list)
            problems.add(name, f"{problem}. Set {key} to what the issuer uses.")
        else:
            problems.add(name, f"{problem}.")


def report_shared_keys(
    sources: Iterable[tuple[IssuerProblems, Iterable[tuple[str, KeySource | None]]]],
    failover: Collection[str],
) -> None:
    """Report what two issuers have in common: with one key, each could sign the other's tokens.

    :param sources: for each issuer, what :func:`load_keys` returns.
    """
    owners: dict[object, IssuerProblems] = {}
    for problems, keys in sources:
        for name, source in keys:
            for identity, what in _identities(source, failover) if source else ():
                owner = owners.setdefault(identity, problems)
                if owner is not problems:
                    problems.add_own(
                        name,
                        f"Shares {what} with {owner.issuer}: each could sign tokens of the other. "
                        "Give each issuer keys of its own.",
                    )
                    break


def _identities(source: KeySource, failover: Collection[str]) -> Iterator[tuple[object, str]]:
    """Yield what no two issuers may have in common, and what it is."""
    for leaf in leaf_sources(source):
        yield id(leaf), "a KeySource"
    for url in remote_urls(source):
        parts = urlsplit(url)
        host = parts.netloc.lower().removesuffix(":443")
        what = "a URL of JWKS_FAILOVER" if url in failover else "the URL of a key set"
        yield parts._replace(netloc=host, path=parts.path or "/"), what
    for listed in list_keys(source):
        yield listed.key.thumbprint, "a key"


def remote_options(values: Mapping[str, Any], problems: Problems) -> RemoteOptions:
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

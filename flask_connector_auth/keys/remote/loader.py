"""The URLs of a JWK Set in; its keys, freshly fetched, out: what a fetch brings and means."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlsplit

from ..importing import KeyRules
from ..static import KeyIndex
from .backup import KeySetBackup, SavedKeySet
from .cache_headers import freshness, retry_after, validators
from .connection import Attempt
from .http import Fetch, Fetched, FetchFailed, HttpFetch
from .key_set import BadKeySet, RemoteRules, Snapshot, parse_key_set

logger: logging.Logger = logging.getLogger(__name__)


class LoadFailed(Exception):
    """No source has a usable set just now. The text says why, and quotes nothing received.

    :param retry_after: seconds that the issuer asks to be left alone, if it does.
    """

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.copy: SavedKeySet | None = None  #: what serves instead, if nothing did before


@dataclass(frozen=True, slots=True)
class LoadedKeySet:
    """A usable key set."""

    index: KeyIndex
    life: float | None  #: seconds that the issuer lets it be used, if it says so
    source: str  #: the URL
    validators: Mapping[str, str]  #: headers of the next, conditional request


class Loader:
    """Loads one issuer's set.

    :param urls: asked in turn, each time from the first, until one has a usable set. The sets
        are never joined: a union would let the weakest of them add keys.
    :param copy: where the last good set is kept, and read from if the first fetch fails.
    :param clock: returns seconds that never go back.
    """

    def __init__(
        self,
        urls: Sequence[str],
        fetch: Fetch,
        key_rules: KeyRules,
        rules: RemoteRules,
        copy: KeySetBackup | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.urls = urls
        self.name: str = host_of(urls[0])  #: for messages
        self._fetch = fetch
        self._key_rules = key_rules
        self._rules = rules
        self._copy = copy
        self._clock = clock
        self._understood = b"", KeyIndex([])
        self._logged: dict[str, str] = {}  # by URL, why it failed last
        self.attempt: Attempt = Attempt()  #: which the next load is

    def load(self, known: Snapshot | None) -> LoadedKeySet:
        """Return the set as it is now, after at most two timeouts, however many URLs there are.

        :param known: the set at hand, which a source may confirm instead of sending it again.
        :raises LoadFailed: if no source has it.
        :raises GivenUp: if the attempt is given up.
        """
        attempt = self.attempt
        until = self._clock() + 2 * self._rules.timeout
        reason, asked_for = "", 0.0
        for number, url in enumerate(self.urls):
            # A fair share: the last one has its turn too, though all before it hang.
            share = (until - self._clock()) / (len(self.urls) - number)
            if share <= 0:
                break
            attempt.check()
            try:
                loaded = self._load_from(url, known, min(self._rules.timeout, share), attempt)
            except LoadFailed as failed:
                attempt.check()
                reason = str(failed)
                asked_for = max(asked_for, failed.retry_after or 0.0)
                # Once, not at each attempt of an outage.
                if self._logged.get(url) != reason:
                    logger.warning("key set of %s: %s", host_of(url), reason)
                self._logged[url] = reason
            else:
                self._logged.pop(url, None)
                return loaded
        failure = LoadFailed(reason, asked_for or None)
        if self._copy and known is None:
            failure.copy = self._copy.read(self.urls)
        raise failure

    def keep(self, loaded: LoadedKeySet) -> None:
        """Save a copy of what was *loaded* just now, if there is to be one."""
        if self._copy:
            self._copy.save(loaded.source, loaded.index)

    def _load_from(
        self, url: str, known: Snapshot | None, timeout: float, attempt: Attempt
    ) -> LoadedKeySet:
        # A fetch of the app's own is not told: it knows no attempts.
        more = {"attempt": attempt} if isinstance(self._fetch, HttpFetch) else {}
        known = known if known and known.source == url else None
        try:
            answer = self._fetch(
                url,
                headers=known.validators if known else {},
                timeout=timeout,
                max_bytes=self._rules.max_bytes,
                **more,
            )
            return self._understand(url, answer, known)
        except LoadFailed:
            raise
        except (FetchFailed, BadKeySet) as failed:
            raise LoadFailed(str(failed)) from None
        except BaseException as error:
            # A fetch of the app's own may raise and return anything, and were a refresh to end
            # without a result, it would be the last. By its class: its text may quote anything.
            raise LoadFailed(type(error).__name__) from None

    def _understand(self, url: str, answer: Fetched, known: Snapshot | None) -> LoadedKeySet:
        life = freshness(answer.headers)
        if answer.status == 304 and known and known.validators:
            return LoadedKeySet(known.index, life, url, known.validators)
        if answer.status != 200:
            raise LoadFailed(_status(answer), retry_after(answer.headers))
        if len(answer.body) > self._rules.max_bytes:
            raise LoadFailed(f"the body is over {self._rules.max_bytes} bytes")
        digest = sha256(answer.body).digest()
        # What is wrong with a set is told once, not each time that it is fetched.
        if digest != self._understood[0]:
            keys = parse_key_set(answer.body, self._key_rules, self._rules.max_keys)
            self._understood = digest, KeyIndex(keys)
        return LoadedKeySet(self._understood[1], life, url, validators(answer.headers))


def _status(answer: Fetched) -> str:
    # Redirects are not followed: a key set is where its configured URL says, or nowhere.
    target = host_of(answer.headers.get("location", ""))
    return f"status {answer.status:d}" + (f" to {target}" if target else "")


def host_of(url: str) -> str:
    """Return the host in *url*, for a message: other parts of a URL may hold secrets."""
    try:
        # Escaped, since it may come from outside, and cut.
        return repr(urlsplit(url).hostname or "")[1:-1][:64]
    except ValueError:
        return "an unreadable URL"

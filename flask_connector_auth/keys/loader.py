"""The loader of a key set, which fetches it from its URLs."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from urllib.parse import urlsplit

from .backup import KeySetBackup
from .connection import Cancellation, FetchFailed
from .http import (
    Fetch,
    FetchResponse,
    HttpFetch,
    conditional_headers,
    freshness_lifetime,
    retry_after,
)
from .importing import KeyRules
from .key_set import BadKeySet, LoadedKeySet, RemoteRules, Snapshot, parse_key_set
from .lookups import FetchEnd
from .source import KeyIndex

logger: logging.Logger = logging.getLogger(__name__)


class LoadFailed(Exception):
    """No URL has a usable key set now. The text says why, and quotes nothing that was received.

    :param retry_after: seconds of the issuer's ``Retry-After``, if it sent one.
    """

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.backup: LoadedKeySet | None = None  #: the saved key set, if there was no other


class KeySetLoader:
    """Loads the key set of one issuer.

    :param urls: tried in this order, until one has a usable set. Their sets are never joined:
        otherwise each of the servers could add keys.
    :param backup: the last good set is saved here, and read if the first load fails.
    :param clock: returns seconds that never go back.
    """

    def __init__(
        self,
        urls: Sequence[str],
        fetch: Fetch,
        key_rules: KeyRules,
        rules: RemoteRules,
        backup: KeySetBackup | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.urls = urls
        self.shown_url: str = loggable_url(urls[0])  #: for log lines
        self._fetch = fetch
        # A fetch function of the application does not take a cancellation.
        self._is_cancellable = isinstance(fetch, HttpFetch)
        self._key_rules = key_rules
        self._rules = rules
        self._backup = backup
        self._clock = clock
        self._parsed = b"", KeyIndex([])  # digest of a body, and its keys
        #: Why each URL failed, until it has a usable set again.
        self.failures: dict[str, str] = {}

    def errors(self) -> dict[str, str]:
        """Return the last failure of each URL, without its query, since its last success."""
        return {loggable_url(url): cause for url, cause in dict(self.failures).items()}

    def wrap_fetch(self, wrap: Callable[[Fetch], Fetch]) -> None:
        """Fetch by what *wrap* makes of the fetch function, which passes all arguments on."""
        self._fetch = wrap(self._fetch)

    def run(
        self,
        known: Snapshot | None,
        cancellation: Cancellation,
        fetch_done: FetchEnd,
        receiver: Callable[[], Callable[[FetchEnd, LoadedKeySet | LoadFailed], None] | None],
    ) -> None:
        """Load the key set, pass the result on, and save a good one.

        :param fetch_done: identifies the fetch; it is passed on.
        :param receiver: returns the function to call with the result, or ``None`` once the garbage
            collector has removed that.
        """
        try:
            result: LoadedKeySet | LoadFailed = self.load(known, cancellation)
        except LoadFailed as failed:
            result = failed
        except Exception as error:
            # Without a result of this fetch, no other would ever start. Only the class of the error
            # is reported: its text may quote what was received.
            result = LoadFailed(type(error).__name__)
        if receive := receiver():
            receive(fetch_done, result)
            del receive
            if self._backup and isinstance(result, LoadedKeySet):
                # At the end, so that no request waits for a disk.
                self._backup.save(result.url, result.index)

    def load(
        self, known: Snapshot | None, cancellation: Cancellation | None = None
    ) -> LoadedKeySet:
        """Return the current key set, after at most two timeouts, however many URLs there are.

        :param known: the last set, which a server may confirm instead of sending it again.
        :raises LoadFailed: if no URL has a usable set.
        :raises Cancelled: if *cancellation* was cancelled.
        """
        cancellation = cancellation or Cancellation()
        deadline = self._clock() + 2 * self._rules.timeout
        reason, longest_retry_after = "", 0.0
        for number, url in enumerate(self.urls):
            # An equal share of the time left, so that the last URL is tried if all others hang.
            share = (deadline - self._clock()) / (len(self.urls) - number)
            if share <= 0:
                break
            cancellation.raise_if_cancelled()
            timeout = min(self._rules.timeout, share)
            try:
                loaded = self._load_from(url, known, timeout, cancellation)
            except BaseException as error:
                cancellation.raise_if_cancelled()
                # A fetch function of the application may raise or return anything. Only the class
                # of such an error is reported, as in run().
                is_ours = isinstance(error, LoadFailed | FetchFailed | BadKeySet)
                reason = str(error) if is_ours else type(error).__name__
                if isinstance(error, LoadFailed):
                    longest_retry_after = max(longest_retry_after, error.retry_after or 0.0)
                # Once in an outage, not at each of its attempts.
                if self.failures.get(url) != reason:
                    shown = loggable_url(url)
                    logger.warning("key set of %s cannot be fetched: %s", shown, reason)
                self.failures[url] = reason
            else:
                self.failures.pop(url, None)
                return loaded
        failure = LoadFailed(reason, longest_retry_after or None)
        if self._backup and known is None:
            failure.backup = self._backup.read(self.urls)
        raise failure

    def _load_from(
        self, url: str, known: Snapshot | None, timeout: float, cancellation: Cancellation
    ) -> LoadedKeySet:
        options = {"cancellation": cancellation} if self._is_cancellable else {}
        known = known if known and known.url == url else None
        response = self._fetch(
            url,
            headers=known.conditional_headers if known else {},
            timeout=timeout,
            max_bytes=self._rules.max_bytes,
            **options,
        )
        return self._read(url, response, known)

    def _read(self, url: str, response: FetchResponse, known: Snapshot | None) -> LoadedKeySet:
        lifetime = freshness_lifetime(response.headers)
        if response.status == 304 and known and known.conditional_headers:
            return LoadedKeySet(known.index, url, lifetime, known.conditional_headers)
        if response.status != 200:
            # No redirect is followed: a key set is trusted only at its configured URL.
            target = loggable_host(response.headers.get("location", ""))
            reason = f"status {response.status:d}" + (f" to {target}" if target else "")
            raise LoadFailed(reason, retry_after(response.headers))
        if len(response.body) > self._rules.max_bytes:
            raise LoadFailed(f"the body is over {self._rules.max_bytes} bytes (JWKS_MAX_BYTES)")
        digest = sha256(response.body).digest()
        # The same set is not parsed again: the parser would log its problems each time.
        if digest != self._parsed[0]:
            keys = parse_key_set(response.body, self._key_rules, self._rules.max_keys)
            self._parsed = digest, KeyIndex(keys)
        return LoadedKeySet(self._parsed[1], url, lifetime, conditional_headers(response.headers))


def start_daemon(run: Callable[[], None]) -> threading.Thread:
    """Start *run* in a thread that does not keep the process alive.

    :raises RuntimeError: if the process or the interpreter cannot start a thread now.
    """
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def loggable_url(url: str) -> str:
    """Return a configured *url* without its query, which may hold a secret.

    It has neither user nor fragment, and is printable ASCII: see ``check_url``.
    """
    return url.partition("?")[0]


def loggable_host(url: str) -> str:
    """Return the host of *url*, which comes from outside: other parts may hold secrets.

    It is escaped, and cut to 64 characters.
    """
    try:
        return repr(urlsplit(url).hostname or "")[1:-1][:64]
    except ValueError:
        return "an unreadable URL"

"""What is wrong with the configuration, by configuration key."""

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches

from .schema import PREFIX

# The names that people try first, where the nearest by its letters is another one or none.
_MEANT = {
    **dict.fromkeys(
        (
            *("JWKS", "JWKS_URL", "JWKS_URI", "JWK_SET_URL", "JWK_SET_URI", "KEY", "KEYS"),
            *("PUBLIC_KEY", "PUBLIC_KEYS", "SECRET", "SECRET_KEY"),
        ),
        "APP_JWT_KEYS",
    ),
    **dict.fromkeys(("APP_JWT_ISSUER", "ISS"), "ISSUER"),
    "AUD": "AUDIENCE",
    "CLOCK_SKEW": "LEEWAY",
    "HEADER": "CONSUMER_HEADER",
}


class ConfigurationError(ValueError):
    """The configuration cannot be used. Its text lists every problem, and no key or secret.

    .. versionadded:: 0.1
    """

    def __init__(self, problems: Mapping[str, list[str]]) -> None:
        self.problems: dict[str, list[str]] = dict(problems)  #: sentences, by configuration key
        # A copy or an unpickled error is made from these arguments.
        super().__init__(self.problems)

    def __str__(self) -> str:
        items = sorted(self.problems.items())
        lines = [f"{key}: {text}" for key, texts in items for text in texts]
        return "\n  ".join(["flask-connector-auth cannot start:", *lines])


class Problems(dict[str, list[str]]):
    """The problems found so far: sentences, by configuration key."""

    def key(self, name: str) -> str:
        """Return what the setting *name* is called where it is written."""
        return PREFIX + name

    def add(self, name: str, problem: str) -> None:
        """Report *problem*, a sentence, for the setting *name*, which is without its prefix.

        Settings may be read for each token type and issuer: each problem is reported once.
        """
        found = self.setdefault(PREFIX + name, [])
        if problem not in found:
            found.append(problem)

    def add_unknown(self, name: str, fields: Iterable[str]) -> None:
        """Report that no setting has this *name*, and which one may be meant.

        :param fields: the names of the settings, as fields of the schema.
        """
        # Without the prefix, which would make every name similar to every other.
        plain = name.upper().removeprefix(PREFIX)
        nearest = get_close_matches(plain.lower(), fields, n=1)
        meant = _MEANT.get(plain) or (nearest[0].upper() if nearest else "")
        hint = f" Did you mean {self.key(meant)}?" if meant else ""
        self.add(name, f"Unknown setting.{hint}")


class IssuerProblems(Problems):
    """Problems of the settings of one issuer, which are reported where each is written.

    :param problems: those of all settings.
    :param issuer: what to call the issuer.
    :param own: the settings that it has of its own.
    """

    def __init__(self, problems: Problems, issuer: str, own: Collection[str]) -> None:
        super().__init__()
        self.issuer = issuer
        self.own = own
        self._problems = problems

    def key(self, name: str) -> str:
        """See :class:`Problems`: an issuer's own settings have no prefix."""
        return name if name in self.own else PREFIX + name

    def place(self, name: str) -> str:
        """Return where the setting *name* is written, in full."""
        return f"{PREFIX}ISSUERS: {self.issuer}: {name}" if name in self.own else PREFIX + name

    def add(self, name: str, problem: str) -> None:
        """See :class:`Problems`."""
        if name in self.own:
            self.add_own(name, problem)
        else:
            self._problems.add(name, problem)

    def add_own(self, name: str, problem: str) -> None:
        """Report *problem* for the issuer, wherever the setting is written."""
        self._problems.add("ISSUERS", f"{self.issuer}: {name}: {problem}")

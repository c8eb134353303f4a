"""What is wrong with the configuration, by configuration key."""

from collections.abc import Iterable, Mapping
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

    def add(self, name: str, problem: str) -> None:
        """Report *problem*, a sentence, for the setting *name*, which is without its prefix."""
        self.setdefault(PREFIX + name, []).append(problem)

    def add_unknown(self, name: str, fields: Iterable[str]) -> None:
        """Report that no setting has this *name*, and which one may be meant.

        :param fields: the names of the settings, as fields of the schema.
        """
        # Without the prefix, which would make every name similar to every other.
        nearest = get_close_matches(name.lower(), fields, n=1)
        meant = _MEANT.get(name.upper()) or (nearest[0].upper() if nearest else "")
        hint = f" Did you mean {PREFIX}{meant}?" if meant else ""
        self.add(name, f"Unknown setting.{hint}")

"""What is wrong with the configuration, by configuration key."""

from collections.abc import Mapping

from .schema import PREFIX


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

"""What can go wrong for a user, each with its exit code. The command line prints these in at most three lines."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches


def printable(text: str) -> str:
    """The same with control characters spelled out: what a file's name says must not steer a terminal."""
    return "".join(c if c.isprintable() or c in "\u200c\u200d" else ascii(c)[1:-1] for c in text)


def printable_lines(text: str) -> str:
    """The same of several lines."""
    return "\n".join(map(printable, text.split("\n")))


def quoted(parts: Sequence[str]) -> str:
    """The first ten in quotes, printable, none longer than 40 characters."""
    shown = (repr(part if len(part) <= 40 else part[:39] + "…") for part in parts[:10])
    return printable(", ".join(shown)) + (" and more" if len(parts) > 10 else "")


def first_places(word: str, numbers: Sequence[int]) -> str:
    """`line 3`, or `lines 3, 5, 9`: the first five of several."""
    shown = ", ".join(map(str, numbers[:5]))
    return f"{word} {shown}" if len(numbers) == 1 else f"{word}s {shown}{' and more' if len(numbers) > 5 else ''}"


def likely_name(word: str, names: Sequence[str]) -> str | None:
    """Of names in a user's own data that which was probably meant: it differs in case alone, or by a letter or two."""
    folded = {name.casefold(): name for name in reversed(names)}
    close = get_close_matches(word.casefold(), folded, 1, cutoff=0.8)
    return folded[close[0]] if close else None


class SeqlabError(Exception):
    """A mistake or fault that a user can mend.

    `what` names the key, the value and the rule; `hint` what was probably meant or what to do;
    `allowed` the values that exist, or what is kept and how to go on. The last two may be empty.
    """

    exit_code = 1

    def __init__(self, what: str, hint: str = "", allowed: str = "") -> None:
        super().__init__(what)
        self.what, self.hint, self.allowed = what, hint, allowed

    def __str__(self) -> str:
        """All of it, since a traceback shows nothing else."""
        return "\n".join(line for line in (self.what, self.hint, self.allowed) if line)

    def lines(self) -> list[str]:
        """The message as it is shown: one to three lines without markup."""
        return [printable(line) for line in (f"error: {self.what}", self.hint, self.allowed) if line]


class ConfigError(SeqlabError):
    """The configuration or the command line cannot be meant so."""

    exit_code = 2


class DataError(SeqlabError):
    """A corpus is missing, damaged, or not of the form that the task reads."""

    exit_code = 3


class CheckpointError(SeqlabError):
    """A run or a checkpoint cannot be read."""

    exit_code = 4


class NumericError(SeqlabError):
    """The loss or the gradient is no longer a number."""

    exit_code = 5


class ResourceError(SeqlabError):
    """Memory, disk or the device does not suffice."""

    exit_code = 6


class LockedError(SeqlabError):
    """Another process works on the same thing."""

    exit_code = 7


class Interrupted(SeqlabError):
    """A signal asked the run to stop; what was trained is saved."""

    def __init__(self, what: str, hint: str, exit_code: int) -> None:
        super().__init__(what, hint)
        self.exit_code = exit_code

"""Errors that a user can fix, each with its exit code. The command line prints them in at most three lines."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches


def printable(text: str) -> str:
    """The text with control characters escaped, so that a file name cannot control the terminal."""
    return "".join(c if c.isprintable() or c in "\u200c\u200d" else ascii(c)[1:-1] for c in text)


def printable_lines(text: str) -> str:
    """The same for several lines."""
    return "\n".join(map(printable, text.split("\n")))


def quoted(parts: Sequence[str]) -> str:
    """The first ten parts in quotes, printable, each cut to 40 characters."""
    shown = (repr(part if len(part) <= 40 else part[:39] + "…") for part in parts[:10])
    return printable(", ".join(shown)) + (" and more" if len(parts) > 10 else "")


def first_places(word: str, numbers: Sequence[int]) -> str:
    """`line 3` or `lines 3, 5, 9`: at most the first five."""
    shown = ", ".join(map(str, numbers[:5]))
    return f"{word} {shown}" if len(numbers) == 1 else f"{word}s {shown}{' and more' if len(numbers) > 5 else ''}"


def likely_name(word: str, names: Sequence[str]) -> str | None:
    """The name in a user's data that `word` probably means: it differs only in case or by a letter or two; or None."""
    folded = {name.casefold(): name for name in reversed(names)}
    close = get_close_matches(word.casefold(), folded, 1, cutoff=0.8)
    return folded[close[0]] if close else None


class SeqlabError(Exception):
    """An error that a user can fix.

    `what` names the key, the value and the rule; `hint` says what was probably meant or what to do;
    `allowed` lists the possible values, or says what is kept and how to continue. The last two may be empty.
    """

    exit_code = 1

    def __init__(self, what: str, hint: str = "", allowed: str = "") -> None:
        super().__init__(what)
        self.what, self.hint, self.allowed = what, hint, allowed

    def __str__(self) -> str:
        """The message with its hint and the allowed values, as a traceback shows it."""
        return "\n".join(line for line in (self.what, self.hint, self.allowed) if line)

    def lines(self) -> list[str]:
        """The message as it is printed: one to three lines without markup."""
        return [printable(line) for line in (f"error: {self.what}", self.hint, self.allowed) if line]


class ConfigError(SeqlabError):
    """The configuration or the command line is invalid."""

    exit_code = 2


class DataError(SeqlabError):
    """A corpus is missing, damaged, or not in the format that the task reads."""

    exit_code = 3


class CheckpointError(SeqlabError):
    """A run or a checkpoint cannot be read."""

    exit_code = 4


class NumericError(SeqlabError):
    """The loss or the gradient is not finite."""

    exit_code = 5


class ResourceError(SeqlabError):
    """There is not enough memory or disk space, or the device is not available."""

    exit_code = 6


class LockedError(SeqlabError):
    """Another process is working on the same run or comparison."""

    exit_code = 7


class Interrupted(SeqlabError):
    """A signal stopped the run; its training so far is saved."""

    def __init__(self, what: str, hint: str, exit_code: int) -> None:
        super().__init__(what, hint)
        self.exit_code = exit_code


class LostProcess(ResourceError):
    """Another process of the same run has ended without a word; from its last checkpoint, the run can go on."""


class Followed(SeqlabError):
    """Another process of the same run has ended with `exit_code`, and says why."""

    def __init__(self, what: str, hint: str, exit_code: int) -> None:
        super().__init__(what, hint)
        self.exit_code = exit_code

"""Optional abilities of tasks: small protocols, each in the file of its subject."""

from __future__ import annotations

from typing import TypeGuard, TypeVar

from seqlab.errors import ConfigError

P = TypeVar("P")


def offers(task: object, protocol: type[P]) -> TypeGuard[P]:
    """Whether the task's class has the methods of the protocol. Asking the class does not read the corpus."""
    return issubclass(type(task), protocol)


def require(task: object, protocol: type[P], lacks: str, remedy: str = "", *, about: str = "") -> P:
    """The task, typed as one with these methods. Raises ConfigError if it lacks them; `about`, the class's name and
    `lacks` make the message."""
    if not offers(task, protocol):
        raise ConfigError(f"{about}{type(task).__name__} {lacks}", remedy)
    return task

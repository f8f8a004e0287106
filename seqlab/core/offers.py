"""What a task may offer beside what it must: small protocols, each in the file of what it gives."""

from __future__ import annotations

from typing import TypeGuard, TypeVar

from seqlab.errors import ConfigError

P = TypeVar("P")


def offers(task: object, protocol: type[P]) -> TypeGuard[P]:
    """Whether the task's class has the methods of the protocol. A task that has no corpus yet need not read it for
    that."""
    return issubclass(type(task), protocol)


def require(task: object, protocol: type[P], lacks: str, remedy: str = "", *, about: str = "") -> P:
    """The task as one that has these methods. Raises ConfigError for one that has not: `about`, the task's class,
    what it lacks."""
    if not offers(task, protocol):
        raise ConfigError(f"{about}{type(task).__name__} {lacks}", remedy)
    return task

"""A task without its corpus."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self


class Restorable:
    """Of a task: it can be made from what its networks need, and reads its corpus when that is first asked for.

    What the method `restored` is given stays as it is; whatever else the constructor would have set is taken, all at
    once, from the task that `read` makes of the corpus.
    """

    _read: Callable[[], object] | None = None

    @classmethod
    def restored(cls, read: Callable[[], object]) -> Self:
        """A task of which nothing is known yet. `read` may raise DataError, wherever the corpus is needed."""
        task = cls.__new__(cls)
        task._read = read
        return task

    def detached(self) -> Self:
        """A copy that never reads the corpus: its splits come from elsewhere."""
        task = copy.copy(self)
        task._read = None
        return task

    if not TYPE_CHECKING:  # which would take every attribute to exist

        def __getattr__(self, name: str) -> Any:  # called for what is not there
            read = vars(self).get("_read")
            if read is None or name.startswith("__"):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)
            whole = vars(read())
            vars(self).update({**whole, **vars(self), "_read": None})
            return getattr(self, name)

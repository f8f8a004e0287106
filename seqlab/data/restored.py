"""Tasks that are restored without their corpus."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self


class Restorable:
    """A task that can be restored from what its networks need, and reads its corpus only on first use.

    Attributes that are set on the restored task stay; all others are copied, together, from the task that `read`
    builds from the corpus, when one of them is first used.
    """

    _read: Callable[[], object] | None = None

    @classmethod
    def restored(cls, read: Callable[[], object]) -> Self:
        """A task without attributes. `read` builds the whole task; it may raise DataError when the corpus is needed."""
        task = cls.__new__(cls)
        task._read = read
        return task

    def detached(self) -> Self:
        """A copy that never reads the corpus, since its splits come from elsewhere."""
        task = copy.copy(self)
        task._read = None
        return task

    if not TYPE_CHECKING:  # a type checker would believe that every attribute exists

        def __getattr__(self, name: str) -> Any:  # called for missing attributes only
            read = vars(self).get("_read")
            if read is None or name.startswith("__"):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)
            whole = vars(read())
            vars(self).update({**whole, **vars(self), "_read": None})
            return getattr(self, name)

"""Where the answer to each prediction stands in what a network has read, if a task knows it: attention is scored by it.

B batch, T target time.
"""

from __future__ import annotations

from typing import Protocol, TypeVar, runtime_checkable

from torch import Tensor

from seqlab.core.batch import Batch

ReadT = TypeVar("ReadT", bound=Batch, contravariant=True)


@runtime_checkable
class KnownSources(Protocol[ReadT]):
    """A task that knows from which position a target can be told: of the source, where an encoder reads one, else of
    the sequence itself."""

    def source_places(self, batch: ReadT) -> Tensor:
        """place_BT: the position at which the target of position t stands; -1 where that is not known."""

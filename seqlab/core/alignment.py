"""Which position of a recording writes which symbol, for pictures. T frames, F features, P positions, S symbols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from seqlab.core.batch import BatchT
from seqlab.core.items import Floats
from seqlab.core.network import Network
from seqlab.core.offers import require


@dataclass(frozen=True)
class Alignment:
    """What a network makes of each position of a recording.

    spectrum_TF: its spectrogram, a row for each frame; hertz_F: the frequency of each feature. probability_PS: of each
    symbol at each position; symbols: what they write, the first of them nothing (the blank). frame_seconds,
    position_seconds: from one to the next. written: (position, symbol) of what the likeliest path writes, each where it
    begins. target: the text that should be written; None if it is not known.
    """

    spectrum_TF: Floats
    hertz_F: Sequence[float]
    probability_PS: Floats
    symbols: Sequence[str]
    frame_seconds: float
    position_seconds: float
    written: Sequence[tuple[int, int]]
    target: str | None

    @property
    def text(self) -> str:
        """What is written."""
        return "".join(self.symbols[symbol] for _, symbol in self.written)


@runtime_checkable
class AlignmentSource(Protocol[BatchT]):
    """A task that transcribes recordings."""

    def alignment(self, network: Network[BatchT], text: str) -> Alignment:
        """What the network makes of the recording that a text names. Raises DataError for one that cannot be read."""


def alignment_source(task: object) -> AlignmentSource[Any]:
    """The task, if it transcribes recordings; else ConfigError."""
    return require(task, AlignmentSource, "transcribes no recordings", "a task offers it by its method alignment")

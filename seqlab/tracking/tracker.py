"""What a tracker is: a program that shows the curves of runs, such as TensorBoard. Each is one file beside this one,
with its settings, and one YAML file in configs/logging/."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.core.files import read_json
from seqlab.errors import ConfigError

Kept = Callable[[int, Sequence[str]], bool]
"""Whether an entry of this step, with these tags, was logged before the checkpoint that a run is resumed from."""


@dataclass(frozen=True)
class Entry:
    """What is logged of one step, by tag. images: PNG files. histograms: arrays. tokens, seconds: how far training is,
    in a log line or a validation."""

    step: int
    scalars: Mapping[str, float] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, bytes] = field(default_factory=dict)
    histograms: Mapping[str, Any] = field(default_factory=dict)
    tokens: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Final:
    """A finished run: the metrics of its best weights, and its sample."""

    step: int
    validation: Mapping[str, float]
    test: Mapping[str, float]
    sample: str

    @property
    def scalars(self) -> dict[str, float]:
        """Both splits' metrics by tag."""
        return {f"{split}/{name}": value for split, metrics in (("val_best", self.validation), ("test", self.test))
                for name, value in metrics.items()}  # fmt: skip


@dataclass(frozen=True)
class TrackedRun:
    """What a tracker is told of a run at its start.

    name: such as char_lm/lstm/NAME. group: of the comparison or sweep that makes it, "" if none does. config: as YAML;
    settings: the same, flat, by dotted key, with `parameters` and `git_commit`. hparams: those of them that tell runs
    apart. columns: the tags that sum up a finished run. step: it continues from here; 0 for a new run.
    """

    folder: Path
    name: str
    group: str
    config: str
    settings: Mapping[str, Any]
    hparams: Mapping[str, bool | int | float | str]
    columns: Sequence[str]
    step: int

    def remembered(self, tracker: str) -> dict[str, Any]:
        """What a tracker has stored about this run in its folder; empty at first."""
        try:
            known = read_json(memory_of(self.folder, tracker))
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}


def memory_of(folder: Path, tracker: str) -> Path:
    """The file in which a tracker stores what it must know to continue the same run."""
    return folder / f"tracker-{tracker}.json"


class Tracker(ABC):
    """The log of one run. Whatever a method raises ends the tracker, with one warning, and never the run."""

    where: str = ""
    """Where the run can be looked at, for the user; "" if that goes without saying."""

    @abstractmethod
    def log(self, entry: Entry) -> None:
        """Log what it can show of the entry."""

    def flush(self) -> None:
        """A checkpoint is about to be written: what was logged so far must survive a kill."""
        return

    def finish(self, final: Final) -> None:
        """The run has its result."""
        return

    def close(self, finished: bool) -> None:
        """Nothing more will be logged. finished: the run has its result; else it was stopped, or has failed."""
        return


@config_dataclass(frozen=True, kw_only=True)
class TrackerConfig(ABC):
    """Settings of a tracker. package: what it imports, if seqlab does not require it; the extra has the same name.
    shows_pictures: whether it shows more than scalars."""

    package: ClassVar[str | None] = None
    shows_pictures: ClassVar[bool] = True

    def check(self, where: str) -> None:
        """Raise ConfigError, before anything is trained, for what cannot work here. where: their key."""
        if self.package is not None and find_spec(self.package) is None:
            raise ConfigError(
                f"{where} needs the package {self.package}",
                f"pip install 'seqlab[{self.package}]', or choose another: logging=tensorboard",
            )

    @abstractmethod
    def open(self, run: TrackedRun) -> Tracker:
        """The log of a run, new or continued. What it raises is one warning, and the run does without."""

    def rewind(self, folder: Path, kept: Kept) -> None:
        """Cut the tracker's files in the run's folder back to the entries that are kept."""
        return

"""Items that stand in training and in another split: a test on them is a test of memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Repeats:
    """What of training stands in validation or test too.

    items: what an item is called. left_out: training items that were taken out for it. kept: those that were not.
    of: training items, those that were left out included.
    """

    items: str
    left_out: int
    kept: int
    of: int

    def facts(self) -> dict[str, str]:
        """For Task.facts; nothing where nothing repeats."""
        counts = {"left out": self.left_out, "kept": self.kept}
        shown = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
        return {f"training {self.items} that are in validation or test": shown} if shown else {}

    def warnings(self) -> Iterator[str]:
        """For Task.warnings."""
        what = f"of {self.of:,} training {self.items} stand in validation or test too (case and white space aside)"
        if self.left_out:
            yield f"{self.left_out:,} {what} and are left out of training: has the corpus repeated rows?"
        if self.kept:
            yield f"{self.kept:,} {what}: a model can know them by heart; leave them out with task.deduplicate=true"

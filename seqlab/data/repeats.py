"""Items that stand in more than one split: a test on what training has read is a test of memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seqlab.data.words import same_text_key


@dataclass(frozen=True)
class Repeats:
    """What of training stands in validation or test too, and of test in validation.

    items: what an item is called. left_out: training items that were taken out for it. kept: those that were not.
    of: training items, those that were left out included. in_both: items of test that stand in validation, of
    of_test; none where the two are one.
    """

    items: str
    left_out: int
    kept: int
    of: int
    in_both: int = 0
    of_test: int = 0

    def facts(self) -> dict[str, str]:
        """For Task.facts; nothing where nothing repeats."""
        counts = {"left out": self.left_out, "kept": self.kept}
        shown = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
        found = {f"training {self.items} that are in validation or test": shown} if shown else {}
        return found | ({f"test {self.items} that are in validation": f"{self.in_both:,}"} if self.in_both else {})

    def warnings(self) -> Iterator[str]:
        """For Task.warnings."""
        what = f"of {self.of:,} training {self.items} stand in validation or test too (case and white space aside)"
        if self.left_out:
            yield f"{self.left_out:,} {what} and are left out of training: has the corpus repeated rows?"
        if self.kept:
            yield f"{self.kept:,} {what}: a model can know them by heart; leave them out with task.deduplicate=true"
        if self.in_both:
            yield (
                f"{self.in_both:,} of {self.of_test:,} test {self.items} stand in validation too (case and white space "
                "aside), where weights are chosen: what is reached on test says that much less about new ones"
            )


def in_both(validation: Sequence[str], test: Sequence[str]) -> int:
    """How many texts of test stand in validation, case and white space aside; 0 where both are the same split."""
    if validation == test:
        return 0
    held = set(map(same_text_key, validation))
    return sum(same_text_key(text) in held for text in test)

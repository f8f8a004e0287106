"""Items that stand in more than one split: a test on what training has read is a test of memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seqlab.data.words import same_text_key

_BLOCK = 200  # characters that are no phrase any more
_MOST_BLOCKS, _FEWEST_BLOCKS = 200, 8
_SEARCHED = 2_000_000_000  # characters at most: about two seconds
_OFTEN = 0.05  # of the blocks: licences and headings repeat in any text


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

    def describe(self) -> dict[str, str]:
        """For Task.describe; nothing where nothing repeats."""
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


def blocks_in(held: str, train: str) -> tuple[int, int]:
    """(how many of some blocks of a running text, spread over all of it, stand in another one letter by letter, of how
    many)."""
    count = max(_FEWEST_BLOCKS, min(_MOST_BLOCKS, _SEARCHED // max(1, len(train)), len(held) // _BLOCK))
    last = max(0, len(held) - _BLOCK)
    starts = {place * last // max(1, count - 1) for place in range(count)}
    return sum(held[start : start + _BLOCK] in train for start in starts), len(starts)


def repeated_text(held: str, train: str, split: str) -> Iterator[str]:
    """A warning where much of a running text stands in the text of training."""
    found, blocks = blocks_in(held, train)
    if found > max(1, _OFTEN * blocks):  # one alone may be a heading
        yield (
            f"{found} of {blocks} blocks of {_BLOCK} characters, spread over the {split} split, stand in training "
            "letter by letter: a model can know them by heart, and its figures say that much less about new text"
        )

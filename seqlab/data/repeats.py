"""Items that occur in more than one split: testing on training items measures memorisation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seqlab.data.words import same_text_key

_BLOCK = 200  # characters: longer than a common phrase
_MOST_BLOCKS, _FEWEST_BLOCKS = 200, 8
_SEARCHED = 2_000_000_000  # characters searched at most: about two seconds
_OFTEN = 0.05  # share of repeated blocks that is normal: licences and headings repeat in any text


@dataclass(frozen=True)
class Repeats:
    """How many training items also occur in validation or test, and how many test items in validation.

    items: what an item is called (texts, sources). left_out: repeated training items that were dropped. kept: those
    that were not. of: all training items, including the dropped ones. in_both: items of test that occur in validation,
    out of of_test; 0 if both are the same split.
    """

    items: str
    left_out: int
    kept: int
    of: int
    in_both: int = 0
    of_test: int = 0

    def describe(self) -> dict[str, str]:
        """The facts about them; empty if nothing is repeated."""
        counts = {"dropped": self.left_out, "kept": self.kept}
        shown = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
        found = {f"training {self.items} that are in validation or test": shown} if shown else {}
        return found | ({f"test {self.items} that are in validation": f"{self.in_both:,}"} if self.in_both else {})

    def warnings(self) -> Iterator[str]:
        """Warnings about them, with the remedy."""
        aside = "(ignoring case and white space)"
        what = f"of {self.of:,} training {self.items} also occur in validation or test {aside}"
        if self.left_out:
            yield f"{self.left_out:,} {what} and are dropped from training: does the corpus have repeated rows?"
        if self.kept:
            yield f"{self.kept:,} {what}: a model can memorise them; drop them with task.deduplicate=true"
        if self.in_both:
            yield (
                f"{self.in_both:,} of {self.of_test:,} test {self.items} also occur in validation {aside}, which "
                "chooses the weights: test figures say less about new data"
            )


def in_both(validation: Sequence[str], test: Sequence[str]) -> int:
    """How many test texts also occur in validation, ignoring case and white space; 0 if both are the same split."""
    if validation == test:
        return 0
    held = set(map(same_text_key, validation))
    return sum(same_text_key(text) in held for text in test)


def blocks_in(held: str, train: str) -> tuple[int, int]:
    """(how many blocks of the text `held` occur verbatim in `train`, how many were searched for, spread evenly)."""
    count = max(_FEWEST_BLOCKS, min(_MOST_BLOCKS, _SEARCHED // max(1, len(train)), len(held) // _BLOCK))
    last = max(0, len(held) - _BLOCK)
    starts = {place * last // max(1, count - 1) for place in range(count)}
    return sum(held[start : start + _BLOCK] in train for start in starts), len(starts)


def repeated_text(held: str, train: str, split: str) -> Iterator[str]:
    """A warning if much of a split's text occurs in the training text."""
    found, blocks = blocks_in(held, train)
    if found > max(1, _OFTEN * blocks):  # one alone may be a heading
        yield (
            f"{found} of {blocks} blocks of {_BLOCK} characters, spread over the {split} split, occur verbatim in "
            "training: a model can memorise them, and its figures say less about new text"
        )

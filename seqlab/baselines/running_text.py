"""The baselines of running text."""

from __future__ import annotations

from collections.abc import Iterator

from seqlab.baselines.n_gram import best_n_gram, xz_bits

_N_GRAM_CHARACTERS = 2_000_000  # a larger table of counts would take gigabytes and minutes


def running_text_baselines(train: str, validation: str, test: str) -> Iterator[tuple[str, str, float]]:
    """(name, method in one line, bits per character of test) of an n-gram, whose order is chosen on validation, and of
    xz."""
    if max(len(validation), len(test)) <= _N_GRAM_CHARACTERS:
        counted = train[-_N_GRAM_CHARACTERS:]
        order, bits = best_n_gram(counted, validation, test)
        part = "train" if len(counted) == len(train) else f"the last {len(counted):,} characters of train"
        yield f"{order}-gram", f"interpolated n-gram (Witten-Bell), order {order}, counted on {part}", bits
    yield "xz", "growth of an xz -9e archive of train when test is added", xz_bits(train, test)

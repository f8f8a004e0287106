"""What counting and compressing reach on the text of char_lm: `python -m benchmarks.baselines [CORPUS]`.

An interpolated n-gram (Witten & Bell 1991) trained on train + validation with its order chosen on validation,
and xz -9e: the size of everything minus the size of train + validation, per character of test.
"""

from __future__ import annotations

import json
import lzma
import math
import sys
from collections import Counter, defaultdict

from seqlab.config.run import load_run_config
from seqlab.tasks.char_lm import CharLM


class WittenBell:
    """P(c | h) = (count(h c) + distinct(h) P(c | shorter h)) / (count(h) + distinct(h)), down to uniform."""

    def __init__(self, text: str, order: int) -> None:
        self.order, self.letters = order, len(set(text)) + 1  # one more for what never occurred
        self.counts: list[defaultdict[str, Counter[str]]] = [defaultdict(Counter) for _ in range(order)]
        for length, table in enumerate(self.counts):
            for end in range(length, len(text)):
                table[text[end - length : end]][text[end]] += 1

    def probability(self, history: str, letter: str) -> float:
        chance = 1 / self.letters
        for length, table in enumerate(self.counts):
            if length > len(history):
                break
            followers = table.get(history[len(history) - length :])
            if followers:
                distinct, total = len(followers), followers.total()
                chance = (followers[letter] + distinct * chance) / (total + distinct)
        return chance

    def bits(self, before: str, text: str) -> float:
        """Bits a character of `text`, which follows `before`."""
        whole, nats = before + text, 0.0
        for end in range(len(before), len(whole)):
            nats -= math.log(self.probability(whole[max(0, end - self.order + 1) : end], whole[end]))
        return nats / len(text) / math.log(2)


def main() -> None:
    """Print one JSON object."""
    corpus = [f"task.corpus={sys.argv[1]}"] if len(sys.argv) > 1 else []
    task = load_run_config(["task=char_lm", *corpus]).task.build()
    assert isinstance(task, CharLM)
    train, validation, test = task.texts["train"], task.texts["validation"], task.texts["test"]
    by_order = {order: WittenBell(train, order).bits(train, validation) for order in range(2, 9)}
    best = min(by_order, key=lambda order: by_order[order])

    def size(text: str) -> int:
        return len(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))

    print(
        json.dumps(
            {
                "n_gram_validation_bits": by_order,
                "best_order": best,
                "n_gram_test_bits": WittenBell(train + validation, best).bits(train + validation, test),
                "n_gram_test_bits_without_validation": WittenBell(train, best).bits(validation, test),
                "xz_test_bits": 8 * (size(train + validation + test) - size(train + validation)) / len(test),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()

"""The baselines of language modelling: n-grams and compression."""

from __future__ import annotations

import lzma
import math
from collections import Counter, defaultdict


class WittenBell:
    """An interpolated n-gram over characters (Witten & Bell 1991):

    P(c | h) = (count(h c) + distinct(h) P(c | shorter h)) / (count(h) + distinct(h)), down to uniform.
    """

    def __init__(self, text: str, order: int) -> None:
        self.order, self.letters = order, len(set(text)) + 1  # one more for what never occurred
        self.counts: list[defaultdict[str, Counter[str]]] = [defaultdict(Counter) for _ in range(order)]
        for length, table in enumerate(self.counts):
            for end in range(length, len(text)):
                table[text[end - length : end]][text[end]] += 1

    def probability(self, history: str, letter: str) -> float:
        """P(letter | history), of which at most order - 1 characters count."""
        return self.probabilities(history, letter)[-1]

    def probabilities(self, history: str, letter: str) -> list[float]:
        """The same for each order from 1 to this one."""
        chance, by_order = 1 / self.letters, []
        for length, table in enumerate(self.counts):
            followers = table.get(history[len(history) - length :]) if length <= len(history) else None
            if followers:
                distinct, total = len(followers), followers.total()
                chance = (followers[letter] + distinct * chance) / (total + distinct)
            by_order.append(chance)
        return by_order

    def bits(self, before: str, text: str) -> list[float]:
        """Bits per character of `text`, which follows `before`, for each order from 1 to this one."""
        whole, nats = before[-self.order :] + text, [0.0] * self.order
        for end in range(len(whole) - len(text), len(whole)):
            history = whole[max(0, end - self.order + 1) : end]
            for index, chance in enumerate(self.probabilities(history, whole[end])):
                nats[index] -= math.log(chance)
        return [value / len(text) / math.log(2) for value in nats]


def best_n_gram(train: str, validation: str, test: str, highest: int = 7) -> tuple[int, float]:
    """(order, bits per character of test) of an n-gram counted on `train`, whose order validates best."""
    model = WittenBell(train, highest)
    by_order = model.bits(train, validation)
    best = min(range(highest), key=lambda index: by_order[index])
    return best + 1, model.bits(validation, test)[best]


def xz_bits(before: str, text: str) -> float:
    """Bits per character that `xz -9e` needs for `text` once it has read `before`: the growth of the archive."""

    def size(content: str) -> int:
        return len(lzma.compress(content.encode(), preset=9 | lzma.PRESET_EXTREME))

    return 8 * (size(before + text) - size(before)) / len(text)

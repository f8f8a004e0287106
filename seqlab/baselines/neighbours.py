"""Saying again what training said: what a translator must beat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def nearest(train: Sequence[str], texts: Sequence[str], n: int = 3) -> list[int]:
    """For each text the index of the training text with which it shares most character n-grams (cosine of
    tf-idf vectors; the first where several are equal)."""
    import numpy as np
    from scipy.sparse import csr_array

    ids: dict[str, int] = {}
    bags = [Counter(_n_grams(text, n)) for text in train]
    for bag in bags:
        for gram in bag:
            ids.setdefault(gram, len(ids))
    seen = np.zeros(len(ids))
    for bag in bags:
        seen[[ids[gram] for gram in bag]] += 1
    rarity = np.log((1 + len(train)) / (1 + seen)) + 1

    def matrix(rows: Sequence[Counter[str]]) -> csr_array[np.float64]:
        values, columns, starts = [], [], [0]
        for bag in rows:
            weights = {ids[gram]: count * rarity[ids[gram]] for gram, count in bag.items() if gram in ids}
            length = sum(value**2 for value in weights.values()) ** 0.5 or 1.0
            columns += list(weights)
            values += [value / length for value in weights.values()]
            starts.append(len(columns))
        return csr_array((np.array(values), np.array(columns, dtype=np.int64), starts), (len(rows), len(ids)))

    known, asked = matrix(bags), matrix([Counter(_n_grams(text, n)) for text in texts])
    found: list[int] = []
    rows = max(1, 2**24 // len(train))  # in pieces: the whole product is texts x training texts
    for start in range(0, len(texts), rows):
        found += [int(index) for index in (asked[start : start + rows] @ known.T).toarray().argmax(1)]
    return found


def _n_grams(text: str, n: int) -> list[str]:
    padded = f"\2{text}\3"
    return [padded[i : i + n] for i in range(max(1, len(padded) - n + 1))]

"""Nearest neighbours of tokens in an embedding, and whether they are of the same kind more often than by chance.

Shape letters: V tokens, D width, N neighbours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from seqlab.metrics import Floats


def nearest(vector_VD: Floats, count: int) -> tuple[npt.NDArray[np.int64], Floats]:
    """(rows (V, N), cosines (V, N)): the `count` most similar other tokens of each, the most similar first. Cosine
    similarity of the vectors as they are, since a model compares them so, and of at most V - 1 others."""
    length_V1 = np.linalg.norm(vector_VD, axis=1, keepdims=True)
    direction_VD = vector_VD / np.maximum(length_V1, 1e-30)
    cosine_VV = direction_VD @ direction_VD.T
    np.fill_diagonal(cosine_VV, -np.inf)
    row_VN = np.argsort(-cosine_VV, axis=1, kind="stable")[:, : min(count, len(vector_VD) - 1)]
    return row_VN, np.take_along_axis(cosine_VV, row_VN, axis=1)


def same_kind(row_V: npt.NDArray[np.int64], kinds: Sequence[str]) -> tuple[float, float]:
    """(share of tokens whose nearest neighbour is of their own kind, the share by chance: with a random other token).
    Tokens that are the only one of their kind are left out; NaN where no others are left."""
    counts = Counter(kinds)
    judged = [row for row, kind in enumerate(kinds) if counts[kind] > 1]
    if not judged:
        return float("nan"), float("nan")
    share = float(np.mean([kinds[row_V[row]] == kinds[row] for row in judged]))
    return share, float(np.mean([(counts[kinds[row]] - 1) / (len(kinds) - 1) for row in judged]))

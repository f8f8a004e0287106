"""Baselines that answer with the nearest training example."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]


def nearest(train: Sequence[str], texts: Sequence[str], n: int = 3) -> list[int]:
    """For each text the index of the training text that is most similar: by the cosine of tf-idf vectors of character
    n-grams, with marks for a text's ends. The first of equals is taken."""
    from sklearn import config_context
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.metrics import pairwise_distances_argmin

    def n_grams(text: str) -> list[str]:
        padded = f"\2{text}\3"
        return [padded[i : i + n] for i in range(max(1, len(padded) - n + 1))]

    weighting = TfidfVectorizer(analyzer=n_grams)
    known = weighting.fit_transform(train)
    with config_context(working_memory=128):  # MiB: the whole product is texts x training texts
        found = pairwise_distances_argmin(weighting.transform(texts), known, metric="cosine")
    return [int(index) for index in found]


def nearest_vector(train_NF: Vectors, vectors_NF: Vectors) -> list[int]:
    """For each vector the index of the nearest training vector, by Euclidean distance. The first of equals is taken."""
    from sklearn.metrics import pairwise_distances_argmin

    return [int(index) for index in pairwise_distances_argmin(vectors_NF, train_NF)]

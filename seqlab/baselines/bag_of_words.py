"""Which words occur, whatever their order: what a classifier of texts must beat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Labels = Sequence[int]
Rows = Sequence[Sequence[int]]


def majority(train: Labels, test: Labels) -> list[int]:
    """The most frequent label of training, said of every text of `test`."""
    return [Counter(train).most_common(1)[0][0]] * len(test)


class BagOfWords:
    """Multinomial logistic regression on which words a text has, weighted by rarity (tf-idf, rows of length 1),
    fitted by L-BFGS with an L2 penalty."""

    def __init__(self, rows: Rows, labels: Labels, words: int, classes: int, penalty: float) -> None:
        from scipy.optimize import minimize

        self.words, self.classes = words, classes
        seen = np.bincount([word for row in rows for word in set(row)], minlength=words)
        self.rarity: npt.NDArray[np.float64] = np.log((1 + len(rows)) / (1 + seen)) + 1
        x_NW, truth_NC = self._features(rows), np.eye(classes)[list(labels)]

        def loss(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
            weight_WC = flat.reshape(words + 1, classes)
            logits_NC = x_NW @ weight_WC[:-1] + weight_WC[-1]
            logits_NC -= logits_NC.max(1, keepdims=True)
            log_share_NC = logits_NC - np.log(np.exp(logits_NC).sum(1, keepdims=True))
            error_NC = np.exp(log_share_NC) - truth_NC
            nats = -(truth_NC * log_share_NC).sum() + penalty / 2 * (weight_WC[:-1] ** 2).sum()
            slope_WC = np.vstack((x_NW.T @ error_NC + penalty * weight_WC[:-1], error_NC.sum(0)))
            return float(nats), slope_WC.ravel()

        found = minimize(loss, np.zeros((words + 1) * classes), jac=True, method="L-BFGS-B", options={"maxiter": 100})
        self.weight_WC = np.asarray(found.x).reshape(words + 1, classes)

    def _features(self, rows: Rows) -> Any:
        from scipy.sparse import csr_array

        kept = [sorted(set(row)) for row in rows]
        starts = np.cumsum([0, *(len(row) for row in kept)])
        columns = np.array([word for row in kept for word in row])
        values = self.rarity[columns]
        lengths = np.sqrt(np.add.reduceat(values**2, starts[:-1]))
        return csr_array((values / np.repeat(lengths, np.diff(starts)), columns, starts), (len(rows), self.words))

    def answers(self, rows: Rows) -> list[int]:
        """The likeliest label of each text."""
        scores_NC = self._features(rows) @ self.weight_WC[:-1] + self.weight_WC[-1]
        return [int(label) for label in scores_NC.argmax(1)]


def best_bag_of_words(
    train: tuple[Rows, Labels], validation: tuple[Rows, Labels], test: Rows, words: int, classes: int
) -> list[int]:
    """Answers for `test` by the penalty of 0.1, 1 and 10 that validates best."""
    fitted = [BagOfWords(*train, words, classes, penalty) for penalty in (0.1, 1.0, 10.0)]

    def right(model: BagOfWords) -> int:
        return sum(a == b for a, b in zip(model.answers(validation[0]), validation[1], strict=True))

    return max(fitted, key=right).answers(test)

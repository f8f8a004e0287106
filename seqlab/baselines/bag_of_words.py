"""The baselines of text classification: the majority label, and a bag of words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

LabelT = TypeVar("LabelT")
Labels = Sequence[int]
Rows = Sequence[Sequence[int]]
_INVERSE_PENALTIES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)


def majority(train: Sequence[LabelT], test: Sequence[object]) -> list[LabelT]:
    """The most frequent label of training as the prediction for every text of `test`."""
    return [Counter(train).most_common(1)[0][0]] * len(test)


def bag_of_words(train: tuple[Rows, Labels], validation: tuple[Rows, Labels], test: Rows) -> list[int]:
    """Labels for `test` by logistic regression on which words a text has, weighted by tf-idf. A row holds the ids of a
    text's words. Fitted on `train` by L-BFGS; the L2 penalty is the one with the best accuracy on `validation`."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    if len(set(train[1])) == 1:  # scikit-learn refuses to fit a single class
        return majority(train[1], test)
    weighting = TfidfVectorizer(analyzer=list, binary=True)
    x_train, x_validation, x_test = weighting.fit_transform(train[0]), *map(weighting.transform, (validation[0], test))
    fitted = [LogisticRegression(C=value, max_iter=1000).fit(x_train, train[1]) for value in _INVERSE_PENALTIES]
    best = max(fitted, key=lambda model: float(model.score(x_validation, validation[1])))
    return [int(label) for label in best.predict(x_test)]

"""Units that follow a feature of the text, such as quotes or the position in the line (after Karpathy 2015).

T positions, H units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seqlab.metrics import Floats


def features(tokens: Sequence[str]) -> dict[str, Floats]:
    """Simple features of a text at each token, (T,) each, by name; without those that are constant.

    Quotes and brackets are taken as closed where a paragraph ends, so that one that is never closed does no harm.
    """
    columns: dict[str, list[float]] = {
        "inside quotes": [], "inside brackets": [], "position in line": [], "indentation": [], "position in word": [],
        "capital letter": [], "position in text": [],
    }  # fmt: skip
    quoted, depth, line, indent, letters, before = False, 0, 0, 0, 0, ""
    for place, token in enumerate(tokens):
        if token == "\n":
            if before == "\n":
                quoted, depth = False, 0
            line = indent = 0
        else:
            indent += token == " " and indent == line
            line += 1
        if token in ('"', "“", "”"):
            quoted = not quoted
        depth = max(0, depth + (token in ("(", "[", "{")) - (token in (")", "]", "}")))
        letters = letters + 1 if token.isalnum() else 0
        before = token
        values = (quoted, depth > 0, line, indent, letters, token.isupper(), place)
        for column, value in zip(columns.values(), values, strict=True):
            column.append(float(value))
    if "\n" in tokens:
        del columns["position in text"]
    else:  # one line: its positions are those of the text
        del columns["position in line"], columns["indentation"]
    if any(len(token) > 1 for token in tokens):  # words have no positions in words
        del columns["position in word"]
    found = {name: np.array(column) for name, column in columns.items()}
    return {name: column for name, column in found.items() if len(set(column)) > 1}


@dataclass(frozen=True)
class Follower:
    """A unit that follows a feature of the text. correlation: Pearson's r on text that did not choose the unit."""

    unit: int
    feature: str
    correlation: float


def followers(hidden_TH: Floats, features_T: dict[str, Floats]) -> list[Follower]:
    """For each feature the unit that correlates with it best on the first half of the text, highest correlation on the
    second half first."""
    half = len(hidden_TH) // 2
    found = []
    for name, column_T in features_T.items():
        if half < 2 or column_T[:half].std() == 0 or column_T[half:].std() == 0:
            continue
        unit = int(np.argmax(np.abs(_correlations(hidden_TH[:half], column_T[:half]))))
        r = float(_correlations(hidden_TH[half:, [unit]], column_T[half:])[0])
        found.append(Follower(unit, name, r))
    return sorted(found, key=lambda follower: -abs(follower.correlation))


def _correlations(hidden_TH: Floats, column_T: Floats) -> Floats:
    """Pearson's r of each unit with a feature; 0 for a constant unit."""
    unit_TH, other_T = hidden_TH - hidden_TH.mean(0), column_T - column_T.mean()
    scale_H = np.sqrt((unit_TH**2).sum(0) * (other_T**2).sum())
    return np.asarray(np.divide(other_T @ unit_TH, scale_H, out=np.zeros(len(scale_H)), where=scale_H > 0))

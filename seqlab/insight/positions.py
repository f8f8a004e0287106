"""How a network tells positions apart: the vectors that it adds to its inputs, and how similar they are by distance.

T positions, D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seqlab.core.model import sequence_models
from seqlab.core.network import Network
from seqlab.core.task import Task
from seqlab.drawing.picture import COLOURS, Picture
from seqlab.errors import ConfigError
from seqlab.insight.watching import check_finite
from seqlab.metrics import Floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_POSITIONS = 96  # drawn

_ABOUT = (
    "Left: the vector that is added to the input at each position, a row each; sinusoids (Vaswani 2017) are waves over "
    "positions, fast ones in the first dimensions and slow ones in the last. Right: the cosine similarity of the "
    "vectors of two positions by their distance, the mean over all pairs and the range from the 10th to the 90th "
    "percentile. "
    "Where it falls with distance, attention can tell near from far; where the range is narrow, a distance looks the "
    "same wherever it lies."
)


def positions(task: Task[Any], network: Network[Any]) -> list[Picture]:
    """A picture for each sequence model that adds vectors of positions. Raises ConfigError if none does."""
    steps = min(_POSITIONS, task.longest())
    drawn = []
    for name, model in sequence_models(network):
        added_TD = model.position_vectors(steps)
        if added_TD is not None:
            drawn.append(_picture(name, np.asarray(added_TD.detach().cpu().double())))
    if not drawn:
        raise ConfigError("it adds no vectors for positions", "train it with model.positions=sinusoidal or learned")
    return drawn


def similarity(vector_TD: Floats) -> list[Floats]:
    """The cosine similarities of all pairs of positions, by their distance from 0 on."""
    direction_TD = vector_TD / np.maximum(np.linalg.norm(vector_TD, axis=1, keepdims=True), 1e-30)
    cosine_TT = direction_TD @ direction_TD.T
    return [np.asarray(np.diagonal(cosine_TT, lag)) for lag in range(len(vector_TD))]


def _picture(name: str, vector_TD: Floats) -> Picture:
    check_finite(vector_TD, f"the position vectors of {name}")
    by_distance = similarity(vector_TD)
    mean_T = np.array([each.mean() for each in by_distance])
    low_T, high_T = (np.array([np.percentile(each, share) for each in by_distance]) for share in (10, 90))

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        most = float(np.abs(vector_TD).max())
        image = left.imshow(vector_TD, cmap="PuOr", vmin=-most, vmax=most, aspect="auto", interpolation="nearest")
        left.set(xlabel="dimension", ylabel="position")
        left.grid(visible=False)
        figure.colorbar(image, ax=left, pad=0.01, label="value")
        right.fill_between(range(len(mean_T)), low_T, high_T, color=COLOURS[0], alpha=0.25, linewidth=0)
        right.plot(mean_T, color=COLOURS[0], linewidth=1.8)
        right.set(xlabel="distance of two positions", ylabel="cosine similarity")

    data = {"similarity": mean_T.tolist()}
    title = f"Positions: {name.replace('_', ' ')}"
    return Picture(f"positions-{name.replace('.', '-')}", title, _ABOUT, draw, 8.6, 3.6, data)

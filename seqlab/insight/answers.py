"""What a network predicts rightly and wrongly: confusion and errors on the validation split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqlab.core.meter import Table
from seqlab.core.results import Answered, Confusion
from seqlab.drawing.picture import COLOURS, Picture, plain
from seqlab.errors import ConfigError
from seqlab.insight.inspected import InspectedRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BINS = 10
_MISTAKES = 12
_WRITTEN = 12  # labels up to which each cell has its numbers

_CONFUSION = (
    "Items of the validation split by their true label (rows) and the predicted one (columns): counts, and shares of "
    "each row. Correct predictions are on the diagonal; a bright cell off it is a frequent mistake."
)
_CALIBRATION = (
    "Left: items of the validation split by the probability that the network gives to its prediction (its "
    "confidence). Right: how often the prediction is right at each level of confidence; below the dashed line the "
    "network is overconfident. The mean distance to that line, weighted by items, is the expected calibration error "
    "(Guo 2017). The table lists the most confident mistakes: read them, some may be mistakes of the corpus."
)
_LOSSES = (
    "Items of the validation split by the loss of their target, in nats: right where the prediction equals the target, "
    "wrong where it does not. The table lists the mistakes with the highest loss, those whose target the network "
    "thought least likely."
)


def confusion(run: InspectedRun) -> Picture:
    """How often each label is predicted for each true one."""
    found = run.results(Confusion)
    if not found:
        raise ConfigError("its task predicts no labels")
    labels, count_CC = found[0].labels, found[0].counts_CC
    share_CC = count_CC / np.maximum(1, count_CC.sum(1, keepdims=True))

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        image = axes.imshow(share_CC, cmap="cividis", vmin=0, vmax=1)
        for cell in np.ndindex(share_CC.shape if len(labels) <= _WRITTEN else (0, 0)):
            target, prediction = cell
            ink = "#ffffff" if share_CC[cell] < 0.5 else "#101010"
            text = f"{count_CC[cell]}\n{share_CC[cell]:.0%}"
            axes.text(prediction, target, text, ha="center", va="center", color=ink)
        names, every = [plain(label) for label in labels], 1 + len(labels) // 60
        axes.set_xticks(range(0, len(labels), every), names[::every], rotation=90 if len(labels) > 4 else 0)
        axes.set_yticks(range(0, len(labels), every), names[::every])
        axes.set(xlabel="predicted label", ylabel="true label")
        axes.grid(visible=False)
        figure.colorbar(image, ax=axes, label="share of the row")

    counts = {label: dict(zip(labels, row, strict=True)) for label, row in zip(labels, count_CC.tolist(), strict=True)}
    size = 2.6 + 0.8 * min(len(labels), _WRITTEN)
    return Picture("confusion", "Confusion matrix", _CONFUSION, draw, size + 1.2, size - 0.2, {"confusion": counts})


def errors(run: InspectedRun) -> Picture:
    """Where it is wrong: by the probability of its predictions where it gives one, else by the loss of its targets."""
    answered = run.results(Answered)
    if not answered:
        raise ConfigError("its task does not say which items are right")
    probabilities = [item.probabilities for item in answered if item.probabilities is not None]
    return _calibration(answered) if len(probabilities) == len(answered) else _losses(answered)


def _calibration(answered: Sequence[Answered]) -> Picture:
    confidence_N = np.array([_confidence(item) for item in answered])
    right_N = np.array([item.right for item in answered])
    lowest = 1 / max(1, *(len(item.probabilities or ()) for item in answered))
    edges = np.linspace(lowest, 1, _BINS + 1)
    bin_N = np.clip(np.digitize(confidence_N, edges) - 1, 0, _BINS - 1)
    count, right, sure = (np.bincount(bin_N, weight, _BINS) for weight in (None, right_N, confidence_N))
    there = count > 0
    # the expected calibration error of Guo 2017, equation 3
    gap = float(np.abs(right[there] - sure[there]).sum() / len(answered))

    def draw(figure: Figure) -> None:
        left, other = figure.subplots(1, 2)
        _stack(left, edges, right, count - right)
        left.set(xlabel="confidence", ylabel="items", title="predictions by confidence")
        other.plot((lowest, 1), (lowest, 1), "--", color=COLOURS[7], label="perfectly calibrated")
        other.plot(
            sure[there] / count[there], right[there] / count[there], "o-", color=COLOURS[2], label="this network"
        )
        other.set(xlabel="confidence", ylabel="accuracy", title=f"expected calibration error: {gap:.1%}")
        other.legend(loc="upper left")

    wrong = sorted((item for item in answered if not item.right), key=_confidence, reverse=True)
    rows = ((item.text, item.prediction, f"{_confidence(item):.1%}", item.target) for item in wrong[:_MISTAKES])
    table = Table("most confident mistakes", ("text", "prediction", "confidence", "target"), tuple(rows))
    data = {"expected_calibration_error": gap, **_counts(answered)}
    return Picture("errors", "Errors and calibration", _CALIBRATION, draw, 9.0, 3.8, data, (table,))


def _losses(answered: Sequence[Answered]) -> Picture:
    loss_N, right_N = np.array([item.loss for item in answered]), np.array([item.right for item in answered])
    shown_N = np.where(np.isfinite(loss_N), loss_N, np.nan)
    highest = float(np.nanmax(shown_N)) if np.isfinite(loss_N).any() else 1.0
    edges = np.linspace(0, highest or 1.0, 2 * _BINS + 1)
    right, wrong = (np.histogram(shown_N[chosen_N & np.isfinite(loss_N)], edges)[0] for chosen_N in (right_N, ~right_N))

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        _stack(axes, edges, right, wrong)
        axes.set(
            xlabel="loss of the target, nats",
            ylabel="items",
            title=f"{right_N.mean():.1%} of predictions equal the target",
        )

    mistakes = sorted((item for item in answered if not item.right), key=lambda item: -item.loss)
    rows = tuple((item.text, item.prediction, item.target, item.loss) for item in mistakes[:_MISTAKES])
    table = Table("mistakes with the highest loss", ("text", "prediction", "target", "nats"), rows)
    unbounded = int((~np.isfinite(loss_N)).sum())
    about = f"{_LOSSES} {unbounded} items with an infinite loss are not drawn." if unbounded else _LOSSES
    return Picture("errors", "Errors by loss", about, draw, 6.4, 3.8, _counts(answered), (table,))


def _stack(axes: Axes, edges: Any, right: Any, wrong: Any) -> None:
    """Bars of right items, and on them those that are wrong."""
    width = edges[1] - edges[0]
    axes.bar(edges[:-1], right, width, align="edge", color=COLOURS[0], label="right")
    axes.bar(edges[:-1], wrong, width, right, align="edge", color=COLOURS[1], hatch="///", label="wrong")
    axes.legend(loc="best")  # a good network is confident, a poor one is not


def _confidence(item: Answered) -> float:
    """The probability of the prediction."""
    return (item.probabilities or {}).get(item.prediction, 0.0)


def _counts(answered: Sequence[Answered]) -> dict[str, Any]:
    return {"items": len(answered), "right": sum(item.right for item in answered)}

"""What a classifier says and is wrong about: confusion and errors on the validation split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seqlab.drawing.picture import COLOURS, Picture, plain
from seqlab.errors import ConfigError
from seqlab.insight.inspected import InspectedRun

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BINS = 10
_WRITTEN = 12  # labels up to which each cell has its numbers


def confusion(run: InspectedRun) -> Picture:
    """How often each label is said where each is true."""
    counts: dict[str, dict[str, int]] | None = run.validated.details().get("confusion")
    if counts is None:
        raise ConfigError("it tells no labels apart")
    labels = list(counts)
    count_CC = np.array([[counts[truth][said] for said in labels] for truth in labels])
    share_CC = count_CC / np.maximum(1, count_CC.sum(1, keepdims=True))

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        image = axes.imshow(share_CC, cmap="cividis", vmin=0, vmax=1)
        for truth, said in np.ndindex(share_CC.shape if len(labels) <= _WRITTEN else (0, 0)):
            ink = "#ffffff" if share_CC[truth, said] < 0.5 else "#101010"
            text = f"{count_CC[truth, said]}\n{share_CC[truth, said]:.0%}"
            axes.text(said, truth, text, ha="center", va="center", color=ink)
        names, every = [plain(label) for label in labels], 1 + len(labels) // 60
        axes.set_xticks(range(0, len(labels), every), names[::every], rotation=90 if len(labels) > 4 else 0)
        axes.set_yticks(range(0, len(labels), every), names[::every])
        axes.set(xlabel="what it says", ylabel="what it is")
        axes.grid(visible=False)
        figure.colorbar(image, ax=axes, label="share of the texts with this label")

    about = (
        "Texts of the validation split by their label (rows) and by what the network says (columns): counts, and "
        "shares of each row. What is right stands on the diagonal; a bright cell off it is a habit."
    )
    size = 2.6 + 0.8 * min(len(labels), _WRITTEN)
    return Picture("confusion", "What it confuses", about, draw, size + 1.2, size - 0.2, {"confusion": counts})


def errors(run: InspectedRun) -> Picture:
    """How sure it is when it is right and when it is wrong, and where it was surest and wrong."""
    items: list[dict[str, Any]] = [item for item in run.validated.items() if "probabilities" in item]
    if not items:
        raise ConfigError("it gives no probabilities to labels")
    sure_N = np.array([item["probabilities"][item["said"]] for item in items])
    right_N = np.array([item["right"] for item in items])
    lowest = 1 / len(items[0]["probabilities"])
    edges = np.linspace(lowest, 1, _BINS + 1)
    bin_N = np.clip(np.digitize(sure_N, edges) - 1, 0, _BINS - 1)
    count, right, sure = (np.bincount(bin_N, weight, _BINS) for weight in (None, right_N, sure_N))
    there = count > 0
    # the expected calibration error of Guo 2017, equation 3
    gap = float(np.abs(right[there] - sure[there]).sum() / len(items))

    def draw(figure: Figure) -> None:
        left, other = figure.subplots(1, 2)
        width = edges[1] - edges[0]
        left.bar(edges[:-1], right, width, align="edge", color=COLOURS[0], label="right")
        left.bar(edges[:-1], count - right, width, right, align="edge", color=COLOURS[1], hatch="///", label="wrong")
        left.set(xlabel="how sure it is of what it says", ylabel="texts", title="how sure, and how many")
        left.legend(loc="best")  # a good network is sure, a poor one is not
        other.plot((lowest, 1), (lowest, 1), "--", color=COLOURS[7], label="as often right as it is sure")
        other.plot(
            sure[there] / count[there], right[there] / count[there], "o-", color=COLOURS[2], label="this network"
        )
        other.set(xlabel="how sure it is", ylabel="how often it is right", title=f"calibration: off by {gap:.1%}")
        other.legend(loc="upper left")

    about = (
        "On the left: texts of the validation split by the probability that the network gives to its answer. On the "
        "right: how often it is right at each level of sureness; below the dashed line it is too sure of itself. The "
        "mean distance to that line, weighted by texts, is the expected calibration error (Guo 2017). The table holds "
        "its most confident mistakes: read them, some are the corpus's own."
    )
    data = {"expected_calibration_error": gap, "texts": len(items), "right": int(right_N.sum())}
    return Picture("errors", "Where it is wrong", about, draw, 9.0, 3.8, data, tuple(run.validated.tables()))

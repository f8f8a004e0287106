"""What one fixed vector costs: translation quality by the length of the source (Bahdanau 2015, figure 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from seqlab.drawing.picture import COLOURS, Picture, legend
from seqlab.errors import ConfigError
from seqlab.insight.inspected import InspectedRun, check_same_data

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKS = "osD^vP"

_ABOUT = (
    "BLEU of the validation split in groups of sources of about one length, as many pairs in each; bars are 95 % "
    "bootstrap intervals over pairs. A decoder that is given the source as one fixed vector must keep everything in "
    "it, so that its curve falls where sources grow; attention may look back at all of it. Sources are short phrases, "
    "so that BLEU is taken with effective order: only n-grams that a phrase is long enough for."
)


def bottleneck(runs: Sequence[InspectedRun]) -> list[Picture]:
    """The view of one run, or of several beside each other (one with attention, one without)."""
    check_same_data(runs)
    measured = []
    for run in runs:
        groups = run.validated.details().get("by_source_length")
        if groups is None:
            raise ConfigError("it translates nothing: there are no sources to sort by length")
        measured.append(groups)
    labels = [_label(run, runs) for run in runs]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for index, (label, groups) in enumerate(zip(labels, measured, strict=True)):
            # beside each other where the groups are the same
            place = [position + 0.08 * (index - (len(measured) - 1) / 2) for position in range(len(groups))]
            value = [group["bleu"] for group in groups]
            low = [group["bleu"] - group["bleu_interval"][0] for group in groups]
            high = [group["bleu_interval"][1] - group["bleu"] for group in groups]
            bars = ([max(0.0, gap) for gap in low], [max(0.0, gap) for gap in high])
            axes.errorbar(
                place, value, yerr=bars, fmt=f"-{_MARKS[index % len(_MARKS)]}", color=COLOURS[index % len(COLOURS)],
                linewidth=1.8, markersize=5, capsize=3, elinewidth=1, label=legend(label),
            )  # fmt: skip
        groups = measured[0]
        axes.set_xticks(range(len(groups)), [f"{group['from']} to {group['to']}" for group in groups])
        axes.set(xlabel="length of the source, tokens", ylabel="validation BLEU (effective order)", ylim=(0, 104))
        axes.legend(loc="lower left")

    data = [
        {"run": str(run.folder), "label": label, "groups": groups}
        for run, label, groups in zip(runs, labels, measured, strict=True)
    ]
    return [Picture("bottleneck", "Quality by length of the source", _ABOUT, draw, 7.2, 4.0, {"runs": data})]


def _label(run: InspectedRun, runs: Sequence[InspectedRun]) -> str:
    """What tells these runs apart: attention, where the models are the same."""
    names = run.config.names
    attention = run.config.tree["model"].get("attention")
    if attention is None:
        return run.label
    label = f"{names['model']}, attention {attention}"
    twins = sum(
        (other.config.names["model"], other.config.tree["model"].get("attention")) == (names["model"], attention)
        for other in runs
    )
    return label if twins == 1 else f"{label} ({run.folder.name})"

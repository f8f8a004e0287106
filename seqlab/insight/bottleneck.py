"""What one fixed vector costs: quality by the length of the source (Bahdanau 2015, figure 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from seqlab.core.results import ByLength, LengthGroup
from seqlab.drawing.picture import COLOURS, Picture, legend
from seqlab.errors import ConfigError
from seqlab.insight.inspected import InspectedRun, check_same_data

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKS = "osD^vP"

_ABOUT = (
    "{name} on the validation split in groups of items with about the same length of the {of}, as many items in each; "
    "bars are 95 % bootstrap intervals over items. A decoder that is given its source as one fixed vector must keep "
    "everything in it: fully trained, its curve falls as sources grow, and that of attention falls less."
)


def bottleneck(runs: Sequence[InspectedRun]) -> list[Picture]:
    """The view of one run, or of several in one picture (one with attention, one without)."""
    check_same_data(runs)
    measured = []
    for run in runs:
        found = run.results(ByLength)
        if not found:
            raise ConfigError("its task has no figures by length of the source")
        measured.append(found[0])
    first = measured[0]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for index, (run, by_length) in enumerate(zip(runs, measured, strict=True)):
            groups = by_length.groups
            # side by side, where the groups are the same
            place = [position + 0.08 * (index - (len(measured) - 1) / 2) for position in range(len(groups))]
            value = [group.metrics[by_length.metric].value for group in groups]
            low = [max(0.0, one - group.interval[0]) for one, group in zip(value, groups, strict=True)]
            high = [max(0.0, group.interval[1] - one) for one, group in zip(value, groups, strict=True)]
            axes.errorbar(
                place, value, yerr=(low, high), fmt=f"-{_MARKS[index % len(_MARKS)]}",
                color=COLOURS[index % len(COLOURS)], linewidth=1.8, markersize=5, capsize=3, elinewidth=1,
                label=legend(run.label),
            )  # fmt: skip
        axes.set_xticks(range(len(first.groups)), [f"{g.shortest} to {g.longest}" for g in first.groups])
        axes.set(xlabel=f"length of the {first.of}, {first.unit}", ylabel=f"validation {first.name}")
        highest = first.groups[0].metrics[first.metric].highest
        if highest is not None:
            axes.set_ylim(0, 1.04 * highest)
        if len(runs) > 1:
            axes.legend(loc="best")

    data = [
        {"run": str(run.folder), "label": run.label, "groups": [_plain_values(group, found) for group in found.groups]}
        for run, found in zip(runs, measured, strict=True)
    ]
    about = _ABOUT.format(name=first.name, of=first.of)
    title = f"Quality by length of the {first.of}"
    return [Picture("bottleneck", title, about, draw, 7.2, 4.0, {"runs": data})]


def _plain_values(group: LengthGroup, found: ByLength) -> dict[str, Any]:
    values = {name: metric.value for name, metric in group.metrics.items()}
    interval = {f"{found.metric}_interval": list(group.interval)}
    return {"from": group.shortest, "to": group.longest, "items": group.items, **values, **interval}

"""A plan and its findings in words and table cells, for the terminal and the report."""

from __future__ import annotations

from collections.abc import Sequence

from seqlab.comparison.plan import Plan
from seqlab.comparison.summary import Row, Summary
from seqlab.config.overrides import key_of
from seqlab.core.metric import Metric
from seqlab.drawing.numbers import clock, compact, described, number


def size(count: float | None) -> str:
    """A count to three significant figures, or a dash."""
    return "–" if count is None else compact(count)


def data_line(plan: Plan) -> str:
    """The corpus, the sizes of its splits, and what was left out."""
    return ", ".join(f"{key}: {value}" for key, value in described(plan.data).items())


def tuned_line(plan: Plan, label: str) -> str:
    """What the search of one model chose and tried, what failed, and why it stopped."""
    tried = plan.tuned[label]
    known = {value: validated for value, validated in tried.items() if validated is not None}
    key = plan.tune.key if plan.tune is not None else ""
    overrides = next(variant.overrides for variant in plan.variants if variant.label == label)
    best = next(word.partition("=")[2] for word in overrides if key_of(word) == key)
    ranked = sorted(tried, key=float)
    shown = ", ".join(value if value in known else f"{value} (failed)" for value in ranked)
    # plans of earlier versions lack the reason
    edge = "at the edge of what was tried, a wider search may find better" if best in (ranked[0], ranked[-1]) else ""
    ended = plan.tune_ended.get(label, edge)
    return f"{label}: {key}={best} validated best of {shown}{f'; {ended}' if ended else ''}"


def direction(metric: Metric) -> str:
    """Which direction of the metric is better, in words."""
    return f"{'higher' if metric.higher_is_better else 'lower'} is better"


def target_text(summary: Summary) -> str:
    """What the column `target` measures."""
    return (
        f"target: minutes of training until validation reached {number(summary.target)} {summary.unit}, "
        "the worst of the runs' best"
    )


def interval_text(row: Row) -> str:
    """The mean's interval, or a dash."""
    return "–" if row.interval is None else f"{number(row.interval[0])} to {number(row.interval[1])}"


_UNKNOWN = number(None)  # a dash

_COSTS = {  # heading, and what it is
    "params": "",
    "train": "minutes of optimizer steps",
    "target": "",
    "tok/s": "in training",
    "FLOP/tok": "of training, forward and backward",
    "MiB": "the most that a run took",
    "state B": "bytes a sequence keeps from position to position",
    "gen/s": "tokens generated at batch 1",
}


def cost_table(rows: Sequence[Row]) -> tuple[list[str], list[list[str]], str]:
    """(headings, each model's cells, a legend) of the costs that are known of at least one model."""
    cells = [_cost_cells(row) for row in rows]
    known = [place for place in range(len(_COSTS)) if any(of_one[place] != _UNKNOWN for of_one in cells)]
    headings = [list(_COSTS)[place] for place in known]
    legend = " ".join(f"{heading}: {_COSTS[heading]}." for heading in headings if _COSTS[heading])
    return headings, [[of_one[place] for place in known] for of_one in cells], legend


def _cost_cells(row: Row) -> list[str]:
    """The costs of one model, in the order of _COSTS."""
    probe, sizes = row.variant.probe, row.variant.sizes
    every = sizes.params if sizes else row.runs[0].result["parameters"] if row.runs else None
    return [
        size(every),
        clock(row.training_seconds) if row.training_seconds is not None else _UNKNOWN,
        clock(row.seconds_to_target) if row.seconds_to_target is not None else _UNKNOWN,
        size(row.tokens_per_second),
        size(probe.flops_per_token if probe else None),
        _UNKNOWN if row.peak_memory_bytes is None else f"{row.peak_memory_bytes / 2**20:.0f}",
        size(probe.state_bytes if probe else None),
        size(probe.generated_per_second if probe else None),
    ]

"""An outcome in words and table cells, for the terminal, the report and the documentation."""

from __future__ import annotations

from seqlab.comparison.page import Above
from seqlab.drawing.numbers import clock, number
from seqlab.reproduction.outcome import Line, Outcome
from seqlab.reproduction.verdict import Finding, rule_text

UNKNOWN = number(None)  # a dash
_KINDS: dict[Finding, str] = {"reproduced": "shown", "not reproduced": "failed", "not comparable": "open"}


def above(found: Outcome) -> Above:
    """What stands on top of a reproduction's report."""
    told = found.reproduction
    findings: list[tuple[str, str, str]] = [
        (_KINDS[line.verdict.finding], line.verdict.finding, f"{line.published.of}: {line.verdict.why}.")
        for line in found.lines
        if line.verdict is not None and line.published is not None
    ]
    if not told.published:
        findings.append(("open", "ours alone", "No published figure is known that can be trusted: this is ours."))
    findings += [("note", "differs", text) for text in told.differs]
    measure = told.measure
    return Above(
        title=told.title,
        about=f"A reproduction of {told.citation} ({told.link}).",
        facts={
            "reproduction": found.name,
            "expected": f"{clock(60 * told.minutes)} on {told.machine}",
            "measured": f"{measure.metric} of the {measure.split} split, {measure.unit}",
        },
        findings=findings,
        caption="Ours: the mean over seeds, with its 95 % interval over seeds.",
        headings=("published of", "published", "ours", "95 %", "our model", "rule", "what was published"),
        rows=[
            [
                line.published.of if line.published else UNKNOWN,
                *figures(line),
                line.ours.label if line.ours else UNKNOWN,
                rule_text(line.published) if line.published else "",
                f"{line.published.measured} ({line.published.where})" if line.published else "",
            ]
            for line in found.lines
        ],
    )


def figures(line: Line) -> tuple[str, str, str]:
    """The published value, ours, and the interval of ours."""
    published = UNKNOWN if line.published is None else f"{line.published.value:g} {line.unit}"
    if line.ours is None:
        return published, UNKNOWN, UNKNOWN
    ends = line.ours.interval
    return published, number(line.ours.mean), UNKNOWN if ends is None else f"{number(ends[0])} to {number(ends[1])}"

"""A comparison for a paper: its table in LaTeX, Markdown or CSV, and a paragraph on the methods."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from seqlab.comparison.conditions import joined
from seqlab.comparison.forms import Form
from seqlab.comparison.page import environment
from seqlab.comparison.plan import OTHER_ORDER
from seqlab.comparison.summary import Row, Summary
from seqlab.comparison.verdict import correction_text
from seqlab.comparison.wording import direction, size
from seqlab.core.files import write_text
from seqlab.drawing.numbers import number
from seqlab.drawing.picture import Picture

_ENDINGS: dict[Form, str] = {"latex": "tex", "markdown": "md", "csv": "csv"}
_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip


def paper_table(summary: Summary, form: Form) -> str:
    """One row for each model, the best first: the mean over seeds with its 95 % interval, the number of seeds, p
    against the first row (corrected), parameters, and seconds of training; then the baselines."""
    arrow = {"latex": r"$\uparrow$", "markdown": "↑", "csv": ""}[form]
    if not summary.metric.higher_is_better:
        arrow = arrow.replace("uparrow", "downarrow").replace("↑", "↓")
    name = summary.metric.unit or summary.primary.replace("_", " ")
    headings = ["model", name, "95 % low", "95 % high", "n", "p", "parameters", "training s"]
    rows = [_cells(row, summary, exact=form == "csv") for row in summary.rows]
    rows += [
        [base.name, _figure(base.metrics[summary.primary].value, exact=form == "csv"), *[""] * 6]
        for base in summary.baselines
        if summary.primary in base.metrics
    ]
    if form == "csv":
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([headings, *rows])
        return out.getvalue()
    joined = [[*row[:2], f"{row[2]} to {row[3]}" if row[2] else "", *row[4:]] for row in rows]
    shown = ["model", f"test {name} {arrow}".rstrip(), "95 % interval", *headings[4:]]
    return _markdown(shown, joined) if form == "markdown" else _latex(shown, joined, arrow, summary)


def methods(summary: Summary) -> str:
    """A paragraph that says how the comparison was made: enough to repeat and to judge it."""
    plan = summary.plan
    labels = [row.label for row in summary.rows]
    seeds = sorted({len(row.test) for row in summary.rows})
    corpus = plan.data.get("corpus")
    on = f"{plan.task}" + (f" ({corpus})" if corpus else "")
    order = "" if any(OTHER_ORDER in note for note in plan.notes) else " in the same order"
    told = [
        f"We trained {joined(labels)} on {on} with {' or '.join(map(str, seeds))} seeds each; with the same "
        f"seed, models read the same split{order}.",
        f"Sizes were matched ({plan.match})." if plan.match else "Sizes were those of each model's configuration.",
        f"Each was given a budget of {plan.budget}." if plan.budget else _steps(summary),
    ]
    if plan.tune is not None:
        tried = {value for values in plan.tuned.values() for value in values}
        told.append(
            f"{plan.tune.key} was chosen for each model on the validation split alone, among {len(tried)} values "
            f"({', '.join(sorted(tried, key=float))})."
        )
    told.append(
        f"Figures are test {summary.primary.replace('_', ' ')} ({direction(summary.metric)}) of the weights that "
        f"validated best, as means over seeds with 95 % intervals over {_over(summary)}; variances over seeds are "
        "moderated (Smyth 2004)."
    )
    if correction := correction_text(summary.pairs):
        told.append(f"p is two-sided and {correction}.")
    facts = dict(environment(summary))
    where = facts.get("gpu") or facts.get("cpu") or "a CPU"
    versions = ", ".join(f"{name} {facts[name]}" for name in ("seqlab", "torch") if name in facts)
    told.append(f"Runs were made with {versions} on {where} in {facts.get('precision', 'fp32')}.")
    return " ".join(told)


def write_paper(summary: Summary, form: Form, pictures: dict[str, Picture], folder: Path) -> Path:
    """Write the table, the paragraph and the pictures as PDF into `paper/`; returns that folder."""
    place = folder / "paper"
    place.mkdir(exist_ok=True)
    write_text(place / f"table.{_ENDINGS[form]}", paper_table(summary, form))
    write_text(place / "methods.txt", methods(summary) + "\n")
    for picture in pictures.values():
        (place / f"{picture.name}.pdf").write_bytes(picture.pdf)
    return place


def _cells(row: Row, summary: Summary, *, exact: bool) -> list[str]:
    """The interval's ends stand in cells of their own."""
    ends = (
        ("", "")
        if row.interval is None
        else (_figure(row.interval[0], exact=exact), _figure(row.interval[1], exact=exact))
    )
    sizes, seconds = row.variant.sizes, row.training_seconds
    count = None if sizes is None else sizes.params
    return [
        row.label, _figure(row.mean, exact=exact), *ends, str(len(row.test)), _p(row, summary, exact=exact),
        ("" if count is None else str(count)) if exact else size(count), "" if seconds is None else f"{seconds:.0f}",
    ]  # fmt: skip


def _p(row: Row, summary: Summary, *, exact: bool) -> str:
    first = summary.rows[0].label
    pair = next((pair for pair in summary.pairs if {pair.first, pair.second} == {first, row.label}), None)
    if pair is None or pair.p_corrected is None:
        return ""
    if exact:
        return f"{pair.p_corrected:.4g}"
    return "< 0.001" if pair.p_corrected < 0.001 else f"{pair.p_corrected:.2g}"


def _figure(value: float | None, *, exact: bool) -> str:
    if value is None:
        return ""
    return repr(value) if exact else number(value)


def _markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(headings), "| --- " * len(headings) + "|", *map(line, rows)]) + "\n"


def _latex(headings: Sequence[str], rows: Sequence[Sequence[str]], arrow: str, summary: Summary) -> str:
    """With booktabs. The best model is bold."""
    best = summary.rows[0].label if len(summary.rows) > 1 else None
    lines = []
    for row in rows:
        cells = [_escaped(cell) for cell in row]
        if row[0] == best:
            cells[1] = rf"\textbf{{{cells[1]}}}"
        lines.append(" & ".join(cells) + r" \\")
    shown = [
        _escaped(heading.removesuffix(arrow).rstrip()) + (f" {arrow}" if heading.endswith(arrow) else "")
        for heading in headings
    ]
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}", rf"\begin{{tabular}}{{l{'r' * (len(headings) - 1)}}}", r"\toprule",
            " & ".join(shown) + r" \\", r"\midrule", *lines, r"\bottomrule", r"\end{tabular}", "",
        ]
    )  # fmt: skip


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(character, character) for character in text)


def _steps(summary: Summary) -> str:
    counts = sorted({run.result["steps"] for row in summary.rows for run in row.runs})
    many = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
    return f"Each was trained for {many} steps."


def _over(summary: Summary) -> str:
    return "training seeds" + ("" if summary.items is None else f" and {summary.items:,} test items together")

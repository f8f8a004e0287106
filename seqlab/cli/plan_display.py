"""A plan on the terminal: what will be run, on what, how long it takes, and what a search found."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from seqlab.cli.display import Cell, fitted
from seqlab.comparison.plan import Plan
from seqlab.comparison.wording import data_line, size, tuned_line
from seqlab.drawing.numbers import clock


def show_plan(plan: Plan, console: Console) -> None:
    """Print sizes, budgets and the time that all runs should take."""
    console.print(Text.assemble((plan.task, "bold"), f", seeds {', '.join(map(str, plan.seeds))}"))
    if plan.data:
        console.print(data_line(plan), highlight=False, markup=False, soft_wrap=True)
    console.print(plan_table(plan, console.width))
    for note in plan.notes:
        console.print(Text(f"note: {note}", style="yellow"))
    for label in plan.tuned:
        console.print(tuned_line(plan, label), highlight=False, markup=False, soft_wrap=True)
    if plan.tune is not None and not plan.tuned:
        what = f"{plan.tune.count} values of {plan.tune.key} for each model, chosen on validation"
        more = f"; at most {plan.tune.extra} more where the best is at an edge" if plan.tune.extra else ""
        console.print(f"first a search: {what}{more}", highlight=False, soft_wrap=True)
    if plan.estimated_seconds:
        about = "about" if all(v.max_steps or v.existing for v in plan.variants) else "more than"
        more = (
            f", and at most {clock(plan.extra_search_seconds)} more for the search" if plan.extra_search_seconds else ""
        )
        console.print(f"{about} {clock(plan.estimated_seconds)} in all, one run after the other{more}", highlight=False)


def plan_table(plan: Plan, width: int) -> Table:
    """Each model with the time of a run, its steps, sizes and budget."""
    rows: list[list[Cell]] = []
    for variant in plan.variants:
        sizes, probe = variant.sizes, variant.probe
        tokens = variant.max_steps * probe.tokens_per_step if variant.max_steps and probe else None
        rows.append(
            [
                variant.label,
                "exists" if variant.existing else clock(variant.estimated_seconds),
                str(variant.max_steps or "–"),
                *((f"{n:,}" for n in (sizes.body, sizes.embedding, sizes.head)) if sizes else "–––"),
                size(tokens),
                size(probe.flops_per_token if probe else None),
            ]
        )
    headings = ("model", "a run", "steps", "body", "embedding", "head", "tokens", "FLOP/tok")
    return fitted(width, headings, rows)

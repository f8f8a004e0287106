"""A plan as a person sees it: what will be run, on what, how long it takes, and what a search came to."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from seqlab.comparison.plan import Plan
from seqlab.config.overrides import key_of
from seqlab.display import Cell, clock, compact, described, fitted


def size(count: float | None) -> str:
    """A count in three figures, or a dash."""
    return "–" if count is None else compact(count)


def show_plan(plan: Plan, console: Console) -> None:
    """Sizes, budgets and the time that all of it should take."""
    rows: list[list[Cell]] = []
    for variant in plan.variants:
        sizes, probe = variant.sizes, variant.probe
        tokens = variant.max_steps * probe.tokens_per_step if variant.max_steps and probe else None
        rows.append(
            [
                variant.label,
                "is there" if variant.existing else clock(variant.seconds),
                str(variant.max_steps or "–"),
                *((f"{n:,}" for n in (sizes.body, sizes.embedding, sizes.head)) if sizes else "–––"),
                size(tokens),
                size(probe.flops_per_token if probe else None),
            ]
        )
    headings = ("model", "a run", "steps", "body", "embedding", "head", "tokens", "FLOP/tok")
    console.print(Text.assemble((plan.task, "bold"), f", seeds {', '.join(map(str, plan.seeds))}"))
    if plan.data:
        console.print(data_line(plan), highlight=False, markup=False, soft_wrap=True)
    console.print(fitted(console.width, headings, rows))
    for note in plan.notes:
        console.print(Text(f"note: {note}", style="yellow"))
    for label in plan.tuned:
        console.print(tuned_line(plan, label), highlight=False, markup=False, soft_wrap=True)
    if plan.tune is not None and not plan.tuned:
        what = f"{plan.tune.count} values of {plan.tune.key} for each model, chosen on validation"
        more = f"; at most {plan.tune.more} more where the best is at an edge" if plan.tune.more else ""
        console.print(f"first a search: {what}{more}", highlight=False, soft_wrap=True)
    if plan.seconds:
        about = "about" if all(v.max_steps or v.existing for v in plan.variants) else "more than"
        more = f", and at most {clock(plan.more_seconds)} more for the search" if plan.more_seconds else ""
        console.print(f"{about} {clock(plan.seconds)} in all, one run after the other{more}", highlight=False)


def data_line(plan: Plan) -> str:
    """The corpus, the sizes of its splits, and what was left out."""
    return ", ".join(f"{key}: {value}" for key, value in described(plan.data).items())


def tuned_line(plan: Plan, label: str) -> str:
    """What the search chose for one model, what failed, and why no more was tried."""
    tried = plan.tuned[label]
    known = {value: reached for value, reached in tried.items() if reached is not None}
    key = plan.tune.key if plan.tune is not None else ""
    overrides = next(variant.overrides for variant in plan.variants if variant.label == label)
    best = next(word.partition("=")[2] for word in overrides if key_of(word) == key)
    ranked = sorted(tried, key=float)
    shown = ", ".join(value if value in known else f"{value} (failed)" for value in ranked)
    # plans of before do not say why they ended
    edge = "at the edge of what was tried, a wider search may find better" if best in (ranked[0], ranked[-1]) else ""
    ended = plan.tune_ended.get(label, edge)
    return f"{label}: {key}={best} validated best of {shown}{f'; {ended}' if ended else ''}"

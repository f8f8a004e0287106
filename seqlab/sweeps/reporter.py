"""How progress of a sweep is reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seqlab.comparison.reporter import ComparisonReporter, PlainComparisonReporter

if TYPE_CHECKING:
    from pathlib import Path

    from seqlab.sweeps.plan import SweepPlan
    from seqlab.sweeps.request import SweepRequest


class SweepReporter(ComparisonReporter):
    """Reports warnings only, as a run's reporter does. The command line has its own (cli/sweep_display.py)."""

    def sweeping(self, plan: SweepPlan, request: SweepRequest, folder: Path) -> None:
        """Report the plan and the sweep's folder, before the first trial."""


class PlainSweepReporter(PlainComparisonReporter, SweepReporter):
    """Prints a plain line for each trial that ends, for verbose=True and notebooks."""

    def sweeping(self, plan: SweepPlan, request: SweepRequest, folder: Path) -> None:
        self.say(f"{request.count} trials on {plan.models.task}: {folder}")


def reporter_of(verbose: bool, reporter: SweepReporter | None) -> SweepReporter:
    """The given reporter, or the one that `verbose` stands for."""
    return reporter or (PlainSweepReporter() if verbose else SweepReporter())

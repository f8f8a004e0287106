"""Sweeps whose runs are not trained: what they leave behind is written by a function of their settings."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from seqlab.comparison.parse_plan import parse_plan
from seqlab.comparison.plan import Plan
from seqlab.config.overrides import key_of
from seqlab.errors import Interrupted, NumericError
from seqlab.executors.job import Job
from seqlab.sweeps.plan import FORMAT, SweepPlan, digest_of
from seqlab.sweeps.request import SweepRequest, read_sweep
from seqlab.sweeps.study import Study
from seqlab.sweeps.trial import Trial
from seqlab.sweeps.trials import make_grid, make_search

STEPS = (10, 20, 30, 40)
WORDS = [
    "model=rnn,gru",
    "optim.learning_rate=tag(log,interval(1e-4,1e-1))",
    "model.width=range(8,41,8)",
    "model.dropout=interval(0,0.5)",
    "trainer.max_steps=40",
    "trainer.eval_every_steps=10",
]
Loss = Callable[[dict[str, str]], float | None]


def loss(chosen: dict[str, str]) -> float | None:
    """A bowl around a learning rate, better with width; None, divergence, for large learning rates."""
    rate = float(chosen["optim.learning_rate"])
    if rate > 0.06:
        return None
    dropout = float(chosen.get("model.dropout", "0.1"))
    bowl = 0.25 * abs(math.log(rate / 0.004)) + 0.8 * abs(dropout - 0.1)
    return 2 + bowl + (0.15 if chosen["model"] == "rnn" else 0) - 0.006 * int(chosen["model.width"])


def planned(words: Sequence[str], trials: int | None, *, batch: int = 1) -> tuple[SweepPlan, SweepRequest]:
    """A plan that was not measured."""
    request = read_sweep(words, search=None if trials is None else "optuna", trials=trials)
    models, _ = parse_plan(request.models, None)
    models = Plan(**{**vars(models), "primary": "loss"})
    return SweepPlan(FORMAT, digest_of(models, request), models, batch, 0), request


class Maker:
    """Writes what runs would leave behind, validation by validation.

    made: the runs that were begun, by name. stop_after: how many validations are written before it stops as Ctrl-C
    does, or as a kill does, in the middle of a run.
    """

    def __init__(self, objective: Loss = loss, stop_after: int | None = None) -> None:
        self.objective, self.stop_after = objective, stop_after
        self.made: list[str] = []
        self.validated = 0

    def __call__(self, jobs: Sequence[Job], to_stop: Callable[[], Sequence[Job]]) -> None:
        for job in jobs:
            if not job.has_ended():
                self._make(job, to_stop)

    def _make(self, job: Job, to_stop: Callable[[], Sequence[Job]]) -> None:
        self.made.append(job.folder.name)
        job.folder.mkdir(parents=True, exist_ok=True)
        (job.folder / "overrides.txt").write_text("".join(f"{word}\n" for word in job.all_overrides()))
        (job.folder / "config.yaml").touch()
        log = job.folder / "metrics.jsonl"
        log.write_text("")  # a resumed run cuts it back
        job.status = "running"
        chosen = {key_of(word): word.partition("=")[2] for word in job.overrides}
        found = self.objective(chosen)
        for step in STEPS:
            if self.stop_after is not None and self.validated == self.stop_after:
                raise Interrupted("stopped", "", 130)
            self.validated += 1
            value = None if found is None else found + 8 / step
            line = {"step": step, "tokens": step, "seconds": step / 10, "val/loss": value}
            with log.open("a") as file:
                file.write(json.dumps(line) + "\n")
            job.read_log()
            if job in to_stop():
                job.status = "failed"
                return
        if found is None:
            state = job.folder / "checkpoints" / "step-000000040"
            state.mkdir(parents=True, exist_ok=True)
            (state / "state.json").write_text(json.dumps({"progress": {"failed": True}}))
            job.status, job.code, job.reason = "failed", NumericError.exit_code, "training diverged"
            return
        result = {
            "primary": "loss",
            "validation": {"loss": found + 0.2},
            "test": {"loss": found + 0.25},
            "metrics": {"loss": {"unit": "nats", "higher_is_better": False}},
            "seconds": 4.0,
            "steps": 40,
            "parameters": 1000 * int(chosen["model.width"]),
        }
        (job.folder / "result.json").write_text(json.dumps(result))
        job.status = "done"


def searched(plan: SweepPlan, request: SweepRequest, folder: Path, maker: Maker) -> tuple[list[Trial], Study]:
    """The trials of a search, and its study."""
    search = request.search
    assert search is not None
    study = Study([*request.axes.values()], plan.seed, prune=search.prune)
    return make_search(plan, request, study, folder, maker), study


def grid(plan: SweepPlan, request: SweepRequest, folder: Path, maker: Maker) -> list[Trial]:
    """The trials of a grid."""
    return make_grid(plan, request, folder, maker)[0]

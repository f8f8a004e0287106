"""One rule for "better": the primary metric, then the loss, then the newer."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.checkpoints.retention import checkpoints_in
from seqlab.checkpoints.saving import load_checkpoint
from seqlab.core.meter import Meter
from seqlab.core.metric import Criterion, Metric, choose, validated
from seqlab.training.progress import Progress
from tests.training.test_trainer import Listener, make_trainer


def reached(primary: float, loss: float | None = None) -> Criterion:
    """Metrics of a task whose primary metric is exact match."""
    metrics = {"exact_match": Metric(primary, "", higher_is_better=True)}
    if loss is not None:
        metrics["loss"] = Metric(loss, "nats", higher_is_better=False)
    return Criterion.of(metrics, ("exact_match", "loss"))


def test_the_primary_metric_decides_then_the_loss() -> None:
    assert reached(0.2, 3.0).better_than(reached(0.1, 1.0))
    assert reached(0.0, 0.77).better_than(reached(0.0, 2.43))
    assert not reached(0.0, 2.43).better_than(reached(0.0, 0.77))
    assert not reached(0.0, 1.0).better_than(reached(0.0, 1.0))


def test_of_equals_the_newer_stays_and_only_numbers_are_chosen() -> None:
    assert reached(0.0, 1.0).replaces(reached(0.0, 1.0))
    assert not reached(0.0, 1.1).replaces(reached(0.0, 1.0))
    assert not reached(math.nan, 0.1).replaces(None)
    assert reached(0.0, math.nan).replaces(None)
    assert reached(0.0, 9.0).better_than(reached(0.0, math.nan))
    assert reached(0.0, 9.0).better_than(reached(0.0))  # a checkpoint of before, of which the loss is not known
    assert choose([]) is None
    assert choose([("a", reached(math.nan)), ("b", reached(0.1, 2.0)), ("c", reached(0.1, 2.0))]) == "c"
    assert choose([("a", reached(0.1, 1.0)), ("b", reached(0.1, 2.0)), ("c", reached(math.nan))]) == "a"


def test_a_result_is_judged_by_its_validation() -> None:
    kinds = {
        "exact_match": {"unit": "", "higher_is_better": True},
        "loss": {"unit": "nats", "higher_is_better": False},
    }

    def result(match: float | None, loss: float, **more: Any) -> dict[str, Any]:
        reached = {"exact_match": match, "loss": loss}
        unseen = {"exact_match": 1.0 - (match or 0.0), "loss": 9.0 - loss}  # on test it is the other way round
        return {"primary": "exact_match", "validation": reached, "test": unseen, "metrics": kinds, **more}

    trials = {"1": result(0.0, 3.0), "2": result(0.0, 1.0), "3": result(None, 0.5)}
    assert choose((value, validated(run)) for value, run in trials.items()) == "2"
    by_loss = result(None, 0.5, criterion=["loss"])
    assert validated(by_loss).better_than(validated(result(0.9, 1.0, criterion=["loss"])))


_figures = st.sampled_from([0.0, 0.5, 1.0, math.inf, -math.inf, math.nan])


@given(_figures, _figures, _figures, _figures)
def test_better_is_one_order(a: float, b: float, c: float, d: float) -> None:
    """Never both ways; and whatever is not better is replaced, if the other is a number."""
    first, second = reached(a, b), reached(c, d)
    assert not (first.better_than(second) and second.better_than(first))
    assert second.replaces(first) == (second.known and not first.better_than(second))


def test_patience_counts_validations_that_are_not_better() -> None:
    progress = Progress()
    kept = []
    for step, criterion in enumerate((reached(0.0, 3.4), reached(0.0, 1.1), reached(0.0, 1.1), reached(0.0, 1.2)), 1):
        progress.step = step
        kept.append(progress.take(criterion))
    # step 3 is as good: kept, as the newer, but no reason to go on for
    assert kept == [True, True, True, False]
    assert (progress.best_step, progress.evaluations_since_best) == (3, 2)
    progress.step = 5
    assert progress.take(reached(0.1, 9.0))
    assert progress.evaluations_since_best == 0


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Sentences whose translation no tiny network learns exactly in some steps: exact match stays 0."""
    nouns = "tree house river stone cloud garden window road".split()
    lines = [
        f"the {a} near the {b} is number {n}\tnumber {n} dort steht {a[::-1]} bei {b[::-1]}\n"
        for n, (a, b) in enumerate((a, b) for a in nouns for b in nouns if a != b)
    ]
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(lines), encoding="utf-8")
    return path


class Losses(Listener):
    """Each validation's loss by step, and whether its weights were kept."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: dict[int, float] = {}
        self.primary: list[float] = []
        self.kept: list[bool] = []

    def evaluated(self, progress: Progress, metrics: dict[str, Metric], primary: str, better: bool) -> None:
        super().evaluated(progress, metrics, primary, better)
        self.losses[progress.step] = metrics["loss"].value
        self.primary.append(metrics[primary].value)
        self.kept.append(better)


def test_equal_primary_metrics_are_decided_by_the_loss(pairs: Path, tmp_path: Path) -> None:
    """Exact match is 0 throughout while the loss falls: patience goes on, and the last weights are kept."""
    heard = Losses()
    trainer = make_trainer(
        "gru", "translation", f"task.corpus={pairs}", "trainer.max_steps=30", "trainer.eval_every_steps=5",
        "trainer.patience=2", "optim.learning_rate=0.01", "optim.warmup_steps=0",
        folder=tmp_path / "run", listener=heard,
    )  # fmt: skip
    trainer.fit()
    assert set(heard.primary) == {0.0}
    assert list(heard.losses) == [5, 10, 15, 20, 25, 30]
    assert trainer.progress.best_step == min(heard.losses, key=lambda step: heard.losses[step])
    assert trainer.progress.best_step > 5
    newest = load_checkpoint(checkpoints_in(tmp_path / "run")[-1])[1]["progress"]
    assert [metric["value"] for metric in newest["best"]["metrics"]] == [0.0, min(heard.losses.values())]


def test_the_criterion_of_a_custom_meter_is_used() -> None:
    """A meter may define another criterion, which the trainer uses."""
    heard = Losses()
    trainer = make_trainer("rnn", "sentiment", "trainer.max_steps=6", "trainer.eval_every_steps=1", listener=heard)
    plain = trainer.task.meter

    class Worst(type(plain("validation"))):  # type: ignore[misc]
        """The highest loss is best."""

        def compute(self) -> dict[str, Metric]:
            metrics: dict[str, Metric] = super().compute()
            return {**metrics, "badness": Metric(metrics["loss"].value, "", higher_is_better=True)}

        def criterion(self) -> tuple[str, ...]:
            return ("badness",)

    def meter(split: Any) -> Meter[Any]:
        made = plain(split)
        made.__class__ = Worst
        return made

    trainer.task.meter = meter  # type: ignore[method-assign]
    try:
        trainer.fit()
    finally:
        del trainer.task.meter  # the task is shared
    assert trainer.progress.best_step == max(heard.losses, key=lambda step: heard.losses[step])


def test_the_rule_needs_no_torch() -> None:
    """Lists of runs are ranked by it, and must be quick."""
    code = "import sys, seqlab.core.metric; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

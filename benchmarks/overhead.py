"""The cost of the trainer compared with a bare PyTorch loop: `python -m benchmarks.overhead`.

Both train the same network from the same weights on the same batches with the same optimizer, clipping and
schedule, taking turns in one process; the figure is the ratio of the medians of their step times.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from dataclasses import replace
from itertools import cycle, islice
from typing import Any

import torch
from torch import nn

from benchmarks.ours import Silent
from benchmarks.tables import markdown, save
from seqlab.config.run import RunConfig, load_run_config
from seqlab.core.state import State, detach
from seqlab.training.device import resolve_device
from seqlab.training.trainer import Trainer

SETTINGS = [
    "model=lstm", "model.width=128", "model.layers=1", "model.dropout=0.0", "task.batch_size=16", "task.window=64",
    "device=cpu", "trainer.eval_every_steps=1000000", "trainer.save_every_steps=1000000", "trainer.max_steps=1000000",
]  # fmt: skip


class Bare:
    """The same training as a plain loop, as in a notebook."""

    def __init__(self, config: RunConfig, task: Any) -> None:
        torch.manual_seed(0)
        self.network = task.build_network(config.model)
        self.optimizer = config.optim.build(self.network)
        self.batches = cycle(list(task.batches("train", 0)))
        self.optim, self.state, self.step = config.optim, (), 0

    def run(self, steps: int) -> None:
        for batch in islice(self.batches, steps):
            state: State = detach(self.state) if batch.continues else self.network.initial_state(batch.size)
            for group in self.optimizer.param_groups:
                group["lr"] = self.optim.learning_rate_at(self.step, 1_000_000)
            self.optimizer.zero_grad(set_to_none=True)
            output = self.network(batch, state)
            (output.loss_sum / batch.target_count).backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()
            self.state, self.step = output.state, self.step + 1


class Ours:
    """seqlab's trainer over the same batches; the iterator of its loop is kept between turns."""

    def __init__(self, config: RunConfig, task: Any) -> None:
        torch.manual_seed(0)
        network = task.build_network(config.model)
        batches = list(task.batches("train", 0))
        task.batches = lambda _split, _seed: iter(batches)
        device = resolve_device(replace(config.device, precision="fp32"), deterministic=False)
        self.trainer: Trainer[Any] = Trainer(
            task, network, config.optim, config.trainer, device, seed=0, folder=None, observers=(Silent(),)
        )
        self.groups = self.trainer.windows.groups(self.trainer.progress)

    def run(self, steps: int) -> None:
        """What fit() does between two validations, logging included."""
        for group in islice(self.groups, steps):
            self.trainer.step(group)
            if self.trainer.progress.due(self.trainer.config.log_every_steps):
                self.trainer.log()


def measure(config: RunConfig, rounds: int, steps: int) -> dict[str, float]:
    """Medians in milliseconds a step, and their ratio."""
    bare, ours = Bare(config, config.task.build()), Ours(config, config.task.build())
    contenders: dict[str, Bare | Ours] = {"bare": bare, "seqlab": ours}
    for contender in contenders.values():
        contender.run(steps)  # warm-up
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds):
        order = list(contenders.items())
        for name, contender in order if turn % 2 else reversed(order):
            started = time.perf_counter()
            contender.run(steps)
            times[name].append(1000 * (time.perf_counter() - started) / steps)
    same = zip(bare.network.parameters(), ours.trainer.network.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in same), "the two did not compute the same"
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratios = [mine / plain for mine, plain in zip(times["seqlab"], times["bare"], strict=True)]
    return {**medians, "ratio": statistics.median(ratios)}


def main() -> None:
    """One row for each number of threads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("overrides", nargs="*")
    given = parser.parse_args()
    rows = []
    for threads in given.threads:
        torch.set_num_threads(threads)
        load = os.getloadavg()[0]
        found = measure(load_run_config([*SETTINGS, *given.overrides]), given.rounds, given.steps)
        rows.append({"threads": threads, **found, "load_before": load, "load_after": os.getloadavg()[0]})
    save("overhead", "trainer", {"rows": rows})


def table(found: dict[str, Any]) -> str:
    """One line for each number of threads."""
    rows = (
        (
            row["threads"],
            f"{row['bare']:.2f}",
            f"{row['seqlab']:.2f}",
            f"{row['ratio']:.3f}",
            f"{row['load_before']:.1f} to {row['load_after']:.1f}",
        )
        for row in found["rows"]
    )
    return markdown(("threads", "bare loop, ms a step", "seqlab, ms a step", "median ratio", "load"), rows)


if __name__ == "__main__":
    main()

"""Everything that only a GPU can show, in ten minutes and one table: `python -m benchmarks gpu --corpus input.txt`.

MFU is the share of the FLOPs of the model's matrix products, forward and backward, in what one large bf16 product
reaches here. The corpus is a text of a megabyte or so: 1.47 nats, the target for 5,000 steps, is for tiny Shakespeare.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from itertools import islice
from typing import Any

import torch

from benchmarks.harness import Report, parser
from benchmarks.ours import PacedTrainer, make_trainer
from seqlab.comparison.flops import training_flops
from seqlab.core.state import detach
from seqlab.training.progress import Progress

_GPT = ("model=transformer", "experiment=char_gpt")
_LSTM = (
    "model=lstm",
    "model.width=1024",
    "model.layers=2",
    "model.dropout=0.0",
    "task.batch_size=256",
    "task.window=128",
)
_SMALL = (
    "model=lstm",
    "model.width=128",
    "model.layers=1",
    "model.dropout=0.0",
    "task.batch_size=16",
    "task.window=64",
)


def peak_flops(dtype: torch.dtype) -> float:
    """FLOP/s of one large product."""
    left, right = (torch.randn(8192, 8192, device="cuda", dtype=dtype) for _ in range(2))
    for _ in range(3):
        left @ right
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(20):
        left @ right
    torch.cuda.synchronize()
    return 20 * 2 * 8192**3 / (time.perf_counter() - started)


def trainer_of(overrides: tuple[str, ...], *more: str) -> PacedTrainer:
    """A trainer on the GPU."""
    trainer = make_trainer((*overrides, "device=cuda", *more))
    trainer.pace, trainer.facts, trainer.began = (lambda: None), {}, 0.0  # type: ignore[assignment]
    trainer.network.train()
    return trainer


def steps(trainer: PacedTrainer, count: int) -> tuple[float, int, float]:
    """(seconds, tokens, FLOPs) of `count` steps after a warm-up."""
    groups = trainer.windows.groups(trainer.progress)
    windows = next(groups)
    on_cpu = trainer.task.build_network(trainer.model)
    flops = training_flops(on_cpu, windows[:1])
    for group in islice(groups, 20):
        trainer.step(group)
    trainer.outcomes.read(trainer.progress)
    trainer.device.synchronise()
    started, tokens = time.perf_counter(), trainer.progress.tokens
    for group in islice(groups, count):
        trainer.step(group)
    trainer.outcomes.read(trainer.progress)
    trainer.device.synchronise()
    tokens = trainer.progress.tokens - tokens
    return time.perf_counter() - started, tokens, flops / windows[0].positions * tokens


def gpt(report: Report, corpus: str, compile_: str, count: int, peak: float) -> None:
    """A row of nanoGPT's network, compiled or not."""
    took, tokens, flops = steps(trainer_of(_GPT, corpus, f"device.compile={compile_}"), count)
    report.add(f"GPT 6 x 384, compile={compile_}", took, round(tokens / took), flops / took / peak, f"{count} steps")


def bare_steps(trainer: PacedTrainer, count: int) -> float:
    """Seconds of a plain loop over the same network, optimizer and batches."""
    network, optimizer, state = trainer.network, trainer.update.optimizer, None
    vars(optimizer).pop("found_inf", None)  # the trainer's alone

    def step(batch: Any) -> None:
        nonlocal state
        batch = batch.to(trainer.device.torch_device)
        before = detach(state) if batch.continues and state is not None else network.initial_state(batch.size)
        optimizer.zero_grad(set_to_none=True)
        with trainer.device.autocast():
            output = network(batch, before)
        (output.loss_sum / batch.target_count).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        state = output.state

    batches = [group[0] for group in islice(trainer.windows.groups(trainer.progress), count + 20)]
    for batch in batches[:20]:
        step(batch)
    trainer.device.synchronise()
    started = time.perf_counter()
    for batch in batches[20:]:
        step(batch)
    trainer.device.synchronise()
    return time.perf_counter() - started


def main() -> None:
    """Print one table; without a GPU, say so and stop."""
    made = parser(__doc__)
    made.add_argument("--corpus", required=True)
    made.add_argument("--quick", action="store_true", help="three steps of each: whether all of it runs")
    options: argparse.Namespace = made.parse_args()
    if not torch.cuda.is_available():
        print("no CUDA device: nothing was measured")
        sys.exit(1)

    def few(count: int) -> int:
        return min(count, 3) if options.quick else count

    peak = peak_flops(torch.bfloat16)
    columns = ("what", "seconds", "tokens/s", "of the bf16 peak", "result")
    report = Report("gpu", columns, options, keep=not options.quick)
    report.add("bf16 product 8192", "", "", 1.0, f"{peak / 1e12:.0f} TFLOP/s")
    corpus = f"task.corpus='{options.corpus}'"
    gpt(report, corpus, "never", few(200), peak)
    trainer = trainer_of(_GPT, corpus, "trainer.max_steps=5000", "optim.horizon_steps=5000")
    started = time.perf_counter()
    best = float("inf")
    for group in islice(trainer.windows.groups(trainer.progress), few(5000)):
        trainer.step(group)
        if trainer.progress.step % few(250) == 0:
            best = min(best, trainer.evaluate("validation").compute()["loss"].value)
    took = time.perf_counter() - started
    report.add(f"GPT 6 x 384, {few(5000):,} steps", took, "", "", f"{best:.4f} nats, best validation")
    trainer = trainer_of(_LSTM)
    took, tokens, flops = steps(trainer, few(100))
    report.add("LSTM 2 x 1024", took, round(tokens / took), flops / took / peak, f"{few(100)} steps")
    for name, overrides in (("LSTM 1 x 128", _SMALL), ("transformer (default)", ("model=transformer",))):
        trainer = trainer_of(overrides)
        ratios = []
        for turn in range(6):
            taken = {}
            for who in ("bare", "ours")[:: 1 if turn % 2 else -1]:
                trainer.progress, trainer.update.state = Progress(), None
                taken[who] = bare_steps(trainer, few(200)) if who == "bare" else steps(trainer, few(200))[0]
            ratios.append(taken["bare"] / taken["ours"])
        report.add(f"trainer against a bare loop, {name}", "", "", "", f"x{statistics.median(ratios):.3f} its speed")
    losses = {}
    for precision in ("fp32", "bf16", "fp16"):
        trainer = trainer_of(("model=transformer",), f"device.precision={precision}")
        for group in islice(trainer.windows.groups(trainer.progress), few(700)):
            trainer.step(group)
        losses[precision] = trainer.evaluate("validation").compute()["loss"].value
    reached = ", ".join(f"{name} {nats:.4f} nats" for name, nats in losses.items())
    report.add(f"{few(700)} steps on python_docs in each precision", "", "", "", reached)
    gpt(report, corpus, "always", few(200), peak)  # last: compiling may take minutes
    report.finish()


if __name__ == "__main__":
    main()

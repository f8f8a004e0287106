"""Seconds of training until tiny shakespeare is predicted as well as by nanoGPT's recipe for a CPU, beside that recipe.

`python -m benchmarks quality`. The peer is a loop with nanoGPT's arithmetic, batches and schedule (2,000 steps). Ours
are Transformers and LSTMs of the same size, with changes that are named, each with a schedule that ends at its last
step. All are judged alike: on all windows of the validation split, each alone, its first characters predicted from
next to nothing, as nanoGPT does with random ones. Steps of all are timed in turns, and seconds are steps times the time
of a step.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from statistics import fmean
from typing import Any, cast

import torch
from torch import Tensor

from benchmarks.harness import Facts, interleave, machine, parser
from benchmarks.loops import GPTSize, gpt, train_gpt
from benchmarks.ours import make_trainer, run, seqlab
from benchmarks.tables import RESULTS, markdown, save
from seqlab.config.run import load_run_config
from seqlab.data.batches import TokenBatch

PEER, STEPS = "nanoGPT's recipe, as a loop", 2000
_SIZE = GPTSize(4, 4, 128, 12, 64, bias=False)
_OURS = ("experiment=shakespeare_gpt_cpu", "device=cpu", "device.precision=fp32")
_QUICK = ("optim.learning_rate=0.004", "optim.warmup_steps=50", "optim.final_share=0")
_LSTM = (
    "model=lstm", "model.width=216", "model.layers=2", "model.dropout=0", "task.corpus=shakespeare",
    "task.train_share=0.9", "task.validation_share=0.1", "device=cpu", "device.precision=fp32",
    "optim.learning_rate=0.006", "optim.warmup_steps=50", "optim.final_share=0",
)  # fmt: skip
_SHORT = (*_OURS, *_QUICK, "task.batch_size=8")
_CONVOLVED = (*_SHORT, "model.conv=3", "model.feed_forward=464")  # as many parameters
_MUON = ("optim=muon", "optim.learning_rate=0.01", "optim.warmup_steps=20", "optim.weight_decay=0.1")
_LSTM_SHORT = (*_LSTM, "task.batch_size=24", "task.window=32")
RECIPES: dict[str, tuple[int, tuple[str, ...]]] = {
    "Transformer, learned positions": (STEPS, (*_OURS, "model.positions=learned")),
    "Transformer, RoPE (Su 2021)": (STEPS, _OURS),
    "four times the learning rate, decayed to 0": (1000, (*_OURS, *_QUICK)),
    "8 rows of 64 in place of 12": (1200, _SHORT),
    "8 rows, Muon (Jordan 2024) in place of AdamW": (500, (*_SHORT, *_MUON)),
    "8 rows, a convolution (Mohamed 2019)": (600, _CONVOLVED),
    "8 rows, a convolution and Muon": (300, (*_CONVOLVED, *_MUON)),
    "8 rows, a convolution, in bf16": (600, (*_CONVOLVED, "device.precision=bf16")),
    "LSTM, 12 rows of 64": (1200, (*_LSTM, "task.batch_size=12", "task.window=64")),
    "LSTM, 24 rows of 32": (1200, _LSTM_SHORT),
    "LSTM, 24 rows of 32, Muon": (400, (*_LSTM_SHORT, *_MUON)),
    "LSTM, 24 rows of 32, in bf16": (1200, (*_LSTM_SHORT, "device.precision=bf16")),
}
"""Steps, and settings."""
_STORED = RESULTS / "quality-shakespeare.json"


def main() -> None:
    """Train and time all of them."""
    made = parser(__doc__)
    made.add_argument("--seeds", type=int, default=3)
    options = made.parse_args()
    torch.set_num_threads(options.threads)
    load = os.getloadavg()[0]
    recipes = {PEER: (STEPS, _OURS)} | {name: found for name, found in RECIPES.items() if options.only in name}
    known, losses = _known(options.seeds), dict[str, list[float]]()
    for name, (steps, words) in recipes.items():
        loss = _peer_loss if name == PEER else partial(_our_loss, words, steps)
        losses[name] = known.get((name, steps, words)) or [loss(seed) for seed in range(options.seeds)]
        print(name, steps, *(f"{one:.4f}" for one in losses[name]), flush=True)
    contenders = {
        name: partial(gpt, size=_SIZE, overrides=words) if name == PEER else partial(seqlab, overrides=words)
        for name, (_, words) in recipes.items()
    }
    found = interleave(contenders, rounds=options.rounds, seconds=options.seconds, threads=options.threads)
    rows = [
        {
            "name": name, "steps": steps, "words": words, "losses": losses[name], "milliseconds": found[name].wall,
        }
        for name, (steps, words) in recipes.items()
    ]  # fmt: skip
    facts = {"machine": machine(options.threads), "load": [load, os.getloadavg()[0]], "rows": rows}
    print(table(facts))
    if not options.only:
        save("quality", "shakespeare", facts)


def _known(seeds: int) -> dict[tuple[str, int, tuple[str, ...]], list[float]]:
    """The losses that are stored, which training again would only repeat."""
    rows = json.loads(_STORED.read_text(encoding="utf-8"))["rows"] if _STORED.is_file() else []
    return {
        (row["name"], row["steps"], tuple(row["words"])): row["losses"] for row in rows if len(row["losses"]) == seeds
    }


def _peer_loss(seed: int) -> float:
    task: Any = load_run_config([*_OURS]).task.build()
    torch.manual_seed(seed)
    steps = train_gpt(task.ids["train"][:], len(task.token_vocabulary), _SIZE, horizon=STEPS)
    network = next(network for step, network in enumerate(steps, 1) if step == STEPS)
    return _mean_loss(task, lambda inputs_BT, targets_BT: network(inputs_BT, targets_BT) * targets_BT.numel())


def _our_loss(words: tuple[str, ...], steps: int, seed: int) -> float:
    limits = (f"trainer.max_steps={steps}", f"optim.horizon_steps={steps}", f"seed={seed}")
    trainer = make_trainer((*words, *limits))
    run(trainer, lambda: None, Facts())
    trainer.network.eval()

    def loss_sum(inputs_BT: Tensor, targets_BT: Tensor) -> Tensor:
        batch = TokenBatch(
            inputs_BT=inputs_BT, targets_BT=targets_BT, target_count=targets_BT.numel(), positions=inputs_BT.numel()
        )
        output = trainer.network(batch, trainer.network.initial_state(batch.size))
        return cast("Tensor", output.loss_sum)

    return _mean_loss(trainer.task, loss_sum)


@torch.inference_mode()
def _mean_loss(task: Any, loss_sum: Callable[[Tensor, Tensor], Tensor]) -> float:
    """Over all windows of the validation split, 128 at a time. loss_sum: of inputs and targets."""
    ids_N, window = task.ids["validation"][:], _SIZE.window
    rows = (len(ids_N) - 1) // window
    inputs_RT, targets_RT = (ids_N[at : at + rows * window].view(rows, window) for at in (0, 1))
    pairs = zip(inputs_RT.split(128), targets_RT.split(128), strict=True)
    whole = sum(float(loss_sum(*pair)) for pair in pairs)
    return whole / int(targets_RT.numel())


def table(found: Mapping[str, Any]) -> str:
    """Losses, and seconds beside the peer's."""
    seconds = {row["name"]: row["steps"] * row["milliseconds"] / 1000 for row in found["rows"]}
    rows = [
        (
            row["name"], row["steps"], f"{fmean(row['losses']):.4f}",
            f"{min(row['losses']):.4f} to {max(row['losses']):.4f}", f"{row['milliseconds']:.1f}",
            f"{seconds[row['name']]:.0f}", f"{seconds[row['name']] / seconds[PEER]:.2f}",
        )
        for row in found["rows"]
    ]  # fmt: skip
    seeds = len(found["rows"][0]["losses"])
    headings = ("recipe", "steps", f"nats (mean of {seeds} seeds)", "seeds", "ms a step", "seconds", "of the peer's")
    before, after = found["load"]
    where = f"{found['machine']['cpu']}, {found['machine']['threads']} threads; load {before:.1f} to {after:.1f}."
    return f"{markdown(headings, rows)}\n\n{where}"


if __name__ == "__main__":
    main()

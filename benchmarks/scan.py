"""One layer that is read in parallel over time against torch's fused recurrent kernels: a step forward and backward.

Every family of residual blocks is measured: its mixer, as its YAML file has it and, where it has them, bare: without
its convolution and with a state as wide as its input, which is what nn.LSTM and nn.GRU have. Ratios are times, ours by
torch's, round by round: below 1 ours is faster.
"""

from __future__ import annotations

import statistics
from functools import partial

import torch
from torch import nn

from benchmarks.harness import Contender, Facts, Pace, Report, interleave, parser, ratios
from benchmarks.runs import MODELS
from seqlab.config.compose import settings
from seqlab.config.run import load_run_config
from seqlab.core.model import SequenceModel
from seqlab.layers.residual import ResidualConfig
from seqlab.training.allocator import keep_memory

_WIDTH = 128
_SHAPES = ((64, 64), (512, 8), (4096, 2))  # steps x rows
_TORCH = {"nn.LSTM": nn.LSTM, "nn.GRU": nn.GRU}
_BARE = {"model.expansion": "1", "model.conv": "null"}


def torch_layer(pace: Pace, facts: Facts, *, name: str, steps: int, rows: int) -> None:
    """A contender: torch's own layer."""
    _train(_TORCH[name](_WIDTH, _WIDTH, batch_first=True), pace, facts, steps, rows)


def our_layer(pace: Pace, facts: Facts, *, overrides: tuple[str, ...], steps: int, rows: int) -> None:
    """A contender: a family's mixer."""
    model = load_run_config([*overrides, f"model.width={_WIDTH}", "model.layers=1"]).model
    assert isinstance(model, ResidualConfig)
    (mixer,) = model.mixers()
    _train(_FromTheStart(mixer), pace, facts, steps, rows)


class _FromTheStart(nn.Module):
    """A mixer that is called as torch's layers are."""

    def __init__(self, mixer: SequenceModel) -> None:
        super().__init__()
        self.mixer = mixer

    def forward(self, x_BTD: torch.Tensor) -> tuple[torch.Tensor, object]:
        found: tuple[torch.Tensor, object] = self.mixer(x_BTD, self.mixer.initial_state(len(x_BTD)))
        return found


def _train(layer: nn.Module, pace: Pace, facts: Facts, steps: int, rows: int) -> None:
    keep_memory()  # as in training
    facts["parameters"] = sum(p.numel() for p in layer.parameters())
    x_BTD = torch.randn(rows, steps, _WIDTH, requires_grad=True)
    gradient_BTD = torch.randn(rows, steps, _WIDTH)
    leaves = [x_BTD, *layer.parameters()]
    while True:
        torch.autograd.grad(layer(x_BTD)[0], leaves, gradient_BTD)
        pace()


def _ours() -> dict[str, tuple[str, ...]]:
    """Each family of residual blocks as it is, and bare, by name: its overrides."""
    found: dict[str, tuple[str, ...]] = {}
    for model in MODELS:
        if isinstance(load_run_config([f"model={model}"]).model, ResidualConfig):
            there = settings([f"model={model}"])
            found[model] = (f"model={model}",)
            if _BARE.keys() <= set(there):
                found[f"{model}, bare"] = (f"model={model}", *(f"{key}={value}" for key, value in _BARE.items()))
    return found


def main() -> None:
    """Print one row for each layer and shape."""
    options = parser(__doc__).parse_args()
    report = Report("scan", ("layer", "steps", "rows", "parameters", "ms", "/ nn.LSTM", "/ nn.GRU"), options)
    for steps, rows in _SHAPES:
        contenders: dict[str, Contender] = {
            **{name: partial(torch_layer, name=name, steps=steps, rows=rows) for name in _TORCH},
            **{
                name: partial(our_layer, overrides=overrides, steps=steps, rows=rows)
                for name, overrides in _ours().items()
                if options.only in name
            },
        }
        found = interleave(contenders, rounds=options.rounds, seconds=options.seconds, threads=options.threads)
        for name, took in found.items():
            against = (statistics.median(ratios(found[other], took)) for other in _TORCH)
            report.add(name, steps, rows, took.facts["parameters"], took.wall, *against)
    report.finish()


if __name__ == "__main__":
    main()

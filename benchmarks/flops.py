"""Our FLOP formulas against torch's counter: `python -m benchmarks.flops`.

For every family on every task with its defaults, one batch forward and backward: with fused kernels and our formulas,
and with nothing fused, where torch's FlopCounterMode sees every matrix product itself.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.runs import MODELS
from benchmarks.tables import markdown, save
from seqlab.comparison.flops import formulas
from seqlab.config.run import load_run_config
from seqlab.config.sources import group_files


def main() -> None:
    """Count for each pair of a task and a model."""
    warnings.filterwarnings("ignore", "TF32 acceleration")
    rows = []
    for name in group_files("task", None):
        task = load_run_config([f"task={name}"]).task.build()
        batch = next(task.batches("train", 0))
        for model in MODELS:
            network = task.build_network(load_run_config([f"task={name}", f"model={model}"]).model)
            with FlopCounterMode(display=False, custom_mapping=formulas()) as ours:
                network(batch, network.initial_state(batch.size)).loss_sum.backward()
            with (
                torch.backends.mkldnn.flags(enabled=False),
                sdpa_kernel(SDPBackend.MATH),
                FlopCounterMode(display=False) as theirs,
            ):
                network(batch, network.initial_state(batch.size)).loss_sum.backward()
            formula, counter = ours.get_total_flops(), theirs.get_total_flops()
            rows.append({"task": name, "model": model, "formula": formula, "counter": counter})
    save("flops", "batch", {"rows": rows})


def table(found: dict[str, Any]) -> str:
    """One line per pair."""
    rows = (
        (
            row["task"],
            row["model"],
            f"{row['formula'] / 1e6:,.1f}",
            f"{row['counter'] / 1e6:,.1f}",
            f"{row['formula'] / row['counter'] - 1:+.2%}",
        )
        for row in found["rows"]
    )
    return markdown(("task", "model", "formula, MFLOP", "counter, MFLOP", "difference"), rows)


if __name__ == "__main__":
    main()

"""Our FLOP formulas beside torch's counter: `python -m benchmarks.flops`.

For every family on every task with its defaults, one batch forward and backward: with fused kernels and our formulas,
and with nothing fused, where torch's FlopCounterMode sees every matrix product itself.
"""

from __future__ import annotations

import warnings

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.runs import MODELS
from seqlab.comparison.flops import formulas
from seqlab.config.run import load_run_config


def main() -> None:
    """Print one table."""
    warnings.filterwarnings("ignore", "TF32 acceleration")
    print("| task | model | formula, MFLOP | counter, MFLOP | difference |")
    print("| --- | --- | --- | --- | --- |")
    for name in ("char_lm", "sentiment", "translation"):
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
            a, b = ours.get_total_flops(), theirs.get_total_flops()
            print(f"| {name} | {model} | {a / 1e6:,.1f} | {b / 1e6:,.1f} | {a / b - 1:+.2%} |", flush=True)


if __name__ == "__main__":
    main()

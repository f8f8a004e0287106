"""Our formulas for fused kernels against torch's counter, which sees everything once no kernel is fused."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from seqlab.comparison.flops import formulas, training_flops
from seqlab.core.batch import Batch
from seqlab.core.network import Network
from tests.conftest import PAIRS, tiny_config, tiny_network, tiny_task


def _backward(network: Network[Any], batch: Batch) -> None:
    network(batch, network.initial_state(batch.size)).loss_sum.backward()


@pytest.mark.filterwarnings("ignore:TF32 acceleration on top of oneDNN")
@pytest.mark.parametrize(("model", "task"), PAIRS)
def test_the_formula_counts_what_the_counter_counts_without_fused_kernels(model: str, task: str) -> None:
    config = tiny_config(model, task, "model.width=64", "task.batch_size=8")
    network, batch = tiny_network(config), next(tiny_task(config).batches("train", 0))
    with FlopCounterMode(display=False, custom_mapping=formulas()) as ours:
        _backward(network, batch)
    with (
        torch.backends.mkldnn.flags(enabled=False),
        sdpa_kernel(SDPBackend.MATH),
        FlopCounterMode(display=False) as theirs,
    ):
        _backward(network, batch)
    assert ours.get_total_flops() == pytest.approx(theirs.get_total_flops(), rel=0.01)
    assert training_flops(network, [batch]) == ours.get_total_flops()


def test_the_bare_counter_does_not_count_fused_kernels() -> None:
    """Why the formulas are there; should torch learn them one day, this says so."""
    config = tiny_config("lstm", "char_lm", "model.width=64")
    network, batch = tiny_network(config), next(tiny_task(config).batches("train", 0))
    with FlopCounterMode(display=False) as bare:
        _backward(network, batch)
    with FlopCounterMode(display=False, custom_mapping=formulas()) as ours:
        _backward(network, batch)
    assert bare.get_total_flops() < 0.5 * ours.get_total_flops()


def test_counting_does_not_import_the_compiler() -> None:
    code = (
        "import sys, torch; from seqlab.comparison.flops import _Counter\n"
        "gru, x = torch.nn.GRU(4, 4), torch.zeros(3, 2, 4)\n"
        "with _Counter() as counter: gru(x)[0].sum().backward()\n"
        "print(counter.total, 'torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    total, imported = done.stdout.split()
    assert int(total) > 0
    assert imported == "False"

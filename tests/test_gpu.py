"""Tests that need a GPU: `pytest -m gpu`; deselected otherwise."""

from __future__ import annotations

import json
import warnings
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from seqlab.training.device import resolve_device
from seqlab.training.trainer import Trainer
from tests.commands import run
from tests.conftest import MODELS, TASKS, tiny_config, tiny_network, tiny_overrides, tiny_task

pytestmark = pytest.mark.gpu

LAST = Path("checkpoints", "step-00000008", "tensors.safetensors")


def _trainer(model: str, task: str, *overrides: str) -> Trainer[Any]:
    config = tiny_config(model, task, "device=cuda", "trainer.log_every_steps=100", *overrides)
    device = resolve_device(config.device, deterministic=False)
    network = tiny_network(config).to(device.torch_device)
    network.train()
    return Trainer(tiny_task(config), network, config.optim, config.trainer, device, seed=0, folder=None)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("model", MODELS)
def test_no_step_waits_for_the_gpu(model: str, task: str) -> None:
    """Between two reads nothing is transferred back: torch raises if something is."""
    trainer = _trainer(model, task, "trainer.max_steps=1000", "trainer.eval_every_steps=1000")
    assert trainer.update.guard.deferred
    groups = trainer.windows.groups(trainer.progress)
    for group in islice(groups, 3):
        trainer.step(group)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Synchronization debug mode is a prototype")
            torch.cuda.set_sync_debug_mode("error")
        for group in islice(groups, 5):
            trainer.step(group)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len(trainer.outcomes.waiting) == 8
    assert trainer.outcomes.read(trainer.progress) is None


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_gpu_trains_like_a_cpu(model: str, task: str, precision: str) -> None:
    """The same first loss in any precision, within its accuracy."""
    batch = next(tiny_task(tiny_config(model, task)).batches("train", 0))
    exact = _trainer(model, task, "device.precision=fp32")
    mixed = _trainer(model, task, f"device.precision={precision}")
    config = tiny_config(model, task, "device=cpu")
    device = resolve_device(config.device, deterministic=False)
    on_cpu: Trainer[Any] = Trainer(
        tiny_task(config), tiny_network(config), config.optim, config.trainer, device, seed=0, folder=None
    )
    nats, _ = on_cpu.update([batch], 1e-3)
    assert float(exact.update([batch], 1e-3)[0]) == pytest.approx(float(nats), rel=1e-4)
    assert float(mixed.update([batch], 1e-3)[0]) == pytest.approx(float(nats), rel=0.02)


@pytest.mark.parametrize("model", ["rnn", "lstm", "gru"])
def test_cudnn_gets_weights_in_one_piece(model: str) -> None:
    """Otherwise torch warns and copies them in each step; warnings are errors here."""
    trainer = _trainer(model, "char_lm")
    for group in islice(trainer.windows.groups(trainer.progress), 2):
        trainer.step(group)


def test_flash_attention_accepts_a_transformers_inputs() -> None:
    from torch.nn.attention import SDPBackend, sdpa_kernel

    trainer = _trainer("transformer", "char_lm", "device.precision=bf16")
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):  # raises where that kernel cannot be used
        trainer.step(next(trainer.windows.groups(trainer.progress)))


def seqlab(folder: Path, *arguments: str, **environment: str) -> str:
    """One command of a process of its own in `folder`; cuBLAS reads what makes it deterministic when CUDA starts."""
    done = run(*arguments, cwd=folder, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("model", MODELS)
def test_a_run_on_a_gpu_resumes_bit_for_bit(model: str, task: str, tmp_path: Path) -> None:
    """Eight steps at once, and four with four more; then evaluated with the GPU and without it."""
    settings = tiny_overrides(model, task, "device=cuda", "deterministic=true", "optim.horizon_steps=8")
    settings = [text for text in settings if not text.startswith("trainer.max_steps")]
    seqlab(tmp_path, "train", *settings, "trainer.max_steps=8", "--folder", "whole")
    seqlab(tmp_path, "train", *settings, "trainer.max_steps=4", "--folder", "parts")
    seqlab(tmp_path, "resume", "parts", "trainer.max_steps=8")
    seqlab(tmp_path, "resume", "parts", "--verify")
    whole, parts = (load_file(tmp_path / name / LAST) for name in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
    there = json.loads(seqlab(tmp_path, "evaluate", "whole", "--json"))
    here = json.loads(seqlab(tmp_path, "evaluate", "whole", "--json", CUDA_VISIBLE_DEVICES=""))
    assert here["values"]["loss"] == pytest.approx(there["values"]["loss"], rel=0.02)

"""Devices and precisions: what is chosen, what is refused, what mixed precision leaves in fp32."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

from seqlab.errors import ConfigError
from seqlab.training.device import Device, DeviceConfig, resolve_device
from seqlab.training.trainer import Trainer
from tests.conftest import MODELS, PAIRS, tiny_config, tiny_network, tiny_task


def _config(**settings: Any) -> DeviceConfig:
    given = {
        "type": "cpu", "precision": "auto", "compile": "never", "threads": None, "processes": 1, "sharding": "ddp",
    }  # fmt: skip
    return DeviceConfig(**{**given, **settings})


def test_auto_on_a_cpu_without_instructions_for_bf16_is_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqlab.training.device.has_fast_bf16", lambda: False)
    assert resolve_device(_config(), deterministic=False).precision == "fp32"
    assert not resolve_device(_config(precision="bf16"), deterministic=False).scaler().is_enabled()
    with pytest.raises(ConfigError, match="needs a GPU"):
        resolve_device(_config(precision="fp16"), deterministic=False)


def test_fp32_is_fp32_in_recurrent_kernels_too() -> None:
    """torch's own default is TF32 there and fp32 in every other product: families would be unlike each other."""
    torch.backends.cudnn.allow_tf32 = True
    resolve_device(_config(), deterministic=False)
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


def test_a_missing_device_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="device=cuda: this machine or this build of torch has none") as error:
        resolve_device(_config(type="cuda"), deterministic=False)
    assert error.value.allowed.startswith("devices here: cpu")


def _trainer(model: str, task: str, device: Device, *overrides: str) -> Trainer[Any]:
    config = tiny_config(model, task, *overrides)
    return Trainer(tiny_task(config), tiny_network(config), config.optim, config.trainer, device, seed=0, folder=None)


@pytest.mark.parametrize(("model", "task"), PAIRS)
def test_bf16_trains_like_fp32(model: str, task: str) -> None:
    """Matrix products in bf16, loss and weights in fp32, and nearly the same gradient."""
    exact = _trainer(model, task, Device(torch.device("cpu"), "fp32", compile=False))
    mixed = _trainer(model, task, Device(torch.device("cpu"), "bf16", compile=False))
    batch = next(iter(exact.task.batches("train", 0)))
    (nats, norm), (mixed_nats, mixed_norm) = exact.update([batch], 0.001), mixed.update([batch], 0.001)
    assert mixed_nats.dtype == torch.float32
    assert all(p.dtype == torch.float32 for p in mixed.network.parameters())
    assert float(mixed_nats) == pytest.approx(float(nats), rel=0.02)
    assert float(mixed_norm) == pytest.approx(float(norm), rel=0.1)
    mixed.evaluate("validation").compute()


def test_deterministic_mode_trains() -> None:
    try:
        device = resolve_device(_config(), deterministic=True)
        for model in MODELS:
            trainer = _trainer(model, "translation", device)
            trainer.fit()
            assert trainer.progress.step == 4
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["lstm", "transformer"])  # another layer would take as long to compile as the first
@pytest.mark.filterwarnings("ignore")  # torch.compile's own
def test_compiling_changes_no_result(model: str) -> None:
    plain = _trainer(model, "char_lm", Device(torch.device("cpu"), "fp32", compile=False), "model.layers=1")
    compiled = _trainer(model, "char_lm", Device(torch.device("cpu"), "fp32", compile=True), "model.layers=1")
    for trainer in (plain, compiled):
        trainer.fit()
    for a, b in zip(plain.network.parameters(), compiled.network.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_a_runs_peak_memory_is_its_own_and_not_its_parents() -> None:
    """The kernel's maximum for a child process starts with what its parent had in memory."""
    block = torch.ones(600 * 2**18)  # 600 MiB, all of it touched
    code = "from seqlab.training.device import _peak_of_process as peak; print(peak())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = Device(torch.device("cpu"), "fp32", compile=False).peak_memory_bytes()
    assert ours > 4 * block.numel()
    assert 2**20 < int(done.stdout) < ours - 2 * block.numel()

"""What `auto` chooses: by steps of the run itself, with a reason in words, and without an effect on training."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import seqlab
from seqlab.runs.device import SMALL_STEP, decide, without_slow_bf16
from seqlab.training.auto import _in_turns, decide_by_steps, marker, planned_seconds
from seqlab.training.device import Device, resolve_device
from seqlab.training.seeds import random_states
from seqlab.training.trainer import Trainer
from tests.conftest import TASKS, tiny_config, tiny_network, tiny_overrides, tiny_task

CPU = Device(torch.device("cpu"), "fp32", compile=False)


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def _trainer(model: str, task: str, *overrides: str) -> Trainer[Any]:
    config = tiny_config(model, task, *overrides)
    return Trainer(tiny_task(config), tiny_network(config), config.optim, config.trainer, CPU, seed=0, folder=None)


def _chosen(model: str, task: str, *overrides: str) -> tuple[Device, tuple[str, ...], list[str]]:
    said: list[str] = []
    trainer = _trainer(model, task, *overrides)
    device, reasons = decide_by_steps(tiny_config(model, task, *overrides).device, trainer, said.append)
    return device, reasons, said


def test_threads_are_measured_set_and_said() -> None:
    _, (reason,), _ = _chosen("lstm", "char_lm", "device.threads=auto")
    chosen, other = torch.get_num_threads(), 3 - torch.get_num_threads()
    assert reason.startswith(f"device.threads=auto: {chosen} thread")
    assert f"({other}: " in reason


@pytest.mark.parametrize(
    ("overrides", "count"),
    [
        ((), 1),
        (("device.compile=auto",), 1),
        (("device.threads=2",), 2),
        (("model.width=256", "task.batch_size=32", "task.window=64"), 2),
        (("model.width=256", "task.batch_size=8", "task.window=64", "trainer.bptt_steps=1"), 1),
    ],
)
def test_a_small_step_has_one_thread_unless_the_user_says_otherwise(overrides: tuple[str, ...], count: int) -> None:
    config = tiny_config("lstm", "char_lm", *overrides)
    _, reasons = decide(config, tiny_task(config), tiny_network(config), CPU)
    assert torch.get_num_threads() == count
    assert (SMALL_STEP in reasons) == (count == 1)


def test_a_run_in_this_process_gives_its_threads_back(tmp_path: Path) -> None:
    run = seqlab.train(*tiny_overrides("lstm", "char_lm"), folder=tmp_path / "run")
    assert torch.get_num_threads() == 2
    assert json.loads((run.folder / "environment.json").read_text())["threads"] == 1
    run.resume("trainer.max_steps=9", "device.threads=1")
    assert torch.get_num_threads() == 2


def test_measuring_leaves_no_trace() -> None:
    """Neither in the network nor in the generators: the run is that of the same choice made by hand."""
    config = tiny_config("lstm", "char_lm", "device.threads=auto", "model.dropout=0.3")
    network, task = tiny_network(config), tiny_task(config)
    before = [parameter.clone() for parameter in network.parameters()]
    drawn, rest = random_states("cpu")
    decide(config, task, network, CPU)
    after, rest_after = random_states("cpu")
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in network.parameters())
    assert network.training
    assert rest == rest_after
    assert all(torch.equal(drawn[name], after[name]) for name in drawn)


def test_only_auto_settings_are_measured() -> None:
    config = tiny_config("lstm", "char_lm", "device.threads=2")
    network = tiny_network(config)
    network.forward = None  # type: ignore[method-assign,assignment]
    assert decide(config, tiny_task(config), network, CPU) == (CPU, ())


@pytest.mark.parametrize(
    ("model", "task", "why"),
    [
        ("lstm", "char_lm", "no, a recurrent kernel is fused already"),
        ("gru", "translation", "no, a recurrent kernel is fused already"),
        ("transformer", "translation", "no, batches differ in length"),
        ("transformer", "char_lm", "too much to try it"),
    ],
)
def test_compilation_is_declined_with_a_reason(model: str, task: str, why: str) -> None:
    device, (reason,), said = _chosen(model, task, "device.compile=auto")
    assert not device.compile
    assert reason.startswith("device.compile=auto: no, ")
    assert why in reason
    assert said == []


def test_without_a_compiler_compilation_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    _, (reason,), _ = _chosen("transformer", "char_lm", "device.compile=auto", "trainer.max_steps=1000000000")
    assert "no C++ compiler" in reason


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch.compile's own
def test_a_long_run_tries_compilation_and_reports_the_timings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    settings = ("device.compile=auto", "trainer.max_steps=1000000000", "model.layers=1")
    cold = _chosen("transformer", "char_lm", *settings)
    assert "and compiling 25 s, so it is tried" in cold[2][0]
    place = marker(_trainer("transformer", "char_lm", *settings))
    assert place is not None
    assert place.exists()
    warm = _chosen("transformer", "char_lm", *settings)
    assert "compiling 2.5 s (its cache is warm), so it is tried" in warm[2][0]
    for device, (reason,), _ in (cold, warm):
        assert reason.startswith(f"device.compile=auto: {'yes' if device.compile else 'no'}, ")
        assert "ms a step compiled" in reason


def test_the_first_budget_that_is_used_up_is_what_is_planned() -> None:
    endless = ("trainer.max_steps=null", "optim.schedule=constant")
    windows = sum(1 for _ in _trainer("rnn", "sentiment").task.batches("train", 0))
    for overrides, seconds in (
        (("trainer.max_steps=50",), 100.0),
        (("trainer.max_steps=50", "trainer.max_seconds=30"), 30.0),
        ((*endless, "trainer.max_epochs=3"), 3 * windows * 2.0),
        ((*endless, "trainer.max_epochs=3", "trainer.accumulate=2"), 3 * windows / 2 * 2.0),
    ):
        assert planned_seconds(_trainer("rnn", "sentiment", *overrides), 2.0) == pytest.approx(seconds)


def test_a_busy_moment_affects_all_alike() -> None:
    """In turns, not one after the other: the median of three is that of a quiet machine for both."""
    clock = iter([1.0, 2.0, 30.0, 30.0, 1.0, 2.0])
    order: list[str] = []

    def measure(name: str) -> float:
        order.append(name)
        return next(clock) if name in "ab" else 0.0

    taken = _in_turns({"b": lambda: measure("b"), "a": lambda: measure("a")})
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert taken == {"a": 1.0, "b": 2.0}


@pytest.mark.parametrize("task", TASKS)
def test_no_step_of_a_transformer_breaks_the_graph(task: str) -> None:
    """Each break is a return to Python in the middle of a compiled step. (Of torch's recurrent kernels each is one.)"""
    config = tiny_config("transformer", task)
    network, batch = tiny_network(config), next(tiny_task(config).batches("train", 0))
    torch._dynamo.reset()
    found = torch._dynamo.explain(network)(batch, network.initial_state(batch.size))
    assert found.graph_break_count == 0, found.break_reasons
    assert found.graph_count == 1


@pytest.mark.parametrize("feature", ["_is_avx512_bf16_supported", "_is_amx_tile_supported", None])
@pytest.mark.parametrize(
    ("model", "precision"), [("lstm", "bf16"), ("transformer", "bf16"), ("gru", "fp32"), ("rnn", "fp32")]
)
def test_bf16_on_a_cpu_with_instructions_for_it(
    model: str, precision: str, feature: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nn.GRU and nn.RNN have no kernel of their own for it; and what the user asks for is left as it is."""
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda there=name == feature: there)
    monkeypatch.setattr("seqlab.runs.device._SMALL", 0)
    for asked, got in (("auto", precision if feature else "fp32"), ("bf16", "bf16"), ("fp32", "fp32")):
        config = tiny_config(model, "char_lm", f"device.precision={asked}", "device.type=cpu")
        device = resolve_device(config.device, deterministic=False)
        assert without_slow_bf16(config, tiny_task(config), tiny_network(config), device).precision == got


@pytest.mark.parametrize(("rows", "precision"), [(1, "fp32"), (400, "bf16")])
def test_a_small_step_stays_in_fp32(rows: int, precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqlab.training.device.has_fast_bf16", lambda: True)
    config = tiny_config("lstm", "char_lm", f"task.batch_size={rows}", "device.type=cpu")
    device = resolve_device(config.device, deterministic=False)
    assert without_slow_bf16(config, tiny_task(config), tiny_network(config), device).precision == precision
    asked = tiny_config("lstm", "char_lm", f"task.batch_size={rows}", "device.type=cpu", "device.precision=bf16")
    device = resolve_device(asked.device, deterministic=False)
    assert without_slow_bf16(asked, tiny_task(asked), tiny_network(asked), device).precision == "bf16"

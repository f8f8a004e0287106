"""One precision, one number of threads and one answer to compilation in a comparison."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from seqlab.comparison.candidate import Candidate
from seqlab.comparison.parse_plan import parse_plan
from seqlab.comparison.plan import Plan, new_variant
from seqlab.comparison.request import read_request
from seqlab.comparison.resolve_plan import resolve_plan
from seqlab.comparison.shared_device import compiled_alike, share_precision
from seqlab.config.overrides import key_of
from seqlab.config.run import load_run_config
from seqlab.core.files import write_json
from tests.conftest import TEXT, on_corpus, tiny_config, tiny_overrides, tiny_task

_WORDS = tiny_overrides("rnn", "char_lm", *on_corpus("char_lm", TEXT), "device=cpu")
SHARED = [word for word in _WORDS if not word.startswith("model=")]


def _plan(*words: str, match: str | None = None) -> Plan:
    given = {key_of(word) for word in words}
    left_out = {"model.width", "model.feed_forward"} if match else set()
    shared = [word for word in SHARED if key_of(word) not in given | left_out]
    request = read_request([*words, *shared], match=match)
    parsed, configs = parse_plan(request, None)
    return resolve_plan(parsed, request, configs, None)


def _chosen(plan: Plan, key: str) -> list[str]:
    return [word.partition("=")[2] for v in plan.variants for word in v.overrides if key_of(word) == key]


@pytest.fixture
def fast_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor with instructions for bf16, on which no step is too small for it."""
    monkeypatch.setattr("seqlab.training.device.has_fast_bf16", lambda: True)
    monkeypatch.setattr("seqlab.runs.device._SMALL", 0)


@pytest.mark.usefixtures("fast_bf16")
def test_one_model_without_bf16_kernels_makes_all_fp32() -> None:
    plan = _plan("gru", "lstm")
    assert _chosen(plan, "device.precision") == ["fp32", "fp32"]
    assert [variant.probe and variant.probe.precision for variant in plan.variants] == ["fp32", "fp32"]


@pytest.mark.usefixtures("fast_bf16")
def test_models_that_all_have_them_keep_bf16() -> None:
    assert _chosen(_plan("lstm", "transformer"), "device.precision") == ["bf16", "bf16"]


@pytest.mark.usefixtures("fast_bf16")
def test_one_model_whose_steps_are_too_small_for_it_makes_all_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqlab.runs.device._SMALL", 1_000_000)
    large = "large: lstm model.width=256 task.batch_size=32 task.window=64"
    assert _chosen(_plan(large), "device.precision") == ["bf16"]
    assert _chosen(_plan("lstm", large), "device.precision") == ["fp32", "fp32"]


@pytest.mark.usefixtures("fast_bf16")
def test_it_is_chosen_for_the_sizes_that_are_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqlab.runs.device._SMALL", 1_000_000)
    words = ("lstm", "transformer", "task.batch_size=8", "task.window=16")
    assert _chosen(_plan(*words), "device.precision") == ["fp32", "fp32"]
    assert _chosen(_plan(*words, match="body=40k"), "device.precision") == ["bf16", "bf16"]


@pytest.mark.usefixtures("fast_bf16")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_beside_runs_that_exist_others_have_their_precision(precision: str, tmp_path: Path) -> None:
    config = tiny_config("lstm", "char_lm", "device=cpu")
    write_json(tmp_path / "environment.json", {"chosen": {"precision": precision}})
    there, new = new_variant("there", config, (), {0: str(tmp_path)}), new_variant("new", config, (), {})
    candidates = [Candidate(variant, config, tiny_task(config), 0.0, None) for variant in (there, new)]
    _, trained = share_precision(candidates)
    assert trained.variant.overrides == (("device.precision=fp32",) if precision == "fp32" else ())


@pytest.mark.usefixtures("fast_bf16")
def test_a_precision_of_ones_own_stands_and_is_noted() -> None:
    plan = _plan("lstm", "half: lstm device.precision=bf16", "full: lstm device.precision=fp32")
    assert _chosen(plan, "device.precision") == ["fp32", "bf16", "fp32"]
    assert any("device.precision is" in note and "bf16 for half" in note for note in plan.notes)


def test_threads_are_chosen_once() -> None:
    torch.set_num_threads(2)
    try:
        first, *others = _chosen(_plan("rnn", "lstm", "gru", "device.threads=auto"), "device.threads")[:3]
        assert others == [first, first]
    finally:
        torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("models", "threads"),
    [(("rnn", "lstm"), 1), (("rnn", "lstm model.width=256 task.batch_size=32 task.window=64"), 2)],
)
def test_all_have_as_many_threads_as_the_largest_can_use(models: tuple[str, ...], threads: int) -> None:
    torch.set_num_threads(2)
    try:
        assert _chosen(_plan(*models), "device.threads") == [str(threads)] * 2
        assert torch.get_num_threads() == 2  # what comes next in this process has its own again
    finally:
        torch.set_num_threads(1)


@pytest.mark.parametrize(("found", "left"), [("an", "nn"), ("aa", "aa"), ("nn", "nn")])
def test_all_are_compiled_or_none(found: str, left: str) -> None:
    config = load_run_config(["model=lstm", "device.compile=auto"])
    words = {"a": "device.compile=always", "n": "device.compile=never"}
    variants = [new_variant(f"m{i}", config, (), {}) for i in range(len(found))]
    task = tiny_task(tiny_config("lstm", "char_lm"))
    candidates = [Candidate(variant, config, task, 0.0, None) for variant in variants]
    got = compiled_alike(candidates, {f"m{i}": letter == "a" for i, letter in enumerate(found)})
    assert [candidate.variant.overrides for candidate in got] == [(words[letter],) for letter in left]

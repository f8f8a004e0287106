"""From a request to a plan: checks, matched sizes, and budgets in steps."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from seqlab.comparison.compare import plan_only
from seqlab.comparison.parse_plan import parse_plan
from seqlab.comparison.plan import Plan, Variant, folder_of, read_plan, write_plan
from seqlab.comparison.probe import Probe, competing_threads
from seqlab.comparison.request import read_request
from seqlab.comparison.resolve_plan import resolve_plan
from seqlab.comparison.times import read_times
from seqlab.config.run import load_run_config
from seqlab.errors import CheckpointError, ConfigError, SeqlabError
from seqlab.runs.setup import build_network
from seqlab.runs.train import train
from seqlab.training.device import Device, resolve_device
from seqlab.training.seeds import stream_seed
from seqlab.training.trainer import Trainer
from tests.conftest import tiny_overrides, tiny_task

# what every model has, small
SHARED = [o for o in tiny_overrides("rnn", "char_lm") if not o.startswith("model=")]


def _with_shared(words: tuple[str, ...], options: dict[str, str | int]) -> list[str]:
    """Without max_steps, since a budget ends training."""
    left_out = ["-"]
    if "budget" in options:
        left_out += ["trainer.max_steps", "trainer.eval_every_steps"]
    if "match" in options:
        left_out += ["model.width", "model.feed_forward"]
    return [*words, *(o for o in SHARED if not o.startswith(tuple(left_out)))]


def _plan(*words: str, **options: str | int) -> Plan:
    request = read_request(_with_shared(words, options), **options)  # type: ignore[arg-type]
    parsed, configs = parse_plan(request, None)
    return resolve_plan(parsed, request, configs, None)


def test_the_paired_design_differs_in_the_model_alone() -> None:
    plan = _plan("rnn", "transformer", seeds=2)
    assert plan.seeds == (0, 1)
    configs = [load_run_config(list(variant.overrides)) for variant in plan.variants]
    assert configs[0].task == configs[1].task
    assert configs[0].trainer == configs[1].trainer
    (note,) = (note for note in plan.notes if "busy" not in note)
    assert "rnn: windows in the order of the text; transformer: windows in random order" in note


def test_notes_on_budgets_name_the_models() -> None:
    notes = _plan("slow: rnn optim.warmup_steps=50", "rnn", "late: lstm optim.warmup_steps=50").notes
    (note,) = (note for note in notes if "warmed up" in note)
    assert note.startswith("slow, late: the learning rate is still being warmed up when training ends at step")


def test_notes_on_a_limited_receptive_field_name_the_models() -> None:
    plan = _plan("gru", "tcn model.layers=1", "short: tcn model.layers=1 model.width=8", "tcn")
    (note,) = (note for note in plan.notes if "an output depends on" in note)
    assert note.startswith("tcn layers=1, short: an output depends on 5 positions")


def test_notes_on_limited_context_name_the_models() -> None:
    plan = _plan("rnn", "transformer trainer.bptt_steps=4", "deep: transformer model.layers=3 trainer.bptt_steps=4")
    (note,) = (note for note in plan.notes if "training reaches" in note)
    assert note.startswith(
        "transformer bptt_steps=4, deep: training reaches 4 positions at once and sequences have up to"
    )
    assert not any("training reaches" in note for note in _plan("rnn", "transformer").notes)


def test_a_base_seed_shifts_all_and_is_each_runs_own() -> None:
    plan = _plan("rnn", "seed=7", "runs_dir=elsewhere", seeds=2)
    assert plan.seeds == (7, 8)
    words = plan.variants[0].command(8)
    assert [word for word in words if word.startswith(("seed=", "runs_dir="))] == ["seed=8"]
    assert load_run_config(words).seed == 8


def test_a_setting_may_follow_the_seed() -> None:
    plan = _plan("rnn", "seed=3", "trainer.save_every_steps=${seed}", seeds=2)
    (variant,) = plan.variants
    assert plan.seeds == (3, 4)
    assert "trainer.save_every_steps=${seed}" in variant.overrides
    configs = [load_run_config(variant.command(seed)) for seed in plan.seeds]
    assert [config.trainer.save_every_steps for config in configs] == [3, 4]


def test_a_setting_that_follows_the_seed_out_of_its_range_is_refused_before_anything_runs() -> None:
    request = read_request(["rnn", "task=sentiment", "seed=10", "task.fold=${seed}"], seeds=2)
    with pytest.raises(ConfigError, match=r"task\.fold=11"):
        parse_plan(request, None)


def test_with_one_seed_every_model_reads_the_same_data_in_the_same_order() -> None:
    """Not only the same settings: the same windows from the trainer."""

    def read(variant: Variant, seed: int) -> list[Tensor]:
        config = load_run_config(variant.command(seed))
        task = tiny_task(config)
        device = Device(torch.device("cpu"), "fp32", compile=False)
        network = build_network(config, task, device)
        trainer = Trainer(task, network, config.optim, config.trainer, device, seed=config.seed, folder=None)
        return [group[0].inputs_BT for group in islice(trainer.windows.groups(trainer.progress), 5)]

    rnn, transformer = _plan("rnn", "transformer task.windows=streams").variants
    same = zip(read(rnn, 3), read(transformer, 3), strict=True)
    assert all(torch.equal(a, b) for a, b in same)
    one, other = _plan("transformer", "deep: transformer model.layers=3").variants
    assert all(torch.equal(a, b) for a, b in zip(read(one, 3), read(other, 3), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(read(rnn, 3), read(rnn, 4), strict=True))


def test_what_auto_chose_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqlab.training.device.has_fast_bf16", lambda: False)
    chosen = resolve_device(load_run_config(["device=auto"]).device, deterministic=False)
    config = load_run_config(_plan("rnn").variants[0].command(0))
    assert (config.device.type, config.device.precision) == (chosen.name, chosen.precision)


def test_what_is_measured_is_chosen_once_for_all_runs_of_a_variant() -> None:
    torch.set_num_threads(2)
    try:
        config = load_run_config(_plan("rnn device.threads=auto device.compile=auto").variants[0].command(0))
        assert config.device.threads in (1, 2)
        assert config.device.compile == "never"
    finally:
        torch.set_num_threads(1)


def test_own_overrides_win_and_unpaired_settings_are_noted() -> None:
    plan = _plan("rnn", "rnn task.window=8 trainer.max_steps=6 trainer.clip_norm=null")
    first, second = (load_run_config(list(variant.overrides)) for variant in plan.variants)
    assert second.trainer.max_steps == 6 != first.trainer.max_steps
    assert any("task.window is 12 for rnn and 8 for" in note and "order of data" in note for note in plan.notes)
    assert any("trainer.max_steps" in note for note in plan.notes)
    assert any("trainer.clip_norm is 1.0 for rnn and null for" in note for note in plan.notes)


def test_matching_lands_in_the_overrides() -> None:
    plan = _plan("lstm", "transformer", match="body=60k")
    for variant in plan.variants:
        assert variant.sizes is not None
        assert abs(variant.sizes.body - 60_000) <= 1200
        assert load_run_config(list(variant.overrides)).model.width != 16


@pytest.mark.parametrize(("budget", "steps"), [("9steps", 9), ("720tokens", 10), ("3steps", 3)])
def test_a_budget_becomes_steps_with_as_many_validations_as_before(budget: str, steps: int) -> None:
    (variant,) = _plan("rnn", budget=budget).variants
    # 6 streams of 12 characters a step; the first window of an epoch may hold one target less
    assert variant.max_steps is not None
    assert abs(variant.max_steps - steps) <= (1 if "tokens" in budget else 0)
    config = load_run_config(list(variant.overrides))
    assert config.trainer.max_steps == variant.max_steps
    assert config.trainer.eval_every_steps == max(1, round(variant.max_steps / 7))


def test_a_budget_of_seconds_or_operations_gives_the_cheaper_model_more_steps() -> None:
    plan = _plan("gru", "gru model.width=64", budget="1e8flop")
    small, large = (variant.max_steps or 0 for variant in plan.variants)
    assert small > 2 * large > 0
    seconds = _plan("rnn", budget="2s").variants[0]
    assert seconds.probe is not None
    assert seconds.max_steps == int(2 / seconds.probe.step_seconds)


def test_a_budget_below_one_step_is_refused() -> None:
    with pytest.raises(ConfigError, match="less than one step") as error:
        _plan("rnn", budget="1flop")
    assert error.value.what.startswith("rnn: --budget 1flop")  # named, and only once
    with pytest.raises(ConfigError, match="both say when to stop"):
        _plan("rnn trainer.max_steps=3", budget="5steps")
    with pytest.raises(ConfigError, match="is what matching solves for"):
        _plan("rnn model.width=12", match="body=60k")
    with pytest.raises(ConfigError, match="is what --tune searches"):
        _plan("rnn optim.learning_rate=0.1", tune="lr=3")
    with pytest.raises(ConfigError, match=r"model\.feed_forward is what matching"):
        _plan("transformer model.feed_forward=999", match="body=60k")
    with pytest.raises(ConfigError, match="there is no setting"):
        _plan("rnn", tune="optim.momentum=0.8,0.9")
    with pytest.raises(ConfigError, match="starts from a positive number"):
        _plan("rnn", "optim.weight_decay=0", tune="optim.weight_decay=3")


def test_threads_of_one_variant_do_not_affect_the_next() -> None:
    torch.set_num_threads(2)
    try:
        _plan("one: rnn device.threads=1", "rnn")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_operations_a_token_are_the_counters() -> None:
    """FLOP/tok of the probe, against torch's own counter with nothing fused, on the same batches."""
    (variant,) = _plan("gru").variants
    config = load_run_config(variant.command(0))
    task = tiny_task(config)
    network = task.build_network(config.model)
    batches = list(islice(task.batches("train", stream_seed(0, "data order")), 4))
    with FlopCounterMode(display=False) as counter:  # a GRU on a CPU is not fused
        for batch in batches:
            network(batch, network.initial_state(batch.size)).loss_sum.backward()
    assert variant.probe is not None
    expected = counter.get_total_flops() / sum(batch.positions for batch in batches)
    assert variant.probe.flops_per_token == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    ("words", "error", "part"),
    [
        (["lsmt"], ConfigError, "there is no model called 'lsmt'"),
        (["rnn model.heads=2"], ConfigError, "rnn heads=2: there is no setting 'model.heads'"),
        (["rnn", "gru model.width=-1"], ConfigError, "gru width=-1: "),
        (["a b: rnn", "a_b: gru"], ConfigError, "the same folder name"),
        (["a/b: rnn", "a_b: gru"], ConfigError, "the same folder name"),
        (["rnn", "rnn model.width=16 "], ConfigError, ""),
        (["rnn", "x: rnn task.corpus=tests/a.txt"], ConfigError, "not be judged on the same data"),
        (["rnn", "x: rnn task.train_share=0.9"], ConfigError, "not be judged on the same data"),
        (["rnn", "x: rnn device.processes=2"], ConfigError, "x: device.processes=2: here each run is one process"),
    ],
)
def test_mistakes_are_found_before_anything_is_written(words: list[str], error: type[SeqlabError], part: str) -> None:
    if not part:
        assert len(_plan(*words).variants) == 2  # the same settings under two names are the user's to choose
        return
    with pytest.raises(error) as found:
        _plan(*words)
    assert part in found.value.what + found.value.hint


def test_runs_on_one_file_under_two_names_are_compared_and_on_two_files_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = Path(__file__).parent.parent.joinpath("fixtures", "corpus.txt").read_text(encoding="utf-8")
    Path("a.txt").write_text(text, encoding="utf-8")
    Path("b.txt").write_text(text[::-1], encoding="utf-8")
    rest = [word for word in tiny_overrides("rnn", "char_lm") if not word.startswith("task.corpus")]
    for name, where in (("near", "a.txt"), ("far", str(tmp_path / "a.txt")), ("other", "b.txt")):
        config = load_run_config([*rest, f"task.corpus={where}", "runs_dir=runs"])
        train(config, name=name)
    plan, _ = parse_plan(read_request(["near", "far"]), None)
    (note,) = (note for note in plan.notes if "task.corpus" in note)
    assert note.endswith("the same data, metric and splits, as the runs recorded them")
    with pytest.raises(ConfigError, match="not be judged on the same data"):
        parse_plan(read_request(["near", "other"]), None)


def test_a_plan_is_the_same_after_reading(tmp_path: Path) -> None:
    plan = _plan("rnn", "gru model.layers=1", match="params=20k", tune="lr=3")
    write_plan(plan, tmp_path)
    assert read_plan(tmp_path) == plan
    json.dumps(plan.as_json())
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(CheckpointError, match="damaged"):
        read_plan(tmp_path)
    write_plan(replace(plan, format=99), tmp_path)
    with pytest.raises(CheckpointError, match="has format 99"):
        read_plan(tmp_path)


def test_runs_without_their_plan_are_no_comparison(tmp_path: Path) -> None:
    assert read_plan(tmp_path) is None
    (tmp_path / "rnn" / "seed-0").mkdir(parents=True)
    with pytest.raises(CheckpointError, match=r"plan\.json is missing"):
        read_plan(tmp_path)


def test_more_seeds_are_the_same_comparison_and_other_settings_are_not(tmp_path: Path) -> None:
    def digest(*words: str, **options: str | int) -> str:
        return parse_plan(read_request(_with_shared(words, options), **options), None)[0].digest  # type: ignore[arg-type]

    base = digest("rnn", "gru", seeds=3)
    assert base == digest("rnn", "gru", seeds=5)
    others = {
        digest("rnn", "gru", "trainer.clip_norm=0.5"),
        digest("rnn", "gru", budget="9steps"),
        digest("rnn", "gru", match="body=9k"),
        digest("rnn", "gru", tune="lr=3"),
        digest("rnn", "gru", "seed=1"),
        digest("rnn"),
    }
    assert len(others | {base}) == 7
    plan = _plan("rnn", "gru model.layers=1")
    assert folder_of(plan, tmp_path, None).name.startswith("char_lm-rnn-gru_layers=1-")
    assert folder_of(plan, tmp_path, "mine").name == "mine"
    for name, remedy in (("../x", "x"), ("best", "best-run"), ("states", "states-run")):
        with pytest.raises(ConfigError) as error:
            folder_of(plan, tmp_path, name)
        assert error.value.hint == f"try --name {remedy}"


def test_a_runs_name_is_resolved_to_its_folder_first(trained_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`last` would be another run as soon as the comparison has made one, and a restart another comparison."""
    monkeypatch.chdir(trained_runs)

    def parsed(run: str, start: str) -> Plan:
        return parse_plan(read_request(_with_shared((run, f"x: gru init_from={start}"), {})), None)[0]

    by_name = parsed("best:char_lm", "char_lm/gru/a")
    assert by_name == parsed("runs/char_lm/gru/a", "best:char_lm")
    started, existing = by_name.variants
    assert "init_from=runs/char_lm/gru/a" in started.overrides
    assert existing.existing == {0: "runs/char_lm/gru/a"}
    with pytest.raises(CheckpointError, match="init_from=char_lm/gru/b: there is no run called") as error:
        parsed("best:char_lm", "char_lm/gru/b")
    assert error.value.hint == "did you mean char_lm/gru/a?"


def test_the_time_is_that_of_steps_validations_and_starts() -> None:
    (variant,) = _plan("rnn").variants
    probe = Probe("cpu", "fp32", 0.5, 100.0, 1e6, 2.0, None, None)
    timed = replace(variant, probe=probe, max_steps=10, validations=3)
    assert timed.estimated_seconds == pytest.approx(10 * 0.5 + 5 * 2.0 + 6.0)


def test_a_busy_machine_is_noticed() -> None:
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        for _ in range(100):
            if competing_threads() > 0:
                break
            time.sleep(0.1)
        assert competing_threads() > 0
        assert any("machine was busy" in note for note in _plan("rnn").notes)
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def test_a_stored_plan_of_an_earlier_version_is_found_and_more_seeds_are_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan.json that seqlab wrote before its packages were put in order: nothing is measured or searched again."""
    fixtures = Path(__file__).parent.parent / "fixtures"
    shutil.copytree(fixtures / "comparison-1", tmp_path / "runs" / "compare" / "old")
    shutil.copy(fixtures / "corpus.txt", tmp_path)
    monkeypatch.chdir(tmp_path)
    words = ["rnn", "small: gru model.layers=1", "task=char_lm", "task.corpus=corpus.txt", "task.window=12"]
    words += ["task.batch_size=6", "model.dropout=0.0", "optim.warmup_steps=2", "device=cpu", "device.threads=1"]
    request = read_request(
        [*words, "device.precision=fp32"], seeds=2, match="body=20k", budget="6steps", tune="lr=0.003,0.01"
    )
    file = Path("runs/compare/old/plan.json")
    written = json.loads(file.read_text(encoding="utf-8"))
    # the digest is that of every setting; settings that are new since then are not what is looked at here
    file.write_text(json.dumps(written | {"digest": parse_plan(request, None)[0].digest}), encoding="utf-8")
    plan = plan_only(request, None, "old")
    assert plan.seeds == (0, 1)
    found = plan.as_json()
    assert {key: found[key] for key in ("primary", "tuned", "tune_ended", "data", "budget", "match", "notes")} == {
        key: tuple(written[key]) if key == "notes" else written[key]
        for key in ("primary", "tuned", "tune_ended", "data", "budget", "match", "notes")
    }
    for variant, before in zip(plan.variants, written["variants"], strict=True):
        assert list(variant.overrides) == before["overrides"]
        assert load_run_config(variant.command(1)).trainer.max_steps == before["max_steps"] == 6
        assert variant.probe == Probe(**before["probe"])
    times = read_times(file.parent)
    assert [time.run for time in times if not time.run.startswith("tune/")] == ["rnn/seed-0", "small/seed-0"]
    assert all(time.estimated > 0 for time in times)

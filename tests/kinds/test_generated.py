"""Contracts of tasks with generated sequences, found by their settings: a new one is covered automatically."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
import torch
from torch import Tensor

from seqlab.core.baseline import ChanceLevel
from seqlab.core.batch import HELD_OUT, SPLITS, Batch, Split
from seqlab.core.example import example_reader, example_source
from seqlab.core.model import context_of
from seqlab.core.other_lengths import other_lengths
from seqlab.core.prediction import GenerationConfig, predictor
from seqlab.errors import ConfigError, DataError
from seqlab.kinds.generated import GeneratedTask
from seqlab.runs.setup import new_network
from tests.conftest import MODELS, TASKS, has_setting, tiny_config, tiny_network, tiny_task

GENERATED = tuple(task for task in TASKS if has_setting("task.data_seed", task=task))


def made(name: str, *overrides: str) -> GeneratedTask[Any]:
    task = tiny_task(tiny_config("gru", name, *overrides))
    assert isinstance(task, GeneratedTask)
    return task


def tensors(batch: Batch) -> list[Tensor]:
    return [value for value in vars(batch).values() if isinstance(value, Tensor)]


def rows(task: GeneratedTask[Any], split: Split, seed: int = 0) -> list[bytes]:
    """The content of each sequence, without its index in the split."""
    return [
        b"".join(value[row].numpy().tobytes() for value in tensors(batch) if value.dim() > 1)
        for batch in task.batches(split, seed)
        for row in range(batch.size)
    ]


@pytest.mark.parametrize("name", GENERATED)
def test_splits_and_passes_have_different_sequences(name: str) -> None:
    task = made(name)
    passes = [rows(task, "train", 0), rows(task, "train", 1), *(rows(task, split) for split in HELD_OUT)]
    assert [len(one) for one in passes] == [60, 60, 20, 20]
    assert len(set().union(*passes)) == 160
    for split in HELD_OUT:  # whatever the seed of a run
        assert rows(task, split, 5) == rows(task, split)
    assert rows(made(name, "task.data_seed=1"), "test") != rows(task, "test")


@pytest.mark.parametrize("name", GENERATED)
def test_sequences_do_not_depend_on_the_sizes_of_batches_and_splits(name: str) -> None:
    task, other = made(name), made(name, "task.batch_size=17", "task.eval_batch_size=3", "task.train_size=40")
    for split in SPLITS:
        assert rows(other, split, 3) == rows(task, split, 3)[: other.sizes[split]]
    assert other.data_sha256 == task.data_sha256
    assert other.heldout_sha256() == task.heldout_sha256()
    for change in ("task.length=18", "task.data_seed=1", "task.test_size=19"):
        assert made(name, change).heldout_sha256() != task.heldout_sha256()
        assert made(name, change).data_sha256 != task.data_sha256


@pytest.mark.parametrize("name", GENERATED)
def test_a_batch_depends_on_the_seed_and_its_index_alone(name: str) -> None:
    """A run that is resumed in the middle of a pass therefore reads the same batches."""
    task = made(name)
    whole = list(task.batches("train", 11))
    (later,) = islice(made(name, "task.data_seed=0").batches("train", 11), 4, 5)
    for mine, theirs in zip(tensors(whole[4]), tensors(later), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("name", GENERATED)
def test_the_longest_sequence_is_that_of_the_batches(name: str) -> None:
    task = made(name)
    longest = super(GeneratedTask, task).longest()
    assert task.longest() == longest
    for split in SPLITS:
        for batch in task.batches(split, 0):
            assert batch.positions == batch.size * longest  # all are read, whether they are scored or not
            assert not batch.continues
            assert sum(window.positions for window in batch.windows(5)) == batch.positions
            assert sum(window.target_count for window in batch.windows(5)) == batch.target_count


@pytest.mark.parametrize("name", GENERATED)
def test_the_task_is_the_same_at_another_length(name: str) -> None:
    task = made(name, "task.eval_lengths=[20,24]")
    offered = other_lengths(task)
    assert (offered.length(), offered.eval_lengths()) == (16, (20, 24))
    for length in offered.eval_lengths():
        other = offered.at_length(length)
        assert isinstance(other, GeneratedTask)
        assert other.length() == length
        assert other.longest() - task.longest() == length - 16
        assert list(other.vocabulary()) == list(task.vocabulary())
        assert other.sizes == task.sizes
        same = made(name, f"task.length={length}")
        assert rows(other, "test") == rows(same, "test")
    assert made(name).data_sha256 == task.data_sha256


@pytest.mark.parametrize("name", GENERATED)
def test_a_length_that_does_not_fit_is_refused_before_training(name: str) -> None:
    task = made(name)
    least, _ = task.config.shortest()
    assert made(name, f"task.length={least}").longest() <= task.longest()
    with pytest.raises(ConfigError, match=rf"length={least - 1} is too short for \w") as at_length:
        task.at_length(least - 1)
    assert f"try {least} or more" in at_length.value.hint
    if least == 1:
        return
    for key, value in (("task.length", str(least - 1)), ("task.eval_lengths", f"[16,{least - 1}]")):
        with pytest.raises(ConfigError, match=f"{key}={least - 1} is too short for") as refused:
            tiny_config("gru", name, f"{key}={value}")
        assert str(least) in refused.value.hint


@pytest.mark.parametrize("name", GENERATED)
@pytest.mark.parametrize("model", MODELS)
def test_windows_are_used_only_with_models_that_carry_a_state(model: str, name: str) -> None:
    task, network = made(name), tiny_network(tiny_config(model, name))
    task.check_windows(task.longest(), network)  # one window is no cut
    if network.carries_state():
        task.check_windows(5, network)
    else:
        with pytest.raises(ConfigError, match="this model carries nothing"):
            task.check_windows(5, network)


@pytest.mark.parametrize("name", GENERATED)
def test_contexts_are_the_tokens_before_the_same_targets(name: str) -> None:
    task = made(name)
    whole = list(task.contexts("validation", task.longest(), task.longest(), 9))
    assert sum(batch.target_count for batch in whole) == sum(batch.size for batch in whole) == 9
    for steps in (1, 3, task.longest() - 1):
        cut = list(task.contexts("validation", steps, task.longest(), 9))
        for long, short in zip(whole, cut, strict=True):
            positions = min(steps, long.positions // long.size)
            assert short.positions == short.size * positions
            assert short.target_count == short.size
            for mine, theirs in zip(tensors(short), tensors(long), strict=True):
                assert torch.equal(mine, theirs[:, -steps:] if theirs.dim() > 1 else theirs)
    with pytest.raises(DataError, match="too few for a context of"):
        next(iter(task.contexts("validation", 1, task.longest() + 1, 9)))


@pytest.mark.parametrize("name", GENERATED)
def test_the_memoryless_baseline_has_the_metrics_of_the_meter(name: str) -> None:
    task, network = made(name), tiny_network(tiny_config("gru", name))
    assert isinstance(task, ChanceLevel)
    meter = task.meter("validation")
    batch = next(task.batches("validation", 0))
    meter.update(batch, network(batch, network.initial_state(batch.size)), network)
    found, stated = meter.compute(), task.chance("validation").metrics
    assert stated.keys() <= found.keys()
    assert meter.primary in stated
    for metric, value in stated.items():
        assert (value.unit, value.higher_is_better) == (found[metric].unit, found[metric].higher_is_better)


@pytest.mark.parametrize("name", GENERATED)
@pytest.mark.parametrize("model", MODELS)
def test_a_prediction_for_a_longer_sequence_is_refused_or_reads_it_whole(model: str, name: str) -> None:
    """Also in a picture of it, which reads no further than training did. With a receptive field that training did not
    fill, too."""
    deep = tiny_config(model, name).model.reaching(100)
    for deeper in ((), (deep,)) if deep else ((),):
        config = tiny_config(model, name, *deeper)
        task = tiny_task(config)
        network, longer = new_network(config, task).eval(), other_lengths(task).at_length(40)
        text, trained, positions = example_source(longer).example_text(0), task.longest(), longer.longest()
        if len(text.split()) == len(example_source(task).example_text(0).split()):  # it does not tell the length
            return
        limited = context_of(network) is not None or bool(deeper)
        assert example_reader(task).example(network, text).truncated == (positions - trained if limited else 0)
        if limited:
            with pytest.raises(DataError, match=f"{positions} positions is longer than those of training, {trained}"):
                predictor(task).predict(network, text, GenerationConfig())
        else:
            said = predictor(longer).predict(network, text, GenerationConfig())
            assert predictor(task).predict(network, text, GenerationConfig()) == said

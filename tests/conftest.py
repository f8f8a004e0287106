"""Shared by all tests: one thread (several times faster for tiny models), and tiny versions of every run."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
import torch

from seqlab.config.compose import Composed, compose, replaced
from seqlab.config.overrides import key_of
from seqlab.config.run import RunConfig, typed
from seqlab.config.sources import GROUPS, group_files
from seqlab.core.model import ModelConfig
from seqlab.core.network import Network
from seqlab.core.task import Task, TaskConfig
from seqlab.runs.catalogue import flat
from seqlab.runs.train import train

torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"  # of processes too: threads that wait for each other beside another process crawl

MODELS = tuple(group_files("model", None))
TASKS = tuple(group_files("task", None))
TEXT = Path(__file__).parent / "fixtures" / "corpus.txt"
"""A text so short that its validation and its baselines take no time."""

_TINY = {
    "model.width": "16",
    "model.layers": "2",
    "model.dropout": "0.0",
    "model.feed_forward": "32",
    "task.train_share": "0.98",
    "task.validation_share": "0.01",
    "task.window": "12",
    "task.batch_size": "6",
    "task.eval_batch_size": "10",
    "task.word_dropout": "0.0",
    "task.pairs": "300",
    "task.utterances": "60",
    "task.horizon": "4",
    "task.sample_length": "20",
    "task.length": "16",
    "task.train_size": "60",
    "task.validation_size": "20",
    "task.test_size": "20",
    "task.tokens": "4",
    "optim.warmup_steps": "1",
    "trainer.max_steps": "4",
    "trainer.eval_every_steps": "2",
    "trainer.log_every_steps": "1",
    "trainer.log_pictures": "false",
}

_CORPORA = {path.stem: path for path in (Path(__file__).parent / "fixtures" / "corpora").iterdir()}
"""Small corpora by task, each for one whose own corpus would be downloaded, since no test needs a network, or whose
validation would take longer than most tests."""


def tiny_overrides(model: str, task: str, *overrides: str) -> list[str]:
    """Overrides that make any model on any task small; settings that one lacks are left out, and so are counts of a
    task that are less by default."""
    chosen = [f"model={model}", f"task={task}"]
    there = _settings(model, task)
    given = {override.partition("=")[0] for override in overrides}
    if "task.window" in there and "task.eval_batch_size" not in given:
        chosen.append("task.eval_batch_size=64")  # of running text: the more rows, the fewer batches
        given.add("task.eval_batch_size")
    if task in _CORPORA and "task.corpus" not in given:
        chosen.append(f"task.corpus={_CORPORA[task]}")
    shrunk = [
        f"{key}={value}"
        for key, value in _TINY.items()
        if key in there and key not in given and not _less(key, there[key], value)
    ]
    return [*chosen, *shrunk, *overrides]


def _less(key: str, default: object, tiny: str) -> bool:
    if key == "task.tokens" and isinstance(default, str):  # what a token is, not how many there are
        return True
    return key.startswith("task.") and type(default) is int and default < int(tiny)


@functools.cache
def _settings(model: str, task: str) -> Mapping[str, Any]:
    """Every setting with its default, but those that are chosen for model and task together; composed once for each
    model and once for each task, not for each pair."""
    if MODELS[0] != model and TASKS[0] != task:
        of_task = {key: value for key, value in _settings(MODELS[0], task).items() if not key.startswith("model.")}
        return {**of_task, **{k: v for k, v in _settings(model, TASKS[0]).items() if k.startswith("model.")}}
    return flat(composed(model, task).tree)


@functools.cache
def composed(model: str, task: str, *groups: str) -> Composed:
    """The defaults of a model on a task, with the options of other groups. Composed by Hydra only once a session: that
    takes longer than most tests."""
    return compose([f"model={model}", f"task={task}", *groups])


def has_setting(key: str, model: str = MODELS[0], task: str = TASKS[0]) -> bool:
    """Whether a model, or a task, has this dotted setting."""
    return key in _settings(model, task)


CORPUS_TASKS = tuple(task for task in TASKS if has_setting("task.test_corpus", task=task))
"""Those that read files of a user's own."""


def on_corpus(task: str, path: Path, **others: Path) -> list[str]:
    """Overrides for a user's own small corpus, with the task's own shares of it; others: further files by setting."""
    there = _settings(MODELS[0], task)
    shares = [f"{key}={there[key]}" for key in ("task.train_share", "task.validation_share") if key in there]
    return [f"task.corpus={path}", *(f"task.{key}={other}" for key, other in others.items()), *shares]


def causal_overrides(task: str) -> list[str]:
    """Overrides with which a bidirectional task reads forwards only; none if it has no such setting."""
    return ["task.bidirectional=false"] if has_setting("task.bidirectional", task=task) else []


@functools.cache
def config_of(model: str, task: str, *overrides: str) -> RunConfig:
    """As a run would have it (tests/config/test_config.py), but settings replace those of a config that was composed
    before."""
    groups = [override for override in overrides if key_of(override) in GROUPS]
    settings = [override for override in overrides if key_of(override) not in GROUPS]
    return typed(replaced(composed(model, task, *groups), settings), None)


def tiny_config(model: str, task: str, *overrides: str) -> RunConfig:
    """The config of `tiny_overrides`."""
    return config_of(model, task, *tiny_overrides(model, task, *overrides)[2:])


def _kinds(names: Iterable[str], of: Callable[[str], object], root: type) -> list[list[str]]:
    """The names by kind: those whose settings have the same base, a subclass of `root`."""
    found: dict[type, list[str]] = {}
    for name in names:
        settings, *bases = type(of(name)).__mro__
        base = next(one for one in bases if issubclass(one, root))
        found.setdefault(settings if base is root else base, []).append(name)
    return list(found.values())


KINDS = tuple(task for task, *_ in _kinds(TASKS, lambda task: tiny_config(MODELS[0], task).task, TaskConfig))
"""One task of each kind."""
ROLES = tuple(
    next(task for task in TASKS if has_setting(key, task=task))
    for key in ("task.window", "task.bidirectional", "task.label_smoothing")
)
"""A task with a decoder, one with an encoder, and one with both, by settings that only such tasks have."""
_MODEL_KINDS = _kinds(MODELS, lambda model: tiny_config(model, TASKS[0]).model, ModelConfig)
PAIRS = (
    *((model, task) for model, *_ in _MODEL_KINDS for task in ROLES),
    *((model, task) for _, *others in _MODEL_KINDS for model in others for task in ROLES[:2]),
    *((model, task) for task in TASKS if task not in ROLES for model in (MODELS[0], MODELS[-1])),
)
"""(model, task): each kind of model in each role, each model in two, and each task with two models, for what every
model must do with whatever a task gives to it. Each with each would be a product that grows too fast. `seqlab check` is
tested for each with each (tests/contracts/test_every_pair.py)."""


def forms(name: str) -> Iterator[tuple[str, ...]]:
    """Overrides for each variant of a family: each choice of each setting that has choices, and other depths."""
    yield ()
    model = tiny_config(name, "char_lm").model
    for setting, kind in get_type_hints(type(model)).items():
        if setting == "layers":
            yield from (("model.layers=1",), ("model.layers=3",))
        elif get_origin(kind) is Literal:
            yield from ((f"model.{setting}={choice}",) for choice in get_args(kind))
        elif kind is bool:
            yield (f"model.{setting}={str(not getattr(model, setting)).lower()}",)


@functools.cache
def _task(config: Any) -> Task[Any]:
    task: Task[Any] = config.build()
    return task


def tiny_task(config: RunConfig) -> Task[Any]:
    """The config's task; one with the same settings is built only once a session."""
    return _task(config.task)


def tiny_network(config: RunConfig, seed: int = 0) -> Network[Any]:
    torch.manual_seed(seed)
    return tiny_task(config).build_network(config.model)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A small text file that a model can learn from."""
    path = tmp_path / "corpus.txt"
    path.write_text("the quick brown fox jumps over the lazy dog.\n" * 60, encoding="utf-8")
    return path


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """Writes files that every shipped task can read: a text, a table of texts with their label, and pairs."""

    def written(name: str, *, rows: int = 120, start: int = 0) -> Path:
        lines = [
            f"a {('fine', 'dull')[i % 2]} film of {i} scenes\t{('good', 'poor')[i % 2]}"
            for i in range(start, start + rows)
        ]
        path = tmp_path / name
        path.write_text("\n".join(["text\tlabel", *lines]) + "\n", encoding="utf-8")
        return path

    return written


@pytest.fixture(scope="session")
def trained_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one tiny run of each task in runs/. Tests may add files to a run, and change none."""
    root = tmp_path_factory.mktemp("trained")
    for task in TASKS:
        train(tiny_config("gru", task, "device=cpu", f"runs_dir={root / 'runs'}"), name="a", checked=True)
    return root


def without_test(task: Task[Any]) -> Task[Any]:
    """The task without its test split: nothing chosen in training may depend on it."""
    holders = [task, *(part for part in vars(task).values() if dataclasses.is_dataclass(part))]
    splits = [held for holder in holders for held in vars(holder).values() if isinstance(held, dict) and "test" in held]
    assert splits
    for held in {id(held): held for held in splits}.values():
        del held["test"]
    return task


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests first, so that no process is left alone with one at the end."""
    items.sort(key=lambda item: (item.path.name != "test_reliability.py", item.get_closest_marker("slow") is None))

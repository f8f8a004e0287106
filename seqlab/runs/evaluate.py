"""`seqlab evaluate`: the best weights on a whole split, with a line for each item."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqlab.config.overrides import key_of
from seqlab.config.run import read_run_config
from seqlab.config.suggest import nearest_key
from seqlab.core.batch import Split
from seqlab.core.files import finite, writable, write_text
from seqlab.core.meter import Table
from seqlab.core.metric import Metric
from seqlab.core.other_corpus import with_test_corpus
from seqlab.core.other_lengths import other_lengths
from seqlab.core.task import TaskConfig
from seqlab.drawing.numbers import figure
from seqlab.errors import ConfigError, ResourceError
from seqlab.metrics import kinds
from seqlab.runs.device import device_to_evaluate
from seqlab.runs.environment import read_environment
from seqlab.runs.run import Run
from seqlab.training.device import Device
from seqlab.training.lengths import AtLength, can_read, evaluate_lengths, lengths_to_evaluate
from seqlab.training.seeds import stream_seed
from seqlab.training.validation import evaluate


@dataclass(frozen=True, repr=False)
class Evaluation:
    """The metrics of a run's best weights on a split or on another corpus.

    metrics: with unit and direction; `values` has their numbers alone.
    primary, interval: the task's main metric, and its 95 % interval over items.
    items: the file with a line for each item.
    unknown: how many tokens did not occur in training, and of how many, by kind of token.
    lengths: the same on sequences of the length of training and of others, if there are others to be evaluated.
    """

    folder: Path
    split: Split
    step: int
    metrics: dict[str, Metric]
    primary: str
    interval: tuple[float, float]
    details: dict[str, Any]
    tables: tuple[Table, ...]
    items: Path
    count: int
    device: Device
    test_is_validation: bool
    corpus: str | None
    unknown: Mapping[str, tuple[int, int]]
    lengths: tuple[AtLength, ...]

    @property
    def values(self) -> dict[str, float]:
        """Each metric's value by its name."""
        return {name: float(metric.value) for name, metric in self.metrics.items()}

    def __repr__(self) -> str:
        figures = ", ".join(f"{name} {figure(metric)}" for name, metric in self.metrics.items())
        return f"Evaluation({self.corpus or self.split}, {self.count} items: {figures})"

    def as_json(self) -> dict[str, Any]:
        """Plain values for --json."""
        plain: dict[str, Any] = finite(
            {
                "folder": str(self.folder),
                "split": self.split,
                "corpus": self.corpus,
                "unknown": {what: {"count": count, "of": of_all} for what, (count, of_all) in self.unknown.items()},
                "test_is_validation": self.test_is_validation,
                "step": self.step,
                "primary": self.primary,
                "values": self.values,
                "interval": self.interval,
                "metrics": kinds(self.metrics),
                "lengths": [one.as_json() for one in self.lengths],
                "details": self.details,
                "device": self.device.name,
                "precision": self.device.precision,
                "items": str(self.items),
                "item_count": self.count,
            }
        )
        return plain


def evaluate_run(
    run: Run,
    split: Split | None = None,
    corpus: str | None = None,
    overrides: Sequence[str] = (),
    lengths: Sequence[int] = (),
) -> Evaluation:
    """Every metric of the run's best weights on the whole split (test), or on the whole of another corpus, with the
    run's vocabulary and labels; the results of each item are written to the run's evaluation/SPLIT.jsonl, or
    corpus-NAME-DIGEST.jsonl. On this machine's device, in the run's precision, or else in fp32. overrides: how the file
    of another corpus is read, if its format differs from the run's own. lengths: of the sequences to evaluate on beside
    those of training, instead of task.eval_lengths.

    Raises ConfigError for other overrides, for a split of another corpus and for lengths that the task or the network
    does not have, CheckpointError or DataError if the run or its corpus has changed, ResourceError if the items cannot
    be written.
    """
    if corpus is not None and split is not None:
        raise ConfigError("--split cuts the run's own corpus, and --corpus is taken whole", "leave one of them out")
    if corpus is not None and lengths:
        raise ConfigError("--length is of the run's own sequences, and --corpus has others", "leave one of them out")
    split = split or "test"
    every = [] if corpus is not None else _lengths(run, lengths)
    task, name = run.task, f"{split}.jsonl"
    config = _reading(run, overrides, corpus)
    if corpus is not None:
        task = with_test_corpus(task, corpus, "--corpus", config)
        name = f"corpus-{_plain_name(corpus)}-{task.data_sha256[:8]}.jsonl"
    unknown = task.unknown_in(split)
    remedy = "copy the run to where you may write"
    items = writable(run.folder / "evaluation", remedy) / name
    device = device_to_evaluate(run.config, read_environment(run.folder))
    network = copy.deepcopy(run.network).to(device.torch_device)  # the run's own stays where it is
    meter = evaluate(network, task.batches(split, 0), task.meter(split), device)
    seed = stream_seed(run.config.seed, "bootstrap")
    lines = [json.dumps(finite(item), ensure_ascii=False, allow_nan=False) + "\n" for item in meter.items()]
    try:
        write_text(items, "".join(lines))
    except OSError as error:
        raise ResourceError(f"cannot write {items}: {error.strerror}", remedy) from error
    return Evaluation(
        run.folder,
        split,
        run.step,
        meter.compute(),
        meter.primary,
        meter.interval(seed),
        meter.details(),
        tuple(meter.tables()),
        items,
        len(lines),
        device,
        task.test_is_validation,
        corpus,
        unknown,
        evaluate_lengths(network, task, every, split, device, seed, meter),
    )


def _lengths(run: Run, given: Sequence[int]) -> list[int]:
    """Of the sequences to evaluate on. Raises ConfigError for one that the task does not have, or that the network was
    not trained to read."""
    every = lengths_to_evaluate(run.task, given)
    for length in given:
        try:
            other_lengths(run.task).at_length(length)
        except ConfigError as error:
            why = error.what.removeprefix(f"length={length} is ")
            raise ConfigError(f"--length {length}: {why}", error.hint, error.allowed) from error
        if not can_read(run.network, run.task, length):
            raise ConfigError(
                f"--length {length} is longer than the sequences of training, {other_lengths(run.task).length()}, and "
                "this model could not have learned what lies further back",
                f"train it with task.length={length}, or evaluate a recurrent model",
            )
    return every


def _reading(run: Run, overrides: Sequence[str], corpus: str | None) -> TaskConfig:
    """The settings with which another corpus is read: the run's own with these overrides."""
    if not overrides:
        return run.config.task
    may = [f"task.{name}" for name in run.config.task.reading_settings]
    how = (
        f"settings for --corpus FILE: {', '.join(may)}" if may else "this run's task has no settings for reading a file"
    )
    for override in overrides:
        key = key_of(override)
        if "=" not in override:
            raise ConfigError(f"'{override}' is unexpected: evaluate takes one run, and settings as KEY=VALUE", how)
        if key not in may:
            near = nearest_key(key, may)
            hint = f"did you mean {near}={override.partition('=')[2]}?" if near else ""
            raise ConfigError(
                f"'{override}': a trained run keeps its settings, except those for reading --corpus",
                *filter(None, (hint, how)),
            )
        if corpus is None:
            raise ConfigError(f"'{override}': the run's own corpus is read as it was in training", how)
    return read_run_config(run.folder / "config.yaml", run.config.config_dir, overrides).task


def _plain_name(corpus: str) -> str:
    """The part of a corpus' name that is valid in a file name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", Path(corpus).name)[:60]

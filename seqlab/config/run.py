"""RunConfig: everything that defines a run, loaded from overrides or from a stored file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.config.compose import Composed, as_composed, compose, read_composed, replaced
from seqlab.config.parse import check_texts, parse, parse_target
from seqlab.core.fields import WholeNumber
from seqlab.core.model import ModelConfig
from seqlab.core.task import TaskConfig
from seqlab.data.files import expanded
from seqlab.errors import ConfigError
from seqlab.tracking.tracker import TrackerConfig
from seqlab.training.config import TrainerConfig
from seqlab.training.device import DeviceConfig
from seqlab.training.optim import OptimConfig


@config_dataclass(frozen=True, kw_only=True)
class _Root:
    """The settings outside the groups."""

    seed: WholeNumber
    runs_dir: str
    deterministic: bool
    init_from: str | None


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """A run's checked settings. `names` are the chosen options: {"model": "lstm", "task": "char_lm", ...};
    `tree` is the composed config as plain values, `yaml` the same as text; `config_dir` is the user's own folder."""

    names: dict[str, str]
    model: ModelConfig
    task: TaskConfig
    optim: OptimConfig
    device: DeviceConfig
    trainer: TrainerConfig
    logging: Mapping[str, TrackerConfig]
    seed: int
    runs_dir: Path
    deterministic: bool
    init_from: str | None
    tree: dict[str, Any]
    yaml: str
    config_dir: Path | None


def load_run_config(overrides: list[str], config_dir: Path | None = None) -> RunConfig:
    """The config composed from overrides, checked. Raises ConfigError with a suggestion."""
    config = typed(compose(overrides, config_dir), config_dir)
    for group in ("model", "task", "optim", "device", "trainer"):
        check_texts(getattr(config, group), group)
    for name, tracker in config.logging.items():
        check_texts(tracker, f"logging.{name}")
    return config


def check_trackers(config: RunConfig) -> None:
    """Raises ConfigError if a tracker lacks what it needs on this machine."""
    for name, tracker in config.logging.items():
        tracker.check(f"logging.{name}")


def with_trackers(config: RunConfig, overrides: Sequence[str]) -> RunConfig:
    """A stored config with the trackers that these overrides of a whole run choose. Raises ConfigError."""
    wanted = compose([*overrides], config.config_dir)
    tree = {**config.tree, "logging": wanted.tree["logging"]}
    return typed(as_composed(tree, {**config.names, "logging": wanted.names["logging"]}), config.config_dir)


def with_settings(config: RunConfig, overrides: Sequence[str]) -> RunConfig:
    """The config with single settings replaced, without composing it: settings that refer to them keep their values.
    Raises ConfigError if it is not valid."""
    return typed(replaced(Composed(config.tree, config.names, config.yaml), overrides), config.config_dir)


def read_run_config(path: Path, config_dir: Path | None = None, overrides: Sequence[str] = ()) -> RunConfig:
    """A run's stored config, with single settings replaced by `overrides`. Raises ConfigError if it is not valid."""
    return typed(read_composed(path, overrides), config_dir)


def typed(composed: Composed, config_dir: Path | None) -> RunConfig:
    """A composed config with types and ranges checked. Raises ConfigError."""
    tree = dict(composed.tree)
    groups: dict[str, Any] = {}
    for name, base in (
        ("model", ModelConfig),
        ("task", TaskConfig),
        ("optim", OptimConfig),
        ("device", DeviceConfig),
    ):
        groups[name] = parse_target(tree.pop(name, None), base, name, config_dir)
    optim, device = groups["optim"], groups["device"]
    if optim.whole_matrices and device.sharding == "fsdp":
        raise ConfigError(
            f"optim={composed.names['optim']} needs whole matrices, and device.sharding=fsdp leaves shards of them",
            "try device.sharding=ddp, or optim=adamw",
        )
    logging = tree.pop("logging", None) or {}
    trackers = {
        name: parse_target(node, TrackerConfig, f"logging.{name}", config_dir) for name, node in logging.items()
    }
    trainer = tree.pop("trainer", None)
    if not isinstance(trainer, dict):
        raise ConfigError("trainer has no settings", "drop ~trainer")
    root = parse(_Root, tree, "")
    return RunConfig(
        names=composed.names,
        **groups,
        trainer=parse(TrainerConfig, trainer, "trainer"),
        logging=trackers,
        seed=root.seed,
        runs_dir=expanded(root.runs_dir),
        deterministic=root.deterministic,
        init_from=root.init_from,
        tree=composed.tree,
        yaml=composed.yaml,
        config_dir=config_dir,
    )

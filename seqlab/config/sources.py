"""Finding and reading config files without Hydra and torch, so that it is quick."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from seqlab.core.files import read_plain
from seqlab.data.files import expanded
from seqlab.errors import ConfigError

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOST_YAML_BYTES, _DEEPEST_YAML = 1_000_000, 30
GROUPS = ("model", "task", "optim", "device", "logging", "experiment")
VARIABLE = "SEQLAB_CONFIG_DIR"  # of the environment, for commands that are not given --config-dir


def shipped_folder() -> Path:
    """The folder of seqlab's own configs: inside the package in a wheel, next to it in a checkout."""
    inside = Path(str(files("seqlab"))) / "configs"
    beside = Path(str(files("seqlab"))).parent / "configs"
    for folder in (inside, beside):
        if (folder / "train.yaml").is_file():
            return folder
    raise ConfigError("seqlab's config files are missing", "try: pip install --force-reinstall seqlab")


def own_folder(named: str | Path | None) -> Path | None:
    """The user's config folder: the one that is named, or that of the environment. Raises ConfigError where the
    environment names no folder."""
    if named is not None:
        return expanded(named)
    return check_variable(expanded(folder)) if (folder := os.environ.get(VARIABLE)) else None


def check_variable(folder: Path) -> Path:
    """The folder that the environment variable names. Raises ConfigError if it is not a folder."""
    if not folder.is_dir():
        raise ConfigError(
            f"{VARIABLE}={folder} is not a folder",
            f"set it to a folder with model/, task/, ... in it, or remove it: unset {VARIABLE}",
        )
    return folder


def check_config_dir(config_dir: Path | None) -> Path | None:
    """The absolute path of a user's config folder. Raises ConfigError if it is not a folder."""
    if config_dir is not None and not config_dir.is_dir():
        raise ConfigError(f"--config-dir {config_dir} is not a folder", "give a folder with model/, task/, ... in it")
    return config_dir.resolve() if config_dir is not None else None


def group_files(group: str, config_dir: Path | None) -> dict[str, Path]:
    """The options of a group: name to file; a user's file takes precedence over a shipped one of the same name."""
    found: dict[str, Path] = {}
    for folder in (shipped_folder(), config_dir):
        if folder is not None:
            found |= {path.stem: path for path in sorted((folder / group).glob("*.yaml"))}
    return dict(sorted(found.items()))


def default_option(group: str) -> str:
    """The default option of a group, from train.yaml."""
    defaults = yaml.safe_load((shipped_folder() / "train.yaml").read_text(encoding="utf-8"))["defaults"]
    return next(str(entry[group]) for entry in defaults if isinstance(entry, dict) and group in entry)


def named_targets(config_dir: Path | None) -> set[str]:
    """Every `_target_` in the group files of a user's config folder: the only classes outside seqlab that
    may be imported, because the user named that folder on the command line. Only the groups' own folders
    count, not the configs of runs that happen to be inside the folder."""
    paths = (path for group in GROUPS for path in (config_dir / group).glob("*.yaml")) if config_dir else ()
    return {target for path in paths for target in targets_of(path)}


def targets_of(path: Path) -> set[str]:
    """Every `_target_` in a YAML file."""
    try:
        return set(_targets_in(yaml.safe_load(path.read_text(encoding="utf-8"))))
    except (yaml.YAMLError, UnicodeDecodeError):
        return set()  # composing says what is wrong with it, if it is used


def checked_yaml(path: Path) -> str:
    """The text of a stored YAML file that is safe to parse: neither large nor deep, and without aliases, with which ten
    lines can expand to a billion values. Raises OSError, ValueError or YAMLError."""
    text = read_plain(path, _MOST_YAML_BYTES).decode("utf-8")
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("a stored config has no aliases (*name)")  # noqa: TRY004 (no wrong type)
        if isinstance(event, yaml.CollectionStartEvent | yaml.CollectionEndEvent):
            depth += 1 if isinstance(event, yaml.CollectionStartEvent) else -1
            if depth > _DEEPEST_YAML:
                raise ValueError("it is nested too deeply to be a config")
    return text


def _targets_in(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "_target_" and isinstance(value, str):
                yield value
            yield from _targets_in(value)

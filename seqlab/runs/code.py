"""A run's code from outside seqlab: copied into the run, hashed, and compared with the files of today."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from seqlab.config.sources import LOADER, checked_yaml
from seqlab.config.user_code import code_files, config_files, files_at, loaded_files, outside_targets
from seqlab.core.files import flush
from seqlab.errors import CheckpointError, ConfigError
from seqlab.runs.environment import read_environment

FOLDER = "code"


def code_sha256(tree: Mapping[str, Any], config_dir: Path | None, recorded: Iterable[str] = ()) -> dict[str, str]:
    """sha256 of each file by its relative path; empty if all code is seqlab's own. recorded: paths known to belong to
    the run although no other file imports them."""
    files = files_at(recorded, tree, config_dir) | code_files(tree, config_dir)
    return {place: _digest(path.read_bytes()) for place, path in files.items()}


def keep_code(tree: Mapping[str, Any], config_dir: Path | None, folder: Path) -> dict[str, str]:
    """Copy the files and the YAML files that name them into the run's folder code/, so that `--config-dir RUN/code` is
    this run's code. Call it once the network is built, when everything has been imported. Returns the digests."""
    kept: dict[str, str] = {}
    files = loaded_files(tree, config_dir) | code_files(tree, config_dir)
    for place, path in (config_files(tree, config_dir) | files).items():
        content = path.read_bytes()
        copy = folder / FOLDER / place
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(content)
        flush(copy)
        if path.suffix == ".py":
            kept[place] = _digest(content)
    return kept


def recorded_code(folder: Path) -> dict[str, str] | None:
    """The digests in a run's environment.json; None if it has none, as in old runs."""
    found = read_environment(folder).get("code")
    if isinstance(found, dict):
        return {str(place): str(digest) for place, digest in found.items()}
    copies = sorted((folder / FOLDER).rglob("*.py"))  # the environment was lost
    return {path.relative_to(folder / FOLDER).as_posix(): _digest(path.read_bytes()) for path in copies} or None


def check_code(folder: Path, config_dir: Path | None) -> None:
    """Raise CheckpointError if the run's code from outside seqlab has changed, ConfigError if it needs such code and no
    --config-dir is given. Executes none of it."""
    recorded = recorded_code(folder)
    if not recorded:
        return
    copy = f"a copy is kept, --config-dir {folder / FOLDER}"
    try:
        tree = yaml.load(checked_yaml(folder / "config.yaml"), Loader=LOADER)
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return  # reading the config raises the error
    targets = outside_targets(tree) if isinstance(tree, dict) else []
    if targets and config_dir is None:
        raise ConfigError(
            f"{folder} is made with {targets[0]}, which is outside seqlab",
            f"name the folder whose YAML has it, --config-dir FOLDER; {copy}",
        )
    now = code_sha256(tree, config_dir, recorded) if targets else {}
    if now == recorded:
        return
    missing, new = recorded.keys() - now.keys(), now.keys() - recorded.keys()
    other = [place for place in recorded.keys() & now.keys() if recorded[place] != now[place]]
    words = [
        *(f"{place} has changed" for place in sorted(other)),
        *(f"{place} is missing" for place in sorted(missing)),
    ]
    words += [f"{place} is new" for place in sorted(new)]
    raise CheckpointError(
        f"{folder} was made with other code: {', '.join(words[:6])}",
        f"restore it, or leave it and use the run as it was: {copy}",
    )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

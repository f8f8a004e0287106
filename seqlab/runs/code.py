"""The code outside seqlab that a run is made with: copied into the run, and compared with what is there now."""

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


def code_sha256(tree: Mapping[str, Any], config_dir: Path | None, told: Iterable[str] = ()) -> dict[str, str]:
    """The digest of each file by its place; empty where everything is seqlab's own. told: places that are known to
    belong to it, where nothing in the code names them."""
    files = files_at(told, tree, config_dir) | code_files(tree, config_dir)
    return {place: _digest(path.read_bytes()) for place, path in files.items()}


def keep_code(tree: Mapping[str, Any], config_dir: Path | None, folder: Path) -> dict[str, str]:
    """Copy the files into the run's folder code/, with the YAML files that name them, so that `--config-dir RUN/code`
    is the code of this run. To be called once the network is built, when all of it has been imported. Returns the
    digests of what was copied."""
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
    """The digests that a run's environment.json tells of; None where it tells of none, as before they were kept."""
    found = read_environment(folder).get("code")
    if isinstance(found, dict):
        return {str(place): str(digest) for place, digest in found.items()}
    copies = sorted((folder / FOLDER).rglob("*.py"))  # the environment was lost
    return {path.relative_to(folder / FOLDER).as_posix(): _digest(path.read_bytes()) for path in copies} or None


def check_code(folder: Path, config_dir: Path | None) -> None:
    """Raise CheckpointError unless the code outside seqlab that the run's config names is what the run was made with;
    ConfigError where it needs such code and no folder is named. Runs nothing of it."""
    told = recorded_code(folder)
    if not told:
        return
    copy = f"a copy is kept, --config-dir {folder / FOLDER}"
    try:
        tree = yaml.load(checked_yaml(folder / "config.yaml"), Loader=LOADER)
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return  # whoever reads the config says so
    targets = outside_targets(tree) if isinstance(tree, dict) else []
    if targets and config_dir is None:
        raise ConfigError(
            f"{folder} is made with {targets[0]}, which is outside seqlab",
            f"name the folder whose YAML has it, --config-dir FOLDER; {copy}",
        )
    now = code_sha256(tree, config_dir, told) if targets else {}
    if now == told:
        return
    gone, new = told.keys() - now.keys(), now.keys() - told.keys()
    other = [place for place in told.keys() & now.keys() if told[place] != now[place]]
    words = [*(f"{place} has changed" for place in sorted(other)), *(f"{place} is gone" for place in sorted(gone))]
    words += [f"{place} is new" for place in sorted(new)]
    raise CheckpointError(
        f"{folder} was made with other code: {', '.join(words[:6])}",
        f"restore it, or leave it and use the run as it was: {copy}",
    )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

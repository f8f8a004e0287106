"""Files that describe something to be run (reproductions, claims): read and checked, with errors that name the place.
Needs neither torch nor Hydra."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from seqlab.config.sources import LOADER, checked_yaml
from seqlab.errors import ConfigError


def settings_in(path: Path) -> dict[str, Any]:
    """The settings of a file. Raises ConfigError if it cannot be read or has none."""
    try:
        found = yaml.load(checked_yaml(path), Loader=LOADER)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ConfigError(f"it cannot be read: {' '.join(str(error).split())[:200]}", "correct the file") from error
    if not isinstance(found, dict):
        raise ConfigError("it holds no settings", "write KEY: VALUE lines, as in the files of seqlab")
    return found


def settings(node: Any, where: str) -> Mapping[str, Any]:
    """The settings below a key. Raises ConfigError if it is no mapping."""
    if not isinstance(node, dict):
        raise ConfigError(f"{where}={node} has no settings", "write KEY: VALUE lines below it")
    return node


@contextmanager
def errors_in(path: Path) -> Iterator[None]:
    """Name the file in errors, and what helps there rather than on a command line."""
    try:
        yield
    except ConfigError as error:
        hint = error.hint.replace("=VALUE", ": VALUE")
        if not hint or hint.startswith("see: seqlab config"):
            hint = f"correct it in {path}"
        raise ConfigError(f"{path.name}: {error.what}", hint, error.allowed) from error

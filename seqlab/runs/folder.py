"""A run's folder: creating it, finding it, and the small files in it."""

from __future__ import annotations

import json
import math
import os
import shlex
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqlab.core.files import number_or_nan, read_json, read_plain, write_text
from seqlab.errors import CheckpointError, ConfigError, ResourceError
from seqlab.runs.names import check_run_name


def make_run_folder(parent: Path, stem: str, name: str | None) -> Path:
    """Create a folder parent/<stem>[-<n>], or parent/<name>. Two runs never share one.

    Raises ConfigError for a name that is taken or invalid, ResourceError if the folder cannot be created.
    """
    if name is not None:
        check_run_name(name)
    stem = name or stem
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(1, 10_000):
            folder = parent / (stem if attempt == 1 else f"{stem}-{attempt}")
            try:
                folder.mkdir()
            except FileExistsError:
                if name is not None:
                    raise ConfigError(f"--name {name}: {folder} exists already", "choose another name") from None
                continue
            return folder
    except OSError as error:
        raise ResourceError(
            f"cannot make a folder in {parent}: {error.strerror}",
            "try runs_dir=FOLDER, one that you may write to",
        ) from error
    raise ResourceError(f"{parent} has no room for another {stem}")


def find_run(run: str | Path) -> Path:
    """The folder, checked to hold a run. Raises CheckpointError if it holds none, or contains links."""
    folder = Path(run)
    try:
        found = (folder / "config.yaml").is_file()
    except (OSError, ValueError):  # a name too long, a NUL character
        found = False
    if not found:
        raise CheckpointError(f"{folder} is not the folder of a run", "give one such as runs/char_lm/lstm/NAME")
    for where, folders, files in os.walk(folder):
        for path in (Path(where, name) for name in (*folders, *files)):
            try:
                kind = path.lstat().st_mode
            except FileNotFoundError:  # the run is in progress
                continue
            if not (stat.S_ISDIR(kind) or stat.S_ISREG(kind)):
                raise CheckpointError(f"{path} is a link or not a plain file", "a run's folder must hold its own files")
    return folder


def read_overrides(folder: Path) -> list[str]:
    """The overrides that started a run; empty if they cannot be read."""
    try:
        return read_plain(folder / "overrides.txt", 1_000_000).decode("utf-8").splitlines()
    except (OSError, ValueError):
        return []


def read_result(folder: Path) -> dict[str, Any] | None:
    """result.json; None if there is none or it is damaged."""
    try:
        result = read_json(folder / "result.json", 256_000_000)  # the confusion of many labels is long
    except (OSError, ValueError):
        return None
    complete = isinstance(result, dict) and {"primary", "validation", "test", "metrics", "seconds"} <= result.keys()
    return result if complete else None


def read_items(folder: Path, metric: str) -> tuple[float, ...] | None:
    """The metric of each test item from test_items.json; None if it has none of this metric."""
    try:
        stored = read_json(folder / "test_items.json", 256_000_000)
    except (OSError, ValueError):
        return None
    if not isinstance(stored, dict) or stored.get("metric") != metric or not isinstance(stored.get("values"), list):
        return None
    values = stored["values"]
    numbers = bool(values) and all(isinstance(v, int | float) and math.isfinite(v) for v in values)
    return tuple(float(value) for value in values) if numbers else None


def read_sample(folder: Path) -> str:
    """The network's sample from the end of training; "" if it cannot be read."""
    try:
        return read_plain(folder / "samples.txt", 8_000_000).decode("utf-8").removesuffix("\n")
    except (OSError, ValueError):
        return ""


def read_metrics(folder: Path) -> dict[str, list[float]]:
    """The training and validation values in metrics.jsonl, as a table by column, with one row per step, in order. A
    missing or non-finite value is nan.

    Raises CheckpointError if it cannot be read."""
    rows: dict[int, dict[str, float]] = {}
    try:
        for line in read_plain(folder / "metrics.jsonl", 2**30).decode("utf-8").splitlines():
            row = {key: number_or_nan(value) for key, value in json.loads(line).items() if not key.startswith("test/")}
            rows.setdefault(int(row.pop("step")), {}).update(row)
    except FileNotFoundError:
        rows = {}  # it was stopped before the first
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder / 'metrics.jsonl'} cannot be read: {error!r:.100}") from error
    columns = dict.fromkeys(name for row in rows.values() for name in row)
    return {
        "step": [*sorted(rows)],
        **{name: [rows[step].get(name, math.nan) for step in sorted(rows)] for name in columns},
    }


def write_items(folder: Path, metric: str, values: Sequence[float]) -> None:
    """Write test_items.json atomically; without values, remove an old one."""
    path = folder / "test_items.json"
    if not values:
        path.unlink(missing_ok=True)
        return
    write_text(path, json.dumps({"metric": metric, "values": list(values)}, allow_nan=False) + "\n")


def resume_command(folder: Path, config_dir: Path | None, *overrides: str) -> str:
    """The command that resumes a run."""
    where = [] if config_dir is None else ["--config-dir", str(config_dir)]
    return shlex.join(["seqlab", "resume", str(folder), *overrides, *where])

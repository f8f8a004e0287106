"""Existing runs as rows of a comparison."""

from __future__ import annotations

import re
from pathlib import Path

from seqlab.config.run import RunConfig, read_run_config
from seqlab.errors import ConfigError
from seqlab.runs.code import check_code, recorded_code
from seqlab.runs.folder import read_result


def existing_runs(
    runs: tuple[Path, ...], used_labels: set[str], config_dir: Path | None
) -> list[tuple[str, RunConfig, dict[int, str]]]:
    """(label, config, folders by seed) of each row: runs that differ in nothing but the seed are one. used_labels: of
    other rows. Raises ConfigError for a run without a result, and for two with the same config and seed."""
    rows: dict[str, tuple[RunConfig, dict[int, str]]] = {}
    for folder in runs:
        if read_result(folder) is None:
            raise ConfigError(f"{folder} has no result: it was stopped or failed", "compare runs that are complete")
        check_code(folder, config_dir)
        config = read_run_config(folder / "config.yaml", config_dir)
        # runs of different code are not one row, nor are runs of recorded and of unrecorded code
        row = rows.setdefault(f"{without_seed(config.yaml)}{recorded_code(folder) or ''}", (config, {}))[1]
        if config.seed in row:
            raise ConfigError(f"{folder} and {row[config.seed]} are runs of one config with one seed", "leave one out")
        row[config.seed] = str(folder)
    found: list[tuple[str, RunConfig, dict[int, str]]] = []
    labels = set(used_labels)
    models = [config.names["model"] for config, _ in rows.values()]
    for config, folders in rows.values():
        model = config.names["model"]
        where = Path(next(iter(folders.values())))
        # in a comparison's folder a run is called seed-0, and what tells it apart is the folder above
        name = where.parent.name if where.name.startswith("seed-") else where.name
        label = model if models.count(model) == 1 and model not in labels else f"{model} {name}"
        number = 2
        while label in labels:
            label, number = f"{model} {name} {number}", number + 1
        labels.add(label)
        found.append((label, config, folders))
    return found


def without_seed(yaml: str) -> str:
    """A config as text, without what may differ between runs of one row: the seed, and where runs and curves go."""
    return re.sub(r"^(seed|runs_dir|  logging): .*\n|^logging:.*\n(  .*\n)*", "", yaml, flags=re.MULTILINE)


def stored_primary(run: str) -> str:
    """The metric by which a run was judged."""
    return str((read_result(Path(run)) or {}).get("primary", ""))

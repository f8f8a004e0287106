"""The available models, tasks, corpora, experiments, devices and trackers, read from the config files: a new YAML is
listed automatically."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from seqlab.config.sources import check_config_dir, group_files
from seqlab.data.corpora import corpora_of

_KINDS = {
    "models": "model", "tasks": "task", "corpora": "task", "experiments": "experiment", "devices": "device",
    "trackers": "logging",
}  # fmt: skip
_CORPUS = re.compile(r"corpus (\S+): (.+)")


def catalogue(config_dir: Path | None) -> dict[str, dict[str, str]]:
    """For each kind (models, tasks, ...), its entries by name, each with a one-line description."""
    folder = check_config_dir(config_dir)
    files = {kind: group_files(group, folder) for kind, group in _KINDS.items()}
    return {
        kind: _corpora(there) if kind == "corpora" else {name: _about(path) for name, path in there.items()}
        for kind, there in files.items()
    }


def _about(path: Path) -> str:
    """The first comment at the head of a YAML file."""
    return next((line for line in _head(path) if not _CORPUS.fullmatch(line)), "")


def _corpora(tasks: dict[str, Path]) -> dict[str, str]:
    """The corpora of data/corpora, and those described by lines `# corpus NAME: description` at the head of a task's
    file. A corpus of several tasks has the description of each."""
    about: dict[str, dict[str, list[str]]] = {}
    for task, path in tasks.items():
        for corpus in corpora_of(task).values():
            about.setdefault(corpus.name, {}).setdefault(corpus.about, []).append(task)
        for found in filter(None, map(_CORPUS.fullmatch, _head(path))):
            about.setdefault(found[1], {}).setdefault(found[2], []).append(task)
    return {
        name: "; ".join(f"{', '.join(tasks)}: {text}" for text, tasks in about[name].items())
        for name in sorted(about, key=str.isupper)  # PATH, a placeholder, last
    }


def _head(path: Path) -> Iterator[str]:
    """The comments before the first setting, without Hydra's directives."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# ") and not line.startswith("# @"):
            yield line.removeprefix("# ")
        elif line and not line.startswith("#"):
            return

"""configs/tuned from the search's results; the files say where they come from."""

from __future__ import annotations

from typing import Any

import yaml

from benchmarks.tuning.space import BODY


def tuned_yaml(found: dict[str, Any]) -> str:
    """The file of one family on one task: settings that differ from the family's and the optimizer's own files."""
    tree: dict[str, dict[str, Any]] = {}
    for word in found["chosen"]["overrides"]:
        key, _, value = word.partition("=")
        group, _, name = key.partition(".")
        tree.setdefault(group, {})[name] = yaml.safe_load(value)
    header = (
        "# @package _global_\n"
        "# Written by `python -m benchmarks tuning --write` from benchmarks/results/tuning.json; do not edit.\n"
        f"# Best on validation of {len(found['trials'])} trials, each with at most {BODY:,} parameters in\n"
        "# the sequence models; the search is the same for every family (benchmarks/tuning).\n"
    )
    return header + yaml.safe_dump(tree, sort_keys=False)


def file_name(found: dict[str, Any]) -> str:
    """As configs/train.yaml looks for it."""
    return f"{found['task']}_{found['model']}.yaml"

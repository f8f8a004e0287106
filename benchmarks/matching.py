"""How close `--match body=300k` comes: `python -m benchmarks.matching [body=300k ...]`."""

from __future__ import annotations

import sys
from typing import Any

from benchmarks.runs import MODELS
from benchmarks.tables import markdown, save
from seqlab.comparison.options import read_match
from seqlab.comparison.sizes import changes, match_size, sizes_of
from seqlab.config.run import load_run_config
from seqlab.config.sources import group_files


def main() -> None:
    """Match each pair of a task and a model."""
    rows = []
    for text in sys.argv[1:] or ["body=300k"]:
        wanted = read_match(text)
        for name in group_files("task", None):
            task = load_run_config([f"task={name}"]).task.build()
            for model in MODELS:
                config = load_run_config([f"task={name}", f"model={model}"]).model
                matched = match_size(task, config, wanted.part, wanted.target)
                found = sizes_of(task, matched)
                off = getattr(found, wanted.part) / wanted.target - 1
                sizes = {"embedding": found.embedding, "body": found.body, "head": found.head}
                words = " ".join(changes(config, matched))
                rows.append({"match": text, "task": name, "model": model, **sizes, "off": off, "settings": words})
    save("matching", "sizes", {"rows": rows})


def table(found: dict[str, Any]) -> str:
    """One line per pair."""
    sizes = ("embedding", "body", "head")
    rows = (
        (row["match"], row["task"], row["model"], *(f"{row[part]:,}" for part in sizes), f"{row['off']:+.2%}",
         row["settings"])
        for row in found["rows"]
    )  # fmt: skip
    return markdown(("match", "task", "model", *sizes, "off by", "settings"), rows)


if __name__ == "__main__":
    main()

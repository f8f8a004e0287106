"""How close `--match body=300k` comes: `python -m benchmarks.matching [body=300k ...]`."""

from __future__ import annotations

import sys

from benchmarks.runs import MODELS
from seqlab.comparison.request import read_match
from seqlab.comparison.sizes import changes, match_size, sizes_of
from seqlab.config.run import load_run_config


def main() -> None:
    """Print one table."""
    print("| match | task | model | embedding | body | head | off by | settings |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for text in sys.argv[1:] or ["body=300k"]:
        wanted = read_match(text)
        for name in ("char_lm", "sentiment", "translation"):
            task = load_run_config([f"task={name}"]).task.build()
            for model in MODELS:
                config = load_run_config([f"task={name}", f"model={model}"]).model
                matched = match_size(task, config, wanted.part, wanted.target)
                found = sizes_of(task, matched)
                off = getattr(found, wanted.part) / wanted.target - 1
                print(
                    f"| {text} | {name} | {model} | {found.embedding:,} | {found.body:,} | {found.head:,} | {off:+.2%} "
                    f"| {' '.join(changes(config, matched))} |"
                )


if __name__ == "__main__":
    main()

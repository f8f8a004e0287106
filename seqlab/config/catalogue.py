"""What there is to choose from, read from the config files: a new YAML is listed by itself."""

from __future__ import annotations

from pathlib import Path

from seqlab.config.sources import check_config_dir, group_files

_CORPORA = {
    "python_docs": "char_lm: the reference text behind Python's help(), 373 k characters (Python 3.11)",
    "movie_reviews": "sentiment: 8,530 sentences of Rotten Tomatoes reviews (Pang & Lee 2005, CC BY 4.0)",
    "cldr": "translation: dates, quantities, lists, ... formatted by Babel in English and another language",
    "PATH": "your own: UTF-8 text (char_lm), CSV/TSV (sentiment), TSV or two files A,B (translation); .gz too",
}


def catalogue(config_dir: Path | None) -> dict[str, dict[str, str]]:
    """For each kind of thing, its entries with one line about each."""
    folder = check_config_dir(config_dir)
    kinds = {
        "models": "model",
        "tasks": "task",
        "corpora": "",
        "experiments": "experiment",
        "devices": "device",
    }
    return {
        kind: {name: _about(path) for name, path in group_files(group, folder).items()} if group else dict(_CORPORA)
        for kind, group in kinds.items()
    }


def _about(path: Path) -> str:
    """The first comment of a YAML file that is no directive."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# ") and not line.startswith("# @"):
            return line.removeprefix("# ")
        if line and not line.startswith("#"):
            break
    return ""

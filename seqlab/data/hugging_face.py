"""Datasets of Hugging Face, from the hub or from a folder or file here, through the library `datasets`.

A setting names one as `hf:OWNER/NAME` or `hf:OWNER/NAME/CONFIG`, either perhaps with `@REVISION`, or as `hf:PATH`. Only
tables are read (parquet, arrow, JSON, CSV, text); no code of a dataset is ever run.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqlab.core.batch import Split
from seqlab.data.files import exists, expanded
from seqlab.data.text import collapsed
from seqlab.errors import DataError, ResourceError, likely_name

if TYPE_CHECKING:
    from datasets import Dataset

PREFIX = "hf:"
_TABLES = ("arrow", "csv", "json", "parquet", "text")
"""The builders of datasets that read tables and nothing that could be code."""
_ENDINGS = {".parquet": "parquet", ".arrow": "arrow", ".csv": "csv", ".tsv": "csv", ".txt": "text"} | dict.fromkeys(
    (".json", ".jsonl", ".ndjson"), "json"
)
_SPLITS: Mapping[str, Split] = {
    "train": "train", "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test",
}  # fmt: skip
_log = logging.getLogger("seqlab")


def pinned(where: str) -> str:
    """A dataset of the hub with the revision that it has now. What is no such dataset, has a revision already, or
    cannot be asked for is returned unchanged."""
    name, config, revision = _parts(where)
    if not where.startswith(PREFIX) or revision is not None or _path(where) is not None:
        return where
    try:
        from huggingface_hub import HfApi

        found = HfApi(endpoint=os.environ.get("HF_ENDPOINT")).dataset_info(name, timeout=10).sha
    except Exception:  # not installed, not connected, or no such dataset: reading it says why, or finds it in the cache
        return where
    return f"{PREFIX}{name}{f'/{config}' if config else ''}@{found}" if found else where


def texts(where: str, key: str, column: tuple[str, str]) -> dict[Split, str]:
    """The text of each split: a line for each row. column: (the setting that names it, its name). Raises DataError."""
    found = _columns(where, key, (column,))
    return {split: "\n".join(text.removesuffix("\n") for text in texts) + "\n" for split, (texts,) in found.items()}


def labelled(where: str, key: str, text: tuple[str, str], label: tuple[str, str]) -> dict[Split, list[tuple[str, str]]]:
    """(text, label) of each row of each split; a class by its name. A split whose labels are all hidden is left out.
    Raises DataError."""
    found = _columns(where, key, (text, label))
    for split, (texts, labels) in found.items():
        if missing := sum(not text.strip() or not label for text, label in zip(texts, labels, strict=True)):
            raise DataError(f"{key}={where}: {missing:,} rows of its {split} split have no text or no label")
    return {split: [*zip(texts, labels, strict=True)] for split, (texts, labels) in found.items()}


def pairs(where: str, key: str, source: tuple[str, str], target: tuple[str, str]) -> dict[Split, list[tuple[str, str]]]:
    """(source, target) of each row of each split, white space collapsed. Raises DataError."""
    found = _columns(where, key, (source, target))
    return {split: collapsed(zip(*sides, strict=True)) for split, sides in found.items()}


def _columns(where: str, key: str, wanted: Sequence[tuple[str, str]]) -> dict[Split, list[list[str]]]:
    """The columns of each split as texts."""
    loaded = _loaded(where, key)
    named = {_SPLITS[name]: data for name, data in loaded.items() if name in _SPLITS}
    if "train" not in named and len(loaded) == 1:  # one part, whatever it is called
        named = {"train": next(iter(loaded.values()))}
    if "train" not in named:
        raise DataError(f"{key}={where} has no split train", "", f"splits: {', '.join(loaded)[:200]}")
    found = {split: [_column(data, f"{key}={where}", *column) for column in wanted] for split, data in named.items()}
    hidden = [split for split, columns in found.items() if any(not any(column) for column in columns)]
    for split in hidden:
        _log.warning("%s=%s: the %s split is left out: a column of it is empty", key, where, split)
    return {split: columns for split, columns in found.items() if split not in hidden}


def _column(data: Dataset, what: str, setting: str, name: str) -> list[str]:
    """A column, or a part of one by its name after a dot, as texts."""
    from datasets import ClassLabel

    features = data.features
    column, _, part = (name, "", "") if name in features else name.partition(".")
    if column not in features or (part and name not in _names(column, features[column])):
        names = [inner for outer in features for inner in _names(outer, features[outer])]
        near = likely_name(name, names)
        raise DataError(
            f"{what} has no column {name!r}",
            f"try {setting}={near or 'NAME'}",
            f"columns: {', '.join(names)[:200]}",
        )
    values: list[Any] = [value[part] for value in data[column]] if part else [*data[column]]
    feature = features[column]
    if isinstance(feature, ClassLabel):
        return ["" if value in (None, -1) else feature.int2str(value) for value in values]
    other = next((value for value in values if isinstance(value, list | dict)), None)
    if other is not None:
        inner = f"{name}.{next(iter(other))}" if isinstance(other, dict) and other else "NAME"
        raise DataError(f"{what}: the column {name!r} does not hold texts", f"try {setting}={inner}")
    return ["" if value is None else str(value) for value in values]


def _names(name: str, feature: Any) -> list[str]:
    """A column's name, or those of its parts."""
    parts = getattr(feature, "languages", None) or (list(feature) if isinstance(feature, dict) else ())
    return [f"{name}.{part}" for part in parts] or [name]


def _loaded(where: str, key: str) -> Mapping[str, Dataset]:
    """The splits of a dataset by their names."""
    try:
        import datasets
    except ImportError as error:
        raise DataError(
            f"{key}={where}: datasets of Hugging Face need the library datasets", "pip install 'seqlab[hf]'"
        ) from error
    datasets.disable_progress_bars() if not sys.stderr.isatty() else datasets.enable_progress_bars()
    name, config, revision = _parts(where)
    path = _path(where)
    if path is None and (name.startswith((".", "/", "~")) or not name):
        raise DataError(f"{key}={where}: there is no such file or folder", "give hf:OWNER/NAME, or hf:PATH")
    try:
        if path is not None and path.is_dir() and any((path / file).exists() for file in _SAVED):
            saved = datasets.load_from_disk(path)
            return saved if isinstance(saved, datasets.DatasetDict) else {"train": saved}
        if path is not None and path.is_file():
            return _read(datasets.load_dataset_builder(_kind(path), data_files=str(path)))
        if path is not None:
            return _read(datasets.load_dataset_builder(str(path.absolute())))
        return _read(datasets.load_dataset_builder(name, config, revision=revision))
    except DataError:
        raise
    except Exception as error:  # the library and the formats that it reads raise many kinds
        if isinstance(error, OSError) and (error.errno == errno.ENOSPC or "Not enough disk space" in str(error)):
            what = f"{key}={where}: the library datasets has no room for it: {str(error)[:120]}"
            raise ResourceError(what, "set HF_HOME to a folder on a disk with room") from error
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise DataError(f"{key}={where} cannot be read: {reason}", *_remedies(path, name, key)) from error


_SAVED = ("dataset_dict.json", "state.json")  # of a folder that save_to_disk has written


def _read(builder: Any) -> Mapping[str, Dataset]:
    home = "datasets.packaged_modules."
    modules = [base.__module__ for base in type(builder).__mro__ if base.__module__.startswith(home)]
    kind = modules[0].removeprefix(home).split(".")[0] if modules else "code of its own"
    if kind not in _TABLES:
        raise ValueError(f"it is read by {kind}, and only tables are read here: {', '.join(_TABLES)}")
    builder.download_and_prepare()
    loaded: Mapping[str, Dataset] = builder.as_dataset()
    return loaded


def _kind(path: Path) -> str:
    kind = _ENDINGS.get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"a file of a dataset ends in one of {', '.join(_ENDINGS)}")
    return kind


def _remedies(path: Path | None, name: str, key: str) -> tuple[str, str]:
    if path is not None:
        return "give a folder of save_to_disk, or tables in parquet, arrow, JSON, CSV or text", ""
    folder = name.rpartition("/")[2]
    return (
        f"see https://huggingface.co/datasets/{name}; a configuration is given as hf:OWNER/NAME/CONFIG",
        f"without a network, bring it here: hf download {name} --repo-type dataset --local-dir {folder}; "
        f"then {key}=hf:./{folder}",
    )


def _path(where: str) -> Path | None:
    path = expanded(where.removeprefix(PREFIX))
    return path if where.removeprefix(PREFIX).strip() and exists(path) else None


def _parts(where: str) -> tuple[str, str | None, str | None]:
    """(name, configuration, revision) of a dataset on the hub."""
    name, _, revision = where.removeprefix(PREFIX).partition("@")
    parts = name.split("/")
    return "/".join(parts[:2]), "/".join(parts[2:]) or None, revision or None

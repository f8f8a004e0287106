"""Overrides as typed: the setting that each one sets, and which of two wins. Needs neither Hydra nor torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from seqlab.data.files import expanded
from seqlab.errors import ConfigError


def key_of(override: str) -> str:
    """The setting that an override sets."""
    return override.lstrip("+~").partition("=")[0]


def is_logging(override: str) -> bool:
    """Whether it says where curves go, which makes no other run."""
    return key_of(override).partition(".")[0] == "logging"


def merged(overrides: Iterable[str], stronger: Iterable[str]) -> tuple[str, ...]:
    """Both lists of overrides, where those of the second replace those of the first with the same key."""
    stronger = tuple(stronger)
    keys = {key_of(override) for override in stronger}
    return (*(override for override in overrides if key_of(override) not in keys), *stronger)


def spelled(value: object) -> str:
    """A setting's value as it is written in an override."""
    if value is None:
        return "null"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(spelled, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_words(overrides: Iterable[str | Mapping[str, object]]) -> list[str]:
    """Overrides of a program as the command line has them: strings as they are, mappings by their dotted keys. Raises
    ConfigError for anything else."""
    words: list[str] = []
    for given in overrides:
        if isinstance(given, str):
            words.append(given)
        elif isinstance(given, Mapping) and not any(isinstance(value, Mapping) for value in given.values()):
            words += [f"{key}={spelled(value)}" for key, value in given.items()]
        else:
            raise ConfigError(
                f"{given!r:.100} is not an override",
                'give each as a string, "model=lstm", or some as a mapping: {"model": "lstm", "model.layers": 2}',
            )
    return words


def runs_dir_in(overrides: Iterable[str]) -> Path:
    """The runs folder that these overrides choose."""
    given = (override.partition("=")[2] for override in overrides if key_of(override) == "runs_dir")
    return expanded(next(given, "runs"))

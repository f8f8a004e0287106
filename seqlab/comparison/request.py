"""What the user asks of `seqlab compare`, read from the words of the command line. No torch is needed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from seqlab.comparison.options import Budget, Match, Tuning, read_budget, read_match, read_tuning
from seqlab.config.overrides import key_of, runs_dir_in
from seqlab.config.sources import group_files
from seqlab.config.suggest import did_you_mean
from seqlab.errors import CheckpointError, ConfigError
from seqlab.runs.catalogue import is_alias, named_run, run_folders

_NAMED = re.compile(r"([^=]*?):(?:\s+(.*))?")


@dataclass(frozen=True)
class ModelSpec:
    """A model to train, with the overrides that are its own. label: its name in tables."""

    label: str
    model: str
    overrides: tuple[str, ...]


@dataclass(frozen=True)
class Request:
    """A whole command. models: to train. runs: existing ones, each by folder or name. overrides: for all models."""

    models: tuple[ModelSpec, ...]
    runs: tuple[Path, ...]
    overrides: tuple[str, ...]
    seeds: int
    budget: Budget | None = None
    match: Match | None = None
    tune: Tuning | None = None

    @property
    def runs_dir(self) -> Path:
        """Where the comparison goes, and where runs are looked for by name."""
        return runs_dir_in(self.overrides)


def read_request(
    words: list[str],
    *,
    seeds: int = 3,
    budget: str | None = None,
    match: str | None = None,
    tune: str | None = None,
    config_dir: Path | None = None,
) -> Request:
    """Parse the words and options of the command; a word that names both a model and a run is the model.
    Raises ConfigError for words that name nothing or contradict each other."""
    if seeds < 1:
        raise ConfigError(f"--seeds {seeds}: one seed at least is needed")
    specs: list[ModelSpec] = []
    runs: list[Path] = []
    overrides: list[str] = []
    models = group_files("model", config_dir)
    runs_dir = runs_dir_in(words)
    for word in words:
        if word in models:
            specs.append(ModelSpec(word, word, ()))
        elif (Path(word) / "config.yaml").is_file():
            runs.append(Path(word))
        elif (" " in word.strip() or word.strip().endswith(":")) and not _is_override(word.split()[0]):
            specs.append(_read_spec(word))
        elif _is_override(word):
            overrides.append(_check_override(word, words))
        elif "/" in word:
            runs.append(Path(word))
        elif "," in word:
            raise ConfigError(f"'{word}': each model is a word of its own", _as_words(words))
        elif is_alias(word) or any(folder.name == word for folder in run_folders(runs_dir)):
            runs.append(Path(word))
        else:
            raise _unknown(word, models, runs_dir)
    if not specs and not runs:
        raise ConfigError(
            "there is nothing to compare", "name two models or more: seqlab compare rnn transformer", "see: seqlab list"
        )
    labels = [spec.label for spec in specs]
    for label in labels:
        if labels.count(label) > 1:
            raise ConfigError(
                f"'{label}' is named twice",
                f'say how the second differs, or give it a name: "other: {label} model.layers=2"',
            )
    return Request(
        tuple(specs),
        tuple(runs),
        tuple(overrides),
        seeds,
        None if budget is None else read_budget(budget),
        None if match is None else read_match(match),
        None if tune is None else read_tuning(tune),
    )


def _unknown(word: str, models: Iterable[str], runs_dir: Path) -> ConfigError:
    """For a word that names nothing."""
    hint = did_you_mean(word, models)
    try:
        named_run(word, runs_dir)
    except CheckpointError as error:
        if not hint and error.hint.startswith("did you mean"):
            hint = error.hint
    return ConfigError(
        f"there is no model called '{word}', nor a run", hint, f"models: {', '.join(models)}; runs: see seqlab runs"
    )


def _is_override(word: str) -> bool:
    return "=" in word or word.startswith("~")


def _as_words(words: Iterable[str]) -> str:
    """The remedy for models given as model=lstm,gru or as lstm,gru: each a word of its own, once."""
    apart: list[str] = []
    for word in words:
        if key_of(word) == "model":
            apart += re.split(r"[\[\],\s]+", word.partition("=")[2])
        else:
            apart += [word] if _is_override(word) or "/" in word or " " in word else word.split(",")
    return f"try: {shlex.join(['seqlab', 'compare', *dict.fromkeys(part for part in apart if part)])}"


def _check_override(word: str, words: Iterable[str]) -> str:
    if key_of(word) == "model":
        raise ConfigError(f"'{word}': compare takes models as words", _as_words(words))
    if key_of(word) == "init_from":
        raise ConfigError(f"'{word}' fits one model only", 'put it with that model, in quotes: "lstm init_from=RUN"')
    return word


def _read_spec(word: str) -> ModelSpec:
    """`lstm model.layers=2`, or with a name of its own: `deep: lstm model.layers=2`."""
    name, rest = found.groups(default="") if (found := _NAMED.fullmatch(word)) else ("", word)
    try:
        parts = shlex.split(rest)
    except ValueError as error:
        raise ConfigError(f"cannot read {word!r}: {error}") from error
    if not parts or _is_override(parts[0]) or "/" in parts[0]:
        raise ConfigError(f'"{word}" names no model', f'begin with one: "lstm {rest.strip()}"')
    model, *overrides = parts
    for override in overrides:
        if not _is_override(override):
            raise ConfigError(f"'{override}' in \"{word}\" is no override", "write key=value after the model")
        if key_of(override) in ("model", "task", "seed", "runs_dir"):
            raise ConfigError(f"'{override}' in \"{word}\" cannot differ between models", "leave it out of the quotes")
    short = (override.removeprefix("model.").removeprefix("optim.").removeprefix("trainer.") for override in overrides)
    return ModelSpec(name or " ".join((model, *short)), model, tuple(overrides))

"""What the user asks of `seqlab compare`, read from the words of the command line. No torch is needed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seqlab.config.overrides import key_of, runs_dir_in
from seqlab.config.sources import group_files
from seqlab.config.suggest import did_you_mean
from seqlab.errors import CheckpointError, ConfigError
from seqlab.runs.catalogue import is_alias, named_run, run_folders

_NUMBER = r"(?P<number>\d+\.?\d*(?:e[+-]?\d+)?|\.\d+)"
_COUNT = re.compile(_NUMBER + r"(?P<prefix>[kMG]?)")
_BUDGET = re.compile(_NUMBER + r" ?(?P<prefix>[kMGTP]?)(?P<unit>s|min|h|tokens?|flops?|steps?)")
_NAMED = re.compile(r"([^=]*?):(?:\s+(.*))?")
_PREFIX = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_SHORT = {"lr": "optim.learning_rate"}


@dataclass(frozen=True)
class Asked:
    """A model to train, with what it alone overrides, under its name in tables."""

    label: str
    model: str
    overrides: tuple[str, ...]


@dataclass(frozen=True)
class Budget:
    """How long each model trains. seconds are of training steps alone."""

    amount: float
    unit: Literal["seconds", "tokens", "flop", "steps"]
    text: str


@dataclass(frozen=True)
class Match:
    """The size that every model is brought to; body: without embeddings and head."""

    part: Literal["params", "body"]
    target: int


@dataclass(frozen=True)
class Tune:
    """A setting that is searched for each model: `count` values around its own, a factor of two apart, and beyond them
    where the best is at an edge; or these `values`."""

    key: str
    count: int
    values: tuple[float, ...]

    @property
    def more(self) -> int:
        """How many values may be tried for a model beyond the first ones."""
        return 0 if self.values else self.count


@dataclass(frozen=True)
class Request:
    """A whole command. runs: of runs that exist, a folder or a name each."""

    asked: tuple[Asked, ...]
    runs: tuple[Path, ...]
    shared: tuple[str, ...]
    seeds: int
    budget: Budget | None = None
    match: Match | None = None
    tune: Tune | None = None

    @property
    def runs_dir(self) -> Path:
        """Where the comparison goes, and where runs are looked for by name."""
        return runs_dir_in(self.shared)


def read_request(
    words: list[str],
    *,
    seeds: int = 3,
    budget: str | None = None,
    match: str | None = None,
    tune: str | None = None,
    config_dir: Path | None = None,
) -> Request:
    """The request that these words and options make; a word that is the name of a model and of a run is the model.
    Raises ConfigError for words that name nothing or contradict each other."""
    if seeds < 1:
        raise ConfigError(f"--seeds {seeds}: one seed at least is needed")
    asked: list[Asked] = []
    runs: list[Path] = []
    shared: list[str] = []
    models = group_files("model", config_dir)
    runs_dir = runs_dir_in(words)
    for word in words:
        if word in models:
            asked.append(Asked(word, word, ()))
        elif (Path(word) / "config.yaml").is_file():
            runs.append(Path(word))
        elif (" " in word.strip() or word.strip().endswith(":")) and not _is_override(word.split()[0]):
            asked.append(_read_group(word))
        elif _is_override(word):
            shared.append(_check_shared(word, words))
        elif "/" in word:
            runs.append(Path(word))
        elif "," in word:
            raise ConfigError(f"'{word}': each model is a word of its own", _as_words(words))
        elif is_alias(word) or any(folder.name == word for folder in run_folders(runs_dir)):
            runs.append(Path(word))
        else:
            raise _unknown(word, models, runs_dir)
    if not asked and not runs:
        raise ConfigError(
            "there is nothing to compare", "name two models or more: seqlab compare rnn transformer", "see: seqlab list"
        )
    labels = [variant.label for variant in asked]
    for label in labels:
        if labels.count(label) > 1:
            raise ConfigError(
                f"'{label}' is named twice",
                f'say how the second differs, or give it a name: "other: {label} model.layers=2"',
            )
    return Request(
        tuple(asked),
        tuple(runs),
        tuple(shared),
        seeds,
        None if budget is None else read_budget(budget),
        None if match is None else read_match(match),
        None if tune is None else read_tune(tune),
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
    """The remedy where models stand as model=lstm,gru or as lstm,gru: each a word of its own, once."""
    apart: list[str] = []
    for word in words:
        if key_of(word) == "model":
            apart += re.split(r"[\[\],\s]+", word.partition("=")[2])
        else:
            apart += [word] if _is_override(word) or "/" in word or " " in word else word.split(",")
    return f"try: {shlex.join(['seqlab', 'compare', *dict.fromkeys(part for part in apart if part)])}"


def _check_shared(word: str, words: Iterable[str]) -> str:
    if key_of(word) == "model":
        raise ConfigError(f"'{word}': compare takes models as words", _as_words(words))
    if key_of(word) == "init_from":
        raise ConfigError(f"'{word}' fits one model only", 'put it with that model, in quotes: "lstm init_from=RUN"')
    return word


def _read_group(word: str) -> Asked:
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
    return Asked(name or " ".join((model, *short)), model, tuple(overrides))


def read_count(text: str, where: str) -> int:
    """`500k`, `1.5M`, `2e6` or a plain whole number."""
    found = _COUNT.fullmatch(text)
    if not found or (value := round(float(found["number"]) * _PREFIX[found["prefix"]])) < 1:
        raise ConfigError(f"{where}: '{text}' is no count", "write 500000, 500k, 1.5M or 2e6")
    return value


def read_match(text: str) -> Match:
    """`body=500k` or `params=500k`."""
    part, _, count = text.partition("=")
    if part == "body":
        return Match("body", read_count(count, f"--match {text}"))
    if part == "params":
        return Match("params", read_count(count, f"--match {text}"))
    raise ConfigError(
        f"--match {text}: there is no part '{part}'",
        "try --match body=500k (without embeddings and head) or params=500k",
    )


def read_budget(text: str) -> Budget:
    """`60s`, `5min`, `2Mtokens`, `1e14flop` or `1000steps`."""
    found = _BUDGET.fullmatch(text)
    amount = float(found["number"]) * _PREFIX[found["prefix"]] if found else 0.0
    if found is None or not 0 < amount < float("inf"):
        raise ConfigError(f"--budget {text} cannot be read", "try 60s, 5min, 2Mtokens, 1e14flop or 1000steps")
    unit = found["unit"]
    if unit in ("s", "min", "h"):
        return Budget(amount * {"s": 1, "min": 60, "h": 3600}[unit], "seconds", text)
    if unit.startswith("token"):
        return Budget(amount, "tokens", text)
    return Budget(amount, "flop" if unit.startswith("flop") else "steps", text)


def read_tune(text: str) -> Tune:
    """`lr=5` (that many values), `lr=0.001,0.003` (these), or any setting by its name."""
    name, _, rest = text.partition("=")
    key = _SHORT.get(name, name)
    try:
        values = tuple(float(part) for part in rest.split(","))
    except ValueError:
        values = ()
    # what it searches must change neither size nor data nor length: those are what is compared
    usable = key.startswith("optim.") or key == "model.dropout"
    if not usable or not values or not all(0 < value < float("inf") for value in values):
        raise ConfigError(
            f"--tune {text} cannot be read",
            "try --tune lr=5, lr=0.001,0.003 or optim.weight_decay=3 (optim.*, model.dropout)",
        )
    if len(values) > 1:
        return Tune(key, len(values), tuple(sorted(set(values))))
    if values[0] != round(values[0]) or not 2 <= values[0] <= 20:
        raise ConfigError(f"--tune {text}: how many values, from 2 to 20?", f"try --tune {name}=5, or a list of values")
    return Tune(key, int(values[0]), ())


def slug(label: str) -> str:
    """A label as the name of a folder."""
    return re.sub(r"[^A-Za-z0-9._=+-]+", "_", label).strip("._") or "variant"

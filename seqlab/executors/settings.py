"""Settings of an executor, as words of a command: executor.time=2h executor.gpus=1. They say where and how long a run
is made, never what it computes, and are no overrides."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

from seqlab.config.suggest import did_you_mean
from seqlab.errors import ConfigError

Name = Literal["local", "slurm", "ray", "script"]
NAMES: tuple[Name, ...] = get_args(Name)
PREFIX = "executor."
_UNITS = {"d": 1440, "h": 60, "min": 1, "m": 1}
_MEMORY = re.compile(r"\d+(\.\d+)?\s*(M|G|T)B?", re.IGNORECASE)


@dataclass(frozen=True)
class Settings:
    """What one run may use, and where; None leaves it to the engine.

    minutes: until a run is stopped and put back into the queue. cpus, gpus: by default what the plan fixes (threads;
    one GPU for a run on cuda). memory: in GB. cluster: `slurm`, or `local`, which is submitit on this machine, to try
    it out. address: of a Ray cluster; `local` starts one.
    """

    minutes: int | None = None
    gpus: int | None = None
    cpus: int | None = None
    memory: float | None = None
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    cluster: str = "slurm"
    address: str = "local"


def split_settings(words: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """(the other words, the settings of the executor by name). Raises ConfigError for one without a value."""
    others, found = list[str](), dict[str, str]()
    for word in words:
        key, equals, value = word.partition("=")
        if key == "executor":
            raise ConfigError(f"'{word}': who makes the runs is an option", f"try --executor {value or 'slurm'}")
        if not key.startswith(PREFIX):
            others.append(word)
        elif not equals or not value:
            raise ConfigError(f"'{word}' has no value", f"write {key}=VALUE")
        else:
            found[key.removeprefix(PREFIX)] = value
    return others, found


def read_settings(name: Name, given: Mapping[str, str]) -> Settings:
    """The settings of this executor. Raises ConfigError for a setting that it lacks, and for a value that cannot be."""
    known = _KEYS[name]
    for key in given:
        if key not in known:
            raise _unknown(name, key)
    return Settings(**{("minutes" if key == "time" else key): known[key](value) for key, value in given.items()})


def _unknown(name: Name, key: str) -> ConfigError:
    known = ", ".join(f"{PREFIX}{other}" for other in _KEYS[name]) or "none"
    of = [other for other in NAMES if key in _KEYS[other]]
    hint = did_you_mean(key, _KEYS[name], PREFIX)
    if of and not hint:
        hint = f"it is a setting of --executor {' and '.join(of)}"
    return ConfigError(f"the executor {name} has no setting {PREFIX}{key}", hint, f"settings: {known}")


def _minutes(text: str) -> int:
    """`90`, `90min`, `2h`, `1.5d`, or as Slurm has it: `1-12:00:00`, `2:00:00`."""
    if found := re.fullmatch(r"(?:(\d+)-)?(\d+):(\d\d)(?::(\d\d))?", text):
        days, hours, minutes, _ = (int(part or 0) for part in found.groups())
        total = days * 1440 + hours * 60 + minutes
    elif found := re.fullmatch(r"(\d+(?:\.\d+)?)(d|h|min|m)?", text):
        total = round(float(found[1]) * _UNITS[found[2] or "min"])
    else:
        total = 0
    if total < 1:
        raise ConfigError(f"{PREFIX}time={text} is not a time of a minute or more", "try 2h, 90min or 1-12:00:00")
    return total


def _count(key: str, least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise ConfigError(f"{PREFIX}{key}={text} is not a whole number of {least} or more", f"try {PREFIX}{key}=1")
        return int(text)

    return read


def _gigabytes(text: str) -> float:
    if not _MEMORY.fullmatch(text):
        raise ConfigError(f"{PREFIX}memory={text} cannot be read", "try 8GB or 500MB")
    number = float(text.rstrip("bB ").rstrip("mMgGtT "))
    return number * {"M": 1e-3, "G": 1.0, "T": 1e3}[text.upper().rstrip("B ")[-1]]


def _cluster(text: str) -> str:
    if text not in ("slurm", "local"):
        raise ConfigError(f"{PREFIX}cluster={text}", "slurm, or local: submitit's executor for this machine")
    return text


_RESOURCES: dict[str, Callable[[str], Any]] = {
    "gpus": _count("gpus", 0), "cpus": _count("cpus", 1), "memory": _gigabytes,
}  # fmt: skip
_QUEUE: dict[str, Callable[[str], Any]] = {
    "time": _minutes, "partition": str, "account": str, "qos": str, "constraint": str, **_RESOURCES,
}  # fmt: skip
_KEYS: Mapping[Name, Mapping[str, Callable[[str], Any]]] = MappingProxyType(
    {
        "local": {},
        "slurm": {**_QUEUE, "cluster": _cluster},
        "ray": {**_RESOURCES, "address": str},
        "script": _QUEUE,
    }
)

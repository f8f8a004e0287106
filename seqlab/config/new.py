"""A starting point for a user's own model or task: a module, its YAML and its tests, from the templates beside this
file."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder
from importlib.resources import files
from pathlib import Path
from string import Template

from seqlab.config.sources import group_files
from seqlab.config.suggest import did_you_mean
from seqlab.config.typed import WORDS
from seqlab.core.files import writable
from seqlab.errors import ConfigError

KINDS = ("model", "task")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def write_new(kind: str, name: str, folder: Path, reserved: Sequence[str] = ()) -> dict[str, Path]:
    """Write the starting point of a model or a task into a config folder, which is made if need be. Returns its files
    by what they are: module, config, test. Overwrites nothing. reserved: names that commands take for something else.
    Raises ConfigError, or ResourceError where the folder cannot be written into."""
    if kind not in KINDS:
        raise ConfigError(
            f"'{kind}' is neither a model nor a task",
            did_you_mean(kind, KINDS),
            "write: seqlab new model NAME, or seqlab new task NAME",
        )
    _check_name(kind, name, folder, reserved)
    places = {
        "module": folder / f"{name}.py",
        "config": folder / kind / f"{name}.yaml",
        "test": folder / f"test_{name}.py",
    }
    for path in places.values():
        if path.exists():
            raise ConfigError(f"{path} already exists", "nothing is overwritten: choose another name")
    writable(folder / kind, "name another folder: --in FOLDER")
    for what, path in places.items():
        template = files("seqlab.config").joinpath("templates", kind, f"{what}.txt").read_text(encoding="utf-8")
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(Template(template).substitute(name=name))
    return places


def _check_name(kind: str, name: str, folder: Path, reserved: Sequence[str]) -> None:
    """Raise ConfigError unless this can be the name of a new Python module and of a new model or task."""
    if _NAME.fullmatch(name) is None:
        plain = re.sub(r"\W+", "_", name.strip().lower(), flags=re.ASCII).strip("_")
        raise ConfigError(
            f"'{name}' cannot name a Python module: use lower-case letters, digits and _, beginning with a letter",
            f"try: seqlab new {kind} {plain}" if _NAME.fullmatch(plain) else "",
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in (*WORDS, *KINDS, *reserved):
        raise ConfigError(f"'{name}' has another meaning here", f"choose another name: my_{name}")
    if name in group_files(kind, folder):
        raise ConfigError(f"there is already a {kind} called '{name}'", "choose another name", "see: seqlab list")
    here = ("", str(Path.cwd()), str(folder.resolve()), str(folder.resolve().parent))
    elsewhere = [place for place in sys.path if place not in here]
    if name in sys.stdlib_module_names or PathFinder.find_spec(name, elsewhere) is not None:
        raise ConfigError(
            f"there is already a Python module called '{name}', which would be imported instead",
            f"choose another name: my_{name}",
        )

"""Writes docs/settings.md from the files of configs/ and the classes that read them: `python docs/settings.py`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from seqlab.config.run import _Root
from seqlab.training.config import TrainerConfig

TOP = Path(__file__).parent.parent
_LINE = re.compile(r"^(?P<indent> *)(?P<key>[a-z_]+):(?: (?P<value>[^#\n]*?))?(?:\s+# (?P<comment>.*))?$")
_KINDS: dict[object, str] = {int: "whole number", float: "number", str: "text", bool: "true, false"}
_BOUNDS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}


@dataclass(frozen=True)
class Setting:
    """A line of a file: the group that it stands in ("" at the top), its key, default and comment."""

    group: str
    key: str
    value: str
    comment: str


def settings(path: Path) -> Iterator[Setting]:
    """Every line of a file of configs/ that gives a value."""
    top = group = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if found := _LINE.match(line):
            indent, key, value, comment = found.group("indent", "key", "value", "comment")
            if not indent:
                top = group = "" if value else key
            elif not value:
                group = f"{top}.{key}"
            if value:
                yield Setting(group, key, value, comment or "")


def page() -> str:
    """The whole page."""
    parts = [
        "# Settings",
        "Written by `python docs/settings.py` from the files of `configs/` and the classes that check them. Each is "
        "given as `KEY=VALUE`, and `seqlab config` shows what a command ends up with. What `configs/tuned` has for a "
        "task and a model takes precedence over the defaults here; the settings of `executor.` are on "
        "[another page](scaling.md#many-runs).",
        "## The whole run",
        _table([one for one in settings(TOP / "configs/train.yaml") if not one.group], _Root),
        "## trainer",
        _table([one for one in settings(TOP / "configs/train.yaml") if one.group == "trainer"], TrainerConfig),
        "A task's file sets `trainer.max_steps` and `trainer.eval_every_steps` for itself.",
    ]
    for group in ("optim", "device", "model", "task"):
        paths = sorted((TOP / "configs" / group).glob("*.yaml"))
        for path in [path for path in paths if group != "device" or path.stem == "auto"]:
            parts += [f"## {group}={path.stem}", *_described(path, group)]
    parts += ["## logging", "Trackers of a run; several at once: `'logging=[tensorboard,csv]'`."]
    parts.append("\n".join(f"- `logging={path.stem}`: {_title(path)}" for path in _files("logging")))
    for path in _files("logging"):
        group = f"logging.{path.stem}"
        if [one for one in settings(path) if one.group == group and one.key != "_target_"]:
            parts += [f"## logging={path.stem}", *_described(path, group)]
    parts += ["## experiment", "Files that set several of these at once:"]
    parts.append("\n".join(f"- `experiment={path.stem}`: {_title(path)}" for path in _files("experiment")))
    return "\n\n".join(parts) + "\n"


def _files(group: str) -> list[Path]:
    return sorted((TOP / "configs" / group).glob("*.yaml"))


def _title(path: Path) -> str:
    """The first line of the file that says what it is."""
    lines = re.findall(r"^# (?!@package)(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return _escaped(lines[0]) if lines else ""


def _described(path: Path, group: str) -> list[str]:
    found = list(settings(path))
    target = next(one.value for one in found if one.key == "_target_")
    module, _, name = target.rpartition(".")
    own = [one for one in found if one.group == group and one.key != "_target_"]
    of_trainer = [f"`trainer.{one.key}={one.value}`" for one in found if one.group == "trainer"]
    others = [f"Other devices: {', '.join(f'`device={p.stem}`' for p in _files('device') if p != path)}."]
    return [
        *([_title(path) + "."] if _title(path) else []),
        _table(own, getattr(import_module(module), name)),
        *([f"It also sets {' and '.join(of_trainer)}."] if of_trainer else []),
        *(others if group == "device" else []),
    ]


def _table(found: list[Setting], config: type) -> str:
    hints, texts = get_type_hints(config, include_extras=True), _texts(config)
    lines = ["| setting | default | values | meaning |", "| --- | --- | --- | --- |"]
    for one in found:
        name = f"{one.group}.{one.key}".lstrip(".")
        meaning = _escaped(one.comment or texts.get(one.key, ""))
        lines.append(f"| `{name}` | `{one.value}` | {_values(hints[one.key])} | {meaning} |")
    return "\n".join(lines)


def _texts(config: type) -> dict[str, str]:
    """What the docstrings of a class and of its bases say of each field: `width: D, the size of the vectors.`"""
    found: dict[str, str] = {}
    names = {field.name for field in fields(config)}
    for base in config.__mro__:
        text = " ".join((base.__dict__.get("__doc__") or "").split())
        pieces = re.split(r"(?:^|(?<=[.:] ))((?:[a-z_]+, )*[a-z_]+): ", text)
        for heading, said in zip(pieces[1::2], pieces[2::2], strict=True):
            for name in heading.split(", "):
                if name in names:
                    found.setdefault(name, said.strip().removesuffix("."))
    return found


def _values(hint: Any) -> str:
    """A type with its range, in words."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return ", ".join(_values(one) for one in sorted(args, key=lambda one: one is NoneType))
    if hint is NoneType:
        return "null"
    if origin is Literal:
        return ", ".join(map(str, args))
    if origin is Annotated:
        kind = next((one for one in args[1:] if isinstance(one, str)), _values(args[0]))
        bounds = [
            f"{word} {limit:g}"
            for one in args[1:]
            for part in (one, *getattr(one, "metadata", ()))
            for name, word in _BOUNDS.items()
            if (limit := getattr(part, name, None)) is not None
        ]
        return " ".join([kind, " and ".join(dict.fromkeys(bounds))]).strip()
    if origin in (tuple, list):
        return f"list of: {_values(args[0])}"
    return _KINDS.get(hint, "text" if inspect.isclass(hint) and issubclass(hint, Path) else str(hint))


def _escaped(text: str) -> str:
    """With the characters that Markdown would take for its own."""
    return re.sub(r"([\\|*_<\[\]])", r"\\\1", text)


if __name__ == "__main__":
    (TOP / "docs" / "settings.md").write_text(page(), encoding="utf-8")

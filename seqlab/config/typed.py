"""Quotes the values of text settings for Hydra, so that they can be typed as they are: `reviews (1).csv`, `1984`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

from seqlab.config.sources import GROUPS, named_targets
from seqlab.config.user_code import make_importable
from seqlab.data.files import exists, expanded

_SETTING = re.compile(r"(\+{0,2})([a-z_]+(?:\.\w+){0,2})=(.*)", re.DOTALL)
_PLAIN = re.compile(r"[A-Za-z_/][\w./-]*", re.ASCII)  # the override grammar reads it as the same text
WORDS = ("null", "true", "false", "yes", "no", "on", "off", "inf", "nan")  # which it reads as something else
_QUOTED = re.compile(r"'.*'|\".*\"", re.DOTALL)
_TEXTS = ("runs_dir", "init_from")  # the text settings outside the groups


def quoted_for_hydra(text: str) -> str:
    """A text quoted so that the override grammar and the composition leave it unchanged."""
    text = text.replace("${", "\\${")
    text = re.sub(r"(\\*)'", lambda found: found[1] * 2 + r"\'", text)
    slashes = len(text) - len(text.rstrip("\\"))
    return f"'{text}{slashes * chr(92)}'"


def as_meant(overrides: Sequence[str], targets: Callable[[], Mapping[str, str]], config_dir: Path | None) -> list[str]:
    """The overrides, with the values of text settings quoted for the grammar. Not quoted are null, values already in
    quotes, and references to other settings (`${...}`), unless a file has that name. targets: returns the class of each
    group's settings; called only if a value is not plain."""
    known: Mapping[str, str] | None = None
    result: list[str] = []
    for override in overrides:
        found = _SETTING.fullmatch(override)
        if found is not None and not _left_to_hydra(found[3]):
            group, _, name = found[2].rpartition(".")
            if known is None and group.split(".")[0] in GROUPS:
                known = targets()
            if found[2] in _TEXTS or (group and known is not None and _is_text(known.get(group), name, config_dir)):
                override = f"{found[1]}{found[2]}={quoted_for_hydra(found[3])}"
        result.append(override)
    return result


def _left_to_hydra(value: str) -> bool:
    plain = _PLAIN.fullmatch(value) is not None and value.lower() not in WORDS[1:]
    if not value or plain or value == "null":
        return True
    return ("${" in value or _QUOTED.fullmatch(value) is not None) and not exists(expanded(value))


def _is_text(target: str | None, name: str, config_dir: Path | None) -> bool:
    """Whether a setting takes any text, or any text and null."""
    if target is None or (target.split(".")[0] != "seqlab" and target not in named_targets(config_dir)):
        return False
    module, _, schema = target.rpartition(".")
    try:
        make_importable(config_dir, [module])
        hint: Any = get_type_hints(getattr(import_module(module), schema)).get(name)
    except (ImportError, AttributeError, ValueError, NameError):
        return False  # parsing reports the error
    return hint in (str, str | None)

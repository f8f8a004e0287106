"""Settings of runs that an older seqlab stored."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Literal


def with_todays_names(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The stored settings of a group, those that have been renamed since under their names of today; a renamed one
    without a value is left out."""
    renamed = of_class(str(stored.get("_target_")), "renamed")
    return {renamed.get(key, key): value for key, value in stored.items() if key not in renamed or value}


def of_class(target: str, what: Literal["before", "renamed"]) -> Mapping[str, Any]:
    """What the class of a group's settings says about older runs."""
    module, _, name = target.rpartition(".")
    if module.split(".")[0] != "seqlab":
        return {}
    try:
        found: Mapping[str, Any] = getattr(getattr(import_module(module), name), what, {})
    except (ImportError, AttributeError):  # a damaged file; parsing reports it
        return {}
    return found

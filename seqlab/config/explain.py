"""Translates Hydra's errors into at most three lines: what is wrong, what was probably meant, what is allowed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from hydra.errors import MissingConfigException
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationKeyError,
    MissingMandatoryValue,
)

from seqlab.config.overrides import key_of
from seqlab.config.sources import GROUPS, default_option, group_files
from seqlab.config.suggest import absent, nearest, nearest_key, unknown_key
from seqlab.data.files import exists, expanded
from seqlab.errors import ConfigError


def explain_override(text: str, config_dir: Path | None, before: str = "") -> ConfigError:
    """The error for a word that is not an override. `lstm` probably means model=lstm; a file name after a corpus
    setting probably belongs to it."""
    key, _, value = before.partition("=")
    if key.endswith("corpus") and (joint := _joint(value, text)) is not None:
        return ConfigError(f"'{text}' is a separate word, not KEY=VALUE", f"try {shlex.quote(f'{key}={joint}')}")
    meant = [f"{group}={text}" for group in GROUPS if text in group_files(group, config_dir)]
    if text and not meant and exists(expanded(text) / "config.yaml"):
        return ConfigError(
            f"'{text}' is the folder of a run, but this command takes settings",
            "commands that take a run: evaluate, predict, inspect, resume, runs show",
        )
    options = {name: group for group in GROUPS for name in group_files(group, config_dir)}
    near, none = nearest(text, options), absent(text)
    if none is not None and not meant:
        return ConfigError(f"cannot read the override '{text}': {none[0]}", none[1])
    hint = meant[0] if meant else f"{options[near]}={near}" if near and text.isidentifier() else ""
    return ConfigError(
        f"cannot read the override '{text}'",
        f"did you mean {hint}?" if hint else "",
        "write key=value; quote lists, braces and spaces for the shell: 'optim.betas=[0.9,0.95]'",
    )


def _joint(first: str, second: str) -> str | None:
    """Two words of the shell joined, if they name a file with a space in its name, or two files."""
    if exists(expanded(f"{first} {second}")):
        return f"{first} {second}"
    return f"{first},{second}" if exists(expanded(first)) and exists(expanded(second)) else None


def explain_composition(
    error: Exception,
    overrides: list[str],
    config_dir: Path | None,
    settings: Callable[[list[str]], list[str]],
) -> ConfigError:
    """The error for overrides that can be parsed but do not fit the config files."""
    if isinstance(error, MissingConfigException):
        return _missing_option(error, config_dir)
    cause = error.__cause__ or error
    text = " ".join(str(error).split())
    named = re.search(
        r"Could not override '([^']+)'|Could not append to config\. An item is already at '([^']+)'", text
    )
    if isinstance(cause, ConfigAttributeError | ConfigKeyError) or named or "Could not delete" in text:
        key = next((part for part in (named.groups() if named else ()) if part), None) or _key_meant(text, overrides)
        bad = next((o for o in overrides if key_of(o) == key), f"{key}=")
        if "An item is already at" in text:
            return ConfigError(f"'{bad}' adds a setting that already exists", f"try {bad.lstrip('+')}")
        rest = [o for o in overrides if o != bad]
        unknown = unknown_key(key, bad.partition("=")[2], [*settings(rest), *GROUPS])
        if not unknown.hint and (owners := _owners(key, config_dir)):
            unknown.hint = f"it belongs to {' and '.join(owners)}"
        return unknown
    first = str(cause).partition("\n")[0][:160]  # the rest is about Hydra's internal nodes
    if isinstance(cause, InterpolationKeyError):
        name = next(iter(re.findall(r"'([^']*)'", first)), "")
        near = nearest_key(name, settings([]))
        return ConfigError(
            f"`${{{name}}}` refers to a setting {name}, which does not exist",
            f"did you mean ${{{near}}}?" if near else "",
        )
    if isinstance(cause, MissingMandatoryValue):
        return ConfigError(f"a setting has no value: {first}")
    about = re.search(r"full_key: (\S+)", text)
    by = next((override for override in overrides if about and key_of(override) == about[1]), None)
    return ConfigError(f"{by}: {first}" if by else text.partition(" full_key: ")[0][:300])


def _owners(key: str, config_dir: Path | None) -> list[str]:
    """The options of the group that have this setting, which the chosen one lacks."""
    group, _, leaf = key.partition(".")
    if group not in GROUPS:
        return []
    found = []
    for option, path in group_files(group, config_dir).items():
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            continue
        node = content.get(group) if isinstance(content, dict) else None
        if isinstance(node, dict) and leaf.partition(".")[0] in node:
            found.append(f"{group}={option}")
    return found


def explain_several(text: str, overrides: list[str], default: Any) -> ConfigError:
    """The error for an override with several values, where a run takes one. It suggests the commands that run each of
    them, or the single value that was probably meant, judging by the setting's default."""
    key, _, value = text.lstrip("+~").partition("=")
    what = f"'{text}' gives several values, but train makes one run"
    values = [part.strip() for part in value.split(",")]
    if one := _one_value(value, default):
        return ConfigError(what, f"did you mean {shlex.quote(f'{key}={one}')}?")
    sweep = f"to try each and choose the best on validation: {shlex.join(['seqlab', 'sweep', *overrides])}"
    if any(mark in value for mark in "()[]{}'\"") or not all(values):
        return ConfigError(what, sweep if key != "seed" else "for several seeds: seqlab compare lstm --seeds 3")
    rest = [word for word in overrides if word != text]
    model = next((word.partition("=")[2] for word in rest if word.startswith("model=")), default_option("model"))
    others = [word for word in rest if not word.startswith("model=")]
    if key == "model":
        words = [*values, *rest]
    elif key == "seed":
        words = [model, f"seed={values[0]}", *others, "--seeds", str(len(values))]
    elif key.split(".")[0] in ("model", "optim", "trainer"):
        words = [*(f"{model} {key}={one}" for one in values), *others]
    elif key == "logging":
        return ConfigError(what, f"a run may have several trackers: {shlex.quote(f'logging=[{value}]')}")
    else:
        return ConfigError(what, f"run it once for each: {key}={values[0]}, then {key}={values[1]}")
    compare = f"compare makes a run for each: {shlex.join(['seqlab', 'compare', *words])}"
    return ConfigError(what, compare, sweep if key != "seed" else "")


def _one_value(value: str, default: Any) -> str | None:
    """The list, decimal number or count that a value with commas probably means, if the default is of that type (a
    default of None allows any number)."""
    if isinstance(default, list):
        return None if any(mark in value for mark in "()[]{}") else f"[{value}]"
    if (default is None or type(default) is int) and re.fullmatch(r"[1-9]\d{0,2}(,\d{3})*,0\d\d(,\d{3})*", value):
        return value.replace(",", "")  # no second value begins with a zero
    decimal = re.fullmatch(r"-?\d+,\d+(e[+-]?\d+)?", value) is not None
    if decimal and (isinstance(default, float) or (default is None and value.startswith("0,"))):
        return value.replace(",", ".")
    return None


def _key_meant(text: str, overrides: list[str]) -> str:
    keys = list(map(key_of, overrides))
    return next((key for key in keys if key in text), keys[-1] if keys else "?")


def _missing_option(error: MissingConfigException, config_dir: Path | None) -> ConfigError:
    group, _, option = (error.missing_cfg_file or "").rpartition("/")
    if group not in GROUPS:
        near = nearest(group or option, GROUPS)
        return ConfigError(
            f"there is no group '{group or option}'",
            f"did you mean {near}={option}?" if near else "",
            f"groups: {', '.join(GROUPS)}",
        )
    options = group_files(group, config_dir)
    near = nearest(option, options)
    return ConfigError(
        f"there is no {group} called '{option}'",
        f"did you mean {group}={near}?" if near else "",
        f"{group}: {', '.join(options)}",
    )

"""Hydra's errors in at most three lines: what was wrong, what was meant, what is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from hydra.errors import MissingConfigException
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationKeyError,
    MissingMandatoryValue,
)

from seqlab.config.parse import nearest, unknown_key
from seqlab.config.sources import GROUPS, group_files
from seqlab.errors import ConfigError


def explain_override(text: str, config_dir: Path | None) -> ConfigError:
    """For a word that is no override at all; `lstm` probably meant model=lstm."""
    meant = [f"{group}={text}" for group in GROUPS if text in group_files(group, config_dir)]
    options = {name: group for group in GROUPS for name in group_files(group, config_dir)}
    near = nearest(text, options)
    hint = meant[0] if meant else f"{options[near]}={near}" if near and text.isidentifier() else ""
    return ConfigError(
        f"cannot read the override '{text}'",
        f"did you mean {hint}?" if hint else "",
        "write key=value; quote lists, braces and spaces for the shell: 'optim.betas=[0.9,0.95]'",
    )


def explain_composition(
    error: Exception,
    overrides: list[str],
    config_dir: Path | None,
    settings: Callable[[list[str]], list[str]],
) -> ConfigError:
    """For overrides that can be read but do not fit the config files."""
    if isinstance(error, MissingConfigException):
        return _missing_option(error, config_dir)
    cause = error.__cause__ or error
    text = " ".join(str(error).split())
    named = re.search(
        r"Could not override '([^']+)'|Could not append to config\. An item is already at '([^']+)'", text
    )
    if isinstance(cause, ConfigAttributeError | ConfigKeyError) or named or "Could not delete" in text:
        key = next((part for part in (named.groups() if named else ()) if part), None) or _key_of(text, overrides)
        bad = next((o for o in overrides if o.lstrip("+~").split("=")[0] == key), f"{key}=")
        if "An item is already at" in text:
            return ConfigError(f"'{bad}' adds a setting that exists", f"try {bad.lstrip('+')}")
        rest = [o for o in overrides if o != bad]
        return unknown_key(key, bad.partition("=")[2], [*settings(rest), *GROUPS])
    if isinstance(cause, InterpolationKeyError):
        return ConfigError(f"a value refers to a setting that does not exist: {' '.join(str(cause).split())[:160]}")
    if isinstance(cause, MissingMandatoryValue):
        return ConfigError(f"a setting has no value: {' '.join(str(cause).split())[:160]}")
    return ConfigError(text[:300])


def _key_of(text: str, overrides: list[str]) -> str:
    keys = [override.lstrip("+~").split("=")[0] for override in overrides]
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

"""Reads the files of configs/reproduction, and of a user's own config folder. Needs neither torch nor Hydra."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqlab.comparison.request import Request, read_request
from seqlab.config.documents import errors_in, settings, settings_in
from seqlab.config.overrides import key_of
from seqlab.config.parse import parse
from seqlab.config.sources import check_config_dir, group_files
from seqlab.config.suggest import did_you_mean
from seqlab.errors import ConfigError
from seqlab.reproduction.published import BEST, Measure, Needs, Published, Reproduction

GROUP = "reproduction"


def reproductions(config_dir: Path | None) -> dict[str, Path]:
    """The file of each reproduction by its name; a user's own takes precedence."""
    return group_files(GROUP, check_config_dir(config_dir))


def read_reproduction(name: str, config_dir: Path | None) -> Reproduction:
    """The reproduction with this name, checked. Raises ConfigError, which names file, key, value, rule and remedy."""
    files = reproductions(config_dir)
    if name not in files:
        raise ConfigError(
            f"there is no reproduction called '{name}'", did_you_mean(name, files), f"see: seqlab {_LIST}"
        )
    with errors_in(files[name]):
        found = _parsed(settings_in(files[name]))
        labels = [spec.label for spec in requested(found, (), found.seeds, config_dir).models]
        for place, figure in enumerate(found.published):
            if figure.ours not in (*labels, BEST):
                raise ConfigError(
                    f"published[{place}].ours={figure.ours} is none of the models in compare",
                    did_you_mean(figure.ours, labels) or f"name one of them, or {BEST}: the one that validates best",
                    f"models: {', '.join(labels)}",
                )
    return found


_LIST = "reproduce --list"


def requested(reproduction: Reproduction, overrides: tuple[str, ...], seeds: int, config_dir: Path | None) -> Request:
    """What is asked of a comparison. overrides: for all models; they replace those of the file."""
    keys = {key_of(override) for override in overrides}
    words = [word for word in reproduction.compare if key_of(word) not in keys]
    return read_request(
        [*words, *overrides],
        seeds=seeds,
        budget=reproduction.budget,
        match=reproduction.match,
        tune=reproduction.tune,
        config_dir=config_dir,
    )


def _parsed(values: Mapping[str, Any]) -> Reproduction:
    """Part by part, so that an error names its place."""
    parts = dict(values)
    figures = parts.get("published")
    if not isinstance(figures, list):
        raise ConfigError(f"published={figures} is not a list", "give one figure or more, or [] if there is none")
    parts["published"] = tuple(
        parse(Published, settings(figure, f"published[{place}]"), f"published[{place}]")
        for place, figure in enumerate(figures)
    )
    if "measure" in parts:
        parts["measure"] = parse(Measure, settings(parts["measure"], "measure"), "measure")
    parts["needs"] = parse(Needs, settings(parts.get("needs", {}), "needs"), "needs")
    return parse(Reproduction, parts, "")

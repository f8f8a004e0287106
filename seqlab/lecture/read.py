"""Reads the files of configs/claim, and of a user's own config folder. Needs neither torch nor Hydra."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqlab.comparison.request import Request, read_request
from seqlab.config.documents import errors_in, settings, settings_in
from seqlab.config.parse import parse
from seqlab.config.sources import check_config_dir, group_files
from seqlab.config.suggest import did_you_mean
from seqlab.errors import ConfigError
from seqlab.lecture.claim import Claim, Evidence, Experiment, Minutes, Shown, Speed

GROUP = "claim"


def claim_files(config_dir: Path | None) -> dict[str, Path]:
    """The file of each claim by its name; a user's own takes precedence."""
    return group_files(GROUP, check_config_dir(config_dir))


def read_claim(name: str, config_dir: Path | None) -> Claim:
    """The claim with this name, checked. Raises ConfigError, which names file, key, value, rule and remedy."""
    files = claim_files(config_dir)
    if name not in files:
        raise ConfigError(f"there is no claim called '{name}'", did_you_mean(name, files), "see: seqlab lecture --list")
    with errors_in(files[name]):
        claim = _parsed(settings_in(files[name]))
        labels = {
            place: [spec.label for spec in requested(one, "quick", (), config_dir).models]
            for place, one in claim.experiments.items()
        }
        for at, one in enumerate(claim.evidence):
            _check_label(one.of, labels[one.experiment], f"evidence[{at}].of")
            if isinstance(one.than, str):
                _check_label(one.than, labels[one.experiment], f"evidence[{at}].than")
        for at, shown in enumerate(claim.shown):
            for label in shown.labels:
                _check_label(label, labels[shown.experiment], f"shown[{at}].labels")
    return claim


def read_claims(names: tuple[str, ...], config_dir: Path | None) -> dict[str, Claim]:
    """The claims of these names, or all, in the order of the lecture."""
    found = {name: read_claim(name, config_dir) for name in dict.fromkeys(names or claim_files(config_dir))}
    return dict(sorted(found.items(), key=lambda pair: (pair[1].place, pair[0])))


def requested(experiment: Experiment, speed: Speed, overrides: tuple[str, ...], config_dir: Path | None) -> Request:
    """What is asked of a comparison. overrides: of the command line, for all runs."""
    return read_request(
        [*experiment.words(speed), *overrides],
        seeds=experiment.seeds(speed),
        budget=experiment.budget,
        match=experiment.match,
        tune=experiment.tune,
        config_dir=config_dir,
    )


def _check_label(label: str, known: list[str], where: str) -> None:
    if label not in known:
        hint = did_you_mean(label, known) or "name one of them"
        raise ConfigError(f"{where}={label} is none of the models in compare", hint, f"models: {', '.join(known)}")


def _parsed(values: Mapping[str, Any]) -> Claim:
    """Part by part, so that an error names its place."""
    parts = dict(values)
    parts["experiments"] = {
        name: parse(Experiment, settings(node, f"experiments.{name}"), f"experiments.{name}")
        for name, node in settings(parts.get("experiments"), "experiments").items()
    }
    for key, kind in (("evidence", Evidence), ("shown", Shown)):
        nodes = parts.get(key, [])
        if not isinstance(nodes, list):
            raise ConfigError(f"{key}={nodes} is not a list", "write one entry or more below it, each with a dash")
        parts[key] = tuple(parse(kind, settings(node, f"{key}[{at}]"), f"{key}[{at}]") for at, node in enumerate(nodes))
    if "minutes" in parts:
        parts["minutes"] = parse(Minutes, settings(parts["minutes"], "minutes"), "minutes")
    return parse(Claim, parts, "")

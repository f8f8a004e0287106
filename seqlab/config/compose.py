"""Hydra's part: composes overrides and config folders into one plain tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.errors import HydraException, OverrideParseException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from seqlab.config.explain import explain_composition, explain_override, explain_several
from seqlab.config.older import of_class, with_todays_names
from seqlab.config.overrides import key_of
from seqlab.config.sources import GROUPS, check_config_dir, checked_yaml, shipped_folder
from seqlab.config.suggest import unknown_key
from seqlab.config.typed import as_meant
from seqlab.errors import ConfigError


@dataclass(frozen=True)
class Composed:
    """A resolved tree of plain values, the chosen option of each group, and both as YAML."""

    tree: dict[str, Any]
    names: dict[str, str]
    yaml: str


class _UserFolder(SearchPathPlugin):
    """Puts the user's config folder before ours on Hydra's search path. It is registered in this process only, so that
    other Hydra applications in the same environment are not affected."""

    folder: Path | None = None

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        if self.folder is not None:
            search_path.prepend("--config-dir", f"file://{self.folder}", anchor=SearchPathQuery(provider="main"))


Plugins.instance().register(_UserFolder)


def compose(overrides: list[str], config_dir: Path | None = None) -> Composed:
    """The config composed from these overrides. Raises ConfigError."""
    _UserFolder.folder = check_config_dir(config_dir)
    overrides = as_meant(overrides, lambda: _targets(overrides), _UserFolder.folder)
    _check(overrides, lambda: settings([o for o in overrides if key_of(o) in GROUPS], config_dir))
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(shipped_folder()), version_base="1.3"):
            config = hydra_compose("train", overrides, return_hydra_config=True)
            choices = config.hydra.runtime.choices
            names = {group: str(choices[group]) for group in GROUPS if choices.get(group) is not None}
            OmegaConf.set_struct(config, False)
            del config["hydra"]
            config.setdefault("logging", {})  # logging=[]
            return _plain(config, names | {"logging": ",".join(config.logging) or "none"}, resolve=True)
    except (HydraException, OmegaConfBaseException, YAMLError, ValueError) as error:
        raise explain_composition(error, overrides, _UserFolder.folder, _settings) from error


def _targets(overrides: Sequence[str]) -> Mapping[str, str]:
    """The class of each group's settings as these overrides choose it; empty if they do not compose."""
    choosing = tuple(o for o in overrides if key_of(o) in GROUPS)
    # composing takes a tenth of a second; the files of a user's own folder may change in between
    return _composed_targets(choosing) if _UserFolder.folder else _shipped_targets(choosing)


def _composed_targets(choosing: tuple[str, ...]) -> Mapping[str, str]:
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(shipped_folder()), version_base="1.3"):
            tree: Any = OmegaConf.to_container(hydra_compose("train", list(choosing)))
    except (HydraException, OmegaConfBaseException, YAMLError, ValueError):
        return {}
    return _targets_of(tree)


_shipped_targets = cache(_composed_targets)


def _targets_of(tree: Mapping[str, Any]) -> dict[str, str]:
    nodes: dict[str, Any] = {group: tree.get(group) for group in GROUPS}
    nodes |= {f"logging.{name}": node for name, node in (tree.get("logging") or {}).items()}
    return {group: str(node.get("_target_")) for group, node in nodes.items() if isinstance(node, Mapping)}


def read_composed(path: Path, overrides: Sequence[str] = ()) -> Composed:
    """A run's stored config.yaml, with single settings replaced by `overrides`. Raises ConfigError."""
    try:
        config = OmegaConf.create(checked_yaml(path))
        names = config.pop("names", {}) if isinstance(config, DictConfig) else None
        if not isinstance(names, Mapping):
            raise ConfigError(f"{path} is not the config of a run")
        # a stored config is already resolved: anything that still looks like a reference is text
        composed = _plain(config, {str(k): str(v) for k, v in names.items()}, resolve=False)
    except (OSError, OmegaConfBaseException, YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read: {' '.join(str(error).split())[:200]}") from error
    _fill(composed.tree, composed.names)
    return replaced(composed, overrides)


def replaced(composed: Composed, overrides: Sequence[str]) -> Composed:
    """A composed config with single settings replaced; nothing is composed, so values are not resolved. Raises
    ConfigError."""
    tree = deepcopy(composed.tree)
    for override in _check(as_meant(overrides, lambda: _targets_of(tree), None), lambda: _by_key(tree)):
        _replace(tree, override)
    return as_composed(tree, composed.names)


def _fill(tree: dict[str, Any], names: Mapping[str, str]) -> None:
    """Fill in settings that the run was stored without. Those that had another name then (`renamed` in the config
    class) keep their value; those that did not exist have the value that the class gives for older runs (`before`), or
    else the default of the shipped file, of this name or another, that fills the same class."""

    def fill(part: str, paths: Iterable[Path]) -> None:
        stored = tree.get(part)
        if not isinstance(stored, dict):
            return
        for path in paths:
            shipped: Any = OmegaConf.to_container(OmegaConf.load(path))
            defaults = shipped.get(part)
            if (target := stored.get("_target_")) == defaults.get("_target_"):
                tree[part] = {**defaults, **of_class(str(target), "before"), **with_todays_names(stored)}
                return

    if "logging" not in tree:  # stored when TensorBoard was all there was
        only: Any = OmegaConf.to_container(OmegaConf.load(shipped_folder() / "logging" / "tensorboard.yaml"))
        tree["logging"] = only["logging"]
    fill("trainer", [shipped_folder() / "train.yaml"])
    fill("device", [shipped_folder() / "device" / "auto.yaml"])
    for group in ("model", "task"):
        named = shipped_folder() / group / f"{names.get(group)}.yaml"
        fill(group, [named] if named.is_file() else sorted(named.parent.glob("*.yaml")))


def _replace(tree: dict[str, Any], override: Override) -> None:
    *path, last = override.key_or_group.split(".")
    node: Any = tree
    for part in path:
        node = node.get(part) if isinstance(node, dict) else None
    if override.key_or_group in GROUPS:
        raise ConfigError(
            f"'{override.input_line}': the {last} of a stored run cannot be replaced",
            f"set single settings: {last}.KEY=VALUE",
        )
    if not isinstance(node, dict) or last not in node or isinstance(node[last], dict):
        raise unknown_key(override.key_or_group, override.value(), _leaves(tree, ""))
    value = override.value()
    # nothing is composed here, so undo the escaping of references
    node[last] = value.replace("\\${", "${") if isinstance(value, str) else value


def _plain(config: Any, names: dict[str, str], *, resolve: bool) -> Composed:
    tree: Any = OmegaConf.to_container(config, resolve=resolve, throw_on_missing=True)
    return as_composed(tree, names)


def as_composed(tree: dict[str, Any], names: dict[str, str]) -> Composed:
    """The config of such a tree."""
    return Composed(tree, names, OmegaConf.to_yaml(OmegaConf.create({"names": names, **tree})))


def _check(overrides: list[str], defaults: Callable[[], Mapping[str, Any]]) -> list[Override]:
    """The parsed overrides. Refuses some that Hydra accepts but that make no sense for a run. defaults: returns the
    default of every dotted key; called only to suggest what was meant."""
    parsed: list[Override] = []
    for before, text in zip(["", *overrides], overrides, strict=False):
        try:
            parsed += OverridesParser.create().parse_overrides([text])
        except OverrideParseException as error:
            raise explain_override(text, _UserFolder.folder, before) from error
        if not parsed[-1].key_or_group:
            raise explain_override(text, _UserFolder.folder, before)
    for override, text in zip(parsed, overrides, strict=True):
        if override.is_sweep_override():
            key = override.key_or_group
            raise explain_several(text, overrides, "" if key in GROUPS else defaults().get(key, ""))
        if override.key_or_group == "tuned":
            raise ConfigError(
                f"'{text}': the tuned settings are chosen by task and model", "set single settings instead: KEY=VALUE"
            )
        if override.is_delete() and override.key_or_group != "experiment":
            remedy = f"choose one: {override.key_or_group}=NAME" if override.key_or_group in GROUPS else ""
            raise ConfigError(
                f"'{text}' would remove a setting that every run needs",
                remedy or f"give it a value, or null if it may have none: {override.key_or_group}=null",
            )
        if override.key_or_group.split("/")[0].split(".")[0] == "hydra":
            raise ConfigError(f"'{text}': Hydra's own settings have no effect here", "use runs_dir=... or --name")
    for key, count in Counter(override.key_or_group for override in parsed).items():
        if count > 1:
            given = [text for override, text in zip(parsed, overrides, strict=True) if override.key_or_group == key]
            raise ConfigError(f"{key} is given {count} times: {' '.join(given)}", "keep one of them")
    return parsed


def _settings(overrides: list[str]) -> list[str]:
    """Every dotted key of the config composed from these overrides, or of the defaults if they do not compose."""
    return _composed_keys(*overrides) or (_composed_keys() if _UserFolder.folder else _shipped_keys())


def _composed_keys(*overrides: str) -> list[str]:
    try:
        with initialize_config_dir(str(shipped_folder()), version_base="1.3"):
            return list(_leaves(OmegaConf.to_container(hydra_compose("train", list(overrides))), ""))
    except (HydraException, OmegaConfBaseException):
        return []


_shipped_keys = cache(_composed_keys)


def _leaves(node: Any, prefix: str) -> list[str]:
    if not isinstance(node, dict):
        return [prefix]
    dotted = ((f"{prefix}.{key}" if prefix else str(key), value) for key, value in node.items())
    return [leaf for key, value in dotted if not key.endswith("_target_") for leaf in _leaves(value, key)]


def settings(overrides: list[str], config_dir: Path | None = None) -> dict[str, Any]:
    """Every dotted key with its value, for completion and listings."""
    return _by_key(compose(overrides, config_dir).tree)


def _by_key(tree: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in _leaves(tree, ""):
        node: Any = tree
        for part in key.split("."):
            node = node[part]
        found[key] = node
    return found

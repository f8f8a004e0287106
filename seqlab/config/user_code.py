"""The user's own code: Python files outside seqlab that settings name, and the files next to them that these import. It
is part of a run, just like its corpus. It is found without running any of it; imports by a name that is computed at run
time are found only after they have run."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import invalidate_caches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from seqlab.config.sources import GROUPS, targets_of

_added: dict[str, None] = {}  # the folders that this module has put into sys.path
_NOT_OURS = ("site-packages", "dist-packages")  # installed packages have versions


def make_importable(config_dir: Path | None, modules: Sequence[str]) -> None:
    """Make these modules importable from the user's config folder or its parent. These folders come after installed
    packages on sys.path, so that they hide nothing, and before the current folder (which `python -m` puts first, and
    which may contain a newer version of the code stored with a run) and the folders of earlier calls, whose modules of
    the same names are unloaded."""
    folders = _folders(config_dir)
    stale = [root for root in map(_root, modules) if root is not None and str(root) in _added and root not in folders]
    ours = [str(folder) for folder in folders if str(folder) in _added or str(folder) not in sys.path]
    _added.update(dict.fromkeys(ours))
    earlier = [place for place in sys.path if place in _added and place not in ours]
    here = [place for place in sys.path if place in ("", str(Path.cwd())) and place not in _added] if ours else []
    installed = [place for place in sys.path if place not in _added and place not in here]
    sys.path[:] = [*installed, *ours, *here, *earlier]
    if stale:
        names = {place.split("/")[0].removesuffix(".py") for place in _walk(modules, set(stale))}
        for name in [name for name in sys.modules if name.split(".")[0] in names]:
            del sys.modules[name]
    invalidate_caches()  # a file may be newer than Python's cached listing of its folder


def outside_targets(tree: Mapping[str, Any]) -> list[str]:
    """The classes outside seqlab that the groups of a config name."""
    trackers = tree.get("logging")
    nodes = (*(tree.get(group) for group in GROUPS), *(trackers.values() if isinstance(trackers, Mapping) else ()))
    targets = (str(node.get("_target_")) for node in nodes if isinstance(node, Mapping))
    return [target for target in targets if "." in target and target.split(".")[0] != "seqlab"]


def code_files(tree: Mapping[str, Any], config_dir: Path | None) -> dict[str, Path]:
    """The files of the user's code, by their path relative to the folder in which Python finds them
    ({"my_models.py": ...}); empty if a config names only classes of seqlab or of installed packages."""
    named, roots = _named(tree, config_dir)
    return dict(sorted(_walk(named, roots).items()))


def loaded_files(tree: Mapping[str, Any], config_dir: Path | None) -> dict[str, Path]:
    """The files of the user's code that this process has imported, by whatever name."""
    _, roots = _named(tree, config_dir)
    found: dict[str, Path] = {}
    for name, module in list(sys.modules.items()) if roots else ():
        file = getattr(module, "__file__", None)
        root = _root(name) if isinstance(file, str) and file.endswith(".py") and name != "__main__" else None
        if root is not None and root in roots:
            found |= {path.relative_to(root).as_posix(): path for path, _ in _files(name, root)}
    return dict(sorted(found.items()))


def files_at(places: Iterable[str], tree: Mapping[str, Any], config_dir: Path | None) -> dict[str, Path]:
    """The files that now exist at these relative paths, below the folders where Python finds the config's modules."""
    _, roots = _named(tree, config_dir)
    there = ((place, root / place) for place in places for root in sorted(roots, reverse=True))
    return {place: path for place, path in there if path.is_file()}


def _named(tree: Mapping[str, Any], config_dir: Path | None) -> tuple[list[str], set[Path]]:
    """(the modules outside seqlab that a config names, the folders that contain the code of a run)."""
    named = [target.rpartition(".")[0] for target in outside_targets(tree)]
    if not named:
        return [], set()
    make_importable(config_dir, named)
    roots = {root for root in map(_root, named) if root is not None}
    return named, roots | set(_folders(config_dir)) if roots else roots


def _walk(modules: Sequence[str], roots: set[Path]) -> dict[str, Path]:
    """The files of these modules and of everything that they import, as far as they are below these folders."""
    found: dict[str, Path] = {}
    waiting, seen = list(modules), set[str]()
    while waiting:
        module = waiting.pop()
        root = None if module in seen else _root(module)
        seen.add(module)
        if root is None or root not in roots:
            continue
        for path, package in _files(module, root):
            place = path.relative_to(root).as_posix()
            if place not in found:
                found[place] = path
                waiting += _imports(path, package)
    return found


def config_files(tree: Mapping[str, Any], config_dir: Path | None) -> dict[str, Path]:
    """The YAML files of a user's config folder that name these classes, by their relative path."""
    targets = set(outside_targets(tree))
    if config_dir is None or not targets:
        return {}
    paths = [path for group in GROUPS for path in sorted((config_dir / group).glob("*.yaml"))]
    return {path.relative_to(config_dir).as_posix(): path for path in paths if targets & targets_of(path)}


def _folders(config_dir: Path | None) -> tuple[Path, ...]:
    return () if config_dir is None else (config_dir.resolve(), config_dir.resolve().parent)


def _root(module: str) -> Path | None:
    """The folder in which Python finds a module's top-level name; None for seqlab, the standard library and installed
    packages."""
    first = module.split(".")[0]
    if first == "seqlab" or first in sys.stdlib_module_names:
        return None
    try:
        spec = find_spec(first)
    except (ImportError, ValueError, AttributeError):
        return None
    if spec is None:
        return None
    places = list(spec.submodule_search_locations or [])
    where = Path(places[0]) if places else Path(spec.origin or "built-in")
    root = where.parent.resolve()  # for a link, the folder that contains the link
    return None if where.name == "built-in" or set(_NOT_OURS) & set(root.parts) else root


def _files(module: str, root: Path) -> Iterator[tuple[Path, list[str]]]:
    """The files that run when a module is imported, each with its package."""
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        place = root.joinpath(*parts[:count])
        if (place / "__init__.py").is_file():
            yield place / "__init__.py", parts[:count]
        elif place.with_name(f"{place.name}.py").is_file():
            yield place.with_name(f"{place.name}.py"), parts[: count - 1]
            return


def _imports(path: Path, package: list[str]) -> list[str]:
    """Every module that a file may import, also inside functions. Imported names that are not modules are included; no
    file is found for them."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return []  # importing it reports the error
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found += [base, *(f"{base}.{name.name}" for name in node.names)]
    return [module for module in found if module and not module.startswith(".")]

"""The dependencies between packages: which may import which."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import seqlab

ROOT = Path(seqlab.__file__).parent
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("core",),
    ("layers", "data", "drawing", "baselines"),
    ("models", "metrics", "decoding"),
    ("networks",),
    ("kinds",),
    ("tasks",),
    ("training", "checkpoints"),
    ("contracts", "tracking"),
    ("config",),
    ("insight",),
    ("runs",),
    ("executors",),
    ("comparison",),
    ("reproduction", "lecture", "sweeps"),
    ("cli",),
)
"""From the ground up. A package imports itself and lower floors, never another of its own floor."""
TOGETHER = {("training", "checkpoints"), ("checkpoints", "training")}  # a trainer saves, and its state is what is saved
LOOSE = {"__init__", "__main__", "errors"}
MOST_LINES, MOST_TRAINER_LINES = 250, 150


def _packages_imported(path: Path) -> set[str]:
    """The parts of seqlab that a file imports, at its top or inside functions."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            modules |= {node.module} if node.module != "seqlab" else {f"seqlab.{name.name}" for name in node.names}
        elif isinstance(node, ast.Import):
            modules |= {name.name for name in node.names}
    return {module.split(".")[1] for module in modules if module.startswith("seqlab.")} - {"__version__"}


def test_every_package_has_a_floor() -> None:
    packages = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    assert packages | {"errors"} == {name for floor in FLOORS for name in floor}
    assert {path.stem for path in ROOT.glob("*.py")} == LOOSE


@pytest.mark.parametrize("package", [name for floor in FLOORS for name in floor])
def test_dependencies_point_one_way(package: str) -> None:
    here = next(number for number, floor in enumerate(FLOORS) if package in floor)
    below = {name for floor in FLOORS[:here] for name in floor} | {package}
    together = {other for mine, other in TOGETHER if mine == package}
    for path in (ROOT / package).rglob("*.py") if package != "errors" else [ROOT / "errors.py"]:
        assert _packages_imported(path) <= below | together, path.name


@pytest.mark.parametrize("package", ["models", "layers"])
def test_a_model_knows_neither_data_nor_pictures(package: str) -> None:
    for path in (ROOT / package).glob("*.py"):
        assert _packages_imported(path) <= {"models", "layers", "core", "errors"}, path.name


def test_a_view_asks_interfaces_and_knows_no_family_or_task() -> None:
    for path in (ROOT / "insight").glob("*.py"):
        assert not _packages_imported(path) & {"models", "layers", "networks", "kinds", "tasks"}, path.name


def test_only_config_knows_hydra() -> None:
    for path in ROOT.rglob("*.py"):
        if path.parent.name != "config":
            text = path.read_text(encoding="utf-8")
            assert "import hydra" not in text
            assert "from hydra" not in text
            assert "omegaconf" not in text


def test_files_are_short() -> None:
    lines = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n") for path in ROOT.rglob("*.py")}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}
    assert lines["training/trainer.py"] <= MOST_TRAINER_LINES

"""The rule that keeps the code changeable: who may import whom."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import seqlab

ROOT = Path(seqlab.__file__).parent
SHARED = {"criterion", "interfaces", "errors", "metrics"}
MAY_IMPORT = {
    "models": {"layers", *SHARED},
    "layers": {"layers", *SHARED},
    "tasks": {"layers", "data", "decoding", "baselines", *SHARED},
    "baselines": set(),
    "data": {"data", *SHARED},
    "decoding": {"data", "decoding", *SHARED},
    "contracts": {"contracts", "training", *SHARED},
    "training": {"training", "run_folder", *SHARED},
    "drawing": {"drawing", *SHARED},
    "insight": {"insight", "drawing", "experiment", "training", "layers", "data", "run_folder", *SHARED},
}


def _imported_rooms(path: Path) -> set[str]:
    """The parts of seqlab that a file imports, at its top or inside functions."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            modules.add(node.module)
        elif isinstance(node, ast.Import):
            modules |= {name.name for name in node.names}
    return {module.split(".")[1] for module in modules if module.startswith("seqlab.")}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_dependencies_point_one_way(room: str) -> None:
    files = list((ROOT / room).glob("*.py"))
    assert files
    for path in files:
        assert _imported_rooms(path) <= MAY_IMPORT[room], path.name


def test_only_the_command_line_knows_the_comparison() -> None:
    for path in ROOT.rglob("*.py"):
        if path.parent.name != "comparison" and path != ROOT / "cli" / "comparing.py":
            assert "comparison" not in _imported_rooms(path), path.name


def test_only_config_knows_hydra() -> None:
    for path in ROOT.rglob("*.py"):
        if path.parent.name != "config":
            text = path.read_text(encoding="utf-8")
            assert "import hydra" not in text
            assert "from hydra" not in text
            assert "omegaconf" not in text

"""Writes docs/reference.md from the docstrings of what a program uses: `python docs/reference.py`."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

TOP = Path(__file__).parent.parent
_ARGUMENT = re.compile(r"^([a-z_]+(?:, [a-z_]+)*):", re.MULTILINE)
PARTS = {  # what is described, and where it is defined
    "seqlab/__init__.py": ("train", "load", "compare", "sweep"),
    "seqlab/runs/run.py": ("Run",),
    "seqlab/runs/result.py": ("Result",),
    "seqlab/core/prediction.py": ("Prediction",),
    "seqlab/runs/evaluate.py": ("Evaluation",),
    "seqlab/drawing/pictures.py": ("Pictures",),
    "seqlab/comparison/compare.py": ("Comparison",),
    "seqlab/sweeps/sweep.py": ("Sweep",),
    "seqlab/errors.py": (
        "SeqlabError", "ConfigError", "DataError", "CheckpointError", "NumericError", "ResourceError", "LockedError",
        "Interrupted",
    ),
}  # fmt: skip


def reference() -> str:
    """The whole page."""
    parts = [
        "# Reference",
        "Written by `python docs/reference.py` from the docstrings. [api.md](api.md) shows its use.",
    ]
    for path, names in PARTS.items():
        tree = ast.parse((TOP / path).read_text(encoding="utf-8"))
        nodes = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        for name in names:
            node, module = nodes[name], path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            public = "seqlab" if name in ("Run", "Comparison", "Sweep", "SeqlabError") else module
            parts += [f"## {public}.{name}", *_described(node)]
            if isinstance(node, ast.ClassDef):
                parts += _members(node)
    return "\n\n".join(parts) + "\n"


def _members(node: ast.ClassDef) -> list[str]:
    """The public fields, methods and properties of a class."""
    fields = [
        f"- `{item.target.id}: {ast.unparse(item.annotation)}`"
        for item in node.body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    ]
    found = ["\n".join(fields)] if fields else []
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and not item.name.startswith("_"):
            found += [f"### {node.name}.{item.name}", *_described(item)]
    return found


def _described(node: ast.FunctionDef | ast.ClassDef) -> list[str]:
    """Signature and docstring: text with its arguments as a list, examples as code."""
    paragraphs = inspect.cleandoc(ast.get_docstring(node) or "").split("\n\n")
    found = [
        f"```python\n{text}\n```" if text.startswith(">>>") else _ARGUMENT.sub(r"- `\1`:", text) for text in paragraphs
    ]
    return [*_signature(node), *found]


def _signature(node: ast.FunctionDef | ast.ClassDef) -> list[str]:
    if isinstance(node, ast.ClassDef):
        return []
    decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
    result = ast.unparse(node.returns) if node.returns is not None else ""
    if decorators & {"property", "cached_property"}:
        return [f"`{node.name}: {result}`"]
    every = [argument for argument in _arguments(node.args) if argument not in ("self", "cls")]
    line = f"{node.name}({', '.join(every)}) -> {result}"
    if len(line) > 100:
        line = "\n".join([f"{node.name}(", *(f"    {argument}," for argument in every), f") -> {result}"])
    return [f"```python\n{line}\n```"]


def _arguments(args: ast.arguments) -> list[str]:
    """Each with its annotation and default, as it is written."""

    def shown(argument: ast.arg, default: ast.expr | None) -> str:
        annotation = "" if argument.annotation is None else f": {ast.unparse(argument.annotation)}"
        return f"{argument.arg}{annotation}" + ("" if default is None else f" = {ast.unparse(default)}")

    plain = [*args.posonlyargs, *args.args]
    defaults = [None] * (len(plain) - len(args.defaults)) + list(args.defaults)
    found = [shown(argument, default) for argument, default in zip(plain, defaults, strict=True)]
    if args.vararg is not None:
        found.append(f"*{shown(args.vararg, None)}")
    elif args.kwonlyargs:
        found.append("*")
    return [*found, *(shown(a, d) for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True))]


if __name__ == "__main__":
    (TOP / "docs" / "reference.md").write_text(reference(), encoding="utf-8")

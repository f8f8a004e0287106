"""What the pages of docs/ say of the code: its messages, and the works that it cites."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

from tests.commands import Capture, Patch, in_process

TOP = Path(__file__).parent.parent
_CITED = re.compile(r"([A-Z][\w'’-]+)(?: et al\.)?,? \(?((?:19|20)\d\d)\b")
_MONTHS = set("January February March April May June July August September October November December".split())


def _messages(path: Path) -> list[str]:
    """Every text of a module, as it is put together; … stands for what is filled in."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            found.append("".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return found


def test_every_message_that_is_explained_exists() -> None:
    page = (TOP / "docs/errors.md").read_text(encoding="utf-8")
    explained = [message.strip("… ") for message in re.findall(r"^\| `(.+?)` \|", page, re.MULTILINE)]
    known = "\n".join(text for path in sorted((TOP / "seqlab").rglob("*.py")) for text in _messages(path))
    assert len(explained) > 40
    assert [message for message in explained if message not in known] == []


def test_every_work_that_is_cited_has_a_reference() -> None:
    entries = re.split(r"^- ", (TOP / "docs/references.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    entries = [" ".join(entry.split()) for entry in entries]
    missing = set()
    pages = [path for path in (TOP / "docs").glob("*.md") if path.stem not in ("references", "changelog")]
    files = [
        *(TOP / "seqlab").rglob("*.py"),
        *(TOP / "seqlab").rglob("*.txt"),
        *(TOP / "configs").rglob("*.yaml"),
        *pages,
    ]
    for path in files:
        for name, year in _CITED.findall(" ".join(path.read_text(encoding="utf-8").split())):
            if name in _MONTHS | {"Nobody", "ACL"}:
                continue
            if not any(name in entry.partition("). ")[0] and f"({year}" in entry for entry in entries):
                missing.add((name, year, str(path.relative_to(TOP))))
    assert missing == set()
    titles = [entry.partition("). ")[2] for entry in entries]
    assert len(set(titles)) == len(titles)
    first = [entry.partition(",")[0].replace("'", "").casefold() for entry in entries]
    assert first == sorted(first, key=lambda name: name.replace("ü", "u"))


def test_the_verdict_that_the_tutorial_reads_was_measured() -> None:
    page = (TOP / "docs/first_comparison.md").read_text(encoding="utf-8")
    (quoted,) = re.findall(r"^((?:> .*\n)+)", page, re.MULTILINE)
    verdict = " ".join(line.removeprefix("> ") for line in quoted.splitlines())
    assert f"- {verdict}\n" in (TOP / "docs/results.md").read_text(encoding="utf-8")


def test_the_figures_of_the_readme_are_on_the_pages_beside_them() -> None:
    rows = [line for line in (TOP / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    found = [(row, figure) for row in rows for figure in re.findall(r"\*\*(.+?)\*\*", row)]
    assert len(found) > 3
    for row, figure in found:
        (page,) = re.findall(r"\]\((docs/\w+\.md)\)", row)
        assert figure in (TOP / page).read_text(encoding="utf-8"), row


@pytest.mark.slow
def test_the_commands_of_the_tutorial_work(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    """With few steps, and comparisons as far as their plan."""
    monkeypatch.chdir(tmp_path)
    short = ["trainer.max_steps=4", "trainer.eval_every_steps=2", "model.width=16", "trainer.log_pictures=false"]
    added = {"train": short, "compare": [*short, "--dry-run"]}
    page = (TOP / "docs/first_comparison.md").read_text(encoding="utf-8")
    lines = "".join(re.findall(r"^```bash\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)).splitlines()
    assert len(lines) == 5
    for line in lines:
        _, command, *words = shlex.split(line)
        code, _, error = in_process(capsys, monkeypatch, command, *words, *added.get(command, []))
        assert code == 0, f"{line}: {error}"

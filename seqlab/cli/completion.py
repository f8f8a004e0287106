"""Tab completion of overrides and runs. bash splits words at `=`; zsh and fish do not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import typer

from seqlab.config.sources import GROUPS, group_files


def complete_override(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Candidates for the word under the cursor: groups, their options, and dotted keys."""
    given = list(context.params.get("overrides") or [])
    config_dir = context.params.get("config_dir")
    in_bash = "COMP_WORDS" in os.environ
    earlier, word, held = _word_under_cursor(given, incomplete) if in_bash else (given, incomplete, "")
    try:
        found = candidates(word, earlier, Path(config_dir) if config_dir else None)
    except Exception:  # a half-typed line is no place for errors
        return []
    # bash already shows what it took for words of their own: answer with the rest
    return [(candidate.removeprefix(held), about) for candidate, about in found]


def complete_word(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The same for `compare`, whose bare words are models."""
    config_dir = context.params.get("config_dir")
    folder = Path(config_dir) if config_dir else None
    models = [(name, "") for name in group_files("model", folder) if name.startswith(incomplete)]
    context.params["overrides"] = [word for word in context.params.get("words") or [] if "=" in word]
    return models + [found for found in complete_override(context, incomplete) if not found[0].startswith("model=")]


def complete_run(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Folders of runs below --runs-dir."""
    from seqlab.runs import run_folders

    try:
        folders = [str(folder) for folder in run_folders(Path(context.params.get("runs_dir") or "runs"))]
    except OSError:
        return []
    return [(folder, "") for folder in folders if folder.startswith(incomplete)]


def complete_known_run(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The same, and the names that stand for one of them."""
    config_dir = context.params.get("config_dir")
    tasks = group_files("task", Path(config_dir) if config_dir else None)
    names = [("last", "the newest"), *((f"best:{task}", f"the best on {task}") for task in tasks)]
    return [name for name in names if name[0].startswith(incomplete)] + complete_run(context, incomplete)


def _word_under_cursor(given: list[str], incomplete: str) -> tuple[list[str], str, str]:
    """(overrides before, the whole override being typed, how much of it bash will not replace)."""
    joined: list[str] = []
    glue = False
    for word in given:
        if word == "=" and joined:
            joined[-1], glue = joined[-1] + "=", True
        elif glue:
            joined[-1], glue = joined[-1] + word, False
        else:
            joined.append(word)
    # click hides an `=` that stands alone, so look at what bash said
    typed = os.environ["COMP_WORDS"].split()[int(os.environ.get("COMP_CWORD", "0")) :][:1]
    if typed == ["="] and joined and not glue:  # model=|
        return joined[:-1], joined[-1] + "=", joined[-1] + "="
    if glue:  # model=ls|
        return joined[:-1], joined[-1] + incomplete, joined[-1]
    return joined, incomplete, ""


def candidates(word: str, earlier: list[str], config_dir: Path | None) -> list[tuple[str, str]]:
    """Whole overrides that begin with `word`, each with a remark."""
    sign = word[: len(word) - len(word.lstrip("+~"))]
    key, equals, value = word[len(sign) :].partition("=")
    if equals:
        options = list(group_files(key, config_dir)) if key in GROUPS else _values(key, earlier, config_dir)
        return [(f"{sign}{key}={option}", "") for option in options if option.startswith(value)]
    found = [
        (f"{sign}{group}=", " | ".join(group_files(group, config_dir))) for group in GROUPS if group.startswith(key)
    ]
    if not found or "." in key:
        from seqlab.config.compose import settings

        found = [
            (f"{sign}{name}=", str(v)) for name, v in settings(earlier, config_dir).items() if name.startswith(key)
        ]
    if len(found) == 1:  # offer the values as well, so that the shell puts no space after `=`
        only = found[0][0]
        return candidates(only, earlier, config_dir) or found
    return found


def _values(key: str, earlier: list[str], config_dir: Path | None) -> list[str]:
    from seqlab.config.compose import settings

    current: Any = settings(earlier, config_dir).get(key)
    if isinstance(current, bool):
        return ["true", "false"]
    return [] if current is None else [str(current)]

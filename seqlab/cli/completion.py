"""Tab completion of overrides and names of runs. bash splits words at `=` and `:`; zsh and fish do not."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from seqlab.config.overrides import runs_dir_in
from seqlab.config.sources import GROUPS, group_files

Candidates = list[tuple[str, str]]  # (word, description)


def _quiet(complete: Callable[[typer.Context, str], Candidates]) -> Callable[[typer.Context, str], Candidates]:
    """Return no candidates instead of raising errors about a half-typed line."""

    def completed(context: typer.Context, incomplete: str) -> Candidates:
        try:
            return complete(context, incomplete)
        except Exception:
            return []

    return completed


@_quiet
def complete_override(context: typer.Context, incomplete: str) -> Candidates:
    """Candidates for the word under the cursor: groups, their options, and dotted keys."""
    earlier, word, held = _split(list(context.params.get("overrides") or []), incomplete)
    return _rest(candidates(word, earlier, _own(context)), held)


@_quiet
def complete_word(context: typer.Context, incomplete: str) -> Candidates:
    """The same for `compare`, whose bare words are models and runs."""
    folder, words = _own(context), list(context.params.get("words") or [])
    if words and words[-1] == ":":  # of best:TASK, in bash
        return []
    earlier, word, held = _split(words, incomplete)
    earlier = [given for given in earlier if "=" in given]
    bare: Candidates = []
    if "=" not in word:
        models = [(name, "") for name in group_files("model", folder) if name.startswith(word)]
        names = _names(word, runs_dir_in(earlier), folder)
        bare = models + [name for name in names if "=" not in name[0]]  # which it would take for an override
    overrides = [found for found in candidates(word, earlier, folder) if not found[0].startswith("model=")]
    return _rest(bare + overrides, held)


@_quiet
def complete_name(context: typer.Context, incomplete: str) -> Candidates:
    """Candidates for a run: names and aliases."""
    return _names(incomplete, Path(context.params.get("runs_dir") or "runs"), _own(context))


@_quiet
def complete_corpus(context: typer.Context, incomplete: str) -> Candidates:
    """Candidates for a corpus: names that are not on the line yet."""
    from seqlab.data.corpora import corpora

    given = context.params.get("names") or []
    return [
        (name, corpus.about) for name, corpus in corpora().items() if name.startswith(incomplete) and name not in given
    ]


@_quiet
def complete_reproduction(context: typer.Context, incomplete: str) -> Candidates:
    """Candidates for a reproduction: names that are not on the line yet."""
    given = context.params.get("words") or []
    names = group_files("reproduction", _own(context))
    return [(name, "") for name in names if name.startswith(incomplete) and name not in given]


@_quiet
def complete_claim(context: typer.Context, incomplete: str) -> Candidates:
    """Candidates for a claim: names that are not on the line yet."""
    given = context.params.get("words") or []
    names = group_files("claim", _own(context))
    return [(name, "") for name in names if name.startswith(incomplete) and name not in given]


def _names(start: str, runs_dir: Path, config_dir: Path | None) -> Candidates:
    """Names and aliases of runs that begin with `start`. Folders are left to the shell, which quotes them as needed;
    best:TASK is not offered in bash, which splits words at the colon."""
    from seqlab.runs.catalogue import names_beginning

    moving = [("last", "the newest")]
    if not _in_bash():
        moving += [(f"best:{task}", f"the best on {task}") for task in group_files("task", config_dir)]
    plain = re.compile(r"[\w.+/-]+" if _in_bash() else r"[\w.+/=-]+")  # the shell need not quote it
    runs = {name: folder for name, folder in names_beginning(start, runs_dir).items() if plain.fullmatch(name)}
    return [name for name in moving if name[0].startswith(start)] + [(name, str(runs[name])) for name in sorted(runs)]


def _own(context: typer.Context) -> Path | None:
    folder = context.params.get("config_dir")
    return Path(folder) if folder else None


def _in_bash() -> bool:
    return "COMP_WORDS" in os.environ


def _split(given: list[str], incomplete: str) -> tuple[list[str], str, str]:
    """(the overrides before it, the whole override being typed, the part of it that the shell will not replace)."""
    return _word_under_cursor(given, incomplete) if _in_bash() else (given, incomplete, "")


def _rest(found: Candidates, held: str) -> Candidates:
    """The candidates without the part that bash, which splits words, already shows."""
    return [(candidate.removeprefix(held), about) for candidate, about in found]


def _word_under_cursor(given: list[str], incomplete: str) -> tuple[list[str], str, str]:
    """_split() for bash."""
    joined: list[str] = []
    glue = False
    for word in given:
        if word == "=" and joined:
            joined[-1], glue = joined[-1] + "=", True
        elif glue:
            joined[-1], glue = joined[-1] + word, False
        else:
            joined.append(word)
    # click hides a lone `=`, so read bash's own variables
    typed = os.environ["COMP_WORDS"].split()[int(os.environ.get("COMP_CWORD", "0")) :][:1]
    if typed == ["="] and joined and not glue:  # model=|
        return joined[:-1], joined[-1] + "=", joined[-1] + "="
    if glue:  # model=ls|
        return joined[:-1], joined[-1] + incomplete, joined[-1]
    return joined, incomplete, ""


def candidates(word: str, earlier: list[str], config_dir: Path | None) -> Candidates:
    """Whole overrides that begin with `word`, each with a description."""
    sign = word[: len(word) - len(word.lstrip("+~"))]
    key, equals, value = word[len(sign) :].partition("=")
    if equals and key == "init_from":
        return [(f"{sign}{key}={run}", about) for run, about in _names(value, runs_dir_in(earlier), config_dir)]
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
    if len(found) == 1:  # offer the values too, so that the shell adds no space after `=`
        only = found[0][0]
        return candidates(only, earlier, config_dir) or found
    return found


def _values(key: str, earlier: list[str], config_dir: Path | None) -> list[str]:
    from seqlab.config.compose import settings

    current: Any = settings(earlier, config_dir).get(key)
    if isinstance(current, bool):
        return ["true", "false"]
    return [] if current is None else [str(current)]

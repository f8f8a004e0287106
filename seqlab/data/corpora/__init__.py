"""The corpora with names, one a file: a new file is found by itself. Importing one imports none of what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from seqlab.data.cached_corpus import CachedCorpus
from seqlab.data.corpus import Condition, Corpus
from seqlab.data.files import find_corpus
from seqlab.errors import ConfigError, likely_name


@cache
def corpora() -> Mapping[str, Corpus]:
    """Every corpus by its name."""
    found = (import_module(f"{__name__}.{module.name}").CORPUS for module in iter_modules(__path__))
    return {corpus.name: corpus for corpus in found}


def corpora_of(task: str) -> dict[str, Corpus]:
    """Those that a task reads, by name."""
    return {name: corpus for name, corpus in corpora().items() if task in corpus.tasks}


def corpus_or_path(where: str, key: str, task: str, form: str) -> Corpus | Path:
    """The corpus of a task that a setting names, or else the path that it gives. key: the setting; form: what stands at
    such a path, for messages. Raises DataError if it is neither."""
    named = corpora_of(task)
    return named[where] if where in named else find_corpus(where, key, named, form)


def with_kind(where: str, task: str) -> str:
    """What a setting names, for people; with a word if it is a corpus that is made up."""
    corpus = corpora_of(task).get(where)
    return f"{where} (synthetic)" if corpus is not None and corpus.synthetic else where


def find(name: str) -> Corpus:
    """The corpus with this name. Raises ConfigError, with the name that was probably meant, if there is none."""
    if name not in corpora():
        near = likely_name(name, list(corpora()))
        hint = f"did you mean {near}?" if near else "see: seqlab data list"
        raise ConfigError(f"there is no corpus '{name[:100]}'", hint, f"corpora: {', '.join(corpora())}")
    return corpora()[name]


def condition(corpus: Corpus) -> Condition:
    """Whether it is here, and as it should be. Files that it shares with another one, which is here, do not make it
    incomplete."""
    found = corpus.condition()
    if found != "incomplete" or not isinstance(corpus, CachedCorpus):
        return found
    others = _of_others(corpus)
    return found if any(path.exists() for path in corpus.paths() if path not in others) else "not here"


def remove(corpus: Corpus) -> int:
    """Remove a downloaded corpus from the cache, but for files that another one which is here needs. Returns the number
    of bytes that this freed; 0 for any other corpus. Raises DataError."""
    if not isinstance(corpus, CachedCorpus):
        return 0
    return corpus.remove(keep=_of_others(corpus))


def _of_others(corpus: CachedCorpus) -> set[Path]:
    """The files of all other corpora that are here."""
    others = [other for other in corpora().values() if isinstance(other, CachedCorpus) and other is not corpus]
    return {path for other in others if other.where() is not None for path in other.paths()}

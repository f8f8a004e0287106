"""Tatoeba: sentences and their translations by volunteers, as OPUS has them; what its corpora share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seqlab.data.downloaded_corpus import DownloadedCorpus
from seqlab.data.downloads import Remote
from seqlab.data.known_file import KnownFile
from seqlab.data.text import collapsed, lines_of


def tatoeba(source: str, target: str, about: str) -> DownloadedCorpus:
    """The corpus of two languages, by their codes, in the version of 12 April 2023."""
    pair = "-".join(sorted((source, target)))
    return DownloadedCorpus(
        name=f"tatoeba_{source}_{target}",
        tasks={"translation": _read},
        about=about,
        licence="CC BY 2.0 FR",
        citation="Tiedemann (2012), Parallel data, tools and interfaces in OPUS, LREC; Tatoeba v2023-04-12",
        source="https://opus.nlpl.eu/Tatoeba",
        target=target,
        remotes=(
            Remote(
                f"https://object.pouta.csc.fi/OPUS-Tatoeba/v2023-04-12/moses/{pair}.txt.zip",
                members=tuple(KnownFile(f"Tatoeba.{pair}.{code}") for code in (source, target)),
            ),
        ),
    )


def _read(paths: Sequence[Path], _target: str, _count: int, _seed: int) -> dict[str, list[tuple[str, str]]]:
    """All pairs, in their order: there are no published splits."""
    sides = [lines_of(path.read_text(encoding="utf-8")) for path in paths]
    return {"train": collapsed(zip(*sides, strict=True))}

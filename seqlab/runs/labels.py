"""A run's tags and note, kept in labels.json in its folder. Training, hashes and verification do not depend on it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from seqlab.config.suggest import did_you_mean
from seqlab.core.files import read_json, write_json
from seqlab.errors import CheckpointError, ConfigError, ResourceError, printable, printable_lines

FILE = "labels.json"
_LONGEST_TAG = 40
_LONGEST_NOTE = 10_000
_log = logging.getLogger("seqlab")


@dataclass(frozen=True)
class Labels:
    """Tags in the order in which they were added, and a note, "" if there is none."""

    tags: tuple[str, ...] = ()
    note: str = ""

    @property
    def shown_note(self) -> str:
        """The note with control characters escaped, for a terminal."""
        return printable_lines(self.note)


def read_labels(folder: Path) -> Labels:
    """Read a run's tags and note. Raises CheckpointError for a damaged file."""
    try:
        stored = read_json(folder / FILE)
        tags, note = stored["tags"], stored["note"]
        if not isinstance(tags, list) or not all(isinstance(text, str) for text in (*tags, note)):
            raise ValueError("it holds no text")
    except FileNotFoundError:
        return Labels()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{folder / FILE} cannot be read as tags and a note", "repair or remove it: nothing else depends on it"
        ) from error
    return Labels(tuple(tags), note)


def labels_or_none(folder: Path) -> Labels:
    """The same for a list of runs: a damaged file gives a warning, and no labels."""
    try:
        return read_labels(folder)
    except CheckpointError as error:
        _log.warning("%s", printable(error.what))
        return Labels()


def write_labels(folder: Path, labels: Labels) -> None:
    """Write them atomically. Raises ResourceError if that fails."""
    try:
        if labels == Labels():
            (folder / FILE).unlink(missing_ok=True)
        else:
            write_json(folder / FILE, asdict(labels))
    except OSError as error:
        raise ResourceError(
            f"cannot write {folder / FILE}: {error.strerror}", "is the disk full, or the folder not yours?"
        ) from error


def with_tags(labels: Labels, add: Iterable[str], remove: Iterable[str]) -> Labels:
    """Labels with some tags added and removed. Raises ConfigError for an invalid tag, or one that is not there."""
    for tag in add:
        _check_tag(tag)
    tags = dict.fromkeys((*labels.tags, *add))
    for tag in remove:
        if tag not in labels.tags:
            raise ConfigError(
                f"--remove {tag}: the run has no such tag",
                did_you_mean(tag, labels.tags),
                f"its tags: {', '.join(labels.tags) or 'none'}",
            )
        if tag in add:
            raise ConfigError(f"{tag} is both added and removed", "leave out one of the two")
        del tags[tag]
    return replace(labels, tags=tuple(tags))


def with_note(labels: Labels, note: str) -> Labels:
    """Labels with this note. Raises ConfigError for an empty or unprintable one."""
    note = note.strip()
    if not note:
        raise ConfigError("the note is empty", "to remove a note: --remove")
    if len(note) > _LONGEST_NOTE:
        raise ConfigError(f"a note of {len(note):,} characters", f"it may have {_LONGEST_NOTE:,}: keep it in a file")
    if odd := next((c for c in note if not (c.isprintable() or c in "\n\t")), None):
        raise ConfigError(f"a note with {odd!a} in it", "leave control characters out")
    return replace(labels, note=note)


def _check_tag(tag: str) -> None:
    if "," in tag or len(tag.split()) > 1:
        words = " ".join(part for part in tag.replace(",", " ").split())
        raise ConfigError(
            f"'{tag}' is no tag: a tag is one word without commas", f"several tags: {words}" * bool(words)
        )
    if not tag or not tag.isprintable() or tag != tag.strip():
        raise ConfigError(f"{tag!a} is no tag: a tag is one word of printable characters")
    if len(tag) > _LONGEST_TAG:
        raise ConfigError(f"'{tag[:20]}…' is no tag: it has {len(tag)} characters and may have {_LONGEST_TAG}",
                          "say it in a note: seqlab runs note RUN TEXT")  # fmt: skip

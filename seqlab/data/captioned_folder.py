"""A user's own folder of pictures, with a table captions.csv: file, caption and, optionally, split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from seqlab.core.batch import SPLITS, Split
from seqlab.data.captioned import CaptionedImages
from seqlab.data.files import exists, sha256_of
from seqlab.data.images import read_image
from seqlab.data.splits import cut_items
from seqlab.data.tables import Table, read_table
from seqlab.errors import DataError, first_places, likely_name

TABLE = "captions.csv"
_COLUMNS = ("file", "caption")
_MOST_BYTES = 2**31  # of all images together, as they are read
Described = tuple[int, str, str, str]
"""(line of the table, file, caption, split or "")."""


def read_captioned(
    folder: Path, side: int, *, colour: bool, held_share: float, seed: int
) -> tuple[dict[Split, CaptionedImages], dict[str, str]]:
    """(the splits of a folder, facts about it). Raises DataError, with line numbers, for rows that cannot be used.

    Pictures with the same pixels are one image. An image stands in one split: in training with all of its captions, in
    the others with the first. Without a column `split`, `held_share` of the images go to validation, and as many to
    test.
    """
    images, lines, where = _read(folder, "task.corpus", side, colour=colour)
    parts = _split(lines, held_share, seed, where)
    found = {split: _captioned(images, part, lines, first_only=split != "train") for split, part in parts.items()}
    facts = {"pictures": f"{len(images):,}"}
    if len(lines) < len(images):
        facts["pictures with the pixels of another"] = f"{len(images) - len(lines):,}"
    if several := sum(len(captions) > 1 for captions in lines.values()):
        facts["images with several captions"] = f"{several:,}"
    return found, facts


def read_test_images(folder: Path, key: str, side: int, *, colour: bool) -> CaptionedImages:
    """The test split of a folder that the setting `key` gives, or all of one that names no splits. Raises DataError."""
    images, lines, where = _read(folder, key, side, colour=colour)
    named = any(row[3] for captions in lines.values() for row in captions)
    chosen = _split(lines, 0.0, 0, where)["test"] if named else list(lines)
    return _captioned(images, chosen, lines, first_only=True)


def _read(
    folder: Path, key: str, side: int, *, colour: bool
) -> tuple[list[np.ndarray], dict[int, list[Described]], str]:
    """(the pictures of a folder, the rows of each image by the first picture with its pixels, the table's name for
    messages)."""
    where = f"{key}={folder}"
    if not folder.is_dir():
        raise DataError(f"{where} is no folder", f"give the path of a folder with pictures and a {TABLE}")
    if not exists(folder / TABLE):
        raise DataError(f"{where} has no {TABLE}", "write one: the columns file and caption, a row for each caption")
    rows = _rows(read_table(folder / TABLE, key, separator=None, header=True, fixed=True, wanted=_COLUMNS))
    where = f"{where}, {TABLE}"
    _check_cells(rows, folder, where)
    images = _read_images(rows, folder, where, side, colour=colour)
    image_of = _same_pixels(images)
    lines: dict[int, list[Described]] = {}
    for row in rows:
        lines.setdefault(image_of[row[1]], []).append(row)
    return list(images.values()), lines, where


def _rows(table: Table) -> list[Described]:
    header = table.header or ()
    missing = [name for name in _COLUMNS if name not in header]
    if missing:
        near = likely_name(missing[0], header)
        raise DataError(
            f"{table.setting} has no column {' and no column '.join(map(repr, missing))}",
            f"rename the column {near!r}" if near else f"its first line names the columns: {','.join(_COLUMNS)}",
            f"columns: {', '.join(header)[:200]}",
        )
    if not table.rows:
        raise DataError(f"{table.setting} has a header and no rows", "give a row for each caption")
    places = [header.index(name) for name in _COLUMNS]
    split = header.index("split") if "split" in header else None
    return [
        (
            line,
            cells[places[0]].strip(),
            " ".join(cells[places[1]].split()),
            "" if split is None else cells[split].strip(),
        )
        for line, cells in table.rows
    ]


def _check_cells(rows: Sequence[Described], folder: Path, where: str) -> None:
    """Raise DataError for rows without a file or caption, with a file that is missing or outside the folder, or with
    the same file and caption as another."""
    lacking = {what: [row[0] for row in rows if not row[place]] for place, what in enumerate(_COLUMNS, 1)} | {
        "file in the folder": [line for line, file, *_ in rows if file and not _inside(folder, file)]
    }
    if any(lacking.values()):
        raise DataError(
            f"{where}: "
            + "; ".join(f"{len(n):,} without a {what} ({first_places('line', n)})" for what, n in lacking.items() if n),
            f"give every row a picture below {folder} and a caption, or remove it ({len(rows):,} rows in all)",
        )
    seen: dict[tuple[str, str], int] = {}
    for line, file, caption, _ in rows:
        if (first := seen.setdefault((file, caption), line)) != line:
            raise DataError(
                f"{where}: line {line} is line {first} again: {file}", "give each caption of a picture once"
            )


def _inside(folder: Path, file: str) -> bool:
    path = folder / file
    return exists(path) and path.is_file() and path.resolve().is_relative_to(folder.resolve())


def _read_images(
    rows: Sequence[Described], folder: Path, where: str, side: int, *, colour: bool
) -> dict[str, np.ndarray]:
    images: dict[str, np.ndarray] = {}
    for line, file, *_ in rows:
        if file not in images:
            images[file], _size = read_image(folder / file, f"{where}, line {line}: {file}", side, colour=colour)
            if len(images) * images[file].nbytes > _MOST_BYTES:
                raise DataError(
                    f"{where}, line {line}: the pictures up to here take {_MOST_BYTES // 2**30} GiB of memory",
                    f"try task.image_size={side // 2}, or fewer pictures",
                )
    return images


def _same_pixels(images: Mapping[str, np.ndarray]) -> dict[str, int]:
    """For each file the index of the first one with the same pixels."""
    first: dict[str, int] = {}
    digests = {file: sha256_of([image.tobytes()]) for file, image in images.items()}
    return {file: first.setdefault(digest, place) for place, (file, digest) in enumerate(digests.items())}


def _split(
    lines: Mapping[int, Sequence[Described]], held_share: float, seed: int, where: str
) -> dict[Split, list[int]]:
    """The images of each split."""
    given = {image: {row[3] for row in captions} for image, captions in lines.items()}
    parts: dict[Split, list[int]]
    if all(splits == {""} for splits in given.values()):
        parts = cut_items(list(lines), {}, held_share, seed)
    else:
        for captions in lines.values():
            for line, file, _, split in captions:
                if split not in SPLITS:
                    raise DataError(
                        f"{where}, line {line}: the split {split!r:.40} is not one of {', '.join(SPLITS)}",
                        "name a split in every row, or leave the column out",
                    )
                if split != captions[0][3]:
                    raise DataError(
                        f"{where}, line {line}: {file} is for {split}, in line {captions[0][0]} for {captions[0][3]}",
                        "an image stands in one split, with all of its captions",
                    )
        parts = {split: [image for image, splits in given.items() if splits == {split}] for split in SPLITS}
    for split, images in parts.items():
        if not images:
            raise DataError(
                f"{where}: {len(lines)} image{'s leave' if len(lines) > 1 else ' leaves'} none for the {split} split",
                "give more pictures, a larger task.held_share, or a column split",
            )
    return parts


def _captioned(
    images: Sequence[np.ndarray], chosen: Iterable[int], lines: Mapping[int, Sequence[Described]], *, first_only: bool
) -> CaptionedImages:
    chosen = list(chosen)
    pairs = [(at, row[2]) for at, image in enumerate(chosen) for row in lines[image][: 1 if first_only else None]]
    pairs = list(dict.fromkeys(pairs))
    return CaptionedImages(
        np.stack([images[image] for image in chosen]), tuple(at for at, _ in pairs), tuple(text for _, text in pairs)
    )

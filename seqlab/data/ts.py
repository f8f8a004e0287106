"""Labelled series in the .ts format of the UEA archive (Bagnall 2018): one series a line, its features separated by
colons, the values of each by commas, and the label at the end. T positions, F features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from seqlab.data.files import read_file
from seqlab.data.text import lines_of, text_of
from seqlab.errors import DataError

Series = npt.NDArray[np.float32]


def read_ts(path: Path, key: str) -> list[tuple[Series, str, str]]:
    """(frames_TF, label, the line) of each series. Features of one series are equally long, and all series have equally
    many. Raises DataError, with the line, for another form, missing values, and values that are not finite."""
    file = read_file(path, key)
    what = f"{key}: {path.name}"
    lines = list(enumerate(lines_of(text_of(file)), 1))
    start = next((number for number, line in lines if line.strip().lower() == "@data"), None)
    if start is None:
        raise DataError(f"{what} has no line @data", "give a file in the .ts format of the UEA archive")
    header = [line.split() for _, line in lines[:start] if line.startswith("@")]
    classes = next((words for words in header if words[0].lower() == "@classlabel"), [])
    if [word.lower() for word in classes[1:2]] != ["true"]:
        raise DataError(f"{what} has no labels: its header lacks `@classLabel true ...`", "give a labelled data set")
    rows = [(number, line) for number, line in lines[start:] if line.strip()]
    if not rows:
        raise DataError(f"{what} has no series", "its lines after @data are the series")
    found = [(*_series(line, f"{what}, line {number}"), line) for number, line in rows]
    width = found[0][0].shape[1]
    for (number, _), (frames_TF, _, _) in zip(rows, found, strict=True):
        if frames_TF.shape[1] != width:
            raise DataError(
                f"{what}, line {number}: {frames_TF.shape[1]} features where the first series has {width}",
                "every series has the same features",
            )
    return found


def _series(line: str, where: str) -> tuple[Series, str]:
    *features, label = line.strip().split(":")
    if not features or not label.strip() or "," in label:
        raise DataError(f"{where} is not features, each after a colon, and a label", "e.g. 0.1,0.2:0.3,0.4:LABEL")
    try:
        values = [np.array(feature.split(","), dtype=np.float64) for feature in features]
    except ValueError as error:
        raise DataError(f"{where} holds what is no number: {error}", "fill missing values in first") from error
    if len({len(value) for value in values}) > 1:
        raise DataError(f"{where}: its features have different lengths", "a series has one value of each a position")
    frames_TF = np.stack(values, 1).astype(np.float32)
    if not np.isfinite(frames_TF).all():
        raise DataError(f"{where} holds a value that is not finite", "fill missing values in first")
    return frames_TF, label.strip()

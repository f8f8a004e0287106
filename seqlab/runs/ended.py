"""Why a process of several has ended, in a file that our launcher (launch.py) reads.

torch's launcher starts all processes again when one ends with an error. That is right after a kill, and wrong after an
error that would come again. So a process that ends with an error of its own writes it down and ends well, and processes
that are started again after that end at once.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from seqlab import errors
from seqlab.errors import Followed, Interrupted, LostProcess, NumericError, SeqlabError

VARIABLE = "SEQLAB_ENDED"
"""The environment variable with the path of the file; set in processes that our launcher has started."""
_KINDS: tuple[type[SeqlabError], ...] = (
    errors.ConfigError, errors.DataError, errors.CheckpointError, NumericError, errors.ResourceError,
    errors.LockedError,
)  # fmt: skip


def is_first() -> bool:
    """Whether this process speaks for the run: it is the first of several, or alone."""
    return os.environ.get("RANK", "0") == "0"


def shows() -> bool:
    """Whether this process prints the result: it speaks for the run, and no launcher of ours will print it."""
    return is_first() and VARIABLE not in os.environ


def is_over() -> bool:
    """Whether a process of this run has written down why the run ended."""
    return VARIABLE in os.environ and Path(os.environ[VARIABLE]).exists()


def note(error: BaseException) -> int | None:
    """Write down an error, unless another process does that. Returns the exit code; None if there is no such file, and
    the error must be shown by this process."""
    if VARIABLE not in os.environ:
        return None
    if isinstance(error, LostProcess):
        return error.exit_code  # to be started again
    # all processes raise these at the same step, and the first one says more
    together = isinstance(error, Interrupted | NumericError) and not is_first()
    if isinstance(error, Followed) or together:
        return 0
    told = {"code": 1, "lines": ["a process of the run ended with an error of the program", "", ""]}
    if isinstance(error, SeqlabError):
        told = {"code": error.exit_code, "lines": [error.what, error.hint, error.allowed]}
    with suppress(FileExistsError), Path(os.environ[VARIABLE]).open("x", encoding="utf-8") as file:
        json.dump(told, file)
    return 0


def read_note(path: Path) -> SeqlabError | None:
    """The error in the file; None if there is none."""
    if not path.exists():
        return None
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    (what, hint, allowed), code = told["lines"], told["code"]
    if code > 128:
        error: SeqlabError = Interrupted(what, hint, code)
    else:
        kind = next((kind for kind in _KINDS if kind.exit_code == code), SeqlabError)
        error = kind(what, hint)
    error.allowed = allowed
    return error

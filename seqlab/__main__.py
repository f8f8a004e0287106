"""The program: `seqlab` and `python -m seqlab`."""

from __future__ import annotations

import gc
import os
import signal
from types import FrameType

SPIN = 1000
"""GOMP_SPINCOUNT: how often a thread of GNU OpenMP looks whether others are ready before it gives its core away. The
default, 300,000, costs a multiple of a step where other programs want the cores too (docs/performance.md)."""
_CHOSEN = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "KMP_BLOCKTIME")


def _wait_briefly() -> None:
    """Set how threads wait for each other, unless the user has; before torch is imported, which reads it then."""
    if not any(name in os.environ for name in _CHOSEN):
        os.environ["GOMP_SPINCOUNT"] = str(SPIN)
        os.environ["KMP_BLOCKTIME"] = "1"  # milliseconds, of LLVM's OpenMP (on a Mac) and Intel's, in place of 200


def _interrupted(_: int, frame: FrameType | None) -> None:
    """Handle Ctrl-C. During an import the process exits at once: there is nothing to save, and an exception could be
    lost in C code or leave a half-initialised module behind."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            os.write(2, b"stopped\n")
            os._exit(130)
        frame = frame.f_back
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line; Ctrl-C also works while it is being imported."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupted)
    # imports make half a million objects that stay: going through all of them time and again delays every start. Not
    # more rarely than this, since pictures in training leave garbage that only a full collection finds
    gc.set_threshold(*gc.get_threshold()[:2], 100)
    _wait_briefly()
    from seqlab.cli import main as run

    run()


if __name__ == "__main__":
    main()

"""The command line: parse, call one function, print. Nothing here imports torch until it is needed.

One file per group of commands. A command registers itself when its file is imported; --help lists them in this order,
with commands that have subcommands last.
"""

# isort: off
from seqlab.cli import training, comparing, sweeping, reproducing, lecturing, runs, data, preparing, using, new
from seqlab.cli import checking, about, making
from seqlab.cli.app import main

__all__ = [
    "about",
    "checking",
    "comparing",
    "data",
    "lecturing",
    "main",
    "making",
    "new",
    "preparing",
    "reproducing",
    "runs",
    "sweeping",
    "training",
    "using",
]

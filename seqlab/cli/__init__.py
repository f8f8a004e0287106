"""The command line: parse, call one function, print. Nothing here imports torch until it is needed.

One file for each family of commands. A command registers itself where its file is imported; --help lists them in this
order, with those that have commands of their own last.
"""

# isort: off
from seqlab.cli import training, comparing, runs, using, new, checking, about
from seqlab.cli.app import main

__all__ = ["about", "checking", "comparing", "main", "new", "runs", "training", "using"]

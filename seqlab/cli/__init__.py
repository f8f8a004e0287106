"""The command line: parse, call one function, print. Nothing here imports torch until it is needed.

One file for each family of commands; a command registers itself where its file is imported, and --help lists them in
this order.
"""

# isort: off
from seqlab.cli import training, comparing, runs, using, about
from seqlab.cli.app import main

__all__ = ["about", "comparing", "main", "runs", "training", "using"]

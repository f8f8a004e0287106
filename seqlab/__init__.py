"""seqlab: a laboratory for deep sequence models, on the command line and from Python.

>>> import seqlab
>>> tiny = {"task.corpus": "corpus.txt", "model.width": 16, "trainer.max_steps": 20}
>>> run = seqlab.train("model=lstm", tiny, name="first")
>>> run
Run(lstm on char_lm, seed 0: runs/char_lm/lstm/first)
>>> sorted(run.result.test)
['bits_per_character', 'loss', 'perplexity']
>>> other = seqlab.train("model=rnn", tiny, name="second")
>>> seqlab.compare(run, other).verdicts
('...',)
>>> seqlab.load("first").predict("the ", length=10).text == run.predict("the ", length=10).text
True

What goes wrong and a user can mend is a SeqlabError, which says what to do; its kinds stand in seqlab.errors.
Settings are given as on the command line, "KEY=VALUE", or as a mapping. Nothing is said without verbose=True. Ctrl-C
while a network trains saves the run and raises seqlab.errors.Interrupted.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from seqlab.errors import SeqlabError as SeqlabError

if TYPE_CHECKING:
    from seqlab.comparison.compare import Comparison as Comparison
    from seqlab.comparison.reporter import ComparisonReporter
    from seqlab.runs.reporter import Reporter
    from seqlab.runs.run import Run as Run
else:

    def __getattr__(name: str) -> object:
        # classes that bring torch along, which takes seconds: `seqlab --help` must not pay for it
        if name == "Run":
            from seqlab.runs.run import Run

            return Run
        if name == "Comparison":
            from seqlab.comparison.compare import Comparison

            return Comparison
        raise AttributeError(f"module 'seqlab' has no attribute {name!r}")


__version__ = version("seqlab")
__all__ = ["Comparison", "Run", "SeqlabError", "__version__", "compare", "load", "train"]


def train(
    *overrides: str | Mapping[str, object],
    name: str | None = None,
    folder: str | Path | None = None,
    config_dir: str | Path | None = None,
    verbose: bool = False,
    reporter: Reporter | None = None,
    checked: bool = False,
) -> Run:
    """Train one model on one task, and return the run: its result, its curves, its network. As `seqlab train`.

    overrides: what differs from the defaults, as strings or mappings: "model=gru", {"trainer.max_steps": 500}.
    name: of the run's folder in runs_dir, instead of the time.
    folder: the whole folder instead.
    config_dir: of models and tasks of your own, else what SEQLAB_CONFIG_DIR names.
    verbose: print how it goes.
    reporter: who is told instead, a seqlab.runs.reporter.Reporter.
    checked: spare the check of the model before training.

    Raises a SeqlabError: for a setting or a model that does not exist ConfigError, for a corpus that cannot be read
    DataError, for a loss that is no number NumericError, after Ctrl-C Interrupted, once everything is saved.

    >>> seqlab.train("model=lstn")
    Traceback (most recent call last):
    seqlab.errors.ConfigError: there is no model called 'lstn'
    did you mean model=lstm?
    model: gru, lstm, rnn, ...
    """
    from seqlab.config.overrides import as_words
    from seqlab.config.sources import own_folder
    from seqlab.data.files import expanded
    from seqlab.runs.reporter import reporter_of
    from seqlab.runs.run import Run
    from seqlab.runs.setup import start_config
    from seqlab.runs.train import train as train_run

    own = own_folder(config_dir)
    where = None if folder is None else expanded(folder)
    config, words = start_config(as_words(overrides), own, name, where)
    told = reporter_of(verbose, reporter)
    result = train_run(config, told, overrides=words, name=name, folder=where, checked=checked)
    return Run(result.folder, config)


def load(run: str | Path, *, config_dir: str | Path | None = None, runs_dir: str | Path = "runs") -> Run:
    """The run that stands in a folder, or that a name stands for: `last`, best:TASK, or what `name` gave it, looked for
    below `runs_dir`. Its weights and its corpus are read when they are asked for.

    config_dir: for a model or task of your own, else what SEQLAB_CONFIG_DIR names.

    Raises CheckpointError where there is no such run, or where the code of your own that it was made with has changed.

    >>> seqlab.load("last").finished
    True
    """
    from seqlab.config.sources import own_folder
    from seqlab.data.files import expanded
    from seqlab.runs.run import open_run

    return open_run(run, own_folder(config_dir), expanded(runs_dir))


def compare(
    *models: str | Path | Run | Mapping[str, object],
    seeds: int = 3,
    match: str | None = None,
    budget: str | None = None,
    tune: str | None = None,
    config_dir: str | Path | None = None,
    name: str | None = None,
    verbose: bool = False,
    reporter: ComparisonReporter | None = None,
) -> Comparison:
    """Train each model with the same seeds and data, and say which is better and whether that is sure. As `seqlab
    compare`; called again, it goes on with what is missing.

    models: a model ("rnn"), one with overrides of its own ("deep: lstm model.layers=2"), a run (or its folder or name),
    or an override for all ("task=sentiment", or some as a mapping).
    seeds: how many runs of each.
    match: one size for all, "body=500k" or "params=500k".
    budget: what each may use, "60s", "2Mtokens", "1e14flop" or "1000steps".
    tune: a setting to be searched for each first, "lr=5".
    name: of the comparison's folder. The others as for train.

    Raises a SeqlabError; a run that fails does not: it stands in `failed`.
    """
    from seqlab.comparison import compare as comparison
    from seqlab.comparison.reporter import reporter_of
    from seqlab.comparison.request import read_request
    from seqlab.config.overrides import as_words
    from seqlab.config.sources import own_folder
    from seqlab.runs.run import Run

    given = [str(model.folder) if isinstance(model, Run) else model for model in models]
    words = as_words(str(model) if isinstance(model, Path) else model for model in given)
    own = own_folder(config_dir)
    request = read_request(words, seeds=seeds, budget=budget, match=match, tune=tune, config_dir=own)
    options = {"seeds": seeds, "match": match, "budget": budget, "tune": tune, "config-dir": own, "name": name}
    command = comparison.command_line(words, options)
    told = reporter_of(verbose, reporter)
    return comparison.compare(request, told, config_dir=own, name=name, command=command)

"""seqlab: a laboratory for deep sequence models, on the command line and from Python.

>>> import seqlab
>>> tiny = {"task.corpus": "corpus.txt", "model.width": 16, "trainer.max_steps": 20}
>>> run = seqlab.train("model=lstm", tiny, name="first")
>>> run
Run(lstm on char_lm, seed 0: runs/char_lm/lstm/first)
>>> sorted(run.result.test)
['bits_per_byte', 'bits_per_character', 'loss', 'perplexity']
>>> other = seqlab.train("model=rnn", tiny, name="second")
>>> seqlab.compare(run, other).verdicts
('...',)
>>> seqlab.load("first").predict("the ", length=10).text == run.predict("the ", length=10).text
True

Settings are written as on the command line, "KEY=VALUE", or as a mapping. Nothing but warnings is printed unless
verbose=True. Errors that a user can fix are SeqlabErrors (see seqlab.errors) and say how. Ctrl-C during training saves
the run and raises seqlab.errors.Interrupted.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from seqlab.errors import SeqlabError as SeqlabError

if TYPE_CHECKING:
    from seqlab.comparison.compare import Comparison as Comparison
    from seqlab.comparison.reporter import ComparisonReporter
    from seqlab.executors.execution import Execution
    from seqlab.runs.reporter import Reporter
    from seqlab.runs.run import Run as Run
    from seqlab.sweeps.reporter import SweepReporter
    from seqlab.sweeps.sweep import Sweep as Sweep
else:
    # these import torch, which takes seconds: `seqlab --help` must not wait for it
    _LAZY = {"Run": "seqlab.runs.run", "Comparison": "seqlab.comparison.compare", "Sweep": "seqlab.sweeps.sweep"}

    def __getattr__(name: str) -> object:
        if name not in _LAZY:
            raise AttributeError(f"module 'seqlab' has no attribute {name!r}")
        return getattr(import_module(_LAZY[name]), name)


__version__ = version("seqlab")
__all__ = ["Comparison", "Run", "SeqlabError", "Sweep", "__version__", "compare", "load", "sweep", "train"]


def train(
    *overrides: str | Mapping[str, object],
    name: str | None = None,
    folder: str | Path | None = None,
    config_dir: str | Path | None = None,
    verbose: bool = False,
    reporter: Reporter | None = None,
    checked: bool = False,
) -> Run:
    """Train one model on one task, like `seqlab train`. Returns the run with its result, curves and network.

    overrides: settings that differ from the defaults: "model=gru", or a mapping {"trainer.max_steps": 500}.
    name: of the run's folder in runs_dir; the default is the time.
    folder: the whole path of the run's folder, instead of runs_dir and name.
    config_dir: the folder with your own models and tasks; the default is SEQLAB_CONFIG_DIR.
    verbose: print progress as plain lines.
    reporter: receives the progress instead, a seqlab.runs.reporter.Reporter.
    checked: skip the check of the model's contracts before training.

    Raises ConfigError for an unknown setting or model, DataError for an unreadable corpus, NumericError if the loss is
    not finite, and Interrupted after Ctrl-C, once the run is saved. All are SeqlabErrors.

    >>> seqlab.train("model=lstn")
    Traceback (most recent call last):
    seqlab.errors.ConfigError: there is no model called 'lstn'
    did you mean model=lstm?
    model: gru, lstm, ...
    """
    from seqlab.config.overrides import as_words
    from seqlab.config.sources import own_folder
    from seqlab.data.files import expanded
    from seqlab.runs.reporter import reporter_of
    from seqlab.runs.run import Run
    from seqlab.runs.setup import start_config
    from seqlab.runs.start import start
    from seqlab.training.device import own_threads

    own = own_folder(config_dir)
    where = None if folder is None else expanded(folder)
    config, words = start_config(as_words(overrides), own, name, where)
    told = reporter_of(verbose, reporter)
    with own_threads():
        result = start(config, told, overrides=words, name=name, folder=where, checked=checked)
    run = Run(result.folder, config)
    run.result = result  # known already: not read back from its file
    return run


def load(run: str | Path, *, config_dir: str | Path | None = None, runs_dir: str | Path = "runs") -> Run:
    """Load a run. Its weights and its corpus are read on first use.

    run: its folder or its name, "last", or "best:TASK" (the best finished run by validation).
    config_dir: the folder with your own models and tasks; the default is SEQLAB_CONFIG_DIR.
    runs_dir: the folder in which names are looked up.

    Raises CheckpointError if there is no such run, or if your own code that it was trained with has changed.

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
    executor: str | Execution = "local",
    jobs: int | None = None,
    submit: bool = False,
    verbose: bool = False,
    reporter: ComparisonReporter | None = None,
) -> Comparison:
    """Train each model on the same data with the same seeds, and test the differences, like `seqlab compare`.

    The same call resumes a comparison that was interrupted.

    models: a model ("rnn"), a model with its own overrides ("deep: lstm model.layers=2"), an existing run (a Run, its
    folder or its name), or overrides for all ("task=sentiment", or a mapping).
    seeds: the number of runs of each model.
    match: bring all models to one size, "body=500k" or "params=500k".
    budget: of each training, "60s", "2Mtokens", "1e14flop" or "1000steps".
    tune: search this setting for each model first, on validation: "lr=5" (five values).
    name: of the comparison's folder.
    executor: who makes the runs, "local", "slurm", "ray" or "script"; its settings are overrides like
        "executor.time=2h", and change no run.
    jobs: how many runs are made at a time; by default one on this machine, elsewhere as many as there is room for.
    submit: return at once; the same call without it shows how far the runs are, and collects them.
    config_dir, verbose, reporter: as for train.

    Raises a SeqlabError as train does. A run that fails raises nothing; it is listed in `failed`.
    """
    from seqlab.comparison import compare as comparison
    from seqlab.comparison.reporter import reporter_of
    from seqlab.comparison.request import read_request
    from seqlab.config.overrides import as_words
    from seqlab.config.sources import own_folder
    from seqlab.executors.execution import read_execution
    from seqlab.runs.run import Run

    given = [str(model.folder) if isinstance(model, Run) else model for model in models]
    words = as_words(str(model) if isinstance(model, Path) else model for model in given)
    words, execution = read_execution(words, executor, jobs, submit=submit)
    own = own_folder(config_dir)
    request = read_request(words, seeds=seeds, budget=budget, match=match, tune=tune, config_dir=own)
    options = {"seeds": seeds, "match": match, "budget": budget, "tune": tune, "config-dir": own, "name": name}
    command = comparison.command_line(words, options)
    told = reporter_of(verbose, reporter)
    return comparison.compare(request, told, config_dir=own, name=name, command=command, execution=execution)


def sweep(
    *overrides: str | Mapping[str, object],
    search: str | None = None,
    trials: int | None = None,
    prune: bool = True,
    config_dir: str | Path | None = None,
    name: str | None = None,
    executor: str | Execution = "local",
    jobs: int | None = None,
    submit: bool = False,
    verbose: bool = False,
    reporter: SweepReporter | None = None,
) -> Sweep:
    """Train every combination of some settings' values, or search among them, and choose the best on validation, like
    `seqlab sweep`.

    The same call goes on with a sweep that was interrupted.

    overrides: as for train, some with several values in Hydra's sweep grammar: "optim.learning_rate=1e-3,3e-3",
        "model.width=range(64,257,64)".
    search: "optuna" to search instead of trying every combination (extra `tune`).
    trials: the number of trials of a search; the default is 20.
    prune: in a search, end trials early that validate worse than the median.
    name: of the sweep's folder.
    executor, submit: as for compare. A search is asked and told in one process whoever makes its runs; where nobody
        watches them ("script", and submit with "slurm") it takes prune=False.
    jobs: how many trials are made at a time; a search that begins also chooses as many at once, else one.
    config_dir, verbose, reporter: as for train.

    Raises a SeqlabError as train does. A run of a grid that fails raises nothing; it is listed in `failed`.
    """
    from seqlab.config.overrides import as_words
    from seqlab.config.sources import own_folder
    from seqlab.executors.execution import read_execution
    from seqlab.sweeps import sweep as sweeping
    from seqlab.sweeps.reporter import reporter_of
    from seqlab.sweeps.request import read_sweep

    own = own_folder(config_dir)
    words, execution = read_execution(as_words(overrides), executor, jobs, submit=submit)
    request = read_sweep(words, search=search, trials=trials, prune=prune, config_dir=own)
    options = {"search": search, "trials": trials, "config-dir": own, "name": name}
    command = sweeping.command_line(words, options, prune=prune)
    told = reporter_of(verbose, reporter)
    return sweeping.sweep(request, told, config_dir=own, name=name, command=command, execution=execution)

"""A stored run, used by `seqlab.train`, `seqlab.load` and the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqlab.checkpoints.best import load_best
from seqlab.config.overrides import as_words
from seqlab.config.run import RunConfig, read_run_config
from seqlab.config.suggest import did_you_mean
from seqlab.core.batch import Split
from seqlab.core.network import Network
from seqlab.core.prediction import GenerationConfig, Prediction, predictor
from seqlab.core.task import Task
from seqlab.errors import ConfigError
from seqlab.runs.catalogue import named_run
from seqlab.runs.code import check_code
from seqlab.runs.folder import read_metrics, read_result
from seqlab.runs.reporter import Reporter, reporter_of
from seqlab.runs.result import Result, stored_result
from seqlab.runs.setup import new_network
from seqlab.runs.stored_task import stored_task

if TYPE_CHECKING:  # slow to import, and needed by one method each
    from seqlab.drawing.pictures import Pictures
    from seqlab.runs.evaluate import Evaluation


class Run:
    """A stored run, as returned by seqlab.train, seqlab.load and Run.resume.

    The parts are read on first use: the vocabulary by `task`, the weights by `network`, the corpus by what needs it.

    folder: the run's folder.
    config: its checked settings: config.model, config.task, config.seed, ...; config.yaml is their text.
    """

    def __init__(self, folder: Path, config: RunConfig) -> None:
        self.folder, self.config = folder, config

    def __repr__(self) -> str:
        names = self.config.names
        return f"Run({names['model']} on {names['task']}, seed {self.config.seed}: {self.folder})"

    def _repr_html_(self) -> str:  # IPython's name
        from seqlab.runs.card import card

        return card(self)

    @property
    def finished(self) -> bool:
        """Whether the run has a result. If not, it was stopped, failed, or is still training."""
        return read_result(self.folder) is not None

    @cached_property
    def result(self) -> Result:
        """The run's figures: result.test["loss"], result.validation, result.seconds, ...

        Raises CheckpointError if the run is not finished."""
        return stored_result(self.folder)

    @property
    def metrics(self) -> dict[str, list[float]]:
        """The logged curves as columns, one row per logged step: step, tokens, seconds, train/loss, val/loss, ...

        nan stands for what was not measured at a step. pandas.DataFrame(run.metrics) makes a table of it. Read anew
        each time, so it can be watched while another process trains."""
        return read_metrics(self.folder)

    def curve(self, name: str) -> tuple[list[float], list[float]]:
        """(steps, values) of one column of `metrics`, without gaps: plt.plot(*run.curve("val/loss")).

        Raises ConfigError if there is no such column."""
        table = self.metrics
        if name not in table:
            raise ConfigError(f"there is no curve '{name}'", did_you_mean(name, table), f"curves: {', '.join(table)}")
        points = [(step, value) for step, value in zip(table["step"], table[name], strict=True) if value == value]
        return [step for step, _ in points], [value for _, value in points]

    @cached_property
    def task(self) -> Task[Any]:
        """The task with the run's own vocabulary: task.batches("test", seed=0), task.describe(), ...

        The corpus is read when it is first needed. DataError is raised then if it is missing or has changed; at once
        for a task that cannot be restored without it, and for runs from before vocabularies were stored.
        """
        return stored_task(self.config, self.folder)

    @property
    def network(self) -> Network[Any]:
        """The network (a torch.nn.Module) with the weights that were best on validation, on the CPU, in eval mode.

        Raises CheckpointError if there are no weights yet, or if they are damaged."""
        return self._best[0]

    @property
    def step(self) -> int:
        """The training step of these weights."""
        return self._best[1]

    @cached_property
    def _best(self) -> tuple[Network[Any], int]:
        network = new_network(self.config, self.task)
        step = load_best(network, self.folder / "checkpoints")
        return network.eval(), step

    def predict(
        self,
        text: str,
        *,
        length: int | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        beam: int | None = None,
        length_penalty: float | None = None,
    ) -> Prediction:
        """The network's prediction for a text: its continuation, its label or its translation.

        The keywords are the options of `seqlab predict`; None leaves the default. task.unknown(text) lists the parts of
        the text that are not in the vocabulary. Raises ConfigError for an option that has no effect on this task.
        """
        given = {
            "length": length, "temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed, "beams": beam,
            "length_penalty": length_penalty,
        }  # fmt: skip
        chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        generation = GenerationConfig(**chosen)
        check_options(self, generation, {name: "beam" if name == "beams" else name for name in chosen})
        return predictor(self.task).predict(self.network, text, generation)

    def evaluate(
        self,
        *overrides: str | Mapping[str, object],
        split: Split | None = None,
        corpus: str | Path | None = None,
        lengths: Sequence[int] = (),
    ) -> Evaluation:
        """Evaluate the best weights on a whole split or on another corpus, like `seqlab evaluate`. Each item is written
        to a file in the run's folder.

        overrides: how the file of `corpus` is read, if it differs from the run's own corpus.
        split: "validation" or "test" (the default).
        corpus: another corpus, evaluated whole.
        lengths: of sequences to evaluate on too, if the task has other lengths; by default task.eval_lengths.

        Raises ConfigError for contradictory arguments, DataError if the corpus is unreadable or has changed.
        """
        from seqlab.runs.evaluate import evaluate_run

        return evaluate_run(self, split, None if corpus is None else str(corpus), as_words(overrides), lengths)

    def inspect(self, *views: str, text: str | None = None, beside: Sequence[Run] = ()) -> Pictures:
        """Draw views of the network, like `seqlab inspect`, but write no files. A notebook displays the pictures with
        their explanations; their `figures` are matplotlib figures.

        views: "states", "gradient", ... (all: seqlab.insight.views.VIEWS). By default every view that applies.
        text: the text to read, for views of a text; by default one from the validation split.
        beside: other runs to draw in the same pictures.

        Raises ConfigError for a view that does not exist or does not apply.
        """
        from seqlab.drawing.pictures import Pictures
        from seqlab.runs.inspect import draw_views
        from seqlab.runs.variants import label_runs

        return Pictures(draw_views(label_runs([self, *beside]), views, text).pictures)

    def resume(
        self,
        *overrides: str | Mapping[str, object],
        checkpoint: str | Path | None = None,
        verbose: bool = False,
        reporter: Reporter | None = None,
    ) -> Run:
        """Resume training as if the run had never stopped, like `seqlab resume`. Returns the run after that. A finished
        run that is not extended is returned unchanged.

        overrides: settings that extend the run, "trainer.max_steps=2000".
        checkpoint: the one to resume from, "step-00000100"; by default the newest.
        verbose, reporter: as for seqlab.train.

        Raises CheckpointError for a change of any other setting, DataError if the corpus has changed, Interrupted after
        Ctrl-C, once the run is saved.
        """
        from seqlab.runs.start import go_on
        from seqlab.training.device import own_threads

        config_dir = self.config.config_dir
        start = self.folder if checkpoint is None else self.folder / "checkpoints" / Path(checkpoint).name
        with own_threads():
            go_on(start, as_words(overrides), reporter_of(verbose, reporter), config_dir=config_dir)
        return open_run(self.folder, config_dir)


def open_run(run: str | Path, config_dir: Path | None = None, runs_dir: Path = Path("runs")) -> Run:
    """Open the run in a folder, or with a name below `runs_dir`. config_dir: needed for a model or task of your own.

    Raises CheckpointError if there is no such run, or if your own code that it was trained with has changed;
    ConfigError if it needs such code and no folder is given.
    """
    folder = named_run(str(run), runs_dir)
    check_code(folder, config_dir)
    return Run(folder, read_run_config(folder / "config.yaml", config_dir))


def check_options(run: Run, generation: GenerationConfig, given: Mapping[str, str]) -> None:
    """Raise ConfigError for an option without effect on the run's predictions. given: for each option that the user
    set, its field of GenerationConfig and its spelling in messages."""
    for field in fields(GenerationConfig):
        if field.name in given and field.name not in run.task.generation_options:
            raise ConfigError(f"{given[field.name]} has no effect on {run.config.names['task']}", "leave it out")
    if "length_penalty" in given and generation.beams == 1:
        raise ConfigError(
            f"{given['length_penalty']} has no effect without a beam search", "try it with --beam 4, or leave it out"
        )

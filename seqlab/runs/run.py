"""A stored run, ready to use: what `seqlab.train` and `seqlab.load` give, and the command line works with."""

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

if TYPE_CHECKING:  # each brings much along, and is needed by one method
    from seqlab.drawing.pictures import Pictures
    from seqlab.runs.evaluate import Evaluation


class Run:
    """A stored run. What stands in its folder is read when it is first asked for: the weights with `network`, the
    vocabulary with `task`, the corpus with what needs it.

    folder: where it stands.
    config: its settings, checked: config.model, config.task, config.seed, ...; as text config.yaml.

    seqlab.train, seqlab.load and resume make it. What another process writes into the folder later shows in `metrics`
    and, where there was none, in `result`.
    """

    def __init__(self, folder: Path, config: RunConfig) -> None:
        self.folder, self.config = folder, config

    def __repr__(self) -> str:
        names = self.config.names
        return f"Run({names['model']} on {names['task']}, seed {self.config.seed}: {self.folder})"

    @property
    def finished(self) -> bool:
        """Whether it has a result; else it was stopped, failed, or is still training."""
        return read_result(self.folder) is not None

    @cached_property
    def result(self) -> Result:
        """What it came to: result.test["loss"], result.validation, result.seconds, ... Raises CheckpointError where it
        is not finished."""
        return stored_result(self.folder)

    @property
    def metrics(self) -> dict[str, list[float]]:
        """The logged curves as a table by column, one row a step: step, tokens, seconds, train/loss, val/loss, ...
        A step at which something was not measured has nan there. pandas.DataFrame(run.metrics) takes it as it is."""
        return read_metrics(self.folder)

    def curve(self, name: str) -> tuple[list[float], list[float]]:
        """(steps, values) of one column of `metrics`, where it was measured: plt.plot(*run.curve("val/loss")).

        Raises ConfigError for a name that no column has."""
        table = self.metrics
        if name not in table:
            raise ConfigError(f"there is no curve '{name}'", did_you_mean(name, table), f"curves: {', '.join(table)}")
        points = [(step, value) for step, value in zip(table["step"], table[name], strict=True) if value == value]
        return [step for step, _ in points], [value for _, value in points]

    @cached_property
    def task(self) -> Task[Any]:
        """Its task, with the vocabulary that it was trained with: task.batches("test", seed=0), task.describe(), ...

        The corpus is read when it is first needed: only then DataError says that it is gone or has changed (at once for
        a task that cannot be without it, and for a run of before vocabularies were kept).
        """
        return stored_task(self.config, self.folder)

    @property
    def network(self) -> Network[Any]:
        """The network, a torch.nn.Module, with the weights that validated best; on the CPU and in evaluation mode.

        Raises CheckpointError where the weights are damaged, or where there are none yet."""
        return self._best[0]

    @property
    def step(self) -> int:
        """The step that these weights are of."""
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
        """What the network says of a text: how it goes on, its label, its translation. `text` of what comes back is for
        people, `details` for programs. The keywords are the options of `seqlab predict`; None: as there.

        Raises ConfigError for an option without effect on this task. What of the text training did not know
        task.unknown(text) says.
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
        self, *overrides: str | Mapping[str, object], split: Split | None = None, corpus: str | Path | None = None
    ) -> Evaluation:
        """Every metric of the best weights on a whole split ("validation" or, by default, "test"), or on the whole of
        another corpus; each item goes into a file in the run. As `seqlab evaluate`.

        overrides: how the file of `corpus` is read, where it is unlike the run's own.

        Raises ConfigError for what does not go together, DataError where a corpus cannot be read or the run's own is
        not what it was.
        """
        from seqlab.runs.evaluate import evaluate_run

        return evaluate_run(self, split, None if corpus is None else str(corpus), as_words(overrides))

    def inspect(self, *views: str, text: str | None = None, beside: Sequence[Run] = ()) -> Pictures:
        """Pictures of why the network behaves as it does, which a notebook shows with what each means; their
        `figures` are matplotlib's. Writes no file: `seqlab inspect` writes a page of them.

        views: "states", "gradient", ...; all of them stand in seqlab.insight.views.VIEWS. Without any, all that fit.
        text: what the network reads, for views of a text; else a passage of validation.
        beside: other runs, to be laid over this one.

        Raises ConfigError for a view that does not exist or has nothing to see here.
        """
        from seqlab.drawing.pictures import Pictures
        from seqlab.runs.inspect import draw_views, label_runs

        return Pictures(draw_views(label_runs([self, *beside]), views, text).pictures)

    def resume(
        self,
        *overrides: str | Mapping[str, object],
        checkpoint: str | Path | None = None,
        verbose: bool = False,
        reporter: Reporter | None = None,
    ) -> Run:
        """Go on from the newest checkpoint, or from `checkpoint` ("step-000100"), as if the run had never stopped, and
        return the run as it is then; one that is finished and is not extended is returned as it is.

        overrides: what extends it, "trainer.max_steps=2000".
        verbose, reporter: as for seqlab.train.

        Raises as `seqlab resume`: CheckpointError for a change of anything else, DataError for another corpus,
        Interrupted once everything is saved.
        """
        from seqlab.runs.resume import resume

        config_dir = self.config.config_dir
        start = self.folder if checkpoint is None else self.folder / "checkpoints" / Path(checkpoint).name
        resume(start, as_words(overrides), reporter_of(verbose, reporter), config_dir=config_dir)
        return open_run(self.folder, config_dir)


def open_run(run: str | Path, config_dir: Path | None = None, runs_dir: Path = Path("runs")) -> Run:
    """The run that a folder holds, or a name stands for, below `runs_dir`. config_dir: needed for a model or task of
    the user's own.

    Raises CheckpointError if `run` is no run, or where the code of the user's own that it was made with has changed;
    ConfigError where it needs such code and no folder is named.
    """
    folder = named_run(str(run), runs_dir)
    check_code(folder, config_dir)
    return Run(folder, read_run_config(folder / "config.yaml", config_dir))


def check_options(run: Run, generation: GenerationConfig, given: Mapping[str, str]) -> None:
    """Raise ConfigError for an option that changes nothing of what the run's network says. given: the options that
    were, by the name of their field in GenerationConfig, as they are spelled for the message."""
    for field in fields(GenerationConfig):
        if field.name in given and field.name not in run.task.generation_options:
            raise ConfigError(f"{given[field.name]} has no effect on {run.config.names['task']}", "leave it out")
    if "length_penalty" in given and generation.beams == 1:
        raise ConfigError(
            f"{given['length_penalty']} has no effect without a beam search", "try it with --beam 4, or leave it out"
        )

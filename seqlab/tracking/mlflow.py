"""MLflow (extra `mlflow`): a server, or a file on this machine."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.tracking.sending import SendingTracker
from seqlab.tracking.tracker import Entry, Final, TrackedRun, Tracker, TrackerConfig, memory_of

_NAME = "mlflow"
_VARIABLES = {  # unless the user says otherwise
    "MLFLOW_DISABLE_TELEMETRY": "true",  # usage statistics, to the makers of MLflow
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # where --json may be printed
    # by default, training would wait for minutes for a server that is gone
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
_MOST_METRICS, _MOST_PARAMETERS = 1000, 100  # in one request


@config_dataclass(frozen=True, kw_only=True)
class MLflowConfig(TrackerConfig):
    """Settings of `logging=mlflow`.

    uri: None: as MLFLOW_TRACKING_URI says, else MLflow's own file in the current folder. experiment: None: the
    comparison or sweep that makes the run, else seqlab.
    """

    package: ClassVar[str | None] = _NAME

    uri: str | None
    experiment: str | None

    def open(self, run: TrackedRun) -> Tracker:
        return _MLflow(self, run)


class _MLflow(SendingTracker):
    """One run there, also when this one is resumed; a new one if it is resumed with another store."""

    def __init__(self, config: MLflowConfig, run: TrackedRun) -> None:
        for variable, value in _VARIABLES.items():
            os.environ.setdefault(variable, value)
        import mlflow
        from mlflow import MlflowClient

        known = run.remembered(_NAME)
        if is_elsewhere(config.uri, known):
            known = {}
        self._client = MlflowClient(known.get("uri") or _absolute(config.uri or mlflow.get_tracking_uri()))
        if not known.get("run"):
            experiment = config.experiment or run.group or "seqlab"
            made = self._new_run(experiment, run)
            known = {"uri": self._client.tracking_uri, "given": config.uri, "run": made}
        self._id: str = known["run"]
        self._client.update_run(self._id, status="RUNNING")
        self._client.log_text(self._id, run.config, "config.yaml")
        super().__init__(memory_of(run.folder, _NAME), known)
        self.where = f"MLflow: {known['uri']}, run {self._id}"

    def _new_run(self, experiment: str, run: TrackedRun) -> str:
        from mlflow.entities import Param

        number = self._experiment(experiment)
        commit = run.settings.get("git_commit")
        tags = {"mlflow.source.git.commit": commit} if commit else {}
        made: str = self._client.create_run(number, run_name=run.name, tags=tags).info.run_id
        parameters = [Param(key, str(value)[:6000]) for key, value in run.settings.items()]
        for start in range(0, len(parameters), _MOST_PARAMETERS):
            self._client.log_batch(made, params=parameters[start : start + _MOST_PARAMETERS])
        return made

    def _experiment(self, name: str) -> str:
        """The number of the experiment with this name, which is made if there is none."""
        from mlflow.exceptions import MlflowException

        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self._client.create_experiment(name))
            except MlflowException:  # another run may have made it in between
                found = self._client.get_experiment_by_name(name)
                if found is None:
                    raise
        return str(found.experiment_id)

    def send(self, entries: Sequence[Entry]) -> None:
        self._send_scalars([(entry.step, tag, value) for entry in entries for tag, value in entry.scalars.items()])
        from PIL import Image

        for entry in entries:
            for tag, png in entry.images.items():
                self._client.log_image(self._id, Image.open(BytesIO(png)), key=tag, step=entry.step, synchronous=True)
            for tag, text in entry.texts.items():
                self._client.log_text(self._id, text, f"{tag}/step-{entry.step:08}.txt")

    def _send_scalars(self, scalars: Sequence[tuple[int, str, float]]) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        metrics = [Metric(tag, value, now, step) for step, tag, value in scalars if math.isfinite(value)]
        for start in range(0, len(metrics), _MOST_METRICS):
            self._client.log_batch(self._id, metrics=metrics[start : start + _MOST_METRICS], synchronous=True)

    def finish(self, final: Final) -> None:
        self.flush()
        self._send_scalars([(final.step, tag, value) for tag, value in final.scalars.items()])
        self._client.log_text(self._id, final.sample, "sample.txt")

    def close(self, finished: bool) -> None:
        self.flush()
        self._client.set_terminated(self._id, "FINISHED" if finished else "KILLED")


def is_elsewhere(uri: str | None, known: Mapping[str, Any]) -> bool:
    """Whether a resumed run was given another store than the one that knows it. The text is compared first: a relative
    path, read in another folder, still means the first store."""
    return uri is not None and uri != known.get("given", uri) and _absolute(uri) != known.get("uri")


def _absolute(uri: str) -> str:
    """The address, also from another folder: a run may be resumed in one."""
    kind, slashes, path = uri.partition("sqlite:///")
    return f"{slashes}{Path(path).absolute()}" if slashes and not kind else uri

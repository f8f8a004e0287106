"""Weights & Biases (extra `wandb`)."""

from __future__ import annotations

import netrc
import os
import secrets
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.core.fields import Positive
from seqlab.errors import ConfigError
from seqlab.tracking.sending import SendingTracker
from seqlab.tracking.tracker import Entry, Final, TrackedRun, Tracker, TrackerConfig, memory_of

_NAME = "wandb"


@config_dataclass(frozen=True, kw_only=True)
class WandbConfig(TrackerConfig):
    """Settings of `logging=wandb`.

    project: where the run stands. entity: whose project; None: the user's own. group: None: the comparison or sweep
    that makes the run. mode: None: as WANDB_MODE says, else online. finish_seconds: how long the end of a run waits for
    what is not sent yet.
    """

    package: ClassVar[str | None] = _NAME

    project: str
    entity: str | None
    group: str | None
    mode: Literal["online", "offline"] | None
    finish_seconds: Positive

    def check(self, where: str) -> None:
        super().check(where)
        mode = self.mode or os.environ.get("WANDB_MODE", "online")
        if mode == "online" and not _has_key():
            raise ConfigError(
                f"{where}.mode=online: there is no API key of Weights & Biases",
                f"wandb login, or set WANDB_API_KEY; without a network: {where}.mode=offline",
            )

    def open(self, run: TrackedRun) -> Tracker:
        return _Wandb(self, run)


class _Wandb(SendingTracker):
    """One run there, also when this one is resumed: it keeps its id, and its rows are counted on. W&B takes rows in
    order alone, and several may be of one step, so curves stand over a column `step` of their own."""

    def __init__(self, config: WandbConfig, run: TrackedRun) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # to the makers of wandb
        import wandb

        known = run.remembered(_NAME)
        if not (isinstance(known.get("id"), str) and isinstance(known.get("rows"), int)):
            known = {"id": secrets.token_hex(4), "rows": 0}
        self._wandb = wandb
        self._run: Any = wandb.init(
            id=known["id"],
            resume="allow",
            reinit="create_new",  # several runs in one process
            project=config.project,
            entity=config.entity,
            group=config.group or run.group or None,
            name=run.name,
            mode=config.mode,
            config=dict(run.settings),
            settings=wandb.Settings(
                console="off", silent=True, init_timeout=30.0, finish_timeout=config.finish_seconds,
            ),
        )  # fmt: skip
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")
        super().__init__(memory_of(run.folder, _NAME), known)
        offline = f"Weights & Biases, offline: wandb sync {Path(self._run.dir).parent}"
        self.where = offline if self._run.offline else self._run.url

    def send(self, entries: Sequence[Entry]) -> None:
        from PIL import Image

        for entry in entries:
            images = {tag: self._wandb.Image(Image.open(BytesIO(png))) for tag, png in entry.images.items()}
            histograms = {tag: self._wandb.Histogram(values) for tag, values in entry.histograms.items()}
            place = {"tokens": entry.tokens, "seconds": entry.seconds} if entry.seconds is not None else {}
            row = {"step": entry.step, **place, **entry.scalars, **entry.texts, **images, **histograms}
            self._run.log(row, step=self._known["rows"])
            self._known["rows"] += 1

    def finish(self, final: Final) -> None:
        self.flush()
        self._run.summary.update({**final.scalars, "sample": final.sample})

    def close(self, finished: bool) -> None:
        self.flush()
        self._run.finish(exit_code=0 if finished else 1)


def _has_key() -> bool:
    """Whether there is a key: in the environment, or where `wandb login` puts it. wandb would ask for it, in the middle
    of a run."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    for path in (os.environ.get("NETRC"), Path.home() / ".netrc", Path.home() / "_netrc"):
        try:
            if path and netrc.netrc(str(path)).authenticators(host):
                return True
        except (OSError, netrc.NetrcParseError):
            continue
    return False

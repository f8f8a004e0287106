"""`seqlab inspect`: every view of trained runs as files, as one page, and in TensorBoard."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from seqlab.config.suggest import did_you_mean
from seqlab.core.attention import Attention
from seqlab.core.example import example_reader
from seqlab.core.files import finite, writable, write_json, write_text
from seqlab.drawing.page import render
from seqlab.drawing.picture import Picture
from seqlab.drawing.pictures import for_page
from seqlab.errors import ConfigError, DataError, ResourceError, SeqlabError, quoted
from seqlab.insight.alignment import alignment
from seqlab.insight.answers import confusion, errors
from seqlab.insight.attention import attention, attentive
from seqlab.insight.bottleneck import bottleneck
from seqlab.insight.embedding import embedding, vectors_of, write_projector
from seqlab.insight.forecast import forecast
from seqlab.insight.gradient import gradient
from seqlab.insight.heads import heads
from seqlab.insight.inspected import InspectedRun, for_each
from seqlab.insight.length import length
from seqlab.insight.memory import memory
from seqlab.insight.positions import positions
from seqlab.insight.states import states
from seqlab.runs.folder import make_run_folder
from seqlab.runs.run import open_run
from seqlab.runs.variants import label_runs
from seqlab.tracking.events import write_image

View = Callable[[Sequence[InspectedRun], str | None], list[Picture]]
"""Draws these runs, reading this text if the view shows a text. Raises ConfigError if the view does not apply."""

VIEWS: Mapping[str, View] = {
    "gradient": lambda runs, _: gradient(runs),
    "memory": lambda runs, _: memory(runs),
    "length": lambda runs, _: length(runs),
    "states": lambda runs, text: for_each(runs, lambda s: [states(s.task, s.network, text)]),
    "attention": lambda runs, text: for_each(runs, lambda s: _attention(s, text)),
    "heads": lambda runs, _: for_each(runs, _heads),
    "positions": lambda runs, _: for_each(runs, lambda s: positions(s.task, s.network)),
    "bottleneck": lambda runs, _: bottleneck(runs),
    "embedding": lambda runs, _: for_each(runs, lambda s: embedding(s.task, s.network)),
    "forecast": lambda runs, _: for_each(runs, forecast),
    "alignment": lambda runs, text: for_each(runs, lambda s: alignment(s.task, s.network, text)),
    "confusion": lambda runs, _: for_each(runs, lambda s: [confusion(s)]),
    "errors": lambda runs, _: for_each(runs, lambda s: [errors(s)]),
}
_OF_A_TEXT = ("states", "attention", "alignment")


def _attention(run: InspectedRun, text: str | None) -> list[Picture]:
    _require_attention(run)
    return attention(run.task, run.network, text)


def _heads(run: InspectedRun) -> list[Picture]:
    _require_attention(run)
    return heads(run.task, run.network)


def _require_attention(run: InspectedRun) -> None:
    if not any(isinstance(module, Attention) for module in run.network.modules()):
        config = run.config
        kinds = " or ".join(attentive(config.model, run.task))
        raise ConfigError(
            f"{run.label} on {config.names['task']} has no attention",
            f"train it with model.attention={kinds}" if kinds else "",
        )


@dataclass(frozen=True)
class Inspection:
    """The pictures, where they are, and why others could not be drawn."""

    folder: Path
    page: Path
    pictures: tuple[Picture, ...]
    left_out: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """Plain values, as --json gives them."""
        drawn = {
            picture.name: {"title": picture.title, "png": str(self.folder / f"{picture.name}.png"), **picture.data}
            for picture in self.pictures
        }
        plain: dict[str, Any] = finite(
            {"folder": str(self.folder), "page": str(self.page), "pictures": drawn, "left_out": dict(self.left_out)}
        )
        return plain


def inspect(
    folders: Sequence[Path],
    views: Sequence[str],
    text: str | None,
    *,
    out: Path | None,
    runs_dir: Path,
    config_dir: Path | None,
    say: Callable[[str], None],
) -> Inspection:
    """Draw these views of these runs (by default all that apply) into `out`: by default the folder inspect/ of a single
    run, a folder below that for chosen views, or a new folder below `runs_dir` for several runs.

    Raises ConfigError or NumericError if a view that was asked for does not apply, CheckpointError and DataError as
    open_run. A bug in one view does not affect the others: its error is raised at the end.
    """
    runs = label_runs([open_run(folder, config_dir) for folder in folders])
    unknown: dict[str, None] = {}
    if text is not None:
        for run in runs:
            # errors in the text are reported before anything is drawn
            example_reader(run.task).example(run.network, text)
            unknown.update(dict.fromkeys(run.task.unknown(text)))
    if unknown:
        say(f"not seen in training: {quoted(tuple(unknown))}")
    where = _folder(runs, views, out, runs_dir)
    try:
        drawn = draw_views(runs, views, text, say)
    except Exception:
        with suppress(OSError):  # a folder that is not empty stays
            where.rmdir()
        raise
    pictures = drawn.pictures
    try:
        for picture in pictures:
            picture.save(where)
        page = _write_page(where, runs, pictures)
        found = Inspection(where, page, pictures, drawn.left_out)
        write_json(where / "inspect.json", found.as_json())  # from here on the folder is known to be ours
        _write_board(where, runs, pictures)
    except OSError as error:
        raise ResourceError(f"cannot write into {where}: {error.strerror}") from error
    if drawn.bug is not None:
        say(f"the other views are in {page}")
        raise drawn.bug
    return found


@dataclass(frozen=True)
class Drawn:
    """The pictures, the reasons why views could not be drawn, and the first error that was a bug in a view."""

    pictures: tuple[Picture, ...]
    left_out: Mapping[str, str]
    bug: Exception | None


def draw_views(
    runs: Sequence[InspectedRun], views: Sequence[str], text: str | None, say: Callable[[str], None] = lambda _: None
) -> Drawn:
    """Draw these views of these runs, by default all that apply. Writes nothing.

    Raises ConfigError or NumericError if a view that was asked for does not exist or does not apply.
    """
    for name in views:
        if name not in VIEWS:
            raise ConfigError(f"there is no view '{name}'", did_you_mean(name, VIEWS), f"views: {', '.join(VIEWS)}")
    if text is not None and views and not set(views) & set(_OF_A_TEXT):
        raise ConfigError(f"--text: {', '.join(views)} reads no text", "", f"views that do: {', '.join(_OF_A_TEXT)}")
    pictures: list[Picture] = []
    left_out: dict[str, str] = {}
    bug: Exception | None = None
    for name in views or VIEWS:
        say(f"drawing {name}")
        try:
            drawn = VIEWS[name](runs, text)
            for picture in drawn:
                _ = picture.png, picture.svg  # cached; an error in drawing counts as this view's
            pictures += drawn
        except SeqlabError as error:
            if isinstance(error, DataError) and text is None and name in _OF_A_TEXT:
                error.what += "; a text of your own needs no corpus: --text TEXT"
            if not views:
                left_out[name] = error.what
                continue
            error.what = f"no {name}: {error.what}"
            folders = [str(run.folder) for run in runs]
            error.allowed = error.allowed or f"all that apply: {shlex.join(['seqlab', 'inspect', *folders])}"
            raise
        except Exception as error:
            if views:
                raise
            left_out[name], bug = f"{type(error).__name__}: {error}", bug or error
    return Drawn(tuple(pictures), left_out, bug)


def _folder(runs: Sequence[InspectedRun], views: Sequence[str], out: Path | None, runs_dir: Path) -> Path:
    if out is None and len(runs) > 1:
        return make_run_folder(runs_dir / "inspect", f"{datetime.now():%Y%m%d-%H%M%S}", None)
    folder = out or runs[0].folder / "inspect"
    if out is None and views:  # a separate folder, so that the page of all views stays as it is
        folder /= "-".join(view for view in VIEWS if view in views)
    ours = (folder / "inspect.json").exists()
    if (folder / "config.yaml").exists() or (any(folder.glob("events.out.tfevents.*")) and not ours):
        raise ConfigError(f"--out {folder}: it contains other files", "name a folder for this alone")
    return writable(folder, "try --out FOLDER")


def _write_page(folder: Path, runs: Sequence[InspectedRun], pictures: Sequence[Picture]) -> Path:
    named = [f"{run.label}: {run.folder}, weights of step {run.step}" for run in runs]
    tasks = dict.fromkeys(run.config.names["task"] for run in runs)
    text = render(
        "inspect.html.j2",
        title=f"{', '.join(run.label for run in runs)} on {' and '.join(tasks)}",
        about="; ".join(named),
        pictures=for_page(pictures),
    )
    path = folder / "inspect.html"
    write_text(path, text)
    return path


def _write_board(folder: Path, runs: Sequence[InspectedRun], pictures: Sequence[Picture]) -> None:
    """The pictures as TensorBoard's images, and its projector. In a folder of their own, whose name says what it is
    in TensorBoard's list of runs: a second file of events beside those of a run that is being trained would hide what
    comes after it."""
    board = folder / "pictures"
    for place in (board, folder):  # once they stood beside the pages
        for old in (*place.glob("events.out.tfevents.*"), *place.glob("projector-*.tsv")):
            old.unlink()
        (place / "projector_config.pbtxt").unlink(missing_ok=True)
    if not pictures:
        return
    writer = SummaryWriter(str(board))
    for picture in pictures:
        write_image(writer, f"viz/{picture.name}", picture.png, runs[0].step)
    writer.close()
    if any(picture.name.startswith("embedding") for picture in pictures):
        write_projector({run.label: vectors_of(run.task, run.network) for run in runs}, board)

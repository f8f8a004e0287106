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

from seqlab.drawing.page import render
from seqlab.drawing.picture import Picture
from seqlab.errors import ConfigError, DataError, ResourceError, SeqlabError, quoted
from seqlab.experiment import open_run
from seqlab.insight.answers import confusion, errors
from seqlab.insight.attention import attention, attentive
from seqlab.insight.bottleneck import bottleneck
from seqlab.insight.embedding import embedding, vectors_of, write_projector
from seqlab.insight.gradient import gradient
from seqlab.insight.memory import memory
from seqlab.insight.states import states
from seqlab.insight.subject import Subject, for_each, name_subjects
from seqlab.interfaces import Table
from seqlab.run_folder import make_run_folder, writable, write_json, write_text
from seqlab.training.recorder import finite, write_image

View = Callable[[Sequence[Subject], str | None], list[Picture]]
"""Pictures of these runs, and of this text where that matters. Raises ConfigError where there is nothing to see."""

VIEWS: Mapping[str, View] = {
    "gradient": lambda subjects, _: gradient(subjects),
    "memory": lambda subjects, _: memory(subjects),
    "states": lambda subjects, text: for_each(subjects, lambda s: [states(s.task, s.network, text)]),
    "attention": lambda subjects, text: for_each(subjects, lambda s: _attention(s, text)),
    "bottleneck": lambda subjects, _: bottleneck(subjects),
    "embedding": lambda subjects, _: for_each(subjects, lambda s: embedding(s.task, s.network)),
    "confusion": lambda subjects, _: for_each(subjects, lambda s: [confusion(s)]),
    "errors": lambda subjects, _: for_each(subjects, lambda s: [errors(s)]),
}
_OF_A_TEXT = ("states", "attention")


def _attention(subject: Subject, text: str | None) -> list[Picture]:
    pictures = attention(subject.task, subject.network, text)
    if not pictures:
        config = subject.trained.config
        kinds = " or ".join(attentive(config.model, subject.task))
        raise ConfigError(
            f"{subject.label} on {config.names['task']} has none to look at",
            f"train it with model.attention={kinds}" if kinds else "",
        )
    return pictures


@dataclass(frozen=True)
class Inspection:
    """What was drawn, where it is, and what could not be drawn and why."""

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
    """Draw these views of these runs, or all that there is something to see in, into `out`: by default the folder
    inspect/ of a single run, one in there for some views, and a new folder below `runs_dir` for several.

    Raises ConfigError or NumericError where a view that was asked for shows nothing, CheckpointError and DataError as
    open_run. A view that fails by a bug of its own takes no other with it: its error is raised at the end.
    """
    subjects = name_subjects([open_run(folder, config_dir) for folder in folders])
    unknown: dict[str, None] = {}
    if text is not None:
        for subject in subjects:
            subject.task.reading(subject.network, text)  # what is wrong with it is said before anything is drawn
            unknown.update(dict.fromkeys(subject.task.unknown(text)))
    if unknown:
        say(f"not known from training: {quoted(tuple(unknown))}")
    if text is not None and views and not set(views) & set(_OF_A_TEXT):
        raise ConfigError(f"--text: {', '.join(views)} reads none", "", f"views that do: {', '.join(_OF_A_TEXT)}")
    where = _folder(subjects, views, out, runs_dir)
    pictures: list[Picture] = []
    left_out: dict[str, str] = {}
    bug: Exception | None = None
    for name in views or VIEWS:
        say(f"drawing {name}")
        try:
            drawn = VIEWS[name](subjects, text)
            for picture in drawn:
                _ = picture.png, picture.svg  # kept by the picture: what goes wrong with drawing is this view's
            pictures += drawn
        except SeqlabError as error:
            if isinstance(error, DataError) and text is None and name in _OF_A_TEXT:
                error.what += "; a text of your own needs no corpus: --text TEXT"
            if not views:
                left_out[name] = error.what
                continue
            error.what = f"no {name}: {error.what}"
            error.allowed = error.allowed or f"all that fit: {shlex.join(['seqlab', 'inspect', *map(str, folders)])}"
            with suppress(OSError):  # what has something in it stays
                where.rmdir()
            raise
        except Exception as error:
            if views:
                raise
            left_out[name], bug = f"{type(error).__name__}: {error}", bug or error
    try:
        for picture in pictures:
            picture.save(where)
        page = _write_page(where, subjects, pictures)
        found = Inspection(where, page, tuple(pictures), left_out)
        write_json(where / "inspect.json", found.as_json())  # from here on the folder is known to be ours
        _write_board(where, subjects, pictures)
    except OSError as error:
        raise ResourceError(f"cannot write into {where}: {error.strerror}") from error
    if bug is not None:
        say(f"the other views are in {page}")
        raise bug
    return found


def _folder(subjects: Sequence[Subject], views: Sequence[str], out: Path | None, runs_dir: Path) -> Path:
    if out is None and len(subjects) > 1:
        return make_run_folder(runs_dir / "inspect", f"{datetime.now():%Y%m%d-%H%M%S}", None)
    folder = out or subjects[0].trained.folder / "inspect"
    if out is None and views:  # a folder of their own: the page of all stays as it is
        folder /= "-".join(view for view in VIEWS if view in views)
    ours = (folder / "inspect.json").exists()
    if (folder / "config.yaml").exists() or (any(folder.glob("events.out.tfevents.*")) and not ours):
        raise ConfigError(f"--out {folder}: other things stand there", "name a folder that is for this alone")
    return writable(folder, "try --out FOLDER")


def _write_page(folder: Path, subjects: Sequence[Subject], pictures: Sequence[Picture]) -> Path:
    from markupsafe import Markup

    runs = [
        f"{subject.label}: {subject.trained.folder}, weights of step {subject.trained.step}" for subject in subjects
    ]
    tasks = dict.fromkeys(subject.trained.config.names["task"] for subject in subjects)
    text = render(
        "inspect.html.j2",
        title=f"{', '.join(subject.label for subject in subjects)} on {' and '.join(tasks)}",
        about="; ".join(runs),
        # our own drawing: whatever text a user put into it matplotlib has escaped
        pictures=[
            {
                "name": picture.name,
                "title": picture.title,
                "about": picture.about,
                "svg": Markup(picture.svg),
                "tables": [_cells(table) for table in picture.tables],
            }
            for picture in pictures
        ],
    )
    path = folder / "inspect.html"
    write_text(path, text)
    return path


def _cells(table: Table) -> dict[str, Any]:
    words = [table.is_text(column) for column in range(len(table.headings))]

    def cells(row: Sequence[str | float]) -> list[dict[str, Any]]:
        texts = (cell if isinstance(cell, str) else f"{cell:.3g}" for cell in row)
        return [{"text": text, "words": is_text} for text, is_text in zip(texts, words, strict=True)]

    return {"title": table.title, "headings": cells(table.headings), "rows": [cells(row) for row in table.rows]}


def _write_board(folder: Path, subjects: Sequence[Subject], pictures: Sequence[Picture]) -> None:
    """The pictures as TensorBoard's images, and its projector. In a folder of their own, which TensorBoard shows as a
    run: a second file of events beside those of a run that is being trained would hide what comes after it."""
    for old in (*folder.glob("events.out.tfevents.*"), *folder.glob("projector-*.tsv")):
        old.unlink()
    (folder / "projector_config.pbtxt").unlink(missing_ok=True)
    if not pictures:
        return
    writer = SummaryWriter(str(folder))
    for picture in pictures:
        write_image(writer, f"viz/{picture.name}", picture.png, subjects[0].trained.step)
    writer.close()
    if any(picture.name.startswith("embedding") for picture in pictures):
        write_projector({subject.label: vectors_of(subject.task, subject.network) for subject in subjects}, folder)

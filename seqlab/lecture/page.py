"""lecture.html: the lecture as a lab course, in one file that needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqlab.core.files import write_text
from seqlab.drawing.numbers import clock
from seqlab.drawing.page import render
from seqlab.drawing.picture import Picture
from seqlab.lecture.claim import TAGS, Finding

if TYPE_CHECKING:
    from seqlab.lecture.lecture import Answer, Prepared

_KINDS: dict[Finding, str] = {"holds": "shown", "does not hold": "failed", "cannot be told": "open"}


def write_page(answers: Sequence[Answer], prepared: Sequence[Prepared], folder: Path, command: str) -> Path:
    """Write the page of the claims that have been tried; returns its path. prepared: all that are to be tried."""
    path = folder / "lecture.html"
    done = {answer.prepared.name for answer in answers}
    write_text(
        path,
        render(
            "lecture.html.j2",
            title="The lecture, run",
            about="Each claim of the lecture, tried on this machine.",
            claims=[_claim(answer) for answer in answers],
            waiting=[one.claim.title for one in prepared if one.name not in done],
            command=command,
        ),
    )
    return path


def _claim(answer: Answer) -> dict[str, Any]:
    claim, one = answer.prepared.claim, answer.prepared
    return {
        "name": one.name,
        "claim": claim,
        "kind": _KINDS[answer.finding],
        "tag": TAGS[answer.finding],
        "other": claim.expected != answer.finding and TAGS[claim.expected],
        "evidence": [
            {"kind": _KINDS[each.finding], "tag": TAGS[each.finding], "says": each.evidence.says, "why": each.why}
            for each in answer.judged
        ],
        "commands": list(one.commands.values()),
        "inspect": [f"seqlab inspect {folder}/*/seed-0" for folder in one.folders.values()],
        "pictures": [
            {**_drawn(picture, f"{one.name}-{at}"), "look": shown.look}
            for at, (shown, picture) in enumerate(answer.pictures)
            if picture is not None
        ],
        "takes": clock(answer.seconds),
        "failed": answer.failed,
    }


def _drawn(picture: Picture, name: str) -> dict[str, Any]:
    from markupsafe import Markup

    # a name of its own, since ids in one page must not clash; our own drawing, in which user text is escaped
    return {"svg": Markup(replace(picture, name=name).svg), "about": picture.about, "title": picture.title}

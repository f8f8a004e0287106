"""lecture.html: the lecture as a lab course, in one file that needs no network."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqlab.core.files import write_text
from seqlab.drawing.numbers import clock
from seqlab.drawing.page import render
from seqlab.drawing.pictures import for_page
from seqlab.lecture.claim import TAGS, Finding
from seqlab.lecture.drawing import in_plain_words

if TYPE_CHECKING:
    from markupsafe import Markup

    from seqlab.lecture.lecture import Answer, Prepared

_INDEX = re.compile(r"([_^])(?:\{([^{}]+)\}|(\([^()]*\)|<?[A-Za-z0-9Α-Ωα-ω]+))")
_SENTENCE = re.compile(r"(?<=[.?!]) ")
_KINDS: dict[Finding, str] = {"holds": "shown", "does not hold": "failed", "cannot be told": "open"}


def write_page(answers: Sequence[Answer], prepared: Sequence[Prepared], folder: Path, command: str) -> Path:
    """Write the page of the claims that have been tried; returns its path. prepared: all that are to be tried."""
    path = folder / "lecture.html"
    done = {answer.prepared.name for answer in answers}
    explained = set[str]()
    write_text(
        path,
        render(
            "lecture.html.j2",
            title="The lecture, run",
            about="Each claim of the lecture, tried on this machine.",
            claims=[_claim(answer, explained) for answer in answers],
            waiting=[one.claim.title for one in prepared if one.name not in done],
            command=command,
            speed=prepared[0].speed,
        ),
    )
    return path


def _claim(answer: Answer, explained: set[str]) -> dict[str, Any]:
    """explained: the sentences on how to read a picture that the page has; those of this claim are added."""
    claim, one = answer.prepared.claim, answer.prepared
    return {
        "name": one.name,
        "claim": claim,
        "equation": equation(claim.equation),
        "kind": _KINDS[answer.finding],
        "tag": TAGS[answer.finding],
        "other": claim.expected != answer.finding and TAGS[claim.expected],
        "evidence": [
            {
                "kind": _KINDS[each.finding],
                "tag": TAGS[each.finding],
                "says": each.evidence.says,
                "figure": in_plain_words(each.evidence.figure),
                "why": each.why,
            }
            for each in answer.judged
        ],
        "commands": list(one.commands.values()),
        "inspect": [f"seqlab inspect {folder}/*/seed-0" for folder in one.folders.values()],
        "pictures": list(_pictures(answer, explained)),
        "takes": clock(answer.seconds),
        "failed": answer.failed,
    }


def _pictures(answer: Answer, explained: set[str]) -> Iterator[dict[str, Any]]:
    for shown, picture in answer.pictures:
        if picture is not None:
            (drawn,) = for_page([picture])
            sentences = _SENTENCE.split(picture.about)
            fresh = " ".join(sentence for sentence in sentences if sentence not in explained)
            yield {**drawn, "look": shown.look, "fresh": fresh, "again": len(fresh) < len(picture.about)}
            explained.update(sentences)


def equation(text: str) -> Markup:
    """In which h_{t-1}, W_hh and 2^(i/D) are written with subscripts and superscripts."""
    from markupsafe import Markup, escape

    made, end = Markup(), 0
    for found in _INDEX.finditer(text):
        tag = "sub" if found[1] == "_" else "sup"
        made += escape(text[end : found.start()]) + Markup("<{0}>{1}</{0}>").format(tag, found[2] or found[3])
        end = found.end()
    return made + escape(text[end:])

"""`seqlab lecture`: the comparisons of each claim, the verdicts, and one page."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seqlab.comparison import background
from seqlab.comparison.compare import Comparison, command_line, compare, plan_only
from seqlab.comparison.figures import figures
from seqlab.comparison.parse_plan import parse_plan
from seqlab.comparison.plan import Plan
from seqlab.comparison.reporter import ComparisonReporter
from seqlab.comparison.request import Request
from seqlab.core.files import finite, write_json
from seqlab.drawing.picture import Picture
from seqlab.errors import ConfigError, NumericError, SeqlabError
from seqlab.executors.execution import Execution
from seqlab.lecture.claim import Claim, Evidence, Finding, Shown, Speed
from seqlab.lecture.drawing import draw_figure
from seqlab.lecture.figures import exact, folders_of, is_figure, values_of
from seqlab.lecture.judge import Judged, judge, judge_pair, together, unmeasured
from seqlab.lecture.read import requested

_log = logging.getLogger("seqlab")


@dataclass(frozen=True)
class Prepared:
    """A claim that is ready to be tried. requests, folders: of its experiments, by name; claims that ask for the same
    comparison share its folder."""

    name: str
    claim: Claim
    speed: Speed
    requests: Mapping[str, Request]
    folders: Mapping[str, Path]
    commands: Mapping[str, str]
    config_dir: Path | None


@dataclass(frozen=True)
class Answer:
    """What a claim came to here. failed: reasons of runs that failed, which may be what the claim says. pending: who
    makes the runs that are missing, if nobody waited for them; then the rest is empty."""

    prepared: Prepared
    finding: Finding
    judged: tuple[Judged, ...]
    pictures: tuple[tuple[Shown, Picture | None], ...]
    seconds: float
    failed: Mapping[str, str]
    pending: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain values; null for what lies beyond what was measured."""
        found = {
            "claim": self.prepared.name,
            "finding": self.finding,
            "expected": self.prepared.claim.expected,
            "evidence": [
                {
                    "says": one.evidence.says, "finding": one.finding, "of": one.of, "than": one.than,
                    "ahead": one.ahead, "interval": one.interval, "seeds": one.seeds, "why": one.why,
                }
                for one in self.judged
            ],
            "commands": dict(self.prepared.commands),
            "folders": {name: str(folder) for name, folder in self.prepared.folders.items()},
            "training_seconds": self.seconds,
            "failed": dict(self.failed),
            "pending": self.pending,
        }  # fmt: skip
        plain: dict[str, Any] = finite(found)
        return plain


def prepare(
    claims: Mapping[str, Claim], speed: Speed, overrides: Sequence[str], out: Path | None, config_dir: Path | None
) -> list[Prepared]:
    """Check every comparison of every claim: nothing runs until all of them make sense."""
    found: list[Prepared] = []
    for name, claim in claims.items():
        requests = {key: requested(one, speed, tuple(overrides), config_dir) for key, one in claim.experiments.items()}
        folders, commands = dict[str, Path](), dict[str, str]()
        for key, request in requests.items():
            try:
                plan, _ = parse_plan(request, config_dir)
            except ConfigError as error:
                raise ConfigError(f"{name}, experiment {key}: {error.what}", error.hint, error.allowed) from error
            folders[key] = (out or request.runs_dir / "lecture") / f"{plan.task}-{plan.digest[:10]}"
            one = claim.experiments[key]
            options = {"match": one.match, "budget": one.budget, "tune": one.tune, "seeds": request.seeds}
            commands[key] = command_line([*one.words(speed), *overrides], options)
        found.append(Prepared(name, claim, speed, requests, folders, commands, config_dir))
    return found


def planned(one: Prepared, *, elsewhere: bool = False) -> dict[str, Plan]:
    """For --dry-run: the plan of each experiment. elsewhere: the runs would start on other machines."""
    return {
        key: plan_only(request, one.config_dir, None, one.folders[key], elsewhere=elsewhere)
        for key, request in one.requests.items()
    }


def try_claim(one: Prepared, reporter: ComparisonReporter | None, execution: Execution | None) -> Answer:
    """Make the runs that are missing, judge, and draw. Runs may fail: a claim can be about that."""
    done = {
        key: compare(
            request,
            reporter,
            config_dir=one.config_dir,
            folder=one.folders[key],
            command=one.commands[key],
            execution=execution,
        )
        for key, request in one.requests.items()
    }
    if pending := "; ".join(dict.fromkeys(each.pending for each in done.values() if each.pending)):
        return Answer(one, "cannot be told", (), (), 0.0, {}, pending)
    judged = tuple(_judged(evidence, done[evidence.experiment], one.config_dir) for evidence in one.claim.evidence)
    pictures = tuple(
        # a name of its own, since ids in one page must not clash; given once, since a picture keeps what it has drawn
        (shown, picture and replace(picture, name=f"{one.name}-{at}"))
        for at, shown in enumerate(one.claim.shown)
        for picture in [_picture(shown, done[shown.experiment], one.config_dir)]
    )
    seconds = sum(
        float(run.result["seconds"])
        for each in done.values()
        for row in (each.summary.rows if each.summary else ())
        for run in row.runs
    )
    failed = {f"{label}, seed {seed}": why for each in done.values() for (label, seed), why in each.failed.items()}
    answer = Answer(one, together(judged), judged, pictures, seconds, failed)
    write_json(next(iter(one.folders.values())).parent / f"{one.name}.json", answer.as_json())
    return answer


def _judged(evidence: Evidence, done: Comparison, config_dir: Path | None) -> Judged:
    try:
        of = values_of(evidence.figure, evidence.of, done, config_dir)
        if isinstance(evidence.than, float | int):
            return judge(evidence, of, float(evidence.than), exact=exact(evidence.figure))
        than = values_of(evidence.figure, evidence.than, done, config_dir)
    except ConfigError:
        raise
    except SeqlabError as error:  # the figure of a run that failed
        return unmeasured(evidence, error.what)
    summary = done.summary
    if summary is not None and evidence.figure == summary.primary and evidence.factor == 1:
        pair = {evidence.of, evidence.than}
        (found,) = (each for each in summary.pairs if {each.first, each.second} == pair)
        return judge_pair(evidence, found, of, than, higher_is_better=summary.metric.higher_is_better)
    return judge(evidence, of, than, exact=exact(evidence.figure))


def _picture(shown: Shown, done: Comparison, config_dir: Path | None) -> Picture | None:
    """None where the runs that it would show have failed."""
    if done.summary is None:
        return None
    drawn = figures(done.summary)
    if shown.picture in drawn:
        return drawn[shown.picture]
    if is_figure(shown.picture):
        labels = shown.labels or tuple(variant.label for variant in done.summary.plan.variants)
        return draw_figure(shown.picture, {label: _known(shown.picture, label, done, config_dir) for label in labels})
    from seqlab.runs.inspect import draw_views
    from seqlab.runs.run import open_run
    from seqlab.runs.variants import inspected

    of_runs = folders_of(done, shown.labels)
    runs = [inspected(label, open_run(folder, config_dir)) for label, folder in of_runs.items()]
    if not runs:
        return None
    try:
        return draw_views(runs, (shown.picture,), None).pictures[0]
    except ConfigError:
        raise
    except SeqlabError as error:
        _log.warning("%s: %s", shown.picture, error.what)
        return None


def _known(figure: str, label: str, done: Comparison, config_dir: Path | None) -> Mapping[int, float]:
    try:
        return values_of(figure, label, done, config_dir)
    except NumericError:  # no run of this model has it
        return {}


Told = Callable[[Answer], None]


def run_lecture(
    prepared: Sequence[Prepared],
    out: Path,
    command: str,
    reporter: ComparisonReporter | None = None,
    execution: Execution | None = None,
    told: Told = lambda _: None,
) -> tuple[list[Answer], Path]:
    """Try every claim, and write the page anew after each. told: called with each answer. Returns answers and page."""
    from seqlab.lecture.page import write_page

    answers: list[Answer] = []
    page = out / "lecture.html"
    for one in prepared:
        answers.append(try_claim(one, reporter, execution))
        told(answers[-1])
        page = write_page([answer for answer in answers if not answer.pending], prepared, out, command)
    return answers, page


def submitted(prepared: Sequence[Prepared], command: str, execution: Execution) -> str:
    """Have a process in the background do all of them, one after the other. Returns a sentence about it."""
    folders = dict.fromkeys(folder for one in prepared for folder in one.folders.values())
    return background.submit(command, execution, [*folders])

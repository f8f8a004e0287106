"""What a file in configs/claim says: a claim of the lecture, the comparisons that try it, and the rule that decides."""

from __future__ import annotations

from typing import Literal

from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.core.fields import Count, NonNegative, Positive, Real, WholeNumber

Finding = Literal["holds", "does not hold", "cannot be told"]
Speed = Literal["quick", "full"]

TAGS: dict[Finding, str] = {
    "holds": "holds here",
    "does not hold": "does not hold here",
    "cannot be told": "cannot be told with this much",
}
"""A finding as people read it."""


@config_dataclass(frozen=True, kw_only=True)
class Experiment:
    """A comparison, in the words and options of `seqlab compare`.

    quick, full: further overrides for `--quick` and `--full`. quick_seeds, full_seeds: runs of each model.
    """

    compare: tuple[str, ...]
    quick: tuple[str, ...] = ()
    full: tuple[str, ...] = ()
    quick_seeds: Count = 3
    full_seeds: Count = 5
    match: str | None = None
    budget: str | None = None
    tune: str | None = None

    def words(self, speed: Speed) -> list[str]:
        """Of the comparison."""
        return [*self.compare, *(self.quick if speed == "quick" else self.full)]

    def seeds(self, speed: Speed) -> int:
        """Runs of each model."""
        return self.quick_seeds if speed == "quick" else self.full_seeds


@config_dataclass(frozen=True, kw_only=True)
class Evidence:
    """One thing that must be so if the claim holds: the figure of a model is more, or less, than another's or a number.

    says: in words. experiment: its name. figure: a metric of the test split (accuracy), a cost of training
    (tokens_per_second), `diverged` (1 or 0), or a figure of a view of `seqlab inspect`: gradient:KEY.KEY. of: the label
    of a model. than: another label, or a number. expect: more or less. factor: of `than`: twice as much is 2. margin:
    how far on the wrong side still counts.
    """

    says: str
    experiment: str
    figure: str
    of: str
    than: str | Real
    expect: Literal["more", "less"]
    factor: Positive = 1.0
    margin: NonNegative = 0.0


@config_dataclass(frozen=True, kw_only=True)
class Shown:
    """A picture of an experiment: `curves-by-token`, `results`, a figure (`tokens_per_second`: over the number in
    labels such as `lstm, 64`, else model by model), or a view of `seqlab inspect`, of the first seed of each model
    (labels: of some)."""

    experiment: str
    picture: str
    look: str
    labels: tuple[str, ...] = ()


@config_dataclass(frozen=True, kw_only=True)
class Minutes:
    """How long all of a claim's runs take one after the other, about."""

    quick: Positive
    full: Positive


@config_dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim of the lecture.

    title: one line. place: of the claim on the page, the smallest first. statement: as the lecture says it. source,
    link: who found it. equation: in plain characters. about: how it is tried, and what the answer does not say.
    experiments: by name. evidence: all of it must be so. shown: pictures. doubt: what to change in order to try it
    otherwise. expected: the verdict that we got, by --quick.
    """

    title: str
    place: WholeNumber
    statement: str
    source: str
    link: str
    equation: str = ""
    about: str
    experiments: dict[str, Experiment]
    evidence: tuple[Evidence, ...]
    shown: tuple[Shown, ...] = ()
    doubt: tuple[str, ...] = ()
    minutes: Minutes
    expected: Finding

    def __post_init__(self) -> None:
        if not self.link.startswith(("https://", "http://")):
            raise ValueError(f"link={self.link} is no address: give one, such as https://doi.org/...")
        if not self.evidence:
            raise ValueError("evidence=[]: nothing could decide the claim; name what must be so if it holds")
        for name in (*(one.experiment for one in self.evidence), *(one.experiment for one in self.shown)):
            if name not in self.experiments:
                known = ", ".join(self.experiments)
                raise ValueError(f"experiment={name} is none of this claim's; try one of: {known}")

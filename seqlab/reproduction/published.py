"""What a file in configs/reproduction says: the figures that others published, and the comparison that repeats them."""

from __future__ import annotations

from typing import Literal

from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.core.fields import Count, NonNegative, Positive, Real
from seqlab.reproduction.units import check_units

BEST = "best"  # of the compared models, by validation

Rule = Literal["at_least", "at_most", "within"]


@config_dataclass(frozen=True, kw_only=True)
class Published:
    """One published figure, and which of ours is laid beside it.

    of: the model that it was published of. value, unit: as published. measured: what exactly it measured. where: its
    place in the source. ours: the label of one of the compared models, or `best`: the one that validates best. rule:
    what ours must be to be called reproduced, with respect to `aim` (null: the published value) and give or take
    `tolerance`, in the same unit. not_comparable: why ours cannot be held against it; null: it can.
    """

    of: str
    value: Real
    unit: str
    measured: str
    where: str
    ours: str
    rule: Rule
    tolerance: NonNegative = 0.0
    aim: Real | None = None
    not_comparable: str | None = None


@config_dataclass(frozen=True, kw_only=True)
class Measure:
    """Which figure of a run is laid beside published ones: a metric of the weights that validated best, on a split.
    unit: of the metric."""

    metric: str
    split: Literal["validation", "test"]
    unit: str


@config_dataclass(frozen=True, kw_only=True)
class Needs:
    """What a machine must have. corpora: by name. gpu: without one, it would take days."""

    corpora: tuple[str, ...] = ()
    gpu: bool = False


@config_dataclass(frozen=True, kw_only=True)
class Reproduction:
    """A published experiment and how it is repeated.

    title: one line. citation, link: of the source. published: its figures; empty if there are none to be trusted.
    measure: what of ours stands beside them. compare, match, budget, tune: words and options of `seqlab compare`, also
    for a single model. seeds: runs of each model. minutes: that all runs take on `machine`, about. needs: what must be
    there. differs: what is not as in the original.
    """

    title: str
    citation: str
    link: str
    published: tuple[Published, ...]
    measure: Measure
    compare: tuple[str, ...]
    seeds: Count
    minutes: Positive
    machine: str
    match: str | None = None
    budget: str | None = None
    tune: str | None = None
    needs: Needs = Needs()
    differs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.link.startswith(("https://", "http://")):
            raise ValueError(
                f"link={self.link} is no address; a reader must find the source: give one, such as https://doi.org/..."
            )
        for place, figure in enumerate(self.published):
            try:
                check_units(figure.unit, self.measure.unit)
            except ValueError as error:
                raise ValueError(f"published[{place}].unit={figure.unit}: {error}") from error

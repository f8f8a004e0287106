"""Metrics of networks that generate text: the loss of the targets, and scores of the generated texts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from seqlab.baselines.neighbours import nearest
from seqlab.core.baseline import Baseline
from seqlab.core.items import ItemSums
from seqlab.core.meter import Meter, Table
from seqlab.core.metric import Metric
from seqlab.core.network import Network, StepOutput
from seqlab.core.results import Answered, ByLength, LengthGroup, Result
from seqlab.data.batches import TargetBatchT
from seqlab.data.vocabulary import PAD
from seqlab.metrics import gather
from seqlab.metrics.by_length import by_length
from seqlab.metrics.likelihood import loss_and_perplexity
from seqlab.metrics.text import TextScores


class GenerationMeter(Meter[TargetBatchT]):
    """Teacher-forced loss, and sacreBLEU's scores and the exact match of the generated texts.

    write: generates the network's texts for a batch. targets: the target texts of the split. primary: exact_match or
    bleu. sources: the source texts, if sources are text. measured: the texts by whose length items are grouped (by
    default the sources, if there are any); of: what they are called; length_of, unit: a text's length and its unit.
    apart: the name and the meter of further items, which come after those of the split and are in no batch with them;
    their primary metric stands beside the others as PRIMARY_NAME.
    """

    apart: tuple[str, GenerationMeter[TargetBatchT]] | None = None

    def __init__(
        self,
        write: Callable[[Network[TargetBatchT], TargetBatchT], list[str]],
        targets: Sequence[str],
        scores: TextScores,
        primary: str,
        *,
        sources: Sequence[str] | None = None,
        measured: Sequence[str] | None = None,
        of: str = "source",
        length_of: Callable[[str], int] = len,
        unit: str = "characters",
    ) -> None:
        self.write, self.targets, self.scores, self.primary = write, targets, scores, primary
        self.sources, self.measured = sources, sources if measured is None else measured
        self.of, self.length_of, self.unit = of, length_of, unit
        self.nats: list[Tensor] = []
        self.target_count = 0
        self.predictions: list[str] = []
        self.places: list[int] = []
        self._by_length: tuple[LengthGroup, ...] | None = None  # computed on first use

    def update(self, batch: TargetBatchT, output: StepOutput, network: Network[TargetBatchT]) -> None:
        if self.apart is not None and int(batch.items_B[0]) >= len(self.targets):
            self.apart[1].update(replace(batch, items_B=batch.items_B - len(self.targets)), output, network)
            return
        logits_BVT = output.logits.float().mT
        self.nats.append(F.cross_entropy(logits_BVT, batch.target_BT, ignore_index=PAD, reduction="none").sum(1))
        self.target_count += batch.target_count
        self.predictions += self.write(network, batch)
        self.places += batch.items_B.tolist()
        self._by_length = None

    @property
    def references(self) -> list[str]:
        """The targets, in the order of `predictions`."""
        return [self.targets[place] for place in self.places]

    def compute(self) -> dict[str, Metric]:
        found = self.scores.figures(self.predictions, self.references)
        found |= loss_and_perplexity(float(gather(self.nats).sum()), self.target_count, "token")
        if self.apart is not None and self.apart[1].predictions:
            name, apart = self.apart
            # beside the primary metric, since not all are shown everywhere
            beside = {f"{self.primary}_{name}": apart.compute()[self.primary]}
            return {self.primary: found[self.primary], **beside, **found}
        return found

    def item_sums(self) -> ItemSums:
        order = np.argsort(self.places)
        if self.primary == "bleu":
            return ItemSums(self.scores.bleu_sums(self.predictions, self.references)[order], self.scores.bleu)
        right = [a == b for a, b in zip(self.predictions, self.references, strict=True)]
        sums_N2 = np.stack((np.array(right, dtype=np.float64), np.ones(len(right))), 1)
        return ItemSums(sums_N2[order], lambda sums: float(sums[0] / sums[1]))

    def _groups(self, measured: Sequence[str]) -> tuple[LengthGroup, ...]:
        """Items grouped by the length of the measured texts. BLEU has effective order: two words have no 4-gram."""
        if self._by_length is None:
            predictions, references = self.predictions, self.references
            sums_NK, bleu = (
                self.scores.bleu_sums(predictions, references),
                partial(self.scores.bleu, effective_order=True),
            )

            def metrics_of(chosen: Sequence[int]) -> dict[str, Metric]:
                found = self.scores.figures([predictions[i] for i in chosen], [references[i] for i in chosen])
                return {**found, "bleu": replace(found["bleu"], value=bleu(sums_NK[list(chosen)].sum(0)))}

            lengths = [self.length_of(measured[place]) for place in self.places]
            self._by_length = by_length(lengths, sums_NK, bleu, metrics_of)
        return self._by_length

    def details(self) -> dict[str, Any]:
        found: dict[str, Any] = {"signatures": self.scores.signatures(self.references)}
        if self.apart is not None and self.apart[1].predictions:
            name, apart = self.apart
            found[f"{self.primary}_{name}_interval"] = list(apart.interval(seed=0))
        if self.measured is None:
            return found
        groups = [
            {
                "from": group.shortest,
                "to": group.longest,
                "pairs": group.items,
                "bleu": group.metrics["bleu"].value,
                "bleu_interval": list(group.interval),
                "chrf": group.metrics["chrf"].value,
                "exact_match": group.metrics["exact_match"].value,
            }
            for group in self._groups(self.measured)
        ]
        return {**found, f"by_{self.of}_length": groups}

    def results(self) -> Iterator[Result]:
        if self.measured is not None:
            yield ByLength(self.of, self.unit, "bleu", "BLEU (effective order)", self._groups(self.measured))
        nats = gather(self.nats)
        for row in np.argsort(self.places):
            place = self.places[row]
            source = f"item {place}" if self.sources is None else self.sources[place]
            yield Answered(source, self.predictions[row], self.targets[place], float(nats[row]))

    def items(self) -> Iterator[dict[str, Any]]:
        nats = gather(self.nats)
        for row in np.argsort(self.places):
            place = self.places[row]
            prediction, target = self.predictions[row], self.targets[place]
            source = None if self.sources is None else self.sources[place]
            yield {
                "item": place,
                **({} if source is None else {"source": source}),
                "target": target,
                "prediction": prediction,
                "right": prediction == target,
                **({} if source is None else {"source_length": self.length_of(source)}),
                **self.scores.sentence(prediction, target),
                "nats": float(nats[row]),
            }
        if self.apart is not None:
            name, apart = self.apart
            yield from ({**item, "item": len(self.targets) + item["item"], "apart": name} for item in apart.items())

    def tables(self) -> Iterator[Table]:
        if self.measured is None:
            return
        rows: list[tuple[str | int | float, ...]] = []
        for group in self._groups(self.measured):
            figures = (group.metrics[name].value for name in ("bleu", "chrf", "exact_match"))
            rows.append((f"{group.shortest} to {group.longest}", group.items, *figures))
        headings = (f"{self.of}, {self.unit}", "pairs", "BLEU (effective order)", "chrF", "exact match")
        yield Table(f"by length of the {self.of}", headings, tuple(rows))


def beside_targets(pairs: Sequence[tuple[str, str]], predictions: Sequence[str]) -> str:
    """Predictions for (source, target) pairs, one a line, with the target if the prediction differs from it."""
    return "\n".join(
        f"{source} -> {text}" + ("" if text == target else f"   (should be: {target})")
        for (source, target), text in zip(pairs, predictions, strict=True)
    )


def uniform_baseline(tokens: int) -> Baseline:
    """Chance: each of so many tokens as likely."""
    return Baseline("chance", f"each of {tokens:,} tokens as likely", loss_and_perplexity(math.log(tokens), 1, "token"))


def text_baselines(
    train: Sequence[tuple[str, str]], test: Sequence[tuple[str, str]], scores: TextScores
) -> Iterator[Baseline]:
    """Two baselines: the source itself, and the target of the most similar training source."""
    sources, targets = (list(side) for side in zip(*test, strict=True))
    yield Baseline("copy", "the source itself", scores.figures(sources, targets))
    found = [train[index][1] for index in nearest([source for source, _ in train], sources)]
    yield Baseline("nearest", "the target of the most similar source of train", scores.figures(found, targets))

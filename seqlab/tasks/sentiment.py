"""Sentiment: one label for a whole text (many-to-one).

Shape letters: B batch, T time, D width, C classes.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.baselines.bag_of_words import bag_of_words, majority
from seqlab.core.baseline import Baseline
from seqlab.core.batch import HELD_OUT, Batch, Split
from seqlab.core.example import Example
from seqlab.core.fields import Count, Probability, WholeNumber
from seqlab.core.meter import Meter, Table
from seqlab.core.metric import Metric
from seqlab.core.model import ModelConfig, Role, context_of, last_valid
from seqlab.core.network import Network, Parts, StepOutput, evaluating
from seqlab.core.prediction import GenerationConfig, Prediction
from seqlab.core.results import Answered, Confusion, Result
from seqlab.core.state import State
from seqlab.core.task import Task, TaskConfig
from seqlab.data.batching import Rows, bucketed, python_draws
from seqlab.data.files import find_corpus, sha256_of
from seqlab.data.labels import check_labels, in_order, label_counts, label_warnings, read_labelled
from seqlab.data.movie_reviews import movie_reviews
from seqlab.data.repeats import Repeats, in_both
from seqlab.data.restored import Restorable
from seqlab.data.splits import SplitCorpora, check_known_labels, cut_items, named_parts
from seqlab.data.tables import Separator
from seqlab.data.vocabulary import UNKNOWN, UnknownTokens, Vocabulary, VocabularySize, unknown_facts, unknown_warnings
from seqlab.data.words import NAMES, SPLIT, Normalization, Unit, normalized, same_text_key, too_long
from seqlab.errors import ConfigError, DataError
from seqlab.layers.embedding import TokenEmbedding
from seqlab.metrics import Floats, ItemSums, gather

CORPORA = {"movie_reviews": movie_reviews}
_HELD_SHARE = 0.1  # of the corpus, for validation and for test
_UNSEEN: tuple[Split, ...] = ("test", "validation")
_MISTAKES = 8  # shown to people


@dataclass(frozen=True, kw_only=True)
class TextBatch(Batch):
    """Texts as ids of words or characters. A row's label is scored in the window in which the row ends."""

    tokens_BT: Tensor
    valid_BT: Tensor
    labels_B: Tensor
    ends_B: Tensor  # bool: the row's last token stands in this window
    items_B: Tensor  # each row's place in its split, where its text stands

    @classmethod
    def of(cls, tokens_BT: Tensor, valid_BT: Tensor, labels_B: Tensor, items_B: Tensor) -> Self:
        """A batch of whole texts."""
        return cls(
            tokens_BT=tokens_BT,
            valid_BT=valid_BT,
            labels_B=labels_B,
            ends_B=torch.ones(len(labels_B), dtype=torch.bool),
            items_B=items_B,
            target_count=len(labels_B),
            positions=int(valid_BT.sum()),
        )

    def windows(self, steps: int) -> Iterator[Self]:
        length_B = self.valid_BT.sum(1)
        for start in range(0, self.tokens_BT.shape[1], steps):
            window = slice(start, start + steps)
            ends_B = (length_B > start) & (length_B <= start + steps)
            yield replace(
                self,
                tokens_BT=self.tokens_BT[:, window],
                valid_BT=self.valid_BT[:, window],
                ends_B=ends_B,
                target_count=int(ends_B.sum()),
                positions=int(self.valid_BT[:, window].sum()),
                continues=start > 0,
            )


@config_dataclass(frozen=True, kw_only=True)
class SentimentConfig(SplitCorpora, TaskConfig):
    """Settings of `task=sentiment`.

    corpus: `movie_reviews`, or the path of a CSV, TSV or JSON Lines file with a text and a label in each row.
    validation_corpus, test_corpus: the same for these splits alone. text_column, label_column: by their names in the
    header, or by their numbers, from 1. header: the first row names the columns. separator: of the fields, one
    character or `tab`; null: found from the first rows.
    unit: what a token is, in lower case; char is for scripts without spaces. normalize: nfc composes accents with their
    letters first. batch_tokens: tokens of a training batch, padding counted; null: batch_size texts.
    bidirectional: read each text in both directions. pooling: how the valid positions become one vector.
    vocabulary_size, min_count: tokens kept from the training split. word_dropout: probability that a
    training token is read as unknown. max_length: tokens read of a text; longer ones are counted and cut.
    deduplicate: training texts that stand in validation or test too, case and white space aside, are left out.
    metric: what the task is judged by, and chooses the best checkpoint. split_seed: of the fixed stratified split.
    """

    before: ClassVar[Mapping[str, Any]] = {"deduplicate": False}

    training_settings = (
        "batch_size", "batch_tokens", "unit", "bidirectional", "pooling", "vocabulary_size", "min_count",
        "word_dropout", "max_length",
    )  # fmt: skip
    reading_settings = ("text_column", "label_column", "separator", "header")

    corpus: str
    text_column: str
    label_column: str
    separator: Separator | None
    header: bool
    unit: Unit
    normalize: Normalization
    batch_size: Count
    batch_tokens: Count | None
    bidirectional: bool
    pooling: Literal["max", "mean", "last"]
    vocabulary_size: VocabularySize
    min_count: Count
    word_dropout: Probability
    max_length: Count
    deduplicate: bool
    metric: Literal["accuracy", "f1"]
    split_seed: WholeNumber

    def build(self) -> Sentiment:
        return Sentiment(self.read(self.corpus, "task.corpus"), self, self.read_held_out(self.read))

    def restore(self, vocabulary: Mapping[str, Any], read: Callable[[], Task[Any]]) -> Sentiment:
        task = Sentiment.restored(read)
        task.config, task.tokens = self, Vocabulary.restored(vocabulary["tokens"])
        task.labels, task.longest_text = tuple(map(str, vocabulary["labels"])), int(vocabulary["longest_text"])
        task.trained_text = int(vocabulary["trained_text"])
        return task

    def read(self, where: str, key: str) -> list[tuple[str, str]]:
        """(text, label) of each row of a corpus by its name, or of a file."""
        if where in CORPORA:
            return CORPORA[where]()
        path = find_corpus(where, key, CORPORA, "a CSV, TSV or JSON Lines file with a text and a label column")
        columns = (self.text_column, self.label_column)
        return read_labelled(path, key, *columns, separator=self.separator, header=self.header)


class Sentiment(Restorable, Task[TextBatch]):
    """Labelled texts in a fixed stratified split, and the tokens that training knows."""

    def __init__(
        self,
        items: list[tuple[str, str]],
        config: SentimentConfig,
        given: Mapping[Split, list[tuple[str, str]]] | None = None,
    ) -> None:
        self.config, given = config, given or {}
        texts_and_labels = {split: [*chain.from_iterable(part)] for split, part in given.items()}
        self.data_sha256 = sha256_of([*chain.from_iterable(items), *named_parts(texts_and_labels)])
        self.label_counts = Counter(label for _, label in items)
        check_labels(self.label_counts, config.corpus, config.label_column)
        self.labels = tuple(sorted(self.label_counts))
        for split, part in given.items():
            check_known_labels(self.labels, part, f"task.{split}_corpus={config.held_out()[split]}")
        parts = self._split(items, given)
        parts["train"], self.repeats = without_repeats(parts, config)
        labels_of: dict[str, set[str]] = defaultdict(set)
        for text, label in chain(items, *given.values()):
            labels_of[same_text_key(text)].add(label)
        self.contradictory = sum(len(labels) > 1 for labels in labels_of.values())
        self.test_is_validation = parts["test"] == parts["validation"]
        self.texts = {split: [text for text, _ in part] for split, part in parts.items()}
        tokens = {split: [self.tokenize(text) for text in texts] for split, texts in self.texts.items()}
        self.cut = sum(len(row) > config.max_length for rows in tokens.values() for row in rows)
        self.tokens = Vocabulary.of(tokens["train"], size=config.vocabulary_size, min_count=config.min_count)
        self.ids = {split: [self._encode(row) for row in rows] for split, rows in tokens.items()}
        self.longest_text = max(len(row) for rows in self.ids.values() for row in rows)
        self.trained_text = max(map(len, self.ids["train"]))
        self.rows = {split: Rows(rows) for split, rows in self.ids.items()}
        self.answers = {split: [self.labels.index(label) for _, label in part] for split, part in parts.items()}

    def tokenize(self, text: str) -> list[str]:
        """A text as the network reads it, uncut."""
        return SPLIT[self.config.unit](normalized(text, self.config.normalize).lower())

    def _split(
        self, items: list[tuple[str, str]], given: Mapping[Split, list[tuple[str, str]]]
    ) -> dict[Split, list[tuple[str, str]]]:
        by_label: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for item in items:
            by_label[item[1]].append(item)
        parts: dict[Split, list[tuple[str, str]]] = {"train": [], "validation": [], "test": []}
        for label in self.labels:
            shares = cut_items(by_label[label], given, _HELD_SHARE, self.config.split_seed)
            for split, part in parts.items():
                part += shares[split]
        parts |= given
        for split, part in parts.items():
            if not part:
                raise DataError(
                    f"task.corpus={self.config.corpus}: {len(items)} rows leave none for the {split} split",
                    "give at least ten rows of each label",
                )
        return parts

    def batches(self, split: Split, seed: int) -> Iterator[TextBatch]:
        training, config = split == "train", self.config
        drop = python_draws(f"word dropout {seed}") if training and config.word_dropout else None
        rows, answers = self.rows[split], torch.tensor(self.answers[split])
        order = bucketed(
            [(len(row),) for row in self.ids[split]],
            config.batch_size,
            seed if training else None,
            batch_tokens=config.batch_tokens if training else None,
        )
        for chosen in map(torch.tensor, order):
            tokens_BT, valid_BT = rows.take(chosen)
            if drop is not None:
                dropped_N = torch.from_numpy(drop.random_sample(int(valid_BT.sum())) < config.word_dropout)
                tokens_BT = tokens_BT.masked_scatter(valid_BT, tokens_BT[valid_BT].masked_fill(dropped_N, UNKNOWN))
            yield TextBatch.of(tokens_BT, valid_BT, answers[chosen], chosen)

    def build_network(self, model: ModelConfig) -> SentimentNetwork:
        return SentimentNetwork(len(self.tokens), len(self.labels), model, self.config)

    def check_windows(self, steps: int, network: Network[TextBatch]) -> None:
        what = f"trainer.bptt_steps={steps} cannot apply"
        if self.config.bidirectional:
            raise ConfigError(
                f"{what}: task.bidirectional=true reads each text from its end as well",
                "try task.bidirectional=false, or trainer.bptt_steps=null",
            )
        assert isinstance(network, SentimentNetwork)
        if not network.model.carries_state():
            raise ConfigError(
                f"{what}: this model carries nothing from one window of a text to the next",
                "try model=lstm, or trainer.bptt_steps=null",
            )
        if steps > self.config.max_length:
            raise ConfigError(
                f"trainer.bptt_steps={steps} is longer than any text (task.max_length={self.config.max_length})",
                "try trainer.bptt_steps=null",
            )

    def longest(self) -> int:
        return self.longest_text

    def trained_positions(self, part: str) -> int:
        return self.trained_text

    def vocabulary(self) -> Iterable[str]:
        return (*self.tokens.tokens, *self.labels)

    def heldout_sha256(self) -> str:
        pairs = (zip(self.texts[split], self.answers[split], strict=True) for split in HELD_OUT)
        return sha256_of(part for held in pairs for text, answer in held for part in (text, self.labels[answer]))

    def embedding_tokens(self) -> Mapping[str, Sequence[str]]:
        return {"embed": self.tokens.tokens}

    def stored_vocabulary(self) -> Mapping[str, Any]:
        return {
            "tokens": self.tokens.tokens, "labels": self.labels, "longest_text": self.longest_text,
            "trained_text": self.trained_text,
        }  # fmt: skip

    def meter(self, split: Split) -> SentimentMeter:
        return SentimentMeter(self.labels, self.texts[split], self.config.metric)

    def describe(self) -> Mapping[str, int | str]:
        unit = NAMES[self.config.unit]
        return {
            "corpus": self.config.corpus,
            **self.config.named_corpora(),
            **{f"{split} texts": len(rows) for split, rows in self.ids.items()},
            "labels": label_counts(self.label_counts),
            "vocabulary": len(self.tokens),
            **self.repeats.describe(),
            **({"texts with more than one label": self.contradictory} if self.contradictory else {}),
            **unknown_facts(self._unknown()),
            f"texts cut at {self.config.max_length} {unit}": self.cut,
        }

    def warnings(self) -> Iterable[str]:
        yield from label_warnings(self.label_counts)
        yield from self.repeats.warnings()
        if self.contradictory:
            yield f"{self.contradictory:,} texts stand with more than one label: no model can be right each time"
        yield from unknown_warnings(self._unknown(), self.config.unit)

    def with_test_corpus(self, where: str, key: str, config: TaskConfig) -> Sentiment:
        assert isinstance(config, SentimentConfig)
        items = config.read(where, key)
        check_known_labels(self.labels, items, f"{key}={where}")
        task = self.detached()
        task.data_sha256, task.test_is_validation = sha256_of(chain.from_iterable(items)), False
        task.texts = {"test": [text for text, _ in items]}
        task.ids = {"test": [self._encode(self.tokenize(text)) for text, _ in items]}
        task.rows = {"test": Rows(task.ids["test"])}
        task.answers = {"test": [self.labels.index(label) for _, label in items]}
        return task

    def unknown_in(self, split: Split) -> Mapping[str, tuple[int, int]]:
        unknown = UnknownTokens.of(self.ids[split])
        return {NAMES[self.config.unit]: (unknown.count, unknown.of_all)}

    def _unknown(self) -> dict[str, UnknownTokens]:
        unit = NAMES[self.config.unit]
        return {f"{unit} of {split}": UnknownTokens.of(self.ids[split]) for split in _UNSEEN}

    def samples(self, network: Network[TextBatch], seed: int) -> str:
        held_out, answers = self.texts["validation"], self.answers["validation"]
        chosen = random.Random(seed).sample(range(len(held_out)), min(6, len(held_out)))
        texts = [held_out[i] for i in chosen]
        lines = []
        for i, text, shares in zip(chosen, texts, self.classify(network, texts), strict=True):
            said, truth = max(shares, key=lambda label: shares[label]), self.labels[answers[i]]
            mark = "right" if said == truth else f"wrong, it is {truth}"
            lines.append(f"{said} {shares[said]:.0%} ({mark}): {text}")
        return "\n".join(lines)

    def chance(self, split: Split) -> Baseline:
        truth = self.answers[split]
        most = majority(self.answers["train"], truth)
        pairs = np.array(list(zip(truth, most, strict=True)), dtype=np.float64)
        return Baseline(
            "majority", f"always says {self.labels[most[0]]}", _figures(_count_pairs(pairs, len(self.labels)))
        )

    def baselines(self) -> Iterator[Baseline]:
        truth, classes = self.answers["test"], len(self.labels)

        def figures(said: list[int]) -> dict[str, Metric]:
            return _figures(_count_pairs(np.array(list(zip(truth, said, strict=True)), dtype=np.float64), classes))

        train, validation = ((self.ids[split], self.answers[split]) for split in ("train", "validation"))
        yield self.chance("test")
        said = bag_of_words(train, validation, self.ids["test"])
        yield Baseline("bag of words", "logistic regression on which words occur", figures(said))

    def predict(self, network: Network[TextBatch], text: str, generation: GenerationConfig) -> Prediction:
        (shares,) = self.classify(network, [text])
        ranked = sorted(shares, key=lambda label: -shares[label])
        said = ", ".join(f"{label} {shares[label]:.1%}" for label in ranked)
        return Prediction(said, {"label": ranked[0], "probabilities": shares})

    def unknown(self, text: str) -> tuple[str, ...]:
        return self.tokens.unknown(self.tokenize(text))

    def unread(self, text: str) -> str:
        return too_long(len(self.tokenize(text)), self.config.max_length, self.config.unit)

    def example_text(self, length: int) -> str:
        """The first text of the split with about so many tokens."""
        return min(self.texts["validation"], key=lambda text: abs(len(self.tokenize(text)) - length))

    def example(self, network: Network[TextBatch], text: str) -> Example[TextBatch]:
        tokens = self.tokenize(text)
        if not tokens:
            raise DataError("there is nothing to look at", "give a text of one word or more")
        read = tokens[: min(self.config.max_length, context_of(network) or len(tokens))]
        return Example(self._batch([text]), tuple(read), left_out=len(tokens) - len(read))

    def _encode(self, tokens: list[str]) -> list[int]:
        """The ids of a text's tokens, cut; one without any still needs one position."""
        return (self.tokens.encode(tokens) or [UNKNOWN])[: self.config.max_length]

    def _batch(self, texts: list[str]) -> TextBatch:
        """Texts whose labels nobody knows."""
        rows = [self._encode(self.tokenize(text)) for text in texts]
        everything = torch.arange(len(rows))
        return TextBatch.of(*Rows(rows).take(everything), everything * 0, everything)

    @torch.inference_mode()
    def classify(self, network: Network[TextBatch], texts: list[str]) -> list[dict[str, float]]:
        """For each text the probability of each label."""
        batch = self._batch(texts).to(next(network.parameters()).device)
        with evaluating(network):
            shares_BC = network(batch, network.initial_state(len(texts))).logits.float().softmax(-1)
        return [dict(zip(self.labels, row, strict=True)) for row in shares_BC.tolist()]


def without_repeats(
    parts: Mapping[Split, list[tuple[str, str]]], config: SentimentConfig
) -> tuple[list[tuple[str, str]], Repeats]:
    """(the training rows to keep, what of them stands in the other splits). Raises DataError where none is left."""
    validation, test = ([text for text, _ in parts[split]] for split in HELD_OUT)
    held = {same_text_key(text) for text in (*validation, *test)}
    repeated = [same_text_key(text) in held for text, _ in parts["train"]]
    count, of, between = sum(repeated), len(repeated), (in_both(validation, test), len(test))
    if not config.deduplicate:
        return parts["train"], Repeats("texts", 0, count, of, *between)
    if count == of:
        raise DataError(
            f"task.corpus={config.corpus}: each of the {of:,} training texts stands in validation or test too",
            "give each text once, or take them as they are with task.deduplicate=false",
        )
    kept = [row for row, again in zip(parts["train"], repeated, strict=True) if not again]
    return kept, Repeats("texts", count, 0, of, *between)


class SentimentNetwork(Network[TextBatch]):
    """Embedding, a model, pooling over valid positions, and a linear layer. Read causally, the pooling is
    carried in the state, so that a text may come in windows."""

    def __init__(self, vocabulary_size: int, classes: int, model: ModelConfig, config: SentimentConfig) -> None:
        super().__init__()
        self.embed = TokenEmbedding(vocabulary_size, model.width)
        self.model = model.build(Role.ENCODER if config.bidirectional else Role.DECODER)
        self.dropout = nn.Dropout(model.dropout)
        self.head = nn.Linear(model.width, classes)
        self.pooling, self.width = config.pooling, model.width

    def parts(self) -> Parts:
        return Parts((self.embed,), (self.model,), (self.head,))

    def initial_state(self, rows: int, *, cached: bool = False) -> State:
        like = self.head.weight
        start = float("-inf") if self.pooling == "max" else 0.0
        pooled_BD = like.new_full((rows, self.width), start)
        return (self.model.initial_state(rows), pooled_BD, like.new_zeros(rows, 1))

    def forward(self, batch: TextBatch, state: State) -> StepOutput:
        before, pooled_BD, seen_B1 = state
        assert isinstance(pooled_BD, Tensor)
        assert isinstance(seen_B1, Tensor)
        # a text that is longer than those of training is read as far as they went
        limit = None if self.training else context_of(self.model)
        tokens_BT, valid_BT = batch.tokens_BT[:, :limit], batch.valid_BT[:, :limit]
        x_BTD = self.dropout(self.embed(tokens_BT))
        hidden_BTD, after = self.model(x_BTD, before, valid_BT=valid_BT)
        pooled_BD, seen_B1 = self._pool(hidden_BTD.float(), valid_BT, pooled_BD, seen_B1)
        vector_BD = pooled_BD / seen_B1.clamp(min=1) if self.pooling == "mean" else pooled_BD
        logits_BC = self.head(self.dropout(vector_BD))
        nats_B = F.cross_entropy(logits_BC.float(), batch.labels_B, reduction="none")
        return StepOutput(nats_B.masked_fill(~batch.ends_B, 0.0).sum(), (after, pooled_BD, seen_B1), logits_BC)

    def _pool(self, hidden_BTD: Tensor, valid_BT: Tensor, pooled_BD: Tensor, seen_B1: Tensor) -> tuple[Tensor, Tensor]:
        valid_BT1, any_B1 = valid_BT[..., None], valid_BT.any(1, keepdim=True)
        if self.pooling == "max":
            highest_BD = hidden_BTD.masked_fill(~valid_BT1, float("-inf")).amax(1)
            pooled_BD = torch.maximum(pooled_BD, highest_BD)
        elif self.pooling == "mean":
            pooled_BD = pooled_BD + hidden_BTD.masked_fill(~valid_BT1, 0.0).sum(1)
        else:
            pooled_BD = torch.where(any_B1, last_valid(hidden_BTD, valid_BT), pooled_BD)
        return pooled_BD, seen_B1 + valid_BT.sum(1, keepdim=True)


class SentimentMeter(Meter[TextBatch]):
    """Confusion counts and the loss over every text."""

    def __init__(self, labels: tuple[str, ...], texts: list[str], primary: str) -> None:
        self.labels, self.texts, self.primary = labels, texts, primary
        self.pairs: list[Tensor] = []
        self.nats: list[Tensor] = []
        self.shares: list[Tensor] = []
        self.places: list[Tensor] = []

    def update(self, batch: TextBatch, output: StepOutput, network: Network[TextBatch]) -> None:
        said_B, truth_B = output.logits.argmax(-1), batch.labels_B
        self.pairs.append(torch.stack((truth_B, said_B), 1)[batch.ends_B])
        self.nats.append(F.cross_entropy(output.logits.float(), truth_B, reduction="none")[batch.ends_B])
        self.shares.append(output.logits.float().softmax(-1)[batch.ends_B])
        self.places.append(batch.items_B[batch.ends_B])

    def _confusion(self) -> Floats:
        return _count_pairs(gather(self.pairs), len(self.labels))

    def _listed(self) -> tuple[list[str], list[tuple[str, list[int]]]]:
        """(the labels as a person lists them, the confusion counts of each in that order)."""
        order = [self.labels.index(label) for label in in_order(self.labels)]
        counts = self._confusion().astype(int)[np.ix_(order, order)]
        labels = [self.labels[place] for place in order]
        return labels, list(zip(labels, counts.tolist(), strict=True))

    def compute(self) -> dict[str, Metric]:
        loss = Metric(float(gather(self.nats).mean()), "nats/text", higher_is_better=False, lowest=0.0)
        return {**_figures(self._confusion()), "loss": loss}

    def item_sums(self) -> ItemSums:
        pairs_N2 = gather(self.pairs).astype(int)[np.argsort(gather(self.places))]
        is_N2C = np.eye(len(self.labels))[pairs_N2]
        # of each label: how often it is right, and how often it is or is said
        sums_NK = np.concatenate((is_N2C.prod(1), is_N2C.sum(1)), 1)
        return ItemSums(sums_NK, lambda sums: _rates(*np.split(sums, 2))[self.primary].value)

    def details(self) -> dict[str, Any]:
        labels, rows = self._listed()
        return {"confusion": {truth: dict(zip(labels, row, strict=True)) for truth, row in rows}}

    def results(self) -> Iterator[Result]:
        labels, rows = self._listed()
        yield Confusion(tuple(labels), np.array([row for _, row in rows]))
        yield from self._answered()

    def _answered(self) -> Iterator[Answered]:
        """Each text, in the split's order."""
        pairs, nats, shares = gather(self.pairs).astype(int), gather(self.nats), gather(self.shares)
        places = gather(self.places).astype(int)
        for row in np.argsort(places):
            target, prediction = (self.labels[label] for label in pairs[row])
            probabilities = dict(zip(self.labels, shares[row].tolist(), strict=True))
            yield Answered(self.texts[places[row]], prediction, target, float(nats[row]), probabilities)

    def items(self) -> Iterator[dict[str, Any]]:
        places = np.sort(gather(self.places).astype(int)).tolist()
        for place, answered in zip(places, self._answered(), strict=True):
            yield {
                "item": place,
                "truth": answered.target,
                "said": answered.prediction,
                "right": answered.right,
                "probabilities": answered.probabilities,
                "nats": answered.loss,
                "text": answered.text,
            }

    def tables(self) -> Iterator[Table]:
        labels, rows = self._listed()
        headings = ("", *(f"said {label}" for label in labels))
        yield Table("confusion", headings, tuple((f"is {label}", *row) for label, row in rows))
        wrong = [item for item in self.items() if not item["right"]]
        wrong.sort(key=lambda item: -item["probabilities"][item["said"]])
        mistakes = (
            (item["text"], item["said"], f"{item['probabilities'][item['said']]:.1%}", item["truth"])
            for item in wrong[:_MISTAKES]
        )
        yield Table("most confident mistakes", ("text", "said", "sure", "is"), tuple(mistakes))


def _count_pairs(pairs_N2: Floats, classes: int) -> Floats:
    """(C, C) counts, truth by row and answer by column."""
    counts = np.zeros((classes, classes))
    np.add.at(counts, tuple(pairs_N2.astype(int).T), 1)
    return counts


def _figures(confusion: Floats) -> dict[str, Metric]:
    """Accuracy and macro F1 of confusion counts."""
    return _rates(confusion.diagonal(), confusion.sum(0) + confusion.sum(1))


def _rates(right: Floats, of_each: Floats) -> dict[str, Metric]:
    """Accuracy and macro F1. By label, how many texts are right, and how many have it plus how many are said to."""
    # a class that neither occurs nor is said has no F1; it is left out of the mean
    f1 = (2 * right[of_each > 0] / of_each[of_each > 0]).mean()
    return {
        "accuracy": Metric(float(right.sum() / of_each.sum() * 2), "", higher_is_better=True, lowest=0.0, highest=1.0),
        "f1": Metric(float(f1), "macro F1", higher_is_better=True, lowest=0.0, highest=1.0),
    }

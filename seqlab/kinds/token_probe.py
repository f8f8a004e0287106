"""Generated sequences of tokens, some positions of which ask for what stood before: what the memory of a model is
probed with.

Shape letters: B rows of a batch, T time, C chosen, N numbers.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from string import ascii_lowercase
from typing import ClassVar, Literal

import torch
from torch import Tensor

from seqlab.core.batch import Split
from seqlab.core.example import Example
from seqlab.core.model import ModelConfig
from seqlab.core.network import Network, output_of
from seqlab.core.prediction import GenerationConfig, Prediction
from seqlab.data.batches import UNSCORED, TokenBatch
from seqlab.data.vocabulary import SPECIALS, Vocabulary
from seqlab.errors import DataError, quoted
from seqlab.kinds.generated import GeneratedConfig, GeneratedTask
from seqlab.metrics.answers import AnswerMeter
from seqlab.networks.token_lm import TokenLM

FIRST = len(SPECIALS)  # the id of the first token that is not special
_SHOWN = 3  # sequences


class TokenProbe(GeneratedTask[TokenBatch]):
    """A language model's network reads sequences of tokens, and is scored where there is something to answer."""

    primary: ClassVar[Literal["accuracy", "loss"]] = "accuracy"
    blank: ClassVar[str | None] = None
    """The token, if there is one, that is scored as a target and is no answer."""

    def __init__(self, config: GeneratedConfig, tokens: Sequence[str]) -> None:
        super().__init__(config)
        self.tokens = Vocabulary((*SPECIALS, *tokens))

    @abstractmethod
    def parse(self, tokens: Sequence[str]) -> tuple[Sequence[str], Sequence[int]]:
        """(the whole sequence, the positions that are to be answered) of one that a person wrote, whose tokens are
        known. Raises DataError for one that is no sequence of this task."""

    @abstractmethod
    def shorten(self, tokens: Sequence[str]) -> Sequence[str]:
        """What a person writes of a whole sequence."""

    def build_network(self, model: ModelConfig) -> TokenLM:
        return TokenLM(len(self.tokens), model, self.longest())

    def embedding_tokens(self) -> Mapping[str, Sequence[str]]:
        return {"embed": self.tokens.tokens}

    def meter(self, split: Split) -> AnswerMeter:
        blank = None if self.blank is None else self.tokens.encode([self.blank])[0]
        return AnswerMeter(self.tokens.tokens, self.primary, blank)

    def contexts_of(self, batch: TokenBatch, steps: int) -> Iterator[TokenBatch]:
        """The target is the last one of each row; rows whose last target stands at one position are a batch."""
        scored_BT = batch.targets_BT != UNSCORED
        last_B = scored_BT.shape[1] - 1 - scored_BT.flip(1).int().argmax(1)
        for last in last_B.unique().tolist():
            window = slice(max(0, last + 1 - steps), last + 1)
            inputs_BT, targets_BT = (part[last_B == last, window] for part in (batch.inputs_BT, batch.targets_BT))
            targets_BT = torch.cat((torch.full_like(targets_BT[:, :-1], UNSCORED), targets_BT[:, -1:]), 1)
            yield token_batch(inputs_BT, targets_BT)

    def predict(self, network: Network[TokenBatch], text: str, generation: GenerationConfig) -> Prediction:
        tokens, places = self._sequence(text)
        if not places:
            raise DataError(f"{text!r:.60} asks for nothing", f"give one like: {self.example_text(0)}")
        self.check_readable(network, len(tokens))
        ids_1T = torch.tensor([self.tokens.encode(tokens)])
        (prediction_T,) = _predictions(network, token_batch(ids_1T, torch.full_like(ids_1T, UNSCORED)))
        answer = " ".join(self.tokens.tokens[prediction_T[place]] for place in places)
        return Prediction(answer, {"answer": answer})

    def example_text(self, length: int) -> str:
        """A sequence asks for what stands in it, and cannot be cut."""
        ids = self.first("validation", 1).inputs_BT[0].tolist()
        return " ".join(self.shorten([self.tokens.tokens[token] for token in ids]))

    def example(self, network: Network[TokenBatch], text: str) -> Example[TokenBatch]:
        tokens, _ = self._sequence(text)
        read = tuple(tokens[: self.readable(network)])
        ids_1T = torch.tensor([self.tokens.encode(read)])
        batch = token_batch(ids_1T, torch.full_like(ids_1T, UNSCORED))
        return Example(batch, read, truncated=len(tokens) - len(read))

    def _sequence(self, text: str) -> tuple[Sequence[str], Sequence[int]]:
        tokens = text.split()
        if unknown := self.tokens.unknown(tokens):
            known = ", ".join(self.tokens.tokens[FIRST : FIRST + 20])
            more = f" and {len(self.tokens) - FIRST - 20} more" if len(self.tokens) > FIRST + 20 else ""
            raise DataError(f"{quoted(unknown)}: no token of this task", f"its tokens, between spaces: {known}{more}")
        if not tokens:
            raise DataError("there is nothing to read", f"give a sequence like: {self.example_text(0)}")
        return self.parse(tokens)

    def samples(self, network: Network[TokenBatch], seed: int) -> str:
        batch = self.first("validation", _SHOWN)
        targets_BT, blank = batch.targets_BT, self.tokens.encode([self.blank or ""])[0]
        answer_BT = (targets_BT != UNSCORED) & (targets_BT != blank)
        lines = []
        for row, prediction_T in enumerate(_predictions(network, batch)):
            places = answer_BT[row].nonzero()[:, 0].tolist()
            target = " ".join(self.tokens.tokens[int(targets_BT[row, place])] for place in places)
            lines.append(f"{target}, predicted: {' '.join(self.tokens.tokens[prediction_T[p]] for p in places)}")
        return "\n".join(lines)


def token_batch(inputs_BT: Tensor, targets_BT: Tensor) -> TokenBatch:
    """Whole sequences: every position is read, whether it is scored or not."""
    scored = int((targets_BT != UNSCORED).sum())
    return TokenBatch(inputs_BT=inputs_BT, targets_BT=targets_BT, target_count=scored, positions=inputs_BT.numel())


def names(count: int) -> list[str]:
    """Names of so many tokens: a, b, c, ..., or t0, t1, t2, ... where there are too many."""
    return list(ascii_lowercase[:count]) if count <= len(ascii_lowercase) else [f"t{index}" for index in range(count)]


def smallest(drawn_BN: Tensor, count: int) -> Tensor:
    """place_BC: where the `count` smallest numbers of each row stand, the smallest first. Of uniform numbers, a choice
    of places without replacement, in random order."""
    return drawn_BN.topk(count, 1, largest=False).indices


def _predictions(network: Network[TokenBatch], batch: TokenBatch) -> list[list[int]]:
    """The likeliest token at each position of each row."""
    predictions: list[list[int]] = output_of(network, batch).logits.argmax(-1).tolist()
    return predictions

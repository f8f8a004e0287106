"""From text to text: the vocabularies of both sides, and what a TokenEncoderDecoder writes for a text.

Shape letters: B batch, S source time, T target time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seqlab.core.example import Example
from seqlab.core.model import ModelConfig, context_of
from seqlab.core.network import Network
from seqlab.core.prediction import GenerationConfig
from seqlab.data.batches import PairBatch
from seqlab.data.batching import pad
from seqlab.data.encoded_pairs import EncodedPairs
from seqlab.data.vocabulary import END, Vocabulary
from seqlab.decoding.search import best_texts
from seqlab.errors import DataError
from seqlab.networks.encoder_decoder import TokenEncoderDecoder, written_example, written_target

_GREEDY = GenerationConfig()


@dataclass(frozen=True)
class TextToText:
    """Texts in, texts out. tokenize: splits a source or a target into tokens; separator: joins them again.
    max_length: the most tokens of a source or a target, its end counted."""

    tokenize: Callable[[str], list[str]]
    sources: Vocabulary
    targets: Vocabulary
    max_length: int
    separator: str

    def encode(self, pairs: Iterable[tuple[Sequence[str], Sequence[str]]]) -> EncodedPairs:
        """A split of tokenized pairs."""
        return EncodedPairs(pairs, self.sources, self.targets, self.max_length - 1)

    def network(self, model: ModelConfig, *, label_smoothing: float = 0.0) -> TokenEncoderDecoder:
        """A new network for these vocabularies."""
        return TokenEncoderDecoder(len(self.sources), len(self.targets), model, label_smoothing=label_smoothing)

    def embedding_tokens(self) -> Mapping[str, Sequence[str]]:
        """As Task.embedding_tokens, of that network."""
        return {"embed_source": self.sources.tokens, "embed_target": self.targets.tokens}

    def numbers_in_both(self, batch: PairBatch) -> Tensor:
        """place_BT: where the source has the token of target position t, if it has a digit and stands once on both
        sides; -1 for every other target."""
        place_BT = torch.full_like(batch.target_BT, -1)
        for place_T, source_S, target_T in zip(
            place_BT, batch.source_BS.tolist(), batch.target_BT.tolist(), strict=True
        ):
            sources = [self.sources.tokens[token] for token in source_S]
            targets = [self.targets.tokens[token] for token in target_T]
            for place, token in enumerate(targets):
                if any(map(str.isdigit, token)) and sources.count(token) == 1 == targets.count(token):
                    place_T[place] = sources.index(token)
        return place_BT

    def write(self, network: Network[PairBatch], batch: PairBatch, generation: GenerationConfig = _GREEDY) -> list[str]:
        """What the network writes for the sources of a batch: greedily, or with beam search."""
        most = self._most_written(batch)
        return best_texts(self.targets, most, network, batch, generation, separator=self.separator)

    def predict(
        self, network: Network[PairBatch], texts: Sequence[str], generation: GenerationConfig = _GREEDY
    ) -> list[str]:
        """The translation of each text."""
        return self.write(network, self._batch(texts), generation)

    def example(self, network: Network[PairBatch], text: str) -> Example[PairBatch]:
        """A source, and what the network itself writes for it. Raises DataError for a text without tokens."""
        assert isinstance(network, TokenEncoderDecoder)
        tokens = self.tokenize(text)
        if not tokens:
            raise DataError("there is nothing to look at", "give a text of one word or more")
        read = tokens[: min(self.max_length - 1, context_of(network.encoder) or len(tokens))]
        source = self._batch([text])
        batch = PairBatch(
            source_BS=torch.tensor([self.sources.encode(read)]),
            target_BT=written_target(network, source, self._most_written(source)),
            items_B=torch.zeros(1, dtype=torch.long),
        )
        return written_example(batch, self.sources.shown(read), self.targets, truncated=len(tokens) - len(read))

    def _batch(self, texts: Sequence[str]) -> PairBatch:
        """Sources without targets; a text without tokens still needs one position."""
        source_BS = pad([self.sources.encode(self.tokenize(text))[: self.max_length - 1] or [END] for text in texts])
        return PairBatch(source_BS=source_BS, target_BT=source_BS[:, :0], items_B=source_BS[:, 0])

    def _most_written(self, batch: PairBatch) -> int:
        return min(self.max_length, 2 * batch.source_BS.shape[1] + 20)

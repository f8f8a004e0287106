"""Subwords learned from a text: byte-pair encoding (Sennrich 2016) and a unigram language model (Kudo 2018), both over
bytes (GPT-2), by the `tokenizers` library."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Literal

from seqlab.data.subwords import Subwords, byte_of_letter, parts_of
from seqlab.data.vocabulary import SPECIALS

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from tokenizers.models import Model

Kind = Literal["bpe", "unigram"]
MOST_LEARNED = 20_000_000
"""Characters of the training split that a tokenizer is learned from at most: its beginning. More change few tokens."""
_NEVER = -1e9  # the log-probability of the special tokens, which no text contains
_PENALTIES = 0.03  # at most 256 times 0.0001, which the library adds to tell the bytes that the text lacks apart
_DIGITS = 9  # of a log-probability: the last ones depend on the order of a sum


def learned(kind: Kind, texts: Iterable[str], size: int) -> Subwords:
    """A tokenizer of at most `size` tokens, the special ones and the 256 bytes included, learned from these texts: the
    same for the same texts. Use it on the training split only."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False)
    tokenizer = Tokenizer(models.BPE() if kind == "bpe" else models.Unigram())
    tokenizer.pre_tokenizer = byte_level
    trainer_of = trainers.BpeTrainer if kind == "bpe" else trainers.UnigramTrainer
    trainer = trainer_of(
        vocab_size=size, special_tokens=[*SPECIALS], initial_alphabet=sorted(byte_of_letter()), show_progress=False
    )
    tokenizer.train_from_iterator(_first(texts), trainer)
    model = _merges(tokenizer) if kind == "bpe" else _probabilities(tokenizer)
    # made anew, since a text may contain "<pad>": the special tokens are in the vocabulary, and never found in a text
    made = Tokenizer(model)
    made.pre_tokenizer, made.decoder = byte_level, decoders.ByteLevel()
    return Subwords(made.to_str(pretty=True))


def _first(texts: Iterable[str]) -> Iterator[str]:
    left = MOST_LEARNED
    for part in chain.from_iterable(map(parts_of, texts)):
        yield part[:left]
        left -= len(part)
        if left <= 0:
            return


def _merges(tokenizer: Tokenizer) -> Model:
    from tokenizers import models

    model = json.loads(tokenizer.to_str())["model"]
    return models.BPE(vocab=model["vocab"], merges=[tuple(merge) for merge in model["merges"]])


def _probabilities(tokenizer: Tokenizer) -> Model:
    """The library visits words in an order that differs from run to run. It changes the last digits of a probability,
    and which of the bytes that the text lacks comes first: here they are equal, and come in the order of bytes."""
    from tokenizers import models

    scored = json.loads(tokenizer.to_str())["model"]["vocab"]
    # of a text without two different words there is nothing to estimate, and the library gives no number
    found = {token: _NEVER / 2 if score is None else float(score) for token, score in scored if token not in SPECIALS}
    least = min((score for token, score in found.items() if len(token) > 1), default=min(found.values()))
    for token, score in found.items():
        found[token] = round(least if len(token) == 1 and score <= least + _PENALTIES else score, _DIGITS)
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return models.Unigram([*((token, _NEVER) for token in SPECIALS), *ranked], None, False)

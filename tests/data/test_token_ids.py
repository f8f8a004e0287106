"""Ids read with numpy are those of the plain vocabulary, and what tokens stand for adds up to the text."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.data import token_ids
from seqlab.data.files import sha256_of
from seqlab.data.token_ids import TextSize, TokenIds, TokenSizes, id_type, ids_of, learned_vocabulary
from seqlab.data.vocabulary import Vocabulary

TEXTS = st.text(max_size=300) | st.text(st.sampled_from("ab \né漢🙂\ud800"), max_size=300)


@settings(deadline=None)
@given(train=TEXTS, text=TEXTS, size=st.none() | st.integers(5, 9), part=st.integers(1, 40))
def test_ids_of_characters_are_those_of_counted_characters(train: str, text: str, size: int | None, part: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(token_ids, "_PART", part)
        vocabulary = learned_vocabulary(train, size)
        ids = ids_of(vocabulary, text)
        assert vocabulary == Vocabulary.of([train], size=size)
        assert ids.tolist() == vocabulary.encode(text)
        assert ids.counts(len(vocabulary)).tolist() == [
            vocabulary.encode(text).count(i) for i in range(len(vocabulary))
        ]


@settings(deadline=None)
@given(train=TEXTS, text=TEXTS.filter(lambda text: text.split() and "\ud800" not in text))
def test_the_sizes_of_tokens_add_up_to_the_text(train: str, text: str) -> None:
    for unit, tokens, known in (("char", text, train), ("word", text.split(), train.split())):
        vocabulary = learned_vocabulary(known)
        ids = ids_of(vocabulary, tokens)
        size = TextSize.of(text, tokens if unit == "word" else ())
        sizes = TokenSizes.of(vocabulary, unit, ids, size)  # type: ignore[arg-type]
        counts_V = ids.counts(len(vocabulary))
        assert counts_V @ sizes.characters_V == pytest.approx(len(text))
        assert counts_V @ sizes.bytes_V == pytest.approx(len(text.encode()))


@pytest.mark.parametrize(
    ("vocabulary", "kind"), [(256, np.uint8), (257, np.uint16), (65536, np.uint16), (65537, np.uint32)]
)
def test_ids_have_the_smallest_type_and_are_read_as_int64(vocabulary: int, kind: type) -> None:
    assert id_type(vocabulary) is kind
    ids = TokenIds(np.array([0, vocabulary - 1, 3], dtype=id_type(vocabulary)))
    assert ids[1:].tolist() == [vocabulary - 1, 3]
    places = torch.tensor([[2, 1], [0, 1]])
    assert ids.at(places).dtype == torch.int64
    assert ids.at(places).tolist() == [[3, vocabulary - 1], [0, vocabulary - 1]]


def test_the_digest_of_a_text_is_that_of_its_bytes() -> None:
    text = "漢é a" * 400_000
    assert sha256_of([text, "b"]) == sha256_of([text.encode(), b"b"])

"""Subwords: every text comes back, nothing is unknown, and the ids are those of the library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from seqlab.data.learned_subwords import learned
from seqlab.data.subwords import Subwords, parts_of
from seqlab.data.token_ids import subword_ids
from seqlab.data.tokens import FEWEST
from seqlab.data.vocabulary import PAD, SPECIALS, START, UNKNOWN
from seqlab.errors import DataError

TEXT = (Path(__file__).parent.parent / "fixtures" / "corpus.txt").read_text(encoding="utf-8")


def _like_gpt2(**changes: Any) -> str:
    """A tokenizer.json as GPT-2's: a special token at the end, and no room for others at the beginning."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=400, show_progress=False, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|endoftext|>"])
    return json.dumps({**json.loads(tokenizer.to_str()), **changes})


_PATTERN = (
    r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+(?i:'s|'t|'re)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _like_gpt4o() -> str:
    """One that takes line ends, and a "/" after them, to the punctuation before them."""
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(_PATTERN), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
    trainer = trainers.BpeTrainer(
        vocab_size=400, show_progress=False, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())
    )
    tokenizer.train_from_iterator([TEXT + "a;\n/b\n;\n\n/c (;\n/\n" * 50], trainer)
    tokenizer.decoder = decoders.ByteLevel()
    text: str = tokenizer.to_str()
    return text


def _like_sentencepiece() -> str:
    """Unigrams with a sign for spaces, which put a space before a text."""
    pieces = [("<unk>", 0.0), ("\u2581", -2.0), ("\u2581he", -3.0), *((f"<0x{byte:02X}>", -9.0) for byte in range(256))]
    tokenizer = Tokenizer(models.Unigram(pieces, 0, True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    text: str = tokenizer.to_str()
    return text


ODD = " \n\t\rab'.;/1é漢🙂<pad>\u0301\u00a0\u2028\u200d"
KINDS = {
    "bpe": learned("bpe", [TEXT], 400),
    "unigram": learned("unigram", [TEXT], 400),
    "gpt2": Subwords(_like_gpt2()),
    "gpt4o": Subwords(_like_gpt4o()),
}


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=60)
@given(text=st.text() | st.text(st.sampled_from(ODD)), size=st.integers(1, 20))
def test_any_text_comes_back_whole_and_in_parts(kind: str, text: str, size: int) -> None:
    subwords = KINDS[kind]
    ids = subwords.encode_text(text)
    assert subwords.decode(ids.tolist()) == [text]
    assert not {PAD, UNKNOWN, START} & set(ids.tolist())
    assert "".join(subwords.written(ids.tolist(), "")) == text
    assert subwords.encode(subwords.split(text)) == ids.tolist()
    assert subwords.in_parts
    assert np.concatenate([*map(subwords.encode_text, parts_of(text, size)), ids[:0]]).tolist() == ids.tolist()
    assert subwords.character_counts[ids].sum() == len(text)
    assert subwords.byte_counts[ids].sum() == len(text.encode())


@pytest.mark.parametrize("kind", KINDS)
def test_the_ids_are_those_of_the_library(kind: str, tmp_path: Path) -> None:
    subwords, file = KINDS[kind], tmp_path / "tokenizer.json"
    file.write_text(subwords.text, encoding="utf-8")
    library = Tokenizer.from_file(str(file))
    moved = 0 if kind in ("bpe", "unigram") else len(SPECIALS)
    assert subwords.encode_text(TEXT).tolist() == [moved + index for index in library.encode(TEXT).ids]
    assert library.decode(library.encode(TEXT).ids) == TEXT
    assert Subwords.read(str(file), "task.tokens") == subwords
    assert len(subwords) == moved + library.get_vocab_size()


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_learning_depends_on_the_text_alone(kind: Any) -> None:
    assert learned(kind, [TEXT], 400) == KINDS[kind]
    assert learned(kind, [TEXT.upper()], 400) != KINDS[kind]
    for text in ("", "aaaaaaaa", " "):  # nothing to learn from
        assert FEWEST <= len(learned(kind, [text], 400)) <= 400


def test_a_tokenizer_with_a_sign_for_spaces_and_byte_fallback_is_read() -> None:
    subwords = Subwords(_like_sentencepiece())
    ids = subwords.encode_text("he é\n").tolist()
    assert subwords.decode(ids) == ["he é\n"]
    assert [subwords.pieces[index] for index in ids] == [b" he", b" ", b"\xc3", b"\xa9", b"\n"]
    assert not subwords.in_parts  # a space would stand before each
    assert subword_ids(subwords, "he é\n").tolist() == ids


@pytest.mark.parametrize(
    ("normalizer", "text", "said"),
    [
        ({"type": "Replace", "pattern": {"String": "Z"}, "content": "z"}, "A Zebra", "A zebra"),
        ({"type": "NFC"}, "e\u0301", "task.normalize=nfc"),
        ({"type": "NFKC"}, "\ufb01sh", "fish"),
    ],
)
def test_a_file_that_changes_the_text_is_refused_on_the_text(normalizer: dict[str, Any], text: str, said: str) -> None:
    """Also where it has as many bytes as before."""
    subwords = Subwords(_like_gpt2(normalizer=normalizer))
    assert subword_ids(subwords, "as it was").tolist()
    with pytest.raises(DataError, match="do not give back the text") as raised:
        subword_ids(subwords, "well " * 9000 + text)
    assert said in str(raised.value)


def test_a_text_is_not_cut_where_a_token_may_stand() -> None:
    added = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
    subwords = Subwords(_like_gpt2(added_tokens=[{"id": 400, "content": "New York", **added}]))
    assert not subwords.in_parts
    text = "in New York " * 9000
    assert subword_ids(subwords, text).tolist() == subwords.encode_text(text).tolist()


def test_a_file_with_numbers_far_apart_makes_no_network_of_that_size() -> None:
    settings = json.loads(_like_gpt2())
    settings["model"]["vocab"]["far"] = 4_000_000_000
    with pytest.raises(DataError, match="one with the id 4,000,000,000"):
        Subwords(json.dumps(settings))


def test_a_file_cannot_cut_a_text_or_split_it_by_chance() -> None:
    settings = json.loads(
        _like_gpt2(truncation={"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0})
    )
    settings["model"]["dropout"] = 0.9
    assert Subwords(json.dumps(settings)).encode_text(TEXT).tolist() == KINDS["gpt2"].encode_text(TEXT).tolist()


_WORDS = {"type": "WordLevel", "vocab": {"a": 0, "[UNK]": 1}, "unk_token": "[UNK]"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("no json", "is no tokenizer"),
        ("[1]", "is no tokenizer"),
        ('{"model": {"type": "BPE"}}', "is no tokenizer"),
        (_like_gpt2(normalizer={"type": "Lowercase"}), "do not give back their text: 'Hello,  world!"),
        (json.dumps({**json.loads(_like_gpt2()), "model": _WORDS}), "do not give back their text"),
    ],
)
def test_a_file_that_is_no_such_tokenizer_is_refused(content: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=said) as raised:
        Subwords.read(str(file), "task.tokens")
    assert "task.tokens=" in raised.value.what
    assert raised.value.hint
    with pytest.raises(DataError, match="no such file"):
        Subwords.read(str(tmp_path / "other.json"), "task.tokens")

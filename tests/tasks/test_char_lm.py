"""Streams: every character is scored once, and parallel streams equal a single one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from seqlab.core.model import SequenceModel
from seqlab.core.prediction import GenerationConfig
from seqlab.data.batches import TokenBatch
from seqlab.data.repeats import blocks_in
from seqlab.data.vocabulary import UNKNOWN
from seqlab.errors import DataError
from seqlab.networks.token_lm import TokenLM
from seqlab.tasks.char_lm import CharLM, CharLMConfig
from tests.conftest import MODELS, forms, tiny_config, tiny_network, tiny_task

_MODEL_CONFIGS = [tiny_config(model, "char_lm").model for model in MODELS]


def _config(**settings: object) -> CharLMConfig:
    values = {
        "corpus": "python_docs", "tokens": "char", "vocabulary_size": None, "normalize": "none",
        "batch_size": 3, "window": 4, "windows": "auto",
        "eval_batch_size": 2, "eval_characters": None, "train_share": 0.8, "validation_share": 0.1,
        "validation_corpus": None, "test_corpus": None, "sample_length": 10, "sample_temperature": 1.0,
        "text_column": "text", **settings,
    }  # fmt: skip
    return CharLMConfig(**values)  # type: ignore[arg-type]


def _written(task: CharLM, network: TokenLM, prompt: str, length: int, seed: int = 0) -> str:
    return task.predict(network, prompt, GenerationConfig(length=length, seed=seed)).text


def _scored(batches: Iterable[TokenBatch]) -> list[tuple[int, int]]:
    """(context character, target) of every scored position."""
    pairs: list[tuple[int, int]] = []
    for batch in batches:
        scored_BT = batch.targets_BT != -100
        assert batch.target_count == int(scored_BT.sum())
        pairs += zip(batch.inputs_BT[scored_BT].tolist(), batch.targets_BT[scored_BT].tolist(), strict=True)
    return pairs


@settings(max_examples=40, deadline=None)
@given(
    length=st.integers(60, 260), rows=st.integers(1, 9), eval_rows=st.integers(1, 9), window=st.integers(1, 5),
    seed=st.integers(0, 5),
)  # fmt: skip
def test_every_character_is_a_target_exactly_once(
    length: int, rows: int, eval_rows: int, window: int, seed: int
) -> None:
    text = "".join(chr(200 + i) for i in range(length))  # every character differs: places can be told apart
    config = _config(batch_size=rows, eval_batch_size=eval_rows, window=window)
    assume(length // 10 > window + 1)
    task = CharLM(text, config)
    train = task.ids["train"].tolist()
    assert sorted(_scored(task.batches("train", seed))) == sorted(pairwise(train))
    networks = [task.build_network(model) for model in _MODEL_CONFIGS]
    assert {network.carries_state() for network in networks} == {True, False}  # or one order would go untested
    for network in networks:
        assert sorted(_scored(task.training_batches(network, seed))) == sorted(pairwise(train))
    # validation characters are unknown to the vocabulary here, so count them
    for split in ("validation", "test"):
        assert len(_scored(task.batches(split, seed))) == len(task.ids[split]) - 1


def test_batches_continue_each_other() -> None:
    task = CharLM("".join(chr(200 + i) for i in range(300)), _config())
    before = None
    for batch in task.batches("train", 3):
        if batch.continues:
            assert before is not None
            known_B = before.targets_BT[:, -1] != -100  # not at the seam where the text ends
            assert torch.equal(batch.inputs_BT[known_B, 0], before.targets_BT[known_B, -1])
        before = batch


@pytest.mark.parametrize("model", MODELS)
def test_only_a_network_that_carries_nothing_reads_windows_in_random_order(model: str) -> None:
    """By what it carries, not by its name; the same number of characters in a batch either way."""
    task = CharLM("".join(chr(200 + i) for i in range(300)), _config())
    network = task.build_network(tiny_config(model, "char_lm").model)
    carries = network.decoder.initial_state(1) != ()
    batches = list(task.training_batches(network, 3))
    follows = [
        one.targets_BT[0, -1] == two.inputs_BT[0, 0] for one, two in pairwise(batches) if len(one.inputs_BT) == 3
    ]
    assert any(batch.continues for batch in batches) == carries
    assert all(follows) == carries
    assert {batch.inputs_BT.numel() for batch in batches[:-1]} == {3 * 4}
    assert ("random" in task.training_order(network)) != carries
    again = list(task.training_batches(network, 3))
    assert all(torch.equal(one.inputs_BT, two.inputs_BT) for one, two in zip(batches, again, strict=True))
    other = next(iter(task.training_batches(network, 4)))
    assert not torch.equal(batches[0].inputs_BT, other.inputs_BT)
    streams = CharLM("".join(chr(200 + i) for i in range(300)), _config(windows="streams"))
    assert [b.continues for b in streams.training_batches(network, 3)][1:] != []
    assert all(b.continues for b in list(streams.training_batches(network, 3))[1:])


def test_the_seed_moves_the_start_of_training_and_nothing_else() -> None:
    task = CharLM("abcdefgh" * 50, _config())
    first = [next(iter(task.batches("train", seed))).inputs_BT for seed in (1, 1, 2)]
    assert torch.equal(first[0], first[1])
    assert not torch.equal(first[0], first[2])
    held = [next(iter(task.batches("test", seed))).inputs_BT for seed in (1, 2)]
    assert torch.equal(held[0], held[1])


@pytest.mark.parametrize("model", MODELS)
def test_the_metrics_are_those_of_a_plain_loop(model: str) -> None:
    config = tiny_config(model, "char_lm", "task.eval_batch_size=1")
    task, network = tiny_task(config), tiny_network(config).eval()
    assert isinstance(task, CharLM)
    meter = task.meter("test")
    nats, count = 0.0, 0
    with torch.no_grad():
        state = network.initial_state(1)
        for batch in task.batches("test", 0):
            output = network(batch, state)
            meter.update(batch, output, network)
            state = output.state
            for t in range(batch.inputs_BT.shape[1]):
                if batch.targets_BT[0, t] != -100:
                    nats -= float(output.logits[0, t].log_softmax(-1)[batch.targets_BT[0, t]])
                    count += 1
    metrics = meter.compute()
    assert metrics["bits_per_character"].value == pytest.approx(nats / count / math.log(2), rel=1e-5)
    assert metrics["perplexity"].value == pytest.approx(math.exp(nats / count), rel=1e-5)
    low, high = meter.interval(0)
    assert low < metrics["bits_per_character"].value < high


@pytest.mark.parametrize("model", MODELS)
def test_generation_follows_its_seed(model: str) -> None:
    config = tiny_config(model, "char_lm")
    task, network = tiny_task(config), tiny_network(config).eval()
    assert isinstance(task, CharLM)
    assert isinstance(network, TokenLM)
    texts = [_written(task, network, "def ", 30, seed=seed) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]
    assert len(texts[0]) == 30


WRITERS = [(model, options) for model in MODELS for options in forms(model)]


def _network(model: str, *overrides: str) -> tuple[CharLM, TokenLM]:
    """A task with a window of 12, and a network whose characters differ in likelihood."""
    config = tiny_config(model, "char_lm", *overrides)
    task, network = tiny_task(config), tiny_network(config).eval()
    assert isinstance(task, CharLM)
    assert isinstance(network, TokenLM)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
    return task, network


def _held(network: TokenLM, t: int) -> int:
    """The first position that position t sees: a full cache of a Transformer keeps its last half."""
    if network.decoder.context is None:
        return 0
    window, half = network.window, network.window // 2
    return 0 if t < window else half * ((t - window) // (window - half) + 1)


@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize(("model", "options"), WRITERS)
@torch.no_grad()
def test_generation_scores_equal_those_of_rereading_the_text(
    model: str, options: tuple[str, ...], rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Far past the window too; also by a decoder that is stepped in no way of its own."""
    _, network = _network(model, *options)
    ids_BT = torch.randint(len(network.embed.weight), (rows, 41))
    batch = TokenBatch(inputs_BT=ids_BT[:, :3], targets_BT=ids_BT[:, :3], target_count=0, positions=0)
    started = [network.start(batch, 100)]
    monkeypatch.setattr(type(network.decoder), "start", SequenceModel.start)
    started.append(network.start(batch, 100))
    for t in range(3, ids_BT.shape[1]):
        past_BT = ids_BT[:, _held(network, t) : t + 1]
        hidden_BTD, _ = network.decoder(network.embed(past_BT), network.decoder.initial_state(rows))
        expected_BV = network.head(hidden_BTD[:, -1])
        for index, (step, state) in enumerate(started):
            logits_BV, state = step(ids_BT[:, t], state)
            started[index] = (step, state)
            torch.testing.assert_close(logits_BV, expected_BV, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("model", "options"), WRITERS)
def test_a_text_is_the_same_step_by_step(model: str, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    task, network = _network(model, *options)
    text = _written(task, network, "def ", 40)
    monkeypatch.setattr(type(network.decoder), "start", SequenceModel.start)
    assert _written(task, network, "def ", 40) == text


@pytest.mark.parametrize("name", ["embed.weight", "decoder", "head.weight"])
@pytest.mark.parametrize("model", MODELS)
def test_generation_uses_the_current_weights(model: str, name: str) -> None:
    task, network = _network(model)
    old = _written(task, network, "def ", 40)
    with torch.no_grad():
        for found, parameter in network.named_parameters():
            if found.startswith(name):
                parameter.add_(torch.randn_like(parameter))
    new = _written(task, network, "def ", 40)
    _, fresh = _network(model)
    fresh.load_state_dict(network.state_dict())
    assert _written(task, fresh, "def ", 40) == new != old


def test_unknown_characters_are_counted() -> None:
    task = CharLM("ab" * 100 + "é" * 30, _config())
    assert task.ids["test"].tolist() == [UNKNOWN] * 23
    assert task.describe()["characters of test not in training"] == 23


def test_a_corpus_of_ones_own(corpus: Path) -> None:
    task = _config(corpus=str(corpus)).build()
    assert "".join(task.token_vocabulary.decode(task.ids["train"].tolist())).startswith("the quick brown fox")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"  \n\n", "is empty"),
        (b"abc\xff\xfe" + b"x" * 100, "is not UTF-8: byte 0xff at offset 3"),
        (b"short", "too short for one window of task.window=4"),
    ],
)
def test_a_corpus_that_does_not_fit_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "corpus.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        _config(corpus=str(path)).build()


def test_a_missing_corpus_is_refused(tmp_path: Path) -> None:
    for name, message in [
        (str(tmp_path / "no.txt"), "no such file"),
        (str(tmp_path), "is a folder"),
        ("python_dox", "neither a corpus nor"),
    ]:
        with pytest.raises(DataError, match=message):
            _config(corpus=name).build()


def test_line_ends_are_normalised_and_byte_order_marks_removed(tmp_path: Path) -> None:
    digests = set()
    for ends in (b"\n", b"\r\n", b"\r"):
        for mark in (b"", b"\xef\xbb\xbf"):
            (tmp_path / "a.txt").write_bytes(mark + b"one\ntwo\nthree\n".replace(b"\n", ends) * 9)
            digests.add(_config(corpus=str(tmp_path / "a.txt")).build().data_sha256)
    assert len(digests) == 1


def test_a_lone_carriage_return_is_a_character(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\r\ntwo\rthree\n" * 9)
    assert "\r" in _config(corpus=str(tmp_path / "a.txt")).build().token_vocabulary.tokens


def test_normalization_on_request_is_that_of_the_prompt_too() -> None:
    text = "cafe\u0301 noir\n" * 40
    composed = CharLM(text, _config(normalize="nfc"))
    assert "\u0301" in CharLM(text, _config()).token_vocabulary.tokens
    assert "\u0301" not in composed.token_vocabulary.tokens
    network = composed.build_network(tiny_config("gru", "char_lm").model)
    assert composed.unknown("cafe\u0301\r\n") == ()
    assert composed.example(network, "cafe\u0301\r\n").tokens == tuple("caf\u00e9\n")
    assert _written(composed, network, "cafe\u0301\r\n", 9) == _written(composed, network, "caf\u00e9\n", 9)


def test_test_text_that_occurs_in_training_gives_a_warning() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz "
    drawn = torch.randint(len(letters), (8000,), generator=torch.Generator().manual_seed(0)).tolist()
    text = "".join(letters[place] for place in drawn)
    apart = CharLM(text, _config(), {"test": text[::-1]})
    assert list(apart.warnings()) == []
    leaking = CharLM(text, _config(), {"test": text})
    (said,) = (said for said in leaking.warnings() if "the test split" in said)
    assert "of 40 blocks of 200 characters" in said
    found, _ = blocks_in(text, leaking.texts["train"])
    assert said.startswith(f"{found} of 40 blocks")
    assert found >= 30  # of a text of which 80 % or more are training

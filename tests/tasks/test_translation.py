"""Pairs, splits, decoding and the metrics of translation."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu import corpus_bleu, corpus_chrf
from sacrebleu.metrics.bleu import BLEU

from seqlab.core.batch import HELD_OUT
from seqlab.data.batches import PairBatch
from seqlab.data.cldr import cldr_pairs
from seqlab.data.pairs import read_pairs
from seqlab.data.vocabulary import END, START, UNKNOWN, Vocabulary
from seqlab.decoding.sampling import greedy
from seqlab.errors import DataError
from seqlab.metrics.by_length import length_groups
from seqlab.metrics.generation import GenerationMeter
from seqlab.networks.encoder_decoder import TokenEncoderDecoder
from seqlab.tasks.translation import Translation, TranslationConfig
from tests.conftest import MODELS, tiny_config, tiny_network, tiny_task


def _task(*overrides: str) -> Translation:
    config = tiny_config("gru", "translation", *overrides).task
    assert isinstance(config, TranslationConfig)
    return config.build()


def test_cldr_phrases_are_those_of_babel() -> None:
    pairs = dict(cldr_pairs("fr", 20000, 0))
    assert len(pairs) == 20000
    assert pairs["in 3 days"] == "dans 3 jours"
    assert pairs["Chile or Bulgaria"] == "Chili ou Bulgarie"
    pairs = dict(cldr_pairs("fr", 3000, 0))
    assert dict(cldr_pairs("fr", 3000, 0)) == pairs
    assert dict(cldr_pairs("fr", 3000, 1)) != pairs
    assert not any("\u202f" in b or "\u00a0" in b or "  " in b for b in pairs.values())


@pytest.mark.parametrize("locale", ["de", "ja", "ar", "sw", "pt_BR", "ru", "zh_Hant"])
def test_cldr_has_other_languages(locale: str) -> None:
    assert len(cldr_pairs(locale, 300, 0)) == 300


def test_cldr_refuses_unknown_locales() -> None:
    with pytest.raises(DataError, match="Babel has no such locale"):
        cldr_pairs("xx", 10, 0)
    with pytest.raises(DataError, match="Babel has no such locale"):
        cldr_pairs("not a locale", 10, 0)


def test_no_source_is_in_two_splits() -> None:
    task = _task("task.pairs=2000")
    splits = [{source for source, _ in pairs} for pairs in task.pairs.values()]
    assert sum(len(split) for split in splits) == len(set.union(*splits)) == 2000


def test_a_repeated_source_keeps_all_its_translations_in_training_and_stands_in_one_split(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("\n".join(f"word {i % 40}\tmot {i % 80}" for i in range(100)))
    task = _task(f"task.corpus={path}")
    sources = {split: {source for source, _ in pairs} for split, pairs in task.pairs.items()}
    assert {split: len(found) for split, found in sources.items()} == {"train": 36, "validation": 2, "test": 2}
    assert len(set.union(*sources.values())) == 40
    numbers = sorted(int(source.split()[1]) for source in sources["train"])
    assert sorted(task.pairs["train"]) == sorted((f"word {n}", f"mot {n + more}") for n in numbers for more in (0, 40))
    for split in HELD_OUT:
        assert all(target.removeprefix("mot") == source.removeprefix("word") for source, target in task.pairs[split])
    facts = task.describe()
    assert facts["sources with several translations"] == "40 (40 more pairs for training)"
    assert facts["repeated pairs, used once"] == "20"
    first = _task(f"task.corpus={path}", "task.repeated_sources=first", "task.deduplicate=false")  # as runs of before
    pairs = [pair for part in first.pairs.values() for pair in part]
    assert sorted(pairs) == sorted((f"word {i}", f"mot {i}") for i in range(40))
    assert first.pairs["test"] == task.pairs["test"]


def test_incomplete_pairs_of_another_test_file_are_dropped_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.en").write_text("a film\n\na play\n")
    (tmp_path / "a.fr").write_text("un film\nune note\n\n")
    with caplog.at_level(logging.WARNING):
        task = _task().with_test_corpus(f"{tmp_path / 'a.en'},{tmp_path / 'a.fr'}", "--corpus", _task().config)
    assert task.pairs == {"test": [("a film", "un film")]}
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("2 of the 3 pairs of --corpus=")
    assert "the first in line 2" in said


def test_a_source_of_the_test_is_left_out_of_training_and_counted(tmp_path: Path) -> None:
    (tmp_path / "all.tsv").write_text("".join(f"Word {i}\tmot {i}\n" for i in range(60)))
    (tmp_path / "test.tsv").write_text("Word 1\tmot 1\nWORD 2\tmot 2\nother\tautre\n")
    corpora = (f"task.corpus={tmp_path / 'all.tsv'}", f"task.test_corpus={tmp_path / 'test.tsv'}")
    task = _task(*corpora)
    named = "training sources that are in validation or test"
    assert task.describe()[named] == "2 dropped"
    assert "2 of 57 training sources also occur in validation or test" in next(iter(task.warnings()))
    assert not {"Word 1", "Word 2"} & {source for source, _ in task.pairs["train"]}
    assert len(task.pairs["test"]) == 3
    (tmp_path / "validation.tsv").write_text("WORD 1\tmot 1\nelse\tautrement\n")
    both = _task(*corpora, f"task.validation_corpus={tmp_path / 'validation.tsv'}")
    assert both.describe()["test sources that are in validation"] == "1"
    assert any("1 of 3 test sources also occur in validation" in said for said in both.warnings())
    task = _task(*corpora, "task.deduplicate=false")  # the same letter by letter is left out all the same
    sources = {source for split in ("train", "validation") for source, _ in task.pairs[split]}
    assert "Word 1" not in sources
    assert "Word 2" in sources
    assert named not in _task().describe()


def test_incomplete_pairs_are_dropped_counted_and_reported(tmp_path: Path) -> None:
    for name, count, empty in (("train", 60, {7}), ("test", 10, {3, 4, 9})):
        sides = {
            "en": "".join(f"one {i}\n" for i in range(count)),
            "fr": "".join("  \n" if i in empty else f"un {i}\n" for i in range(count)),
        }
        for side, text in sides.items():
            (tmp_path / f"{name}.{side}").write_text(text)
    train, test = (f"'{tmp_path}/{n}.en,{tmp_path}/{n}.fr'" for n in ("train", "test"))
    task = _task(f"task.corpus={train}", f"task.test_corpus={test}")
    facts, warnings = task.describe(), list(task.warnings())
    assert facts["incomplete pairs of task.corpus, dropped"] == "1 of 60"
    assert facts["incomplete pairs of task.test_corpus, dropped"] == "3 of 10"
    assert len(task.pairs["test"]) == 7
    assert any("3 of the 10 pairs of task.test_corpus" in text and "line 4" in text for text in warnings)
    assert all(source and target for pairs in task.pairs.values() for source, target in pairs)


def test_line_aligned_files_and_splits_of_their_own(tmp_path: Path) -> None:
    for name, count in (("train", 30), ("val", 4)):
        for side in ("en", "fr"):
            text = "".join(f"{side}  {name} {i}\r\n" for i in range(count)).encode()
            (tmp_path / f"{name}.{side}.gz").write_bytes(gzip.compress(text))
    one, two = (f"'{tmp_path}/{n}.en.gz,{tmp_path}/{n}.fr.gz'" for n in ("train", "val"))
    task = _task(f"task.corpus={one}", f"task.validation_corpus={two}", f"task.test_corpus={two}", "task.tokens=word")
    assert [len(task.pairs[split]) for split in ("train", "validation", "test")] == [30, 4, 4]
    assert task.pairs["validation"][0] == ("en val 0", "fr val 0")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tb\nno tab here\n", "1 of 2 rows have no translation.*: line 2\n"),
        ("a\tb\n", "leave none for the"),
        ("", "is empty"),
    ],
)
def test_pairs_that_do_not_fit_are_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        _task(f"task.corpus={path}")


def test_normalization_and_white_space_are_the_same_in_training_and_prediction(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"cafe\u0301 {n}\tcafe\u0301 noir {n}\n" for n in range(60)), encoding="utf-8")
    plain, composed = _task(f"task.corpus={path}"), _task(f"task.corpus={path}", "task.normalize=nfc")
    assert plain.tokenize(" cafe\u0301 \t 1\r\n") == list("cafe\u0301 1")
    assert composed.tokenize("cafe\u0301 1") == list("caf\u00e9 1")
    assert composed.unknown("cafe\u0301") == ()
    assert composed.meter("test").targets[0].startswith("caf\u00e9 noir")  # references too
    by_words = _task(f"task.corpus={path}", "task.tokens=word")
    assert by_words.describe()["source words of test not in training"] == "3 of 6 (50.0%)"
    assert "task.tokens=char" in next(iter(by_words.warnings()))


def test_files_of_unequal_length_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1\n2\n")
    (tmp_path / "b").write_text("1\n")
    with pytest.raises(DataError, match="2 lines in a, 1 in b"):
        read_pairs(f"{tmp_path}/a,{tmp_path}/b", "task.corpus")


@pytest.mark.parametrize("model", MODELS)
@torch.no_grad()
def test_greedy_decoding_is_the_likeliest_token_given_all_before(model: str) -> None:
    """Against a decoder that reads the whole prefix anew for each token, for a batch and one by one."""
    config = tiny_config(model, "translation")
    task, network = tiny_task(config), tiny_network(config).eval()
    assert isinstance(network, TokenEncoderDecoder)
    batch = next(iter(task.batches("validation", 0)))
    first_B = torch.full((batch.size,), START)
    written_BT = greedy(network, batch, first_B, 12)
    for row, source_S in enumerate(batch.source_BS):
        alone = PairBatch(
            source_BS=source_S[None], target_BT=source_S[None], items_B=first_B[:1], target_count=0, positions=0
        )
        memory = network.read(alone)
        prefix, expected = [START], []
        for _ in range(12):
            x_BTD = network.embed_target(torch.tensor([prefix]))
            hidden_BTD, _ = network.decoder(x_BTD, network.decoder.initial_state(1), memory=memory)
            prefix.append(int(network.head(hidden_BTD[0, -1]).argmax()))
            expected.append(prefix[-1])
            if prefix[-1] == END:
                break
        assert written_BT[row, : len(expected)].tolist() == expected
        assert not written_BT[row, len(expected) :].any()


def test_bleu_and_its_interval_are_sacrebleus() -> None:
    task = _task()
    truth = ["the cat sat on a mat", "a dog", "one two three four six", "in 3 days"] * 5
    sources = ["x" * (1 + index) for index in range(len(truth))]
    meter = GenerationMeter(task.text_to_text.write, truth, task.scores, "bleu", sources=sources)
    meter.predictions = ["the cat sat on the mat", "a dog", "one two three four five", "in 3 days"] * 5
    meter.places = list(range(20))
    meter.nats, meter.target_count = [torch.tensor([2.0])], 4
    metrics = meter.compute()
    assert metrics["bleu"].value == pytest.approx(corpus_bleu(meter.predictions, [meter.references]).score)
    assert metrics["exact_match"].value == 0.5
    assert metrics["loss"].value == 0.5
    # also where a sample holds no 4-gram that is right
    for said in (meter.predictions, ["one two three four five", "the dog sat on it"]):
        truth = ["one two three 4 five", "the cat sat on a mat"] if said is not meter.predictions else meter.references
        sums_K = task.scores.bleu_sums(said, truth).sum(0)
        assert task.scores.bleu(sums_K) == pytest.approx(corpus_bleu(said, [truth]).score)
    low, high = meter.interval(0)
    assert low < metrics["bleu"].value < high
    details = meter.details()
    assert details["signatures"]["bleu"].startswith("nrefs:1|case:mixed")
    groups = details["by_source_length"]
    assert [group["from"] for group in groups] == [1, *(group["to"] + 1 for group in groups[:-1])]
    assert sum(group["pairs"] for group in groups) == 20
    for group in groups:
        rows = slice(group["from"] - 1, group["to"])
        said, truth = meter.predictions[rows], meter.references[rows]
        assert group["bleu"] == pytest.approx(BLEU(effective_order=True).corpus_score(said, [truth]).score)
        assert group["chrf"] == pytest.approx(corpus_chrf(said, [truth]).score)
        assert group["bleu_interval"][0] <= group["bleu"] <= group["bleu_interval"][1]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=200), st.integers(1, 8))
def test_groups_by_length_hold_each_item_once(lengths: list[int], groups: int) -> None:
    found = length_groups(lengths, groups)
    assert len(found) <= groups
    assert found[0][0] == min(lengths)
    assert found[-1][1] == max(lengths)
    for length in lengths:
        assert sum(low <= length <= high for low, high in found) == 1
    assert all(any(low <= length <= high for length in lengths) for low, high in found)


def test_an_unknown_token_is_not_an_exact_match() -> None:
    """References are the text itself, not what the vocabulary makes of it."""
    task = _task()
    task.pairs["test"][0] = (task.pairs["test"][0][0], "☃")
    assert task.meter("test").targets[0] == "☃"


def test_an_unknown_token_is_one_token_and_one_character() -> None:
    assert Vocabulary.of([["mot"]]).decode([4, UNKNOWN, 4, END]) == ["mot", "⁇", "mot"]


@pytest.mark.parametrize(("target", "tokenizer"), [("zh_Hant", "zh"), ("th", "char"), ("sw", "13a")])
def test_perfect_phrases_of_any_locale_score_100(target: str, tokenizer: str) -> None:
    task = _task(f"task.target={target}")
    assert task.describe()["BLEU tokenizer"] == tokenizer
    meter = task.meter("test")
    meter.places = list(range(len(meter.targets)))
    meter.predictions, meter.nats, meter.target_count, meter.primary = (
        meter.references,
        [torch.tensor([0.0])],
        1,
        "bleu",
    )
    assert meter.compute()["bleu"].value == pytest.approx(100)
    assert meter.interval(0) == pytest.approx((100, 100))
    assert f"tok:{tokenizer}" in meter.details()["signatures"]["bleu"]


def test_long_pairs_are_left_out_of_training_and_kept_in_evaluation() -> None:
    task = _task("task.max_length=15")
    assert all(max(len(a), len(b) - 1) < 15 for a, b in task.encoded["train"].ids)
    assert task.left_out > 0
    assert len(task.encoded["test"].ids) == len(task.pairs["test"])


def test_label_smoothing_is_for_training_alone() -> None:
    config = tiny_config("gru", "translation", "task.label_smoothing=0.2")
    network, batch = tiny_network(config), next(iter(tiny_task(config).batches("validation", 0)))
    smoothed = network.train()(batch, ()).loss_sum
    plain = network.eval()(batch, ()).loss_sum
    nats = -network(batch, ()).logits.log_softmax(-1)
    truth_BT = batch.target_BT
    expected = nats.gather(-1, truth_BT[..., None])[truth_BT != 0].sum()
    torch.testing.assert_close(plain, expected)
    assert not torch.isclose(smoothed, plain)

"""Labels, splits, pooling, and a user's own table."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from seqlab.data.batches import LabelledBatch
from seqlab.data.corpora import find
from seqlab.data.words import same_text_key
from seqlab.errors import ConfigError, DataError
from seqlab.metrics.classification import ClassificationMeter
from seqlab.networks.classifier import Classifier
from seqlab.tasks.sentiment import Sentiment, SentimentConfig
from tests.conftest import tiny_config, tiny_network, tiny_task


def _task(corpus: str = "movie_reviews", *overrides: str) -> Sentiment:
    config = tiny_config("gru", "sentiment", f"task.corpus={corpus}", *overrides).task
    assert isinstance(config, SentimentConfig)
    return config.build()


def test_the_corpus_is_the_one_that_is_cited() -> None:
    rows = find("movie_reviews").content("sentiment")["train"]
    assert len(rows) == 8530
    assert sum(label == "positive" for _, label in rows) == 4265
    assert not any("\x80" <= letter <= "\x9f" for text, _ in rows for letter in text)


def test_the_split_is_stratified_fixed_and_without_overlap() -> None:
    first, second = _task(), _task("movie_reviews", "seed=5")
    assert first.texts == second.texts
    for split, share in (("train", 0.8), ("validation", 0.1), ("test", 0.1)):
        labels = first.encoded[split].labels  # type: ignore[index]
        assert len(labels) == pytest.approx(8530 * share, abs=3)
        assert sum(labels) / len(labels) == pytest.approx(0.5, abs=0.002)
    assert sum(len(texts) for texts in first.texts.values()) == 8530


def test_ten_folds_test_each_text_once(tmp_path: Path) -> None:
    path = tmp_path / "my.tsv"
    rows = [f"film {n}\t{('good', 'poor')[n % 2]}" for n in range(205)]
    path.write_text("\n".join(["text\tlabel", *rows]) + "\n", encoding="utf-8")
    tested: list[str] = []
    for fold in range(1, 11):
        rows_of = _task(str(path), f"task.fold={fold}").splits.parts
        assert len({text for part in rows_of.values() for text, _ in part}) == 205
        assert [len(part) for part in rows_of.values()] == [pytest.approx(n, abs=2) for n in (166, 18, 20)]
        assert sum(label == "good" for _, label in rows_of["test"]) == pytest.approx(10, abs=1)
        tested += [text for text, _ in rows_of["test"]]
    assert sorted(tested) == sorted(row.split("\t")[0] for row in rows)
    with pytest.raises(ConfigError, match=r"task.fold=1 cuts the test split from the corpus, but task.test_corpus="):
        _task(str(path), "task.fold=1", f"task.test_corpus={path}")


def test_the_vocabulary_is_made_from_training_only() -> None:
    task = _task()
    known = {word for text in task.texts["train"] for word in task.tokenize(text)}
    assert set(task.token_vocabulary.tokens[4:]) <= known
    assert any(word not in task.token_vocabulary.tokens for text in task.texts["test"] for word in task.tokenize(text))


def test_words() -> None:
    assert _task().tokenize("It's GOOD -- naïve, 10/10!") == "it's good - - naïve , 10 / 10 !".split()


def _chinese(path: Path) -> Path:
    """Texts whose label is one word in them, and no space."""
    who, what = "我你他她", ["电影", "手机", "酒店", "饭店", "音乐"]
    how = {"pos": ["值得推荐", "很好看"], "neg": ["很难看", "浪费时间"]}
    rows = [
        f"{a}昨天去的{b}{chr(0x4E00 + n)}真的{word},{label}"
        for n in range(10)
        for a in who
        for b in what[: 1 + n % 5]
        for label, said in how.items()
        for word in said
    ]
    path.write_text("text,label\n" + "\n".join(rows), encoding="utf-8")
    return path


def test_a_script_without_spaces_is_noticed_and_read_by_characters(tmp_path: Path) -> None:
    corpus = _chinese(tmp_path / "zh.csv")
    by_words, by_characters = _task(str(corpus)), _task(str(corpus), "task.tokens=char")
    (warning,) = by_words.warnings()
    assert "of the words of test do not occur in training" in warning
    assert "task.tokens=char" in warning
    assert "(100.0%)" in str(by_words.describe()["words of test not in training"])
    assert not list(by_characters.warnings())
    assert "characters of test not in training" not in by_characters.describe()
    assert "texts cut at 256 characters" in by_characters.describe()
    assert by_characters.tokenize("很 \n好看 A") == ["很", " ", "好", "看", " ", "a"]
    assert not list(_task().warnings())


def test_normalization_on_request_makes_composed_and_decomposed_one(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("text,label\n" + "".join(f"cafe\u0301 {n},{n % 2}\ncaf\u00e9 {n},{n % 2}\n" for n in range(20)))
    plain, composed = _task(str(path)), _task(str(path), "task.normalize=nfc")
    assert {"cafe\u0301", "caf\u00e9"} <= set(plain.token_vocabulary.tokens)
    assert "cafe\u0301" not in composed.token_vocabulary.tokens
    assert composed.unknown("cafe\u0301") == ()
    assert plain.data_sha256 == composed.data_sha256


@pytest.mark.parametrize("pooling", ["max", "mean", "last"])
@pytest.mark.parametrize("bidirectional", ["true", "false"])
@pytest.mark.parametrize("model", ["lstm", "transformer"])
def test_pooling_sees_valid_positions_only(pooling: str, bidirectional: str, model: str) -> None:
    config = tiny_config(model, "sentiment", f"task.pooling={pooling}", f"task.bidirectional={bidirectional}")
    task, network = tiny_task(config), tiny_network(config).eval()
    assert isinstance(task, Sentiment)
    texts = ["a good film", "an extraordinarily long and rather bad film with no end at all , sadly"]
    together = task.classify(network, texts)
    for text, shares in zip(texts, together, strict=True):
        assert task.classify(network, [text])[0] == pytest.approx(shares, abs=1e-5)


def test_each_kind_of_pooling() -> None:
    hidden_BTD = torch.tensor([[[1.0, -5.0], [3.0, -4.0], [9.0, 9.0]]])
    valid_BT = torch.tensor([[True, True, False]])
    for pooling, expected in (("max", [3.0, -4.0]), ("mean", [4.0, -9.0]), ("last", [3.0, -4.0])):
        network = tiny_network(tiny_config("rnn", "sentiment", f"task.pooling={pooling}"))
        assert isinstance(network, Classifier)
        start = torch.full((1, 2), float("-inf") if pooling == "max" else 0.0)
        pooled_BD, seen_B1 = network._pool(hidden_BTD, valid_BT, start, torch.zeros(1, 1))
        assert pooled_BD.tolist() == [expected]  # mean: the sum, divided at the end
        assert seen_B1.item() == 2


def test_metrics_from_known_counts() -> None:
    task = _task()
    batch = next(iter(task.batches("test", 0)))
    meter: ClassificationMeter[LabelledBatch] = ClassificationMeter(task.labels, task.texts["test"], "accuracy")
    truth = torch.tensor([0, 0, 0, 1, 1, 1])
    said = torch.tensor([0, 0, 1, 1, 1, 1])
    meter.pairs, meter.nats = [torch.stack((truth, said), 1)], [torch.zeros(6)]
    metrics = meter.compute()
    assert metrics["accuracy"].value == pytest.approx(5 / 6)
    assert metrics["f1"].value == pytest.approx((2 * 2 / 5 + 2 * 3 / 7) / 2)
    assert meter.details()["confusion"] == {
        "negative": {"negative": 2, "positive": 1}, "positive": {"negative": 0, "positive": 3}
    }  # fmt: skip
    assert batch.labels_B.shape == batch.ends_B.shape


def test_f1_can_be_what_a_model_is_judged_by() -> None:
    """Always predicting the frequent label is right in 9 of 10 and useless for the rare one. The interval is F1's."""
    task = _task("movie_reviews", "task.metric=f1")
    meter = task.meter("validation")
    assert isinstance(meter, ClassificationMeter)
    assert meter.criterion() == ("f1", "loss")
    truth = torch.tensor([0] * 90 + [1] * 10)
    common, fair = torch.zeros(100, dtype=torch.long), torch.cat((torch.zeros(70), torch.ones(30))).long()
    reached: dict[str, dict[str, float]] = {}
    for name, said in (("common", common), ("fair", fair)):
        meter.pairs, meter.nats = [torch.stack((truth, said), 1)], [torch.zeros(100)]
        meter.places = [torch.arange(100)]
        reached[name] = {key: metric.value for key, metric in meter.compute().items()}
        low, high = meter.interval(0)
        assert low <= reached[name]["f1"] <= high
        assert high < 0.9  # the accuracy of always saying the common label
    assert reached["common"]["accuracy"] > reached["fair"]["accuracy"]
    assert reached["common"]["f1"] < reached["fair"]["f1"]
    with pytest.raises(ConfigError, match=r"task.metric=recall is not allowed"):
        tiny_config("rnn", "sentiment", "task.metric=recall")


def test_word_dropout_is_for_training() -> None:
    task = _task("movie_reviews", "task.word_dropout=0.5")
    one, two = (next(iter(task.batches("train", seed))) for seed in (1, 1))
    assert torch.equal(one.tokens_BT, two.tokens_BT)
    plain = _task("movie_reviews", "task.word_dropout=0.0")
    assert (next(iter(plain.batches("train", 1))).tokens_BT == 1).float().mean() < 0.05
    dropped = one.tokens_BT[one.valid_BT] == 1
    assert 0.3 < float(dropped.float().mean()) < 0.7
    assert not torch.equal(one.tokens_BT, next(iter(plain.batches("train", 1))).tokens_BT)


def _repeated(path: Path, copies: int, labels: str = "no yes") -> Path:
    """60 texts, each written in several ways, the label drawn by its number."""
    ways = [str.lower, str.upper, lambda text: text.replace(" ", "   "), str.title]
    kinds = labels.split()
    rows = [
        f"{ways[copy](f'text of number {n * 7919}')},{kinds[(n * 31 // 7 + copy * (len(kinds) > 2)) % 2]}"
        for copy in range(copies)
        for n in range(60)
    ]
    path.write_text("text,label\n" + "\n".join(rows))
    return path


def test_texts_of_the_test_are_left_out_of_training_whatever_their_case(tmp_path: Path) -> None:
    corpus = str(_repeated(tmp_path / "own.csv", copies=4))
    task, whole = _task(corpus), _task(corpus, "task.deduplicate=false")
    keys = {split: {same_text_key(text) for text in texts} for split, texts in task.texts.items()}
    assert not keys["train"] & (keys["validation"] | keys["test"])
    assert task.texts["test"] == whole.texts["test"]
    assert len(whole.texts["train"]) == 192
    left_out = 192 - len(task.texts["train"])
    assert left_out > 50
    named = "training texts that are in validation or test"
    assert task.describe()[named] == f"{left_out} dropped"
    assert whole.describe()[named] == f"{left_out} kept"
    assert f"{left_out} of 192 training texts also occur in validation or test" in next(iter(task.warnings()))
    assert "task.deduplicate=true" in next(iter(whole.warnings()))
    assert named not in _task().describe()
    assert len(_task().texts["train"]) == len(_task("movie_reviews", "task.deduplicate=false").texts["train"])


def test_texts_in_both_validation_and_test_are_counted_and_reported(tmp_path: Path) -> None:
    """Weights are chosen on validation, so that test would not measure new texts."""
    corpus = str(_repeated(tmp_path / "own.csv", copies=4))
    task = _task(corpus)
    held = {same_text_key(text) for text in task.texts["validation"]}
    shared = sum(same_text_key(text) in held for text in task.texts["test"])
    assert shared
    assert task.describe()["test texts that are in validation"] == f"{shared}"
    assert any(f"{shared} of {len(task.texts['test'])} test texts also occur in" in said for said in task.warnings())
    # where the two are one split, that is said elsewhere
    (tmp_path / "one.csv").write_text("text,label\n" + "".join(f"t{i},{'yn'[i % 2]}\n" for i in range(40)))
    given = (f"task.{split}_corpus={tmp_path / 'one.csv'}" for split in ("validation", "test"))
    labels = "text,label\n" + "".join(f"new {i},{'yn'[i % 2]}\n" for i in range(60))
    (tmp_path / "train.csv").write_text(labels)
    one = _task(str(tmp_path / "train.csv"), *given)
    assert one.test_is_validation
    assert not any("test texts" in said for said in one.warnings())


def test_texts_with_two_labels_are_counted_and_reported(tmp_path: Path) -> None:
    task = _task(str(_repeated(tmp_path / "own.csv", copies=2, labels="no yes both")))
    assert task.describe()["texts with more than one label"] == 60
    assert any("60 texts occur with more than one label" in text for text in task.warnings())


def test_a_corpus_that_is_nothing_but_repeats_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("text,label\n" + "a good film,yes\na bad film,no\n" * 30)
    with pytest.raises(DataError, match="all 48 training texts also occur in validation or test"):
        _task(str(path))
    assert len(_task(str(path), "task.deduplicate=false").texts["train"]) == 48


ROWS = [f'"text number {i}, with a comma",{"yes" if i % 2 else "no"}' for i in range(40)]


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("words,verdict\n" + "\n".join(ROWS))
    task = _task(str(path), "task.text_column=words", "task.label_column=verdict")
    assert task.labels == ("no", "yes")
    assert sum(len(texts) for texts in task.texts.values()) == 40
    assert "text number 3, with a comma" in [text for texts in task.texts.values() for text in texts]
    tsv = tmp_path / "own.tsv"
    tsv.write_text("text\tlabel\n" + "\n".join(f"a {i}\t{i % 3}" for i in range(60)))
    assert _task(str(tsv)).labels == ("0", "1", "2")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,label\n" + "\n".join(ROWS[:5]) + '\n"no label here",\n', "1 without a label \\(line 7\\)"),
        ("text,label\njust one column\n", "line 2: 1 fields where line 1 has 2"),
        ("text,label\n\n\n,yes\n", "1 without a text \\(line 4\\)"),
        ("text,verdict\n" + ROWS[0], "has no column 'label'"),
        ("text,label\na,x\nb,x\n", "has only 1 label"),
        ("text,label\na,x\nb,y\n", "leave none for the"),
        ('text,label\n"never closed', "line 2: a field's quote is never closed"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        _task(str(path))

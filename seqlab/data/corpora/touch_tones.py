"""The corpus `touch_tones`: made-up telephone numbers, as the tones of a keypad. data/touch_tones.py makes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqlab.data.corpus import EmbeddedCorpus


def read(_paths: Sequence[Path], count: int, seed: int) -> Any:
    """So many recordings with their transcripts; see touch_tones."""
    from seqlab.data.touch_tones import touch_tones

    return list(touch_tones(count, seed))


CORPUS = EmbeddedCorpus(
    name="touch_tones",
    tasks={"transcription": read},
    about="made-up telephone numbers as the tones of a keypad, in noise (synthetic)",
    licence="MIT",
    citation="ITU-T Recommendation Q.23 (1988), Technical features of push-button telephone sets: the frequencies",
    source="https://www.itu.int/rec/T-REC-Q.23",
    synthetic=True,
    package="seqlab",
    file="data/touch_tones.py",
)

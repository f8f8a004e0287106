"""The corpus `touch_tones`: made-up telephone numbers, as the tones of a keypad in noise. N samples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from seqlab.data.audio import Recording
from seqlab.data.utterances import Reading

ROWS, COLUMNS, KEYS = (697, 770, 852, 941), (1209, 1336, 1477), "123456789*0#"
"""ITU-T Q.23: a key sounds at the frequency of its row and that of its column, in hertz."""
RATE = 8000
_LENGTHS = (3, 9)  # keys of a number
_TONE_SECONDS, _PAUSE_SECONDS = (0.05, 0.15), (0.04, 0.12)
_LOUDNESS, _NOISE = (0.05, 0.3), 0.1


def touch_tones(count: int, seed: int) -> Iterator[Reading]:
    """So many numbers, each at a loudness of its own, dialled by a hand that is not quite even."""
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        text = "".join(rng.choice(list(KEYS), rng.integers(_LENGTHS[0], _LENGTHS[1] + 1)))
        yield f"number {number + 1}", text, "", Recording(_dialled(text, rng), RATE)


def frequencies(key: str) -> tuple[int, int]:
    """The two frequencies of a key, in hertz."""
    row, column = divmod(KEYS.index(key), len(COLUMNS))
    return ROWS[row], COLUMNS[column]


def _dialled(text: str, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    parts, loudness = [_silence(rng)], rng.uniform(*_LOUDNESS)
    for key in text:
        time_N = np.arange(round(RATE * rng.uniform(*_TONE_SECONDS))) / RATE
        low_N, high_N = (np.sin(2 * np.pi * hertz * time_N) for hertz in frequencies(key))
        parts += [loudness * (low_N + high_N), _silence(rng)]
    sound_N = np.concatenate(parts)
    return np.asarray(sound_N + _NOISE * rng.standard_normal(len(sound_N)), dtype=np.float32)


def _silence(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    return np.zeros(round(RATE * rng.uniform(*_PAUSE_SECONDS)))

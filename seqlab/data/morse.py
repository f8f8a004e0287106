"""The corpus `morse`: made-up words in Morse code, as recordings of tones in noise. N samples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from seqlab.data.audio import Recording
from seqlab.data.utterances import Reading

CODE = {
    "a": ".-", "b": "-...", "c": "-.-.", "d": "-..", "e": ".", "f": "..-.", "g": "--.", "h": "....", "i": "..",
    "j": ".---", "k": "-.-", "l": ".-..", "m": "--", "n": "-.", "o": "---", "p": ".--.", "q": "--.-", "r": ".-.",
    "s": "...", "t": "-", "u": "..-", "v": "...-", "w": ".--", "x": "-..-", "y": "-.--", "z": "--..",
}  # fmt: skip
"""ITU-R M.1677."""
RATE = 8000
_LETTERS = (3, 6)  # of a word
_DOT_SECONDS = (0.034, 0.048)  # 25 to 35 words a minute
_HZ = (400.0, 1000.0)
_TONE, _NOISE, _EDGE_SECONDS = 0.3, 0.03, 0.005


def morse(count: int, seed: int) -> Iterator[Reading]:
    """So many words, each with a speed, a pitch and a loudness of its own."""
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        text = "".join(rng.choice(list(CODE), rng.integers(_LETTERS[0], _LETTERS[1] + 1)))
        yield f"word {number + 1}", text, "", Recording(_tone(text, rng), RATE)


def keyed(text: str) -> list[bool]:
    """Whether the key is down, by dots: a dash is three dots long; a gap is one dot within a letter, three between."""
    letters = ["0".join({".": "1", "-": "111"}[mark] for mark in CODE[letter]) for letter in text]
    return [unit == "1" for unit in "000".join(letters)]


def _tone(text: str, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    dot, hertz, loudness = round(RATE * rng.uniform(*_DOT_SECONDS)), rng.uniform(*_HZ), rng.uniform(0.3, 1.0)
    silent = [False] * int(rng.integers(1, 6))
    down_N = np.repeat(np.array([*silent, *keyed(text), *silent], dtype=np.float64), dot)
    edge = round(RATE * _EDGE_SECONDS)  # a key that opened and closed at once would click
    down_N = np.convolve(down_N, np.full(edge, 1 / edge), "same")
    wave_N = np.sin(2 * np.pi * hertz * np.arange(len(down_N)) / RATE + rng.uniform(0, 2 * np.pi))
    sound_N = loudness * _TONE * down_N * wave_N + _NOISE * rng.standard_normal(len(down_N))
    return np.asarray(sound_N, dtype=np.float32)

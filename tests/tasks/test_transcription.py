"""Transcription: the alphabet, what CTC needs, and the tones of a keypad."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from seqlab.core.batch import SPLITS
from seqlab.core.prediction import GenerationConfig
from seqlab.data.batches import UNSCORED
from seqlab.data.touch_tones import COLUMNS, KEYS, ROWS, frequencies, touch_tones
from seqlab.errors import DataError
from seqlab.tasks.transcription import Transcription
from tests.conftest import tiny_config, tiny_network
from tests.recordings import transcribed_folder


def transcription(*overrides: str) -> Transcription:
    task = tiny_config("gru", "transcription", *overrides).task.build()
    assert isinstance(task, Transcription)
    return task


def test_targets_are_the_characters_of_the_transcripts() -> None:
    task = transcription()
    for split in SPLITS:
        seen = 0
        for batch in task.batches(split, 0):
            for row, item in enumerate(batch.items_B.tolist()):
                symbols = [int(symbol) for symbol in batch.target_BU[row] if symbol != UNSCORED]
                text = task.texts(split)[item]
                known = "".join(one for one in text if one in task.characters)
                assert "".join(task.characters[symbol - 1] for symbol in symbols) == known
                assert 0 not in symbols
            seen += batch.target_count
        lacking = task.unknown_in(split)["characters"]
        assert seen == lacking[1] - lacking[0]


def test_the_blank_is_no_character() -> None:
    task = transcription()
    assert sorted(task.vocabulary()) == list(task.characters)
    network = task.build_network(tiny_config("gru", "transcription").model)
    assert network.head.out_features == 1 + len(task.characters)


def test_an_utterance_that_is_too_short_for_its_transcript_is_refused_by_name(tmp_path: Path) -> None:
    folder = transcribed_folder(tmp_path)
    table = folder / "transcripts.csv"
    table.write_text(table.read_text().replace("\n5.wav,", "\n5.wav,aaaaaaaaaaaaaaaaaaa"))
    overrides = (f"task.corpus={folder}", "task.mel_bands=20")
    assert transcription(*overrides, "task.stack=1", "task.hop_ms=5").features == 20
    with pytest.raises(DataError, match=r"1 utterances are too short for their transcripts: 5\.wav \(\d+ positions, "):
        transcription(*overrides, "task.stack=1", "task.hop_ms=10")


def test_more_beams_are_no_less_likely(tmp_path: Path) -> None:
    overrides = (f"task.corpus={transcribed_folder(tmp_path)}", "task.mel_bands=20", "task.stack=1")
    task = transcription(*overrides)
    network = tiny_network(tiny_config("gru", "transcription", *overrides))
    with torch.no_grad():
        network.get_parameter("head.weight").mul_(20)
    for text in ("validation:1", "test:1", str(tmp_path / "0.wav")):
        greedy, searched = (task.predict(network, text, GenerationConfig(beams=beams)) for beams in (1, 8))
        assert set(greedy.text + searched.text) <= set(task.characters)
        assert searched.details == {"transcript": searched.text}


def test_each_key_has_the_row_and_the_column_of_the_keypad() -> None:
    assert [frequencies(key) for key in "159#"] == [(697, 1209), (770, 1336), (852, 1477), (941, 1477)]
    assert frequencies("*") == (941, 1209)
    assert len({frequencies(key) for key in KEYS}) == 12


def test_numbers_follow_from_their_seed_and_sound_at_their_frequencies() -> None:
    first, again, other = (list(touch_tones(3, seed)) for seed in (0, 0, 1))
    assert [text for _, text, _, _ in first] == [text for _, text, _, _ in again] != [text for _, text, _, _ in other]
    for (_, text, _, recording), (_, _, _, same) in zip(first, again, strict=True):
        assert np.array_equal(recording.sample_N, same.sample_N)
        power_K = np.abs(np.fft.rfft(recording.sample_N)) ** 2
        hertz_K = np.fft.rfftfreq(len(recording.sample_N), 1 / recording.rate)
        sounding = {hertz for key in text for hertz in frequencies(key)}
        loudest = {hertz: power_K[np.abs(hertz_K - hertz) < 20].max() for hertz in (*ROWS, *COLUMNS)}
        silent = [power for hertz, power in loudest.items() if hertz not in sounding]
        assert min(loudest[hertz] for hertz in sounding) > max(silent, default=0.0)

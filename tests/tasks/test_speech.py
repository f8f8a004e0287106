"""Speech: the label of an utterance from a user's own recordings and series."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from seqlab.core.batch import SPLITS
from seqlab.core.prediction import GenerationConfig
from seqlab.errors import DataError
from seqlab.insight.states import states
from seqlab.tasks.speech import Speech
from tests.conftest import tiny_config, tiny_network, without_test
from tests.recordings import labelled_folder, tone, write_wav


def speech(*overrides: str) -> Speech:
    task = tiny_config("gru", "speech", *overrides).task.build()
    assert isinstance(task, Speech)
    return task


@pytest.fixture
def recorded(tmp_path: Path) -> Speech:
    return speech(f"task.corpus={labelled_folder(tmp_path / 'own')}", "task.mel_bands=20")


def test_the_nearest_utterance_is_found_by_hand() -> None:
    task = speech()
    _, nearest = task.baselines()

    def summary(sequence: torch.Tensor) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        return torch.cat((sequence.mean(0), sequence[0], sequence[-1])).numpy()

    right = 0
    for sequence, target in zip(task.sequences["test"], task.texts("test"), strict=True):
        distances = [float(np.linalg.norm(summary(sequence) - summary(other))) for other in task.sequences["train"]]
        right += task.texts("train")[int(np.argmin(distances))] == target
    assert nearest.metrics["accuracy"].value == pytest.approx(right / len(task.texts("test")))


def test_frames_are_standardised_by_training_alone(recorded: Speech) -> None:
    every_TF = torch.cat(recorded.sequences["train"])
    torch.testing.assert_close(every_TF.mean(0), torch.zeros(20), atol=1e-4, rtol=0)
    before = [batch.frames_BTF for batch in recorded.batches("train", 0)]
    after = [batch.frames_BTF for batch in without_test(recorded).batches("train", 0)]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_masks_and_noise_are_for_training_only(recorded: Speech) -> None:
    masked = speech(
        f"task.corpus={recorded.config.corpus}", "task.mel_bands=20", "task.noise=0.5", "task.time_masks=2",
        "task.feature_masks=1",
    )  # fmt: skip
    for split in SPLITS:
        plain, changed = (next(iter(task.batches(split, 0))) for task in (recorded, masked))
        assert torch.equal(plain.labels_B, changed.labels_B)
        assert torch.equal(plain.frames_BTF, changed.frames_BTF) is (split != "train")


def test_a_recording_of_ones_own_is_read_as_training_reads_it(recorded: Speech, tmp_path: Path) -> None:
    name = recorded.names("validation")[0]
    path = Path(recorded.config.corpus) / name
    assert torch.equal(recorded.sequence(str(path)), recorded.sequences["validation"][0])
    assert torch.equal(recorded.sequence("validation:1"), recorded.sequences["validation"][0])
    network = tiny_network(tiny_config("gru", "speech", f"task.corpus={recorded.config.corpus}", "task.mel_bands=20"))
    given, own = (recorded.predict(network, text, GenerationConfig()) for text in ("validation:1", str(path)))
    assert given == own
    assert sum(given.details["probabilities"].values()) == pytest.approx(1)
    low = write_wav(tmp_path / "telephone.wav", tone(300, rate=4000), rate=4000)
    with pytest.raises(DataError, match=r"4,000 samples a second, and the network reads frequencies up to 4,000 Hz"):
        recorded.sequence(str(low))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("validation:0", "they go from 1 to"),
        ("test:9999", "they go from 1 to 12"),
        ("vaildation:3", "did you mean validation:3"),
        (
            "nowhere.csv",
            "no file and no utterance.*\\n.*a table with 3 numbers a line, or e.g. validation:1",
        ),
    ],
)
def test_a_text_that_names_nothing_is_refused(text: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        speech().sequence(text)


def test_a_table_of_numbers_is_an_utterance(tmp_path: Path) -> None:
    task, path = speech(), tmp_path / "own.csv"
    for content in ("a,b,c\n1,2,3\n4,5,6\n", "1 2 3\n4 5 6", "\ufeff1;2;3\r\n\r\n4;5;6"):
        path.write_text(content, encoding="utf-8")
        expected_TF = task.scaling(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
        assert torch.equal(task.sequence(str(path)), expected_TF)
    for content, reason in (
        ("1,2\n", "line 1: 2 numbers; the network reads 3"),
        ("1,2,3\n1,2,x\n", "line 2: could not convert"),
        ("1,2,3\n1,2,nan\n", r"line 2: 3 numbers.*\n.*3 finite numbers"),
        ("1,2,3\n1,2,1e300\n", "line 2: 3 numbers"),
        ("a,b,c\n", "has no numbers"),
    ):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(DataError, match=reason):
            task.sequence(str(path))


def test_positions_are_named_by_their_time(recorded: Speech) -> None:
    network = tiny_network(tiny_config("gru", "speech", f"task.corpus={recorded.config.corpus}", "task.mel_bands=20"))
    example = recorded.example(network, recorded.example_text(9))
    assert example.tokens[:3] == ("0.00", "0.01", "0.02")
    assert ">seconds<" in states(recorded, network, None).svg
    assert len(example.tokens) == example.batch.frames_BTF.shape[1]
    lengths = [len(sequence) for sequence in recorded.sequences["validation"]]
    assert abs(len(example.tokens) - 9) == min(abs(length - 9) for length in lengths)
    series = speech().example(network, "validation:1")
    assert (series.tokens[:2], series.unit) == (("1", "2"), "frames")

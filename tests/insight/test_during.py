"""Pictures in training: what TensorBoard gets, and that training is not affected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seqlab import load
from seqlab.errors import Interrupted
from seqlab.insight.during import layer_of
from seqlab.runs.resume import resume
from seqlab.runs.train import train
from seqlab.tasks.char_lm import CharLM
from tests.conftest import tiny_config


def _train(folder: Path, model: str, task: str, *overrides: str, pictures: bool = True) -> Path:
    config = tiny_config(
        model, task, "device=cpu", f"runs_dir={folder}", f"trainer.log_pictures={pictures}", *overrides
    )
    return train(config, name="a", checked=True).folder


@pytest.mark.parametrize(("model", "task"), [("lstm", "char_lm"), ("transformer", "translation")])
def test_pictures_do_not_affect_training(model: str, task: str, tmp_path: Path) -> None:
    more = ("model.dropout=0.3",)  # what drew from the global generators would change the masks
    seen = _train(tmp_path / "seen", model, task, *more)
    blind = _train(tmp_path / "blind", model, task, *more, pictures=False)
    mine, theirs = load(seen), load(blind)
    for a, b in zip(mine.network.parameters(), theirs.network.parameters(), strict=True):
        assert torch.equal(a, b)
    tags = EventAccumulator(str(seen)).Reload().Tags()
    picture = "viz/states" if model == "lstm" else "viz/attention-decoder-1-cross"
    assert picture in tags["images"]
    assert "samples/text_summary" in tags["tensors"]
    assert any(tag.startswith("weights_gradient/decoder.") for tag in tags["scalars"])
    assert any(tag.startswith("weights/embed") for tag in tags["histograms"])
    assert (seen / "metrics.jsonl").read_text().count("weights_gradient/") == 0
    plain = EventAccumulator(str(blind)).Reload().Tags()
    assert (plain["images"], plain["histograms"]) == ([], [])
    assert not any(tag.startswith("weights_gradient/") for tag in plain["scalars"])


def test_a_failing_picture_does_not_end_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> str:
        raise RuntimeError("no passage\ntoday")

    monkeypatch.setattr(CharLM, "example_text", broken)
    folder = _train(tmp_path, "rnn", "char_lm")
    assert (folder / "result.json").exists()
    log = (folder / "train.log").read_text()
    assert log.count("the trackers go without pictures: no passage today") == 1
    assert "samples/text_summary" in EventAccumulator(str(folder)).Reload().Tags()["tensors"]


def test_pictures_come_at_the_first_second_fourth_validation(tmp_path: Path) -> None:
    folder = _train(tmp_path, "rnn", "char_lm", "trainer.max_steps=12", "trainer.log_every_steps=4")
    events = EventAccumulator(str(folder), size_guidance={"images": 0, "histograms": 0, "scalars": 0}).Reload()
    assert [image.step for image in events.Images("viz/states")] == [2, 4, 8]
    assert [count.step for count in events.Histograms("weights/head.weight")] == [2, 4, 8]
    assert [scalar.step for scalar in events.Scalars("weights_gradient/head")] == [4, 8, 12]


def test_a_resumed_run_shows_what_an_uninterrupted_one_does(tmp_path: Path) -> None:
    more = ("trainer.log_every_steps=1", "optim.horizon_steps=8")
    whole = _train(tmp_path / "whole", "lstm", "char_lm", "trainer.max_steps=8", *more)
    folder = _train(tmp_path / "resumed", "lstm", "char_lm", "trainer.max_steps=4", *more)
    resume(folder, ["trainer.max_steps=8"])

    def shown(run: Path) -> dict[str, list[Any]]:
        events = EventAccumulator(str(run), size_guidance={"tensors": 0, "images": 0, "histograms": 0, "scalars": 0})
        tags = events.Reload().Tags()
        return {
            "gradient": [(s.step, s.value) for s in events.Scalars("weights_gradient/head")],
            "samples": [(t.step, t.tensor_proto.string_val[0]) for t in events.Tensors("samples/text_summary")],
            "sample": [t.step for t in events.Tensors("sample/text_summary")],
            "images": [(i.step, i.encoded_image_string) for tag in tags["images"] for i in events.Images(tag)],
            "weights": [(h.step, h.histogram_value) for h in events.Histograms("weights/head.weight")],
        }

    mine, theirs = shown(folder), shown(whole)
    assert [step for step, _ in theirs["samples"]] == [2, 4, 6, 8]
    assert mine == theirs


def test_a_second_signal_is_not_a_failed_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> str:
        raise Interrupted("stopped at once", "", 130)

    monkeypatch.setattr(CharLM, "example_text", stop)
    with pytest.raises(Interrupted):
        _train(tmp_path, "rnn", "char_lm")


@pytest.mark.parametrize(
    ("parameter", "layer"),
    [
        ("decoder.blocks.0.attention.output.weight", "decoder.blocks.0"),
        ("decoder.kernels.1.weight_ih_l0", "decoder.kernels.1"),
        ("encoder.ahead.kernels.0.bias_hh_l0", "encoder.ahead.kernels.0"),
        ("head.weight", "head"),
    ],
)
def test_layers_of_parameters(parameter: str, layer: str) -> None:
    assert layer_of(parameter) == layer

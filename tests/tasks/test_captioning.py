"""Captions of images: what is scored, what predictions read, and a folder of one's own from training to prediction."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from seqlab.core.baseline import baselines_of
from seqlab.data.captioned import distorted
from seqlab.decoding.search import best_texts
from seqlab.errors import ConfigError, DataError
from seqlab.insight.attention import attention
from seqlab.tasks.captioning import Captioning
from seqlab.training.device import Device
from seqlab.training.validation import evaluate
from tests.commands import Capture, Patch, in_process
from tests.conftest import tiny_config, tiny_network, tiny_overrides, tiny_task

CPU = Device(torch.device("cpu"), "fp32", compile=False)


def _task(*overrides: str) -> Captioning:
    task = tiny_task(tiny_config("gru", "captioning", *overrides))
    assert isinstance(task, Captioning)
    return task


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty pictures of a bright or dark square, to the left or to the right, with captions of words."""
    rows = ["file,caption"]
    rng = np.random.default_rng(0)
    here = tmp_path / "pictures"
    here.mkdir()
    for n in range(40):
        pixels_HW = rng.integers(200, 256, (24, 24), dtype=np.uint8)
        dark, left = n % 2, n // 2 % 2
        pixels_HW[8:16, (2 if left else 14) : (10 if left else 22)] = 20 if dark else 120
        Image.fromarray(pixels_HW).save(here / f"{n}.png")
        rows.append(f"{n}.png,a {('grey', 'black')[dark]} square on the {('right', 'left')[left]}")
    (here / "captions.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return here


def test_images_apart_are_scored_by_themselves() -> None:
    """Against the exact match of what the network writes, counted one by one."""
    config = tiny_config("gru", "captioning", "task.test_size=7")
    task, network = _task("task.test_size=7"), tiny_network(config).eval()
    assert task.apart is not None
    meter = evaluate(network, task.batches("test", 0), task.meter("test"), CPU)
    parts = (task.encoded["test"], task.apart)
    written = [
        [best_texts(task.words, 32, network, part.gather(torch.tensor([item])))[0] for item in range(7)]
        for part in parts
    ]
    items = list(meter.items())
    assert [item["prediction"] for item in items] == [*written[0], *written[1]]
    assert [item["item"] for item in items] == [*range(14)]
    assert [item.get("apart") for item in items] == [None] * 7 + ["combinations"] * 7
    # captions that equal what an untrained network writes, for two of seven
    for part, right in zip(parts, (2, 3), strict=True):
        part.captions = (*written[parts.index(part)][:right], *part.captions[right:])
    figures = evaluate(network, task.batches("test", 0), task.meter("test"), CPU).compute()
    assert figures["exact_match"].value == pytest.approx(2 / 7)
    assert figures["exact_match_combinations"].value == pytest.approx(3 / 7)
    assert (
        "exact_match_combinations"
        not in evaluate(network, task.batches("validation", 0), task.meter("validation"), CPU).compute()
    )


def test_the_nearest_image_is_the_one_with_the_least_squared_difference() -> None:
    task = _task("task.train_size=30", "task.test_size=8")
    train, test = task.encoded["train"], task.encoded["test"]
    pixels = [part.part.image_NCHW.astype(float) for part in (train, test)]
    nearest = [int(((pixels[0] - image_CHW) ** 2).sum((1, 2, 3)).argmin()) for image_CHW in pixels[1]]
    right = np.mean([train.captions[at] == text for at, text in zip(nearest, test.captions, strict=True)])
    found = {baseline.name: baseline for baseline in baselines_of(task)}
    assert found["nearest"].metrics["exact_match"].value == pytest.approx(right)
    again = _task("task.train_size=30", "task.test_size=8", "task.split_seed=1")
    again.encoded["test"] = again.encoded["train"]
    assert next(b for b in again.baselines() if b.name == "nearest").metrics["exact_match"].value == 1


def test_training_images_are_shifted_and_turned_within_their_paper() -> None:
    image_BCHW = torch.full((400, 1, 6, 6), 255, dtype=torch.uint8)
    image_BCHW[:, :, 2, 3] = 7
    moved_BCHW = distorted(image_BCHW, 2, 0.0, torch.Generator().manual_seed(0))
    places = {tuple(place) for _, _, *place in (moved_BCHW == 7).nonzero().tolist()}
    assert places == {(y, x) for y in range(5) for x in range(1, 6)}
    assert ((moved_BCHW == 255).sum((1, 2, 3)) == 35).all()
    turned_BCHW = distorted(image_BCHW, 0, 30.0, torch.Generator().manual_seed(0))
    ink_B = 255 - turned_BCHW.float().amin((1, 2, 3))
    assert ((turned_BCHW < 200).sum((1, 2, 3)) <= 4).all()  # still one dot, near where it was
    assert ink_B.std() > 0
    assert (turned_BCHW[:, 0, [0, 5]] > 200).all()
    task = _task()
    first, again, other = (next(task.batches("train", seed)).image_BCHW for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert first.shape == other.shape
    batch = next(task.batches("validation", 1))
    assert torch.equal(batch.image_BCHW, task.encoded["validation"].gather(batch.items_B).image_BCHW)


def test_long_captions_are_left_out_of_training_and_counted() -> None:
    task = _task("task.max_length=3")
    assert task.left_out > 0
    assert all(len(text.split()) == 2 for text in task.encoded["train"].captions)
    assert task.describe()["training captions left out at 3 words"] == task.left_out
    with pytest.raises(
        DataError, match=r"task\.max_length=2 leaves out every caption of training\ntry task\.max_length=3"
    ):
        _task("task.max_length=2")


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("task.patch=3",), "no power of two"),
        (("task.patch=16",), "no power of two that divides task.image_size=24"),
        (("task.corpus=x", "task.image_size=30"), "try task.patch=2"),
        (("task.image_size=48",), "the images of digits have 24 x 24 pixels of 1 channel"),
        (("task.colour=true",), "try task.image_size=24 task.colour=false"),
        (("task.held_share=1",), "held_share"),
    ],
)
def test_settings_that_do_not_fit_are_refused(overrides: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        tiny_config("gru", "captioning", *overrides).task.build()


def test_an_image_is_named_by_its_number_or_path(tmp_path: Path) -> None:
    task = _task()
    part = task.encoded["validation"]
    assert torch.equal(task.image(" 3 ")[0, 0], torch.from_numpy(part.part.image_NCHW[3, 0]))
    Image.fromarray(part.part.image_NCHW[3, 0]).save(tmp_path / "it.png")
    assert torch.equal(task.image(str(tmp_path / "it.png")), task.image("3"))
    with pytest.raises(DataError, match="there is no image 99 of validation\nthe last one is 19"):
        task.image("99")


def test_attention_is_drawn_over_the_image_word_by_word() -> None:
    for model, pictures in (("gru", 1), ("transformer", 2)):
        config = tiny_config(model, "captioning")
        task, network = tiny_task(config), tiny_network(config)
        assert isinstance(task, Captioning)
        (first, *others) = attention(task, network, "0")
        assert sum("Attention over" in picture.title for picture in (first, *others)) == pictures
        words, weights_NTS = first.data["rows"], np.array(first.data["weights"])
        assert weights_NTS.shape[1:] == (len(words), 36)
        assert weights_NTS.sum(-1) == pytest.approx(1, abs=0.01)
        assert first.data["columns"][:7] == [*(f"row 1, column {n}" for n in range(1, 7)), "row 2, column 1"]
        assert "true caption: " + task.encoded["validation"].captions[0] in first.svg
        panels = first.figure().axes
        assert [panel.get_title() for panel in panels[: 1 + len(words)]] == ["image", *words]
        drawn = panels[2].get_images()[1].get_array()
        assert drawn is not None
        assert np.allclose(drawn, weights_NTS.mean(0)[1].reshape(6, 6), atol=1e-3)


@pytest.mark.slow
def test_a_folder_of_ones_own_from_training_to_prediction(
    folder: Path, tmp_path: Path, capsys: Capture, monkeypatch: Patch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also without the folder, once the network is trained."""
    monkeypatch.chdir(tmp_path)
    mine = ("task.corpus=pictures", "task.batch_size=16", "model.width=32", "device=cpu", "optim.learning_rate=0.01")
    words = tiny_overrides("gru", "captioning", *mine, "trainer.max_steps=500", "trainer.eval_every_steps=250")
    code, _, err = in_process(capsys, monkeypatch, "train", *words, "--folder", "run")
    assert code == 0, err
    result = json.loads(Path("run/result.json").read_text())
    assert "exact_match_combinations" not in result["test"]
    folder.rename(tmp_path / "moved")
    code, out, err = in_process(capsys, monkeypatch, "predict", "run", "moved/4.png", "moved/3.png", "--json")
    assert (code, err) == (0, "")
    assert [json.loads(line)["caption"] for line in out.splitlines()] == [
        "a grey square on the right", "a black square on the left",
    ]  # fmt: skip
    code, _, err = in_process(capsys, monkeypatch, "predict", "run", "3")
    assert (code, err.splitlines()[0][:46]) == (3, "error: this needs the corpus of run: task.corp")
    with Image.open("moved/4.png") as image:
        image.resize((240, 240)).convert("CMYK").save("large.jpg")
    code, out, err = in_process(capsys, monkeypatch, "predict", "run", "large.jpg")
    assert (code, out) == (0, "a grey square on the right\n")
    assert caplog.messages[-1] == "large.jpg: its 240 x 240 pixels are resized to 24 x 24"
    code, _, err = in_process(capsys, monkeypatch, "predict", "run", "a cat")
    assert (code, err) == (3, "error: a cat: there is no such file\ngive the path of a PNG or JPEG picture\n")

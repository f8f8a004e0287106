"""`seqlab inspect`: what is drawn of which run, the page, and what is refused."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

import pytest

from seqlab.core.alignment import AlignmentSource
from seqlab.core.attention import Attention
from seqlab.core.example import ContextSource, ExampleReader, ExampleSource
from seqlab.core.forecast import ForecastSource
from seqlab.core.meter import Table
from seqlab.core.model import sequence_models
from seqlab.core.offers import offers
from seqlab.core.other_lengths import OtherLengths
from seqlab.core.results import Answered, ByLength, Confusion
from seqlab.drawing.picture import Picture
from seqlab.errors import ConfigError
from seqlab.insight.inspected import InspectedRun
from seqlab.insight.views import VIEWS as COMMAND_LINE_VIEWS
from seqlab.runs.catalogue import named_run
from seqlab.runs.inspect import VIEWS, _write_page
from seqlab.runs.run import open_run
from seqlab.runs.train import train
from seqlab.runs.variants import inspected
from tests.browser import Browser, PageReader, needs_chromium
from tests.commands import Capture, Patch, in_process
from tests.conftest import TASKS, tiny_config, tiny_network, tiny_task, without_test


def views_of(run: InspectedRun) -> set[str]:
    """The views that apply to a run, by the interfaces of its task, network and meter."""
    task, network = run.task, run.network
    kinds = {type(result) for result in run.validated.results()}
    texts = offers(task, ExampleReader) and offers(task, ExampleSource)
    there = {
        "gradient": offers(task, ContextSource),
        "memory": offers(task, ContextSource),
        "length": offers(task, OtherLengths),
        "states": texts,
        "attention": texts and any(isinstance(module, Attention) for module in network.modules()),
        "embedding": bool(task.embedding_tokens().keys() & network.embeddings().keys()),
        "forecast": offers(task, ForecastSource),
        "alignment": offers(task, AlignmentSource),
        "confusion": Confusion in kinds,
        "errors": Answered in kinds,
        "heads": texts and any(isinstance(module, Attention) for module in network.modules()),
        "positions": any(model.position_vectors(1) is not None for _, model in sequence_models(network)),
        "bottleneck": ByLength in kinds,
    }
    return {view for view, shown in there.items() if shown}


@pytest.fixture
def here(trained_runs: Path, monkeypatch: Patch) -> None:
    monkeypatch.chdir(trained_runs)


@pytest.mark.usefixtures("here")
def test_pictures_page_and_tensorboard_files_are_written(capsys: Capture, monkeypatch: Patch) -> None:
    evil = '<script>document.title="taken"</script> $x$ "quoted"'
    words = ("inspect", "best:char_lm", "states", "embedding", "--text", evil, "--json")
    code, out, err = in_process(capsys, monkeypatch, *words)
    assert code == 0, err
    said = json.loads(out)
    folder = Path("runs/char_lm/gru/a/inspect/states-embedding")  # the page of all views stays as it was
    assert said["folder"] == str(folder)
    assert set(said["pictures"]) == {"states", "embedding-embed"}
    assert said["pictures"]["states"]["tokens"] == list(evil)
    assert json.loads((folder / "inspect.json").read_text()) == said
    for name in said["pictures"]:
        for suffix, paper in (("", b"\xff\xff\xff"), ("-dark", b"\x15\x18\x1b")):
            from PIL import Image  # comes with matplotlib

            with Image.open(folder / f"{name}{suffix}.png") as image:
                assert image.size[0] > 800
                assert bytes(image.convert("RGB").tobytes()[:3]) == paper
        drawn = ElementTree.parse(folder / f"{name}.svg").getroot()
        assert drawn.tag.endswith("svg")
        assert "prefers-color-scheme:dark" in (folder / f"{name}.svg").read_text()
    text = (folder / "inspect.html").read_text(encoding="utf-8")
    reader = PageReader()
    reader.feed(text)
    assert reader.asked == []
    assert reader.tags.count("svg") == 2
    assert "script" not in reader.tags
    assert (folder / "pictures" / "projector_config.pbtxt").exists()
    # drawn again, it replaces what was there
    (Path("runs/char_lm/gru/a") / "result.json").touch()  # so that it is the last
    code, _, err = in_process(capsys, monkeypatch, "inspect", "last", "embedding", "states")
    assert code == 0, err
    assert len(list(folder.rglob("events.out.tfevents.*"))) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("task", TASKS)
def test_every_task_shows_the_views_that_apply(task: str, capsys: Capture, monkeypatch: Patch) -> None:
    code, out, err = in_process(capsys, monkeypatch, "inspect", f"best:{task}", "--json")
    assert code == 0, err
    said = json.loads(out)
    views = views_of(inspected("it", open_run(named_run(f"best:{task}"), None)))
    assert {name.partition("-")[0] for name in said["pictures"]} == views
    assert said["left_out"].keys() == set(COMMAND_LINE_VIEWS) - views


@pytest.mark.usefixtures("here")
def test_each_view_applies_to_some_shipped_task() -> None:
    runs = [inspected("it", open_run(named_run(f"best:{task}"), None)) for task in TASKS]
    # vectors of positions are added by some Transformers alone
    assert set[str]().union(*map(views_of, runs)) == set(COMMAND_LINE_VIEWS) - {"positions"}


@pytest.mark.slow
@needs_chromium
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_browser_shows_the_page(dark: bool, tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    from PIL import Image

    assert in_process(capsys, monkeypatch, "inspect", "best:sentiment", "--out", str(tmp_path / "out"))[0] == 0
    with Browser(tmp_path, f"--blink-settings=preferredColorScheme={int(not dark)}") as browser:
        browser.open((tmp_path / "out" / "inspect.html").as_uri())
        browser.wait_for(
            "Confusion matrix", "Errors and calibration", "most confident mistakes", "expected calibration error"
        )
        assert browser.evaluate("document.querySelectorAll('figure svg').length") == 4
        assert browser.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        browser.screenshot(tmp_path / "page.png")
        with Image.open(tmp_path / "page.png") as image:
            corner = image.convert("RGB").getpixel((3, 3))
        assert isinstance(corner, tuple)
        assert (max(corner) < 60) if dark else (min(corner) > 240)
        # a picture of its own follows the reader's choice as well
        browser.open((tmp_path / "out" / "confusion.svg").as_uri())
        shown = "getComputedStyle(document.documentElement)"
        assert browser.evaluate(f"{shown}.backgroundColor") == ("rgb(21, 24, 27)" if dark else "rgb(255, 255, 255)")


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_several_runs_share_their_pictures(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    """Views that apply to one of them only are drawn for that one."""
    config = tiny_config("transformer", "char_lm", "device=cpu", f"runs_dir={tmp_path}")
    other = train(config, name="b", checked=True).folder
    code, out, err = in_process(capsys, monkeypatch, "inspect", "runs/char_lm/gru/a", str(other), "--json")
    assert code == 0, err
    said = json.loads(out)
    assert Path(said["folder"]).parent == Path("runs/inspect")
    assert set(said["pictures"]) == {
        "gradient", "memory", "states-1", "states-2", "embedding-embed-1", "embedding-embed-2",
        "attention-decoder-1-attention-2", "attention-decoder-2-attention-2", "heads-2",
    }  # fmt: skip
    first, second = said["pictures"]["gradient"]["runs"]
    assert (len(first["state"]["median"]), len(first["inputs"]["median"])) == (12, 11)
    assert second["state"] is None
    assert [run["label"] for run in said["pictures"]["memory"]["runs"]] == ["gru", "transformer"]
    assert set(said["left_out"]) == {
        "alignment",
        "bottleneck",
        "confusion",
        "errors",
        "forecast",
        "length",
        "positions",
    }


def test_text_of_a_corpus_is_no_markup(tmp_path: Path) -> None:
    evil = '<script>document.title="taken"</script>&amp;'
    config = tiny_config("rnn", "char_lm")
    run = InspectedRun(evil, Path(evil), config, tiny_task(config), tiny_network(config), 0)
    table = Table(evil, (evil, "n"), ((evil, 1.0),))
    picture = Picture("x", evil, evil, lambda figure: figure.suptitle(evil).set_fontsize(5), tables=(table,))
    text = _write_page(tmp_path, [run], [picture]).read_text()
    reader = PageReader()
    reader.feed(text)
    assert "script" not in reader.tags
    assert text.count("&lt;script&gt;") >= 8


@pytest.mark.usefixtures("here")
def test_a_folder_with_other_files_is_left_alone(tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    before = sorted(Path("runs/sentiment/gru/a").iterdir())
    (tmp_path / "events.out.tfevents.1.x").touch()
    (tmp_path / "projector-notes.tsv").touch()
    for folder in ("runs/sentiment/gru/a", str(tmp_path)):
        code, _, err = in_process(capsys, monkeypatch, "inspect", "best:char_lm", "embedding", "--out", folder)
        assert code == 2
        assert "it contains other files" in err
    assert sorted(Path("runs/sentiment/gru/a").iterdir()) == before
    assert len(list(tmp_path.iterdir())) == 2


def test_the_command_line_knows_the_views() -> None:
    assert tuple(VIEWS) == COMMAND_LINE_VIEWS


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("inspect",), 2, "missing argument"),
        (("inspect", "gradient"), 2, "no run is given"),
        (("inspect", "best:char_lm", "gradint"), 2, "did you mean gradient?"),
        (("inspect", "lst", "states"), 2, "did you mean last?"),
        (("inspect", "nowhere"), 4, "nowhere is not the folder of a run"),
        (
            ("inspect", "best:char_lm", "confusion"),
            2,
            "predicts no labels\nall that apply: seqlab inspect runs/char_lm/gru/a\n",
        ),
        (("inspect", "best:sentiment", "memory"), 2, "no language model"),
        (("inspect", "best:char_lm", "best:translation", "gradient"), 2, "read different data"),
        (
            ("inspect", "best:char_lm", "attention"),
            2,
            "no attention: gru on char_lm has no attention\nall that apply: seqlab inspect runs/char_lm/gru/a\n",
        ),
        (("inspect", "best:char_lm", "states", "--text", ""), 3, "one character or more"),
        (("inspect", "best:char_lm", "embedding", "--text", "x"), 2, "views that do: states, attention"),
        (("inspect", "best:sentiment", "states", "--text", "  "), 3, "one word or more"),
        (("inspect", "best:translation", "attention", "--text", ""), 3, "give a text of one word or more"),
        (("inspect", "best:char_lm", "embedding", "--out", "/proc/nowhere"), 6, "cannot write into"),
    ],
)
def test_views_that_do_not_apply_are_reported(
    words: tuple[str, ...], code: int, said: str, capsys: Capture, monkeypatch: Patch
) -> None:
    found, out, err = in_process(capsys, monkeypatch, *words)
    assert (found, out) == (code, "")
    assert said in err.lower()
    complaint = err[err.index("error:") :]
    assert 1 <= len(complaint.splitlines()) <= 3


def test_the_size_of_a_png_is_read_from_the_file() -> None:
    """What TensorBoard is told of an image is read from the file itself."""
    png = Picture("x", "x", "x", lambda _: None, 2, 1).render(dpi=50)
    assert struct.unpack(">II", png[16:24]) == (100, 50)


@pytest.mark.usefixtures("here")
def test_a_long_text_is_cut_and_the_page_says_so(capsys: Capture, monkeypatch: Patch) -> None:
    for text, drawn in (("x", "x"), ("ab" * 60, "ab" * 48)):
        code, out, err = in_process(capsys, monkeypatch, "inspect", "best:char_lm", "states", "--text", text, "--json")
        assert code == 0, err
        said = json.loads(out)
        assert said["pictures"]["states"]["tokens"] == list(drawn)
        cut = "The first 96 of 120 tokens are drawn."
        assert (cut in Path(said["page"]).read_text(encoding="utf-8")) == (text != drawn)


@pytest.mark.usefixtures("here")
def test_a_failed_inspection_leaves_no_folder(capsys: Capture, monkeypatch: Patch) -> None:
    before = set(Path("runs/inspect").glob("*"))
    assert in_process(capsys, monkeypatch, "inspect", "best:char_lm", "best:sentiment", "memory")[0] == 2
    assert set(Path("runs/inspect").glob("*")) == before


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("task", TASKS)
def test_no_picture_needs_the_test_split(task: str) -> None:
    """Every view of a run whose task's test split was taken away: what helps to choose has not seen test."""
    trained = open_run(named_run(f"best:{task}"), None)
    next(iter(trained.task.batches("test", 0)))  # a run's task reads its corpus when that is asked for
    without_test(trained.task)
    drawn, run = set[str](), inspected("it", trained)
    for name, view in VIEWS.items():
        with suppress(ConfigError):  # it has nothing to see here
            assert view([run], None)
            drawn.add(name)
    assert drawn == views_of(run)

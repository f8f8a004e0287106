"""Datasets of Hugging Face, made here by the library itself; nothing is asked of the hub."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import datasets
import pytest

from seqlab.comparison.candidate import pinned as pinned_plan
from seqlab.comparison.parse_plan import parse_plan
from seqlab.comparison.request import read_request
from seqlab.data import hugging_face
from seqlab.data.hugging_face import labelled, pairs, pinned, texts
from seqlab.errors import DataError
from tests.conftest import tiny_config

KEY = "task.corpus"
TEXT, LABEL = ("task.text_column", "text"), ("task.label_column", "label")
SIDES = ("task.source_column", "translation.de"), ("task.target_column", "translation.en")
LINES = [f"a {('dull', 'fine')[n % 2]} film of {n} scenes" for n in range(120)]
FEATURES = datasets.Features(text=datasets.Value("string"), label=datasets.ClassLabel(names=["bad", "good"]))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


@pytest.fixture
def films() -> datasets.Dataset:
    return datasets.Dataset.from_dict({"text": LINES, "label": [0, 1] * 60}, features=FEATURES)


def _saved(films: datasets.Dataset, form: str, folder: Path) -> Path:
    """The data set on disk; with a test split where the form has splits."""
    test = films.select(range(10))
    if form == "save_to_disk":
        datasets.DatasetDict(train=films, test=test).save_to_disk(folder / form)
    elif form == "one split":
        films.save_to_disk(folder / form)
    else:
        (folder / form).mkdir()
        for name, data in (("train", films), ("test", test)):
            getattr(data, f"to_{form}")(folder / form / f"{name}.{form}")
    return folder / form


@pytest.mark.parametrize("form", ["save_to_disk", "one split", "parquet", "json", "csv"])
def test_a_dataset_on_disk_is_read_by_its_columns(form: str, films: datasets.Dataset, tmp_path: Path) -> None:
    path = _saved(films, form, tmp_path)
    found = labelled(f"hf:{path}", KEY, TEXT, LABEL)
    names = ("bad", "good") if form in ("save_to_disk", "one split", "parquet") else ("0", "1")  # else a mere number
    assert found["train"] == [(text, names[n % 2]) for n, text in enumerate(LINES)]
    assert [*found] == (["train"] if form == "one split" else ["train", "test"])
    assert texts(f"hf:{path}", KEY, TEXT)["train"] == "".join(f"{text}\n" for text in LINES)
    if form == "parquet":
        assert labelled(f"hf:{path}/train.parquet", KEY, TEXT, LABEL) == {"train": found["train"]}


def test_pairs_are_parts_of_a_column(tmp_path: Path) -> None:
    rows = {"translation": [{"de": "ein  Hund", "en": "a dog"}, {"de": "", "en": "a cat"}]}
    typed = datasets.Features(translation=datasets.Translation(["de", "en"]))
    for name, features in (("typed", typed), ("plain", None)):
        data = datasets.Dataset.from_dict(rows, features=features)
        datasets.DatasetDict(train=data, dev=data).save_to_disk(tmp_path / name)
        found = pairs(f"hf:{tmp_path / name}", KEY, *SIDES)
        assert found == {part: [("ein Hund", "a dog"), ("", "a cat")] for part in ("train", "validation")}
        with pytest.raises(DataError, match="no column 'text'") as raised:
            texts(f"hf:{tmp_path / name}", KEY, TEXT)
        assert raised.value.allowed == "columns: translation.de, translation.en"
        with pytest.raises(DataError, match="does not hold texts") as raised:
            texts(f"hf:{tmp_path / name}", KEY, ("task.text_column", "translation"))
        assert raised.value.hint == "try task.text_column=translation.de"


def test_hidden_labels_leave_a_split_out(films: datasets.Dataset, tmp_path: Path) -> None:
    hidden = datasets.Dataset.from_dict({"text": ["x"], "label": [-1]}, features=FEATURES)
    datasets.DatasetDict(train=films, test=hidden, unsupervised=hidden).save_to_disk(tmp_path / "glue")
    assert [*labelled(f"hf:{tmp_path / 'glue'}", KEY, TEXT, LABEL)] == ["train"]
    datasets.DatasetDict(train=datasets.concatenate_datasets([films, hidden])).save_to_disk(tmp_path / "some")
    with pytest.raises(DataError, match="1 rows of its train split have no text or no label"):
        labelled(f"hf:{tmp_path / 'some'}", KEY, TEXT, LABEL)


def test_code_of_a_dataset_is_never_run(tmp_path: Path) -> None:
    script = tmp_path / "evil" / "evil.py"
    script.parent.mkdir()
    script.write_text(f"open({str(tmp_path / 'ran')!r}, 'w').write('x')")
    for where in (script.parent, script):
        with pytest.raises(DataError, match="cannot be read"):
            texts(f"hf:{where}", KEY, TEXT)
    (tmp_path / "sounds").mkdir()
    (tmp_path / "sounds" / "a.wav").write_bytes(b"RIFF")
    with pytest.raises(DataError, match="only tables are read here"):
        texts(f"hf:{tmp_path / 'sounds'}", KEY, TEXT)
    assert not (tmp_path / "ran").exists()
    source = Path(hugging_face.__file__).read_text(encoding="utf-8")
    assert "trust_remote_code" not in source


@pytest.mark.parametrize("where", ["hf:./absent", "hf:/absent/there", "hf:"])
def test_what_is_not_there_is_named(where: str) -> None:
    with pytest.raises(DataError, match="there is no such file or folder"):
        texts(where, KEY, TEXT)


class _Hub(http.server.BaseHTTPRequestHandler):
    """It has one dataset that stays as it is, and one that changes each time somebody asks for it."""

    asked = 0

    def do_GET(self) -> None:
        _Hub.asked += (moves := self.path == "/api/datasets/owner/news")
        found = moves or self.path == "/api/datasets/owner/films"
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        sha = f"{_Hub.asked:040}" if moves else "0123abcd" * 5
        self.wfile.write(json.dumps({"id": self.path, "sha": sha}).encode() if found else b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a test prints nothing."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield
    server.shutdown()
    server.server_close()


@pytest.mark.usefixtures("hub")
def test_a_dataset_of_the_hub_is_pinned_to_its_revision(tmp_path: Path) -> None:
    assert pinned("hf:owner/films") == f"hf:owner/films@{'0123abcd' * 5}"
    assert pinned("hf:owner/films/small") == f"hf:owner/films/small@{'0123abcd' * 5}"
    for same in ("hf:owner/films@v1", "hf:owner/absent", f"hf:{tmp_path}", "mr", "my.csv"):
        assert pinned(same) == same
    config = tiny_config("gru", "sentiment", "task.corpus=hf:owner/films/small", "task.test_corpus=mr").task
    assert config.pinned() == {"corpus": f"hf:owner/films/small@{'0123abcd' * 5}"}
    exact = tiny_config("gru", "sentiment", f"task.corpus={config.pinned()['corpus']}").task
    assert exact.pinned() == {}


@pytest.mark.usefixtures("hub")
def test_all_models_of_a_comparison_read_one_revision() -> None:
    request = read_request(["rnn", "b: gru model.width=8", "task=sentiment", "task.corpus=hf:owner/news", "seed=3"])
    parsed, configs = parse_plan(request, None)
    assert parse_plan(request, None)[0].digest == parsed.digest
    plan, exact = pinned_plan(parsed, configs, None)
    commands = [override for variant in plan.variants for override in variant.command(3) if "corpus" in override]
    assert commands == [f"task.corpus=hf:owner/news@{_Hub.asked:040}"] * 2
    assert {config.task.pinned() == {} for config in exact.values()} == {True}
    assert [config.seed for config in exact.values()] == [3, 3]
    assert pinned_plan(plan, exact, None) == (plan, exact)


@pytest.mark.parametrize("task", ["char_lm", "sentiment", "translation"])
def test_every_task_of_texts_reads_them(task: str, films: datasets.Dataset, tmp_path: Path) -> None:
    path = _saved(films, "save_to_disk", tmp_path)
    columns = {"translation": ["task.source_column=text", "task.target_column=text"]}.get(task, [])
    built = tiny_config("gru", task, f"task.corpus=hf:{path}", *columns).task.build()
    assert built.describe()["corpus"] == f"hf:{path}"
    held = built.rows if task == "sentiment" else built.pairs if task == "translation" else built.texts  # type: ignore[attr-defined]
    assert len(held["test"]) == (10 if task != "char_lm" else len("".join(LINES[:10])) + 10)


def test_the_library_is_imported_when_a_dataset_is_read() -> None:
    late = {"datasets", "pyarrow", "huggingface_hub"}
    source = f"import sys, seqlab.data.hugging_face, seqlab.data.corpora; print({late} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"

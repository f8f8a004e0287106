"""Corpora by their addresses: the real pooch and requests download from a server on loopback that is good or bad."""

from __future__ import annotations

import hashlib
import io
import os
import pty
import signal
import socket
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from seqlab.data import downloads
from seqlab.data.archives import Unusable, unpack
from seqlab.data.corpora import condition, corpora
from seqlab.data.downloaded_corpus import DownloadedCorpus
from seqlab.data.downloads import Remote
from seqlab.data.known_file import KnownFile
from seqlab.errors import DataError
from tests.data.registry import contents, files_in
from tests.data.web import TEXT, Server, corpus, remote, serving

CACHED = "toy_text/text.txt"
PART = "toy_text/.text.txt.part"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEQLAB_DATA_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache"


def _start(found: DownloadedCorpus, stderr: int = subprocess.PIPE, first: str = "") -> subprocess.Popen[str]:
    """A process that downloads a corpus, and hears Ctrl-C even if the tests do not. first: code to run before."""
    source = (
        f"{first}\nfrom seqlab.data.downloaded_corpus import *; from pathlib import PosixPath\n"
        f"from seqlab.data.known_file import *; print({found!r}.files())"
    )
    hearing = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(
        [sys.executable, "-c", f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n{source}"],
        stdout=subprocess.PIPE, stderr=stderr, text=True, preexec_fn=hearing, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip


@pytest.mark.parametrize("way", ["good", "moved", "slow", "cut", "missing good", "wrong good", "stalled"])
def test_it_is_downloaded_once(
    way: str, server: Server, cache: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also from a mirror, in two parts if the connection breaks, and after an address that sends nothing more."""
    monkeypatch.setattr(downloads, "TIMEOUT", (5.0, 0.3 if way == "stalled" else 5.0))
    found = corpus(remote(server, *way.replace("stalled", "stalls").split()))
    assert found.where() is None
    assert found.condition() == "not here"
    assert contents(found) == [TEXT]
    asked = len(server.asked)
    assert contents(found) == [TEXT]
    assert len(server.asked) == asked
    assert (found.where(), found.condition(), found.size()) == (cache / CACHED, "ok", len(TEXT))
    assert files_in(cache) == [CACHED]
    assert capfd.readouterr() == ("", "")  # there is no terminal
    if way in ("cut", "stalled"):
        first, (_, rest) = server.asked
        assert first[1] is None
        assert 0 < int((rest or "")[6:-1]) <= len(TEXT) // 2


@pytest.mark.parametrize(
    ("way", "why"),
    [
        ("missing", "404 Not Found"),
        ("wrong", "it does not have the expected sha256"),
        ("longer", f"it is larger than the {len(TEXT):,} bytes"),
        ("half", f"the connection broke after {len(TEXT) // 2:,} of {len(TEXT):,} bytes"),
    ],
)
def test_an_address_that_does_not_serve_is_named_with_the_reason(
    way: str, why: str, server: Server, cache: Path
) -> None:
    found = corpus(remote(server, way, "missing"))
    with pytest.raises(DataError, match=why) as raised:
        found.files()
    what, elsewhere, here = raised.value.lines()
    assert server.at(f"{way}/text.txt") in what
    assert server.at("missing/text.txt: 404") in what
    assert elsewhere == f"on a machine with a network: curl -LO {server.at(f'{way}/text.txt')}"
    assert here == "then here: seqlab data fetch toy_text --from text.txt"
    assert files_in(cache) == ([PART] if way == "half" else [])
    assert found.condition() == "not here"


def test_without_a_connection_the_error_says_so(server: Server, cache: Path) -> None:
    with socket.socket() as taken:  # a port at which nobody listens
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(DataError, match="there is no connection"):
            corpus(Remote(f"http://127.0.0.1:{port}/text.txt", 5, "0" * 64)).files()
    with pytest.raises(DataError, match="there is no secure connection"):
        corpus(Remote(server.at("good/text.txt").replace("http:", "https:"), 5, "0" * 64)).files()
    assert files_in(cache) == []


@pytest.mark.parametrize("way", ["good", "whole"])
@pytest.mark.parametrize(
    "part", [TEXT[:1000], TEXT[::-1][:1000], TEXT + TEXT, TEXT], ids=["half", "bad", "long", "all"]
)
def test_what_an_interrupted_download_left_is_continued_if_it_fits(
    part: bytes, way: str, server: Server, cache: Path
) -> None:
    """Also where the server gives no parts; what does not fit is thrown away."""
    (cache / "toy_text").mkdir(parents=True)
    (cache / PART).write_bytes(part)
    assert contents(corpus(remote(server, way))) == [TEXT]
    assert files_in(cache) == [CACHED]
    assert [asked for _, asked in server.asked][:1] == ([] if part == TEXT else [f"bytes={len(part)}-"])


def test_ctrl_c_and_a_kill_leave_no_broken_file(server: Server, cache: Path) -> None:
    found = corpus(remote(server, "stalls"))
    for sent in (signal.SIGINT, signal.SIGKILL):
        server.half_sent.clear()
        (cache / PART).unlink(missing_ok=True)
        process = _start(found)
        assert server.half_sent.wait(120)
        while not any(part.stat().st_size for part in (cache / "toy_text").glob(".text.txt.*.part")):
            time.sleep(0.01)  # until something has come
        process.send_signal(sent)
        process.communicate(timeout=120)
        assert process.returncode == -sent
        assert found.condition() == "not here"
        assert CACHED not in files_in(cache)
        assert (cache / PART).exists() == (sent == signal.SIGINT)
    assert contents(found) == [TEXT]
    assert found.remove() > len(TEXT)  # with what the killed process left
    assert [*cache.iterdir()] == []


def test_a_full_disk_is_named_and_left_as_it_was(server: Server, cache: Path) -> None:
    limit = "import resource; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)"
    limit += "; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    process = _start(corpus(remote(server, "good")), first=limit)
    _, error = process.communicate(timeout=120)
    assert "ResourceError: corpus toy_text: cannot write into" in error
    assert files_in(cache) == []


def test_two_processes_at_once_leave_one_good_file(server: Server, cache: Path) -> None:
    found = corpus(remote(server, "slow"))
    both = [_start(found) for _ in range(2)]
    for process in both:
        assert process.communicate(timeout=120) == (f"[{cache / CACHED!r}]\n", "")
    assert found.condition() == "ok"
    assert files_in(cache) == [CACHED]


def test_a_terminal_sees_where_it_comes_from_and_how_far_it_is(server: Server) -> None:
    reader, terminal = pty.openpty()
    process = _start(corpus(remote(server, "slow")), stderr=terminal)
    os.close(terminal)
    shown = b""
    try:
        while part := os.read(reader, 1000):
            shown += part
    except OSError:  # the other end is closed
        pass
    os.close(reader)
    process.communicate(timeout=120)
    assert b"corpus toy_text: downloading 127.0.0.1" in shown
    assert b"text.txt" in shown


@pytest.mark.parametrize("damage", ["truncated", "changed", "device"])
def test_a_damaged_file_is_downloaded_again_and_says_so(
    damage: str, server: Server, cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = corpus(remote(server, "good"))
    (cache / "toy_text").mkdir(parents=True)
    if damage == "device":
        (cache / CACHED).symlink_to("/dev/zero")
    else:
        (cache / CACHED).write_bytes({"truncated": TEXT[:-5], "changed": b"L" + TEXT[1:]}[damage])
    assert found.condition() == "damaged"
    assert contents(found) == [TEXT]
    assert capfd.readouterr().err.startswith("corpus toy_text is damaged in the cache: downloading 127.0.0.1")


def test_without_a_published_hash_the_first_one_is_recorded(server: Server, cache: Path) -> None:
    found = corpus(Remote(server.at("good/text.txt")))
    assert found.size() is None
    (cache / "toy_text").mkdir(parents=True)
    (cache / PART).write_bytes(b"of another day")  # is not continued: nothing would tell
    assert contents(found) == [TEXT]
    recorded = f"{hashlib.sha256(TEXT).hexdigest()}  text.txt\n"
    assert (cache / f"{CACHED}.sha256").read_text() == recorded
    assert (found.condition(), found.size()) == ("ok", len(TEXT))
    (cache / CACHED).write_bytes(TEXT[:-1])
    assert found.condition() == "damaged"
    (cache / f"{CACHED}.sha256").unlink()  # a user's own folder has none
    assert found.condition() == "not checked"
    assert contents(found) == [TEXT[:-1]]
    assert found.condition() == "ok"
    assert found.remove() == len(TEXT) - 1 + len(recorded) + len("of another day")
    assert found.condition() == "not here"


def test_another_kind_of_hash_serves_where_it_is_what_is_published(server: Server) -> None:
    md5 = f"md5:{hashlib.md5(TEXT).hexdigest()}"
    found = corpus(Remote(server.at("wrong/text.txt"), len(TEXT), md5, mirrors=(server.at("good/text.txt"),)))
    assert contents(found) == [TEXT]
    assert found.condition() == "ok"
    with pytest.raises(DataError, match="does not have the expected md5"):
        corpus(Remote(server.at("wrong/text.txt"), len(TEXT), md5), folder="other").files()


@pytest.mark.parametrize("form", ["file", "another name", "folder", "data folder", "link", "another form"])
def test_files_that_are_here_already_are_used_without_a_network(
    form: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = hashlib.sha256(TEXT[:50]).hexdigest()
    nowhere = Remote("http://127.0.0.1:1/text.txt", len(TEXT), hashlib.sha256(TEXT).hexdigest())
    other = KnownFile(nowhere.file.name, nowhere.size, nowhere.hash, others=((50, digest),))
    given = tmp_path / "given" / {"another name": "t", "data folder": CACHED, "link": CACHED}.get(form, "text.txt")
    given.parent.mkdir(parents=True)
    given.write_bytes(TEXT[:50] if form == "another form" else TEXT)
    found = corpus(Remote("http://127.0.0.1:1/a.zip", members=(other,))) if form == "another form" else corpus(nowhere)
    if form == "link":
        (cache / "toy_text").mkdir(parents=True)
        (cache / CACHED).symlink_to(given)
    elif form == "data folder":
        monkeypatch.setenv("SEQLAB_DATA_DIR", str(tmp_path / "given"))
    else:
        found.fetch([tmp_path / "given" if form == "folder" else given])
    assert contents(found) == [given.read_bytes()]
    assert given.exists()


def test_files_that_do_not_serve_say_why(server: Server, tmp_path: Path, cache: Path) -> None:
    found = corpus(remote(server, "good"))
    for name, content, why in (
        ("text.txt", TEXT[:-1], f"text.txt has {len(TEXT) - 1:,} bytes instead of"),
        ("text.txt", TEXT[::-1], "text.txt does not have the expected sha256"),
        ("sub", None, "has none of text.txt"),
    ):
        given = tmp_path / name
        given.mkdir() if content is None else given.write_bytes(content)
        with pytest.raises(DataError, match=why):
            found.fetch([given])
    with pytest.raises(DataError, match="No such file"):
        found.fetch([tmp_path / "absent"])
    assert server.asked == []
    assert files_in(cache) == []


def _zip(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _tar(files: dict[str, bytes]) -> bytes:
    """With a link, a folder and a device beside the files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, kind in (("folder", tarfile.DIRTYPE), ("device", tarfile.CHRTYPE), ("a/link.txt", tarfile.SYMTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


@pytest.mark.parametrize(("pack", "name"), [(_zip, "all.zip"), (_tar, "all.tar.gz")])
def test_of_an_archive_only_the_named_files_are_kept(
    pack: Callable[[dict[str, bytes]], bytes], name: str, server: Server, tmp_path: Path, cache: Path
) -> None:
    whole = pack({"../out.txt": b"x", "/abs.txt": b"x", "a/text.txt": TEXT, "a/more.txt": b"more", "a/rest.txt": b"x"})
    server.files[name] = whole
    members = (KnownFile("a/text.txt", len(TEXT), hashlib.sha256(TEXT).hexdigest()), KnownFile("a/more.txt"))
    hashed = hashlib.sha256(whole).hexdigest()
    found = corpus(Remote(server.at(f"cut/{name}"), len(whole), hashed, members=members))
    assert contents(found) == [TEXT, b"more"]
    assert found.where() == cache / "toy_text"
    kept = ["toy_text/more.txt", "toy_text/more.txt.sha256", CACHED]  # there is no hash of one of them
    assert files_in(cache) == kept
    found.remove()
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / name).write_bytes(whole)
    for given in (tmp_path / "given", tmp_path / "given" / name):
        found.fetch([given])
        assert files_in(cache) == kept
        found.remove()
    assert files_in(tmp_path) == [f"given/{name}"]


@pytest.mark.parametrize(("pack", "name"), [(_zip, "all.zip"), (_tar, "all.tar.gz")])
@pytest.mark.parametrize(
    ("path", "content", "why"),
    [
        ("a/other.txt", b"x", "has no file a/text.txt"),
        ("../a/text.txt", TEXT, "has no file a/text.txt"),
        ("a/text.txt", TEXT[:-1], "instead of"),
        ("a/text.txt", bytes(30_000_000), "instead of"),
        ("a/text.txt", TEXT[::-1], "does not have the expected sha256"),
        ("damaged", TEXT, "is damaged, or no archive"),
        ("plain", TEXT, "is damaged, or no archive"),
    ],
)
def test_a_hostile_or_damaged_archive_is_refused(
    path: str, content: bytes, why: str, pack: Callable[[dict[str, bytes]], bytes], name: str, tmp_path: Path
) -> None:
    raw = pack({"a/text.txt" if path == "damaged" else path: content})
    (tmp_path / name).write_bytes({"damaged": raw[:-60], "plain": TEXT}.get(path, raw))
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(Unusable, match=why):
        unpack(tmp_path / name, [KnownFile("a/text.txt", len(TEXT), hashlib.sha256(TEXT).hexdigest())], out)
    assert files_in(tmp_path) == [name]


def test_a_link_in_an_archive_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.tgz").write_bytes(_tar({}))
    with pytest.raises(Unusable, match=r"has no file a/link\.txt"):
        unpack(tmp_path / "a.tgz", [KnownFile("a/link.txt")], tmp_path)


def test_files_that_two_corpora_share_are_downloaded_once(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files |= {"b": b"two", "c": b"three"}
    shared, mine, other = remote(server, "good"), remote(server, "good", name="b"), remote(server, "good", name="c")
    first, second = corpus(shared, mine, folder="both"), corpus(shared, other, folder="both")
    assert contents(first) == [TEXT, b"two"]
    for name, each in (("first", first), ("second", second)):
        monkeypatch.setitem(corpora(), name, each)
    assert condition(second) == "not here"  # the file that it has is another's
    (cache / "both" / "b").unlink()
    assert condition(second) == "incomplete"
    assert contents(first) == [TEXT, b"two"]
    assert contents(second) == [TEXT, b"three"]
    assert [place for place, _ in server.asked].count("good/text.txt") == 1
    second.remove(keep=first.files())
    assert files_in(cache) == ["both/b", "both/text.txt"]

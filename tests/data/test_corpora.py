"""What each corpus with a name says about itself."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from seqlab.data import corpora as package
from seqlab.data.corpora import corpora, corpora_of, find
from seqlab.data.corpus import EmbeddedCorpus
from seqlab.data.downloaded_corpus import DownloadedCorpus
from seqlab.data.wheel_corpus import WheelCorpus
from seqlab.errors import ConfigError, DataError

FILES = sorted(path.stem for path in Path(package.__path__[0]).glob("*.py") if path.stem != "__init__")


def test_every_file_is_a_corpus() -> None:
    assert list(corpora()) == FILES


@pytest.mark.parametrize("name", FILES)
def test_a_corpus_says_what_it_is(name: str) -> None:
    corpus = import_module(f"{package.__name__}.{name}").CORPUS
    assert corpus.name == name
    for text in (corpus.about, corpus.licence, corpus.citation):
        assert text.strip() == text != ""
        assert "\n" not in text
    assert urlsplit(corpus.source).scheme == "https"
    assert corpus.tasks
    assert all(name in corpora_of(task) for task in corpus.tasks)
    assert find(name) is corpora()[name]


@pytest.mark.parametrize("name", FILES)
def test_a_corpus_stands_in_the_docs(name: str) -> None:
    corpus, page = find(name), Path(__file__).parents[2] / "docs" / "data.md"
    lines = page.read_text(encoding="utf-8").splitlines()
    row = next(line for line in lines if line.startswith("| `") and f"`{name}`" in line.split(" | ")[0])
    assert all(task in row for task in corpus.tasks)
    assert f"| {corpus.licence}" in row
    assert corpus.version is None or row.endswith(f"in {corpus.package} {corpus.version} |")


@pytest.mark.parametrize("name", [name for name in FILES if isinstance(find(name), WheelCorpus)])
def test_a_file_of_a_wheel_is_known_by_its_content(name: str) -> None:
    corpus = find(name)
    assert isinstance(corpus, WheelCorpus)
    assert len({member.name for member in corpus.members}) == len(corpus.members) > 0  # they share a folder
    for member in corpus.members:
        assert len(bytes.fromhex(member.hash or "")) == 32
        assert 0 < (member.size or 0) < 50_000_000
        assert not member.path.startswith(("/", "."))
        assert member.path.count("/") > 0
    assert corpus.size() == sum(member.size or 0 for member in corpus.members)


@pytest.mark.parametrize("name", [name for name in FILES if isinstance(find(name), DownloadedCorpus)])
def test_a_downloaded_file_has_an_address_and_a_hash(name: str) -> None:
    corpus = find(name)
    assert isinstance(corpus, DownloadedCorpus)
    assert len({file.name for file in corpus.known}) == len(corpus.known) > 0  # they share a folder
    lengths = {"sha256": 32, "sha1": 20, "md5": 16}
    for remote in corpus.remotes:
        assert all(urlsplit(url).scheme in ("http", "https") for url in (remote.url, *remote.mirrors))
        for file in (remote.file, *remote.kept):
            assert file.hash is None or len(bytes.fromhex(file.hash.rpartition(":")[2])) == lengths[file.kind]
            assert all(len(bytes.fromhex(digest)) == 32 for _, digest in file.others)
            assert file.size is None or file.size > 0
            assert not file.path.startswith(("/", "."))


@pytest.mark.parametrize("name", [name for name in FILES if isinstance(find(name), EmbeddedCorpus)])
def test_an_embedded_corpus_is_here(name: str, tmp_path: Path) -> None:
    corpus = find(name)
    path = corpus.where()
    assert path is not None
    assert path.exists()
    assert (corpus.size() or 0) > 1_000
    assert corpus.condition() == "not checked"
    assert corpus.files() == [path]
    with pytest.raises(ConfigError, match="is embedded"):
        corpus.fetch([tmp_path])


def test_an_embedded_corpus_whose_package_lacks_it_is_named() -> None:
    for where, file in (("json", "absent.txt"), ("no_such_package", "a.txt")):
        corpus = replace(find("python_docs"), package=where, file=file)  # type: ignore[call-arg]
        assert corpus.where() is None
        assert corpus.size() is None
        assert corpus.condition() == "not here"
        with pytest.raises(DataError, match=f"{file} is missing from the package {where}"):
            corpus.fetch()


def test_a_typing_error_is_answered_with_the_likely_name() -> None:
    with pytest.raises(ConfigError, match="there is no corpus 'metro_trafic'") as raised:
        find("metro_trafic")
    assert raised.value.hint == "did you mean metro_traffic?"
    with pytest.raises(ConfigError) as raised:
        find("gutenberg")
    assert raised.value.hint == "see: seqlab data list"

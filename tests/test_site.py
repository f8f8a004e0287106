"""The pages of docs/: a site without a broken link, that needs no network, and the same on GitHub."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown import markdown
from markdown_it import MarkdownIt
from mkdocs.config import load_config

TOP = Path(__file__).parent.parent
SOURCES = sorted(path for path in (TOP / "docs").rglob("*.md"))
COMPARED = {"h1", "h2", "h3", "h4", "ul", "ol", "li", "table", "tr", "td", "pre", "img", "a", "strong", "em"}


class Page(HTMLParser):
    """What a page consists of. asked: what it loads; led: where it leads to; ids: places on it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.asked: list[str] = []
        self.led: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        given = {key: value or "" for key, value in attrs}
        self.ids |= {given[key] for key in ("id", "name") if key in given}
        self.asked += [given["src"]] if "src" in given else []
        if "href" in given:
            (self.asked if tag == "link" else self.led).append(given["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, which mkdocs builds without a warning."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=TOP, env=quiet, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html") if path.name != "404.html"}


def test_every_page_is_on_the_site(site: Path) -> None:
    for source in SOURCES:
        name = source.relative_to(TOP / "docs").with_suffix(".html")
        assert (site / (name.with_name("index.html") if source.name == "README.md" else name)).is_file()


def test_every_link_leads_somewhere(site: Path, pages: dict[Path, Page]) -> None:
    broken = []
    for path, page in pages.items():
        for address in {*page.asked, *page.led}:
            parts = urlsplit(address)
            if parts.scheme in ("http", "https"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            place = unquote(parts.fragment)
            if not target.exists() or (place and target in pages and place not in pages[target].ids):
                broken.append((str(path.relative_to(site)), address))
    assert broken == []
    assert len(pages) == len(SOURCES)


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    assert [(path.name, address) for path, page in pages.items() for address in page.asked if "//" in address] == []
    for style in site.rglob("*.css"):
        assert re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//", style.read_text(encoding="utf-8")) == []
    for picture in site.rglob("*.svg"):
        shown = re.findall(r"(?:href|src)=\"(?:https?:)?//|url\([\"']?https?:", picture.read_text(encoding="utf-8"))
        assert shown == [], picture


@pytest.mark.parametrize("source", [TOP / "README.md", *SOURCES], ids=lambda path: str(path.relative_to(TOP)))
def test_it_has_the_same_parts_on_github_and_on_the_site(source: Path) -> None:
    """GitHub reads CommonMark, mkdocs does not: a list without a blank line before it is none on the site."""
    text = source.read_text(encoding="utf-8")
    github = Page(MarkdownIt("commonmark").enable("table").render(text)).tags
    ours = Page(markdown(text, extensions=load_config(str(TOP / "mkdocs.yml")).markdown_extensions)).tags
    assert {tag: github[tag] for tag in COMPARED} == {tag: ours[tag] for tag in COMPARED}

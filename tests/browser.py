"""A real browser for tests: headless Chromium, controlled by its DevTools protocol over two pipes."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from html.parser import HTMLParser
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--disable-quic", "--no-first-run",
    "--disable-sync", "--disable-background-networking", "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip

# all that can be read on a page, in shadow roots and frames as well
_TEXT = """(() => {
  const walk = node => !node ? '' : node.nodeType === 3 ? node.data + ' ' :
    walk(node.shadowRoot) + (node.contentDocument ? walk(node.contentDocument.body) : '') +
    (['STYLE', 'SCRIPT'].includes(node.nodeName) ? '' : [...node.childNodes].map(walk).join(''));
  return walk(document.body);
})()"""
# how many pictures have come
_IMAGES = """(() => {
  const walk = node => (node.nodeName === 'IMG' && node.naturalWidth > 0 ? 1 : 0) +
    (node.shadowRoot ? walk(node.shadowRoot) : 0) + [...node.children].map(walk).reduce((a, b) => a + b, 0);
  return walk(document.body);
})()"""


class PageReader(HTMLParser):
    """The parts of a page. asked: what it would fetch from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.asked: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        named = [value for key, value in attrs if key in ("src", "href", "xlink:href") and value]
        self.asked += [value for value in named if not value.startswith(("#", "data:image/png"))]


class Browser:
    """One page of a browser; use it in a `with` statement."""

    def __init__(self, folder: Path, *flags: str, size: tuple[int, int] = (1400, 1000)) -> None:
        assert CHROMIUM is not None
        their_in, self._out = os.pipe()
        self._in, their_out = os.pipe()
        command = [
            CHROMIUM, *FLAGS, *flags, "--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}",
            f"--window-size={size[0]},{size[1]}", "about:blank",
        ]  # fmt: skip
        # it reads from descriptor 3 and writes to 4
        line = f'exec "$@" 3<&{their_in} 4>&{their_out}'
        self._process = subprocess.Popen(
            ["bash", "-c", line, "bash", *command],
            pass_fds=(their_in, their_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(folder)},
        )
        os.close(their_in)
        os.close(their_out)
        self._asked, self._left = 0, b""
        pages = self._ask("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in pages if target["type"] == "page")
        self._session = self._ask("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        width, height = size
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._out)
        os.close(self._in)
        self._process.kill()
        self._process.wait()

    def _ask(self, method: str, **parameters: Any) -> Any:
        self._asked += 1
        message = {"id": self._asked, "method": method, "params": parameters}
        if hasattr(self, "_session"):
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._left:
                piece = os.read(self._in, 1 << 20)
                assert piece, "the browser has ended"
                self._left += piece
            said, _, self._left = self._left.partition(b"\0")
            answer = json.loads(said)
            if answer.get("id") == self._asked:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, address: str) -> None:
        """Go there, also where only the part after the # differs."""
        for place in ("about:blank", address):
            self._ask("Page.navigate", url=place)

    def evaluate(self, script: str) -> Any:
        """The value of a script on the page."""
        return self._ask("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def wait_for(self, *words: str, seconds: float = 60) -> str:
        """The page's text, once it contains all of these words."""
        end = time.monotonic() + seconds
        while True:
            text = " ".join(str(self.evaluate(_TEXT)).split())
            missing = [word for word in words if word not in text]
            if not missing:
                return text
            assert time.monotonic() < end, f"not on the page: {missing}; there is: {text[:3000]}"
            time.sleep(0.2)

    def wait_for_images(self, least: int, seconds: float = 60) -> None:
        """Once so many pictures are there."""
        end = time.monotonic() + seconds
        while (found := int(self.evaluate(_IMAGES) or 0)) < least:
            assert time.monotonic() < end, f"{found} pictures on the page"
            time.sleep(0.2)

    def screenshot(self, path: Path) -> None:
        """A screenshot as a PNG file."""
        path.write_bytes(base64.b64decode(self._ask("Page.captureScreenshot", format="png")["data"]))

"""A web server of the test's own on loopback, which serves files in good ways and bad, and a corpus from there."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from seqlab.data.downloaded_corpus import DownloadedCorpus
from seqlab.data.downloads import Remote

TEXT = b"".join(b"line %d of a text\n" % number for number in range(20_000))


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`, each in the way that the first folder of its address names: `/good/text.txt`.

    asked: (address, range) of each request. half_sent is set where a file stalls in the middle.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {"text.txt": TEXT}
        self.asked: list[tuple[str, str | None]] = []
        self.half_sent, self.released = threading.Event(), threading.Event()

    def at(self, place: str) -> str:
        """The whole address."""
        return f"http://127.0.0.1:{self.server_address[1]}/{place}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path[1:], self.headers["Range"]))
        way, _, name = self.path[1:].partition("/")
        content = self.server.files[name]
        getattr(self, f"_{way}")(content, name)

    def _good(self, content: bytes, name: str) -> None:
        start = int((self.headers["Range"] or "bytes=0-")[6:-1])
        if start and start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self._send(content[start:])

    def _whole(self, content: bytes, name: str) -> None:
        """No part is given, whatever was asked for."""
        self.send_response(200)
        self._send(content)

    def _wrong(self, content: bytes, name: str) -> None:
        self.send_response(200)
        self._send(content[::-1])

    def _longer(self, content: bytes, name: str) -> None:
        self.send_response(200)
        self._send(content * 20)

    def _missing(self, content: bytes, name: str) -> None:
        self.send_error(404)

    def _moved(self, content: bytes, name: str) -> None:
        self.send_response(302)
        self.send_header("Location", f"/good/{name}")
        self.end_headers()

    def _cut(self, content: bytes, name: str) -> None:
        """The connection ends in the middle of the first answer; later ones are good."""
        if self.headers["Range"] or len([place for place, _ in self.server.asked if place == self.path[1:]]) > 1:
            self._good(content, name)
        else:
            self._half(content, name)

    def _half(self, content: bytes, name: str) -> None:
        """Half of it, whatever was asked for, as if that were the end."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])

    def _slow(self, content: bytes, name: str) -> None:
        """In small parts with pauses between them."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        for start in range(0, len(content), len(content) // 4):
            self.wfile.write(content[start : start + len(content) // 4])
            self.wfile.flush()
            self.server.released.wait(0.05)

    def _stalls(self, content: bytes, name: str) -> None:
        """Half of it, and then nothing until the test says so."""
        if self.headers["Range"]:
            self._good(content, name)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])
        self.wfile.flush()
        self.server.half_sent.set()
        self.server.released.wait(60)

    def _send(self, content: bytes) -> None:
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a test prints nothing."""


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()


def remote(server: Server, *ways: str, name: str = "text.txt", content: bytes | None = None) -> Remote:
    """A file that is served in these ways, the first address and its mirrors."""
    whole = server.files[name] if content is None else content
    first, *mirrors = (server.at(f"{way}/{name}") for way in ways)
    return Remote(first, len(whole), hashlib.sha256(whole).hexdigest(), mirrors=tuple(mirrors))


def corpus(*remotes: Remote, folder: str | None = None) -> DownloadedCorpus:
    return DownloadedCorpus(
        name="toy_text", tasks={}, about="a toy", licence="CC0", citation="nobody (2026)",
        source="https://example.org", remotes=remotes, folder=folder,
    )  # fmt: skip

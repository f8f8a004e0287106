"""Turns a terminal's screen into a picture: `tmux capture-pane -e -p | python docs/terminal_picture.py out.svg`."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text


def main() -> None:
    """Read text with ANSI colours from stdin and write an SVG."""
    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True)
    for line in sys.stdin.read().rstrip().splitlines():
        console.print(Text.from_ansi(line), soft_wrap=True)
    svg = console.export_svg(title="seqlab train experiment=first_run")
    # no fonts from the network: the reader's own monospaced one will do
    Path(sys.argv[1]).write_text(re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()

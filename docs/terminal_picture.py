"""Turns a terminal's screen into a picture: `tmux capture-pane -e -p | python docs/terminal_picture.py out.svg`."""

from __future__ import annotations

import io
import sys

from rich.console import Console
from rich.text import Text


def main() -> None:
    """Read text with ANSI colours from stdin and write an SVG."""
    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True)
    for line in sys.stdin.read().rstrip().splitlines():
        console.print(Text.from_ansi(line), soft_wrap=True)
    console.save_svg(sys.argv[1], title="seqlab train model=lstm")


if __name__ == "__main__":
    main()

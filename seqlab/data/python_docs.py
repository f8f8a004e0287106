"""The corpus `python_docs`: the reference text that ships with Python's own `help()`."""

from __future__ import annotations


def python_docs() -> str:
    """The topics of pydoc_data in sorted order, each paragraph kept only where it first occurs.

    About a fifth of the paragraphs are repeated across topics, and a language model must not be tested on its training
    text. Paragraphs are compared with white space collapsed. The text depends on the Python version.
    """
    from pydoc_data import topics

    seen: set[str] = set()
    kept: list[str] = []
    for name in sorted(topics.topics):
        for paragraph in topics.topics[name].split("\n\n"):
            collapsed = " ".join(paragraph.split())
            if collapsed not in seen:
                seen.add(collapsed)
                kept.append(paragraph)
    return "\n\n".join(kept)

"""What a token is: the setting `task.tokens`, and vocabularies made and restored by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, cast

from pydantic import AfterValidator
from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.core.task import StoredText, TaskConfig
from seqlab.data.files import exists, expanded
from seqlab.data.subwords import Subwords
from seqlab.data.vocabulary import SPECIALS, Vocabulary
from seqlab.data.words import Unit
from seqlab.errors import DataError, likely_name

TOKENS = ("char", "word", "bpe", "unigram")
LEARNED = ("bpe", "unigram")
DEFAULT_SIZE = 4096
"""The vocabulary of bpe and unigram where no size is given."""
FEWEST = len(SPECIALS) + 256
"""The smallest vocabulary of bpe and unigram: the special tokens, and one for each byte."""


def checked(tokens: str) -> str:
    """The setting, if it may be one. Raises ValueError for what is neither a name nor a path."""
    if tokens in TOKENS or "." in tokens or "/" in tokens or "\\" in tokens:
        return tokens
    near = likely_name(tokens, TOKENS)
    hint = f" (did you mean {near}?)" if near else ""
    raise ValueError(f"neither char, word, bpe or unigram nor the path of a tokenizer.json{hint}")


Tokens = Annotated[str, AfterValidator(checked)]
"""char, word, bpe, unigram, or the path of a tokenizer.json."""


def unit_of(tokens: str) -> Unit:
    """What the tokens of this setting are, in counts and messages."""
    return cast(Unit, tokens) if tokens in ("char", "word") else "subword"


def check_size(tokens: str, size: int | None) -> None:
    """Raise ValueError for a vocabulary that is too small for its tokens."""
    if tokens in LEARNED and size is not None and size < FEWEST:
        raise ValueError(
            f"task.vocabulary_size={size} is too small for task.tokens={tokens}, which has a token for each byte and "
            f"four special ones; try task.vocabulary_size={FEWEST} or more"
        )


@config_dataclass(frozen=True, kw_only=True)
class TokenConfig(TaskConfig):
    """Settings of every task that reads or writes text in tokens of the user's choice.

    tokens: char, word, bpe or unigram (learned from the training split), or the path of a tokenizer.json.
    """

    renamed: ClassVar[Mapping[str, str]] = {"unit": "tokens"}

    tokens: Tokens

    def with_files_of(self, folder: Path) -> Self:
        """The tokenizer that a run keeps is used again: nothing is learned anew, and the user's file is not needed."""
        if unit_of(self.tokens) != "subword":
            return self
        kept = [path for name in FILES if (path := folder / name).is_file()]
        return replace(self, tokens=",".join(map(str, kept))) if kept else self


FILES = ("tokenizer.json", "tokenizer_source.json", "tokenizer_target.json")
"""What the tokenizers in a run's folder are called: the one, or those of both sides of a translation."""


def files_of(tokens: str) -> tuple[str, ...]:
    """The path of one tokenizer, or of two joined by a comma, which may also be part of a path."""
    parts = tokens.split(",")
    if len(parts) == 1 or exists(expanded(tokens)):
        return (tokens,)
    cuts = [(",".join(parts[:place]), ",".join(parts[place:])) for place in range(1, len(parts))]
    return max(cuts, key=lambda cut: sum(exists(expanded(path)) for path in cut))


def subword_vocabulary(tokens: str, texts: Iterable[str], size: int) -> Subwords:
    """The vocabulary of bpe or unigram tokens, learned from these texts of the training split, or of the user's file.
    Raises DataError for a file that is no such tokenizer."""
    if tokens not in LEARNED:
        return Subwords.read(tokens, "task.tokens")
    from seqlab.data.learned_subwords import learned

    return learned("bpe" if tokens == "bpe" else "unigram", texts, size)


def stored(vocabulary: Vocabulary, name: str = FILES[0]) -> Any:
    """A vocabulary as part of Task.stored_vocabulary: its tokens, or the file of its tokenizer."""
    return StoredText(name, vocabulary.text) if isinstance(vocabulary, Subwords) else vocabulary.tokens


def restored(value: object) -> Vocabulary:
    """The vocabulary that was stored so. Raises ValueError if it is none."""
    if not isinstance(value, StoredText):
        return Vocabulary.restored(value)
    try:
        return Subwords(value.text, value.name)
    except DataError as error:
        raise ValueError(error.what) from error

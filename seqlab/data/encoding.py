"""Decoding: text is in the encoding of its byte-order mark, else UTF-8; for any other file the error message offers the
likeliest encodings. None is ever guessed: with a wrong one, everything seems to work and trains on garbage."""

from __future__ import annotations

import codecs
import re
import shlex
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import PurePosixPath

from seqlab.data.files import CorpusFile
from seqlab.errors import DataError

_MARKS = (  # UTF-32 first, since its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Python's and iconv's names, more common encodings first: if two give the same text, the first is offered
_CANDIDATES = {
    "cp1252": "WINDOWS-1252", "cp1251": "WINDOWS-1251", "gb18030": "GB18030", "cp932": "CP932", "big5": "BIG5",
    "cp949": "CP949", "cp1250": "WINDOWS-1250", "cp1253": "WINDOWS-1253", "cp1254": "WINDOWS-1254",
    "cp1255": "WINDOWS-1255", "cp1256": "WINDOWS-1256", "cp1257": "WINDOWS-1257", "cp1258": "WINDOWS-1258",
    "euc_jp": "EUC-JP", "koi8_r": "KOI8-R", "cp866": "CP866", "iso8859_2": "ISO-8859-2", "iso8859_5": "ISO-8859-5",
    "iso8859_7": "ISO-8859-7", "tis_620": "TIS-620", "cp850": "CP850", "mac_roman": "MACINTOSH",
    "utf_16_le": "UTF-16LE", "utf_16_be": "UTF-16BE",
}  # fmt: skip
_OFFERED = 3
_SAMPLE_BYTES = 2**16
_SHOWN = 32  # characters of each sample
_LOW_BYTES = 0.2  # share of bytes below 32: about half in UTF-16, in UTF-8 only line ends and the like
_NUL_BYTES = 1 / 2000  # exceeded by UTF-16 in any script: each space and line end has one NUL byte
_FOREIGN = re.compile(rb"[^\n]*[\x80-\xff][^\n]*\n?")


def decode(file: CorpusFile) -> str:
    """The text of a file, without its byte-order mark. Raises DataError, with the position and the remedy, if it is
    neither UTF-8 nor in the encoding of its mark, or if it has a NUL character."""
    raw = file.raw
    mark, encoding = next(((m, e) for m, e in _MARKS if raw.startswith(m)), (b"", "utf-8"))
    name = encoding.upper().removesuffix("-LE").removesuffix("-BE")
    try:
        text = raw[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        at = error.start + len(mark)
        line = 1 + raw.count(b"\n", 0, at)
        what = f"{file.setting} is not {name}: byte 0x{raw[at]:02x} at offset {at} (line {line})"
        if mark or _nearly_utf8(raw):
            raise DataError(
                f"{what}, though {'its byte-order mark says so' if mark else 'nearly all of it is'}",
                f"is the file complete? To drop the damaged bytes: {converted(file, name, '-c ')}",
            ) from error
        raise DataError(what, *offers(raw, partial(converted, file))) from error
    if "\0" in text:
        what = f"{file.setting} is not text: it has a NUL byte"
        line, more = 1 + text.count("\n", 0, text.index("\0")), text.count("\0") - 1
        place = f"offset {raw.index(0)} (line {line}){f', and {more:,} more' if more else ''}"
        if not mark and _is_wide(raw):
            raise DataError(f"{what} at {place}", *offers(raw, partial(converted, file)))
        raise DataError(f"{what} at {place}", f"to drop such bytes: {without_nul(file, name)}")
    return text


def _is_wide(raw: bytes) -> bool:
    """Whether bytes that can be decoded as UTF-8 are really UTF-16 or UTF-32, where each character of most scripts has
    a byte below 32 (0 for Latin, 4 for Cyrillic)."""
    sample = raw[:_SAMPLE_BYTES]
    return len(sample) - len(sample.translate(None, bytes(range(32)))) >= _LOW_BYTES * len(sample)


def _nearly_utf8(raw: bytes) -> bool:
    """Whether most non-ASCII characters are valid UTF-8: text in another encoding has almost no valid ones."""
    text = raw.decode("utf-8", errors="replace")
    beyond, broken = len(text) - sum(map(str.isascii, text)), text.count("\ufffd")
    return beyond > 10 * broken


def offers(raw: bytes, command: Callable[[str], str]) -> tuple[str, str]:
    """Two lines of advice for bytes that are not UTF-8: the likeliest encodings, each with a sample of the text and the
    command that converts it; `command` makes it from iconv's name of the encoding."""
    from charset_normalizer import from_bytes

    packed = 0 < raw[:_SAMPLE_BYTES].count(0) >= _NUL_BYTES * len(raw[:_SAMPLE_BYTES])
    # ASCII is the same in most encodings, so only lines with other bytes are used; UTF-16 cannot be cut into such lines
    parts = [raw] if packed else _FOREIGN.findall(raw)[:1000]
    sample = b"".join(parts)[:_SAMPLE_BYTES]
    while sample and not packed and len(sample) == _SAMPLE_BYTES and sample[-1] >= 0x80:  # perhaps half a character
        sample = sample[:-1]
    sample = sample or raw[:_SAMPLE_BYTES]
    order = [name for name in _CANDIDATES if packed or not name.startswith("utf_16")]
    found: list[str] = []
    for match in islice(from_bytes(sample, cp_isolation=order), _OFFERED):
        text = str(match)
        name = _CANDIDATES[next((name for name in order if _reads(sample, name) == text), match.encoding)]
        found.append(f"{command(name)} ({_excerpt(text)!r})")
    if not found:
        return "it is in no known encoding; if it is text, save it as UTF-8 in the program that wrote it", ""
    return f"choose the one that reads correctly: {found[0]}", "".join(f"or: {offer}  " for offer in found[1:]).rstrip()


def _reads(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return None


def _excerpt(text: str) -> str:
    """A piece around the first non-ASCII character, from the start of a word."""
    text = " ".join(text[:4000].split())
    first = next((place for place, c in enumerate(text) if not c.isascii()), 0)
    start = text.rfind(" ", 0, max(0, first - _SHOWN // 3)) + 1
    return text[start : start + _SHOWN]


def converted(file: CorpusFile, encoding: str, flags: str = "") -> str:
    """The shell command that writes a copy of a file in UTF-8. encoding, flags: of iconv."""
    return _rewritten(file, f"iconv {flags}-f {encoding} -t UTF-8")


def without_nul(file: CorpusFile, encoding: str) -> str:
    """The shell command that writes a copy of a file in UTF-8, without NUL bytes."""
    convert = "" if encoding == "UTF-8" else f"iconv -f {encoding} -t UTF-8 | "
    return _rewritten(file, f"{convert}tr -d '\\000'")


def _rewritten(file: CorpusFile, command: str) -> str:
    """The shell command that writes a converted copy of a file."""
    name = PurePosixPath(file.name)
    target = shlex.quote(f"{name.stem}.utf8{name.suffix}")
    source = file.unpack.removeprefix("cat ")
    plain = source != file.unpack and "|" not in command
    return f"{command} < {source} > {target}" if plain else f"{file.unpack} | {command} > {target}"

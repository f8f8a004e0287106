"""A text is read in the encoding of its byte-order mark or UTF-8, or refused with the likeliest encodings."""

from __future__ import annotations

import codecs
import gzip
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from seqlab.data.encoding import offers
from seqlab.data.text import lines_of, read_text
from seqlab.errors import DataError

_RUSSIAN = "Этот суп был ужасный и совсем холодный, а официант был груб.\n" * 3
_FRENCH = "Ce café était très agréable, où l’été est déjà fini ; une crêpe à la crème brûlée.\n" * 3
_JAPANESE = "この映画はとても面白かったです。俳優の演技が素晴らしい。\n" * 3
_HEBREW = "הסרט הזה היה נהדר והשחקנים היו מצוינים\n" * 9


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_a_byte_order_mark_decides(tmp_path: Path, mark: bytes, encoding: str) -> None:
    text = _RUSSIAN + _JAPANESE + "𝔘𝔫𝔦\n"
    (tmp_path / "a.txt").write_bytes(mark + text.encode(encoding))
    assert read_text(tmp_path / "a.txt", "k") == text


@pytest.mark.parametrize(
    ("text", "encoding", "name"),
    [
        (_RUSSIAN, "cp1251", "WINDOWS-1251"),
        (_RUSSIAN, "koi8_r", "KOI8-R"),
        (_RUSSIAN, "cp866", "CP866"),
        (_FRENCH, "cp1252", "WINDOWS-1252"),
        (_JAPANESE, "cp932", "CP932"),
        (_HEBREW, "cp1255", "WINDOWS-1255"),
        (_RUSSIAN, "utf-16-le", "UTF-16LE"),
    ],
)
def test_another_encoding_is_refused_and_the_right_one_among_those_offered(
    tmp_path: Path, text: str, encoding: str, name: str
) -> None:
    path = tmp_path / "my corpus.csv"
    path.write_bytes(b"text,label\n" * 40 + text.encode(encoding) if encoding != "utf-16-le" else text.encode(encoding))
    with pytest.raises(DataError) as refused:
        read_text(path, "task.corpus")
    lines = refused.value.lines()
    assert len(lines) <= 3
    offers = re.findall(r"(iconv -f (\S+) -t UTF-8 .*?utf8\.csv') \('(.*?)'\)", " ".join(lines[1:]))
    assert 1 <= len(offers) <= 3
    (command, shown) = next((command, shown) for command, offered, shown in offers if offered == name)
    assert shown in " ".join(text.split())
    if shutil.which("iconv"):  # the line can be pasted as it stands
        subprocess.run(command, shell=True, check=True, cwd=tmp_path)
        assert read_text(tmp_path / "my corpus.utf8.csv", "k").endswith(text)


def test_russian_encodings_are_recognised(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"text,label\n" + _RUSSIAN.encode("cp1251"))
    with pytest.raises(DataError) as refused:
        read_text(tmp_path / "a.csv", "k")
    assert refused.value.hint.startswith("choose the one that reads correctly: iconv -f WINDOWS-1251 ")
    assert "Этот суп" in refused.value.hint
    assert "line 2" in refused.value.what


def test_an_encoding_is_offered_with_a_sample_of_its_text() -> None:
    """Also for a few bytes, which fit many encodings."""
    raw = "\u00e9t\u00e9\n".encode("latin-1")
    said = " ".join(offers(raw, "as {}:".format))
    found = re.findall(r"as (\S+): \('(.*?)'\)", said)
    assert found
    assert all(raw.decode(name).strip() == text for name, text in found)


def test_utf8_with_one_damaged_character_is_not_called_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(_RUSSIAN.encode() + "й".encode()[:1])
    with pytest.raises(DataError, match="nearly all of it is") as refused:
        read_text(tmp_path / "a.txt", "k")
    assert "iconv -c -f UTF-8 -t UTF-8" in refused.value.hint


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gzip"])
def test_a_single_nul_byte_is_named_with_its_line_and_taken_away(tmp_path: Path, encoding: str) -> None:
    text = "text,label\n" + "a good film,pos\n" * 30
    torn = text.replace("good", "go\0od", 2).replace("go\0od", "good", 1)
    path = tmp_path / ("my corpus.csv.gz" if encoding == "gzip" else "my corpus.csv")
    path.write_bytes(gzip.compress(torn.encode()) if encoding == "gzip" else torn.encode(encoding))
    with pytest.raises(DataError, match=r"a NUL byte at offset \d+ \(line 3\)\n") as refused:
        read_text(path, "k")
    assert "UTF-16" not in " ".join(refused.value.lines()) or encoding == "utf-16"
    command = refused.value.hint.partition(": ")[2]
    assert "tr -d '\\000'" in command
    if shutil.which("iconv"):
        subprocess.run(command, shell=True, check=True, cwd=tmp_path)
        assert read_text(tmp_path / "my corpus.utf8.csv", "k") == text


@pytest.mark.parametrize("text", [_FRENCH, _RUSSIAN, _HEBREW, _JAPANESE, "ภาพยนตร์เรื่องนี้ดีมากและนักแสดงก็เก่ง\n" * 9])
def test_utf16_without_a_mark_is_not_called_utf8_with_nul_bytes(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.txt").write_bytes(text.encode("utf-16-le"))
    with pytest.raises(DataError) as refused:
        read_text(tmp_path / "a.txt", "k")
    assert "-f UTF-16LE " in " ".join(refused.value.lines())


def test_one_nul_byte_among_many_makes_no_utf16(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"a\0b\n" + (_FRENCH * 30).encode("cp1252"))
    with pytest.raises(DataError, match="is not UTF-8") as refused:
        read_text(tmp_path / "a.txt", "k")
    assert "WINDOWS-1252" in " ".join(refused.value.lines())
    assert "UTF-16" not in " ".join(refused.value.lines())


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_lone_carriage_return_is_no_line_end(tmp_path: Path, ends: str) -> None:
    text = "one\rtwo\u2028three\x85four\x0bfive\x0csix\nseven\n"
    (tmp_path / "a.txt").write_bytes(text.replace("\n", ends).encode())
    assert read_text(tmp_path / "a.txt", "k") == text
    assert lines_of(text) == ["one\rtwo\u2028three\x85four\x0bfive\x0csix", "seven"]

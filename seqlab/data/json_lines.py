"""JSON Lines: one object per line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from seqlab.data.text import lines_of
from seqlab.errors import DataError

JSON_ENDINGS = (".jsonl", ".ndjson", ".json")


def read_json_lines(
    text: str, setting: str, wanted: Sequence[str]
) -> tuple[tuple[str, ...], list[tuple[int, list[str]]]]:
    """(all keys, (line, cells) of each object). Numbers are kept as written; null and missing keys give empty cells.
    Raises DataError, with the line, for a line that is not an object, and for a list or an object under a `wanted`
    key."""
    objects: list[tuple[int, dict[str, Any]]] = []
    for number, line in enumerate(lines_of(text), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line, parse_int=str, parse_float=str, parse_constant=str)
        except (ValueError, RecursionError) as error:
            found = error
        if not isinstance(found, dict):
            raise DataError(
                f"{setting}, line {number}: not a JSON object{f' ({found})' if isinstance(found, Exception) else ''}",
                'JSON Lines has one object per line: {"text": "...", "label": "..."}',
                "to turn a list into lines: jq -c '.[]' FILE > FILE.jsonl" if line.lstrip().startswith("[") else "",
            )
        objects.append((number, found))
    names = tuple(dict.fromkeys(name for _, found in objects for name in found))
    rows = [
        (number, [_cell(found.get(name), name, number, setting, wanted) for name in names]) for number, found in objects
    ]
    return names, rows


def _cell(value: Any, name: str, number: int, setting: str, wanted: Sequence[str]) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if value is not None and name in wanted:
        raise DataError(
            f"{setting}, line {number}: {name} is {'a list' if isinstance(value, list) else 'an object'}, not a text",
            "name a key that holds a text",
        )
    return ""

"""Multi30k (Elliott 2016): captions of pictures in several languages; what its corpora share."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

from seqlab.data.downloaded_corpus import DownloadedCorpus
from seqlab.data.downloads import Remote
from seqlab.data.text import collapsed, lines_of

_FROM = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw"
_PARTS = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
_FILES = {
    "train.de": (637_044, "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6"),
    "train.en": (568_929, "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f"),
    "train.fr": (604_242, "622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c"),
    "val.de": (24_681, "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a"),
    "val.en": (21_650, "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28"),
    "val.fr": (23_001, "ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9"),
    "test_2016_flickr.de": (22_890, "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8"),
    "test_2016_flickr.en": (21_077, "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9"),
    "test_2016_flickr.fr": (22_310, "6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90"),
}


def multi30k(source: str, target: str, about: str) -> DownloadedCorpus:
    """The corpus of two languages, by their codes: train, val and test_2016_flickr of task 1, as they are written."""
    names = [f"{part}.{code}" for part in _PARTS.values() for code in (source, target)]
    return DownloadedCorpus(
        name=f"multi30k_{source}_{target}",
        tasks={"translation": _read},
        about=about,
        licence="research only",
        citation="Elliott, Frank, Sima'an & Specia (2016), Multi30K: multilingual English-German image descriptions"
        + ("; Elliott, Frank, Barrault, Bougares & Specia (2017)" if "fr" in (source, target) else ""),
        source="https://github.com/multi30k/dataset",
        folder="multi30k",
        target=target,
        remotes=tuple(Remote(f"{_FROM}/{name}.gz", *_FILES[name]) for name in names),
    )


def _read(paths: Sequence[Path], _target: str, _count: int, _seed: int) -> dict[str, list[tuple[str, str]]]:
    """The pairs of each published split, in their order."""
    sides = [lines_of(gzip.decompress(path.read_bytes()).decode("utf-8")) for path in paths]
    return {part: collapsed(zip(*sides[2 * i : 2 * i + 2], strict=True)) for i, part in enumerate(_PARTS)}

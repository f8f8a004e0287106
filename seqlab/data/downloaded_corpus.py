"""Corpora that are files at addresses: downloaded on first use, checked, and cached."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from seqlab.data.archives import Unusable, unpack
from seqlab.data.cached_corpus import CachedCorpus
from seqlab.data.downloads import Remote, download
from seqlab.data.known_file import KnownFile


@dataclass(frozen=True, kw_only=True)
class DownloadedCorpus(CachedCorpus):
    """Files at addresses, or in archives at addresses. remotes: what to download."""

    remotes: tuple[Remote, ...]

    @property
    def known(self) -> tuple[KnownFile, ...]:
        return tuple(file for remote in self.remotes for file in remote.kept)

    @property
    def containers(self) -> tuple[str, ...]:
        return tuple(remote.file.name for remote in self.remotes if remote.members)

    def bring(self, folder: Path, missing: Sequence[KnownFile]) -> Mapping[KnownFile, Path]:
        found: dict[KnownFile, Path] = {}
        for remote in self.remotes:
            if any(file in missing for file in remote.kept):
                path = download(remote, folder, self.place())
                paths = unpack(path, remote.members, folder) if remote.members else [path]
                found |= zip(remote.kept, paths, strict=True)
        return found

    def taken(self, given: Path, folder: Path) -> Mapping[KnownFile, Path]:
        archives = [remote for remote in self.remotes if remote.members]
        named = [remote for remote in archives if remote.file.name == given.name] or archives
        if not named:
            near = next((file for file in self.known if file.name == given.name), self.known[0])
            raise Unusable(f"{given.name} {near.flaw(given) or 'is not one of its files'}")
        return dict(zip(named[0].members, unpack(given, named[0].members, folder), strict=True))

    def elsewhere(self, missing: Sequence[KnownFile]) -> tuple[str, str]:
        remotes = [remote for remote in self.remotes if set(missing) & set(remote.kept)]
        if len(remotes) == 1:
            url, name = remotes[0].url, remotes[0].file.name
            option = "-LO" if urlsplit(url).path.endswith(f"/{name}") else f"-Lo {name}"
            return f"curl {option} {shlex.quote(url)}", name
        return f"curl -L --remote-name-all {shlex.join(remote.url for remote in remotes)}", "."

    def origin(self) -> str:
        return ", ".join(dict.fromkeys(urlsplit(remote.url).netloc for remote in self.remotes))

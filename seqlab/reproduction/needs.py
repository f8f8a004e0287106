"""What a reproduction needs of the machine, checked before anything runs."""

from __future__ import annotations

from collections.abc import Sequence

from seqlab.config.overrides import key_of
from seqlab.data.corpora import find
from seqlab.drawing.numbers import clock
from seqlab.errors import DataError, ResourceError
from seqlab.reproduction.published import Reproduction


def check_needs(name: str, reproduction: Reproduction, overrides: Sequence[str], *, fetch: bool) -> None:
    """Raise ResourceError if a GPU is missing, DataError if a corpus is not here and cannot be brought here. A corpus
    or a device that the overrides choose is not asked for. fetch: whether a missing corpus may be downloaded now."""
    keys = {key_of(override) for override in overrides}
    if reproduction.needs.gpu and not keys & {"device", "device.type"}:
        _check_gpu(name, reproduction)
    if "task.corpus" in keys:
        return
    for corpus in map(find, reproduction.needs.corpora):
        if fetch:
            corpus.fetch()
        elif corpus.where() is None:
            raise DataError(
                f"{name} needs the corpus {corpus.name}, which is not here",
                f"to download it: seqlab data fetch {corpus.name}",
            )


def _check_gpu(name: str, reproduction: Reproduction) -> None:
    import torch

    if not torch.cuda.is_available():
        raise ResourceError(
            f"{name} needs a GPU, and this machine or this build of torch has none",
            f"run it where there is one (about {clock(60 * reproduction.minutes)} on {reproduction.machine}), or as "
            f"long as it takes on this CPU: seqlab reproduce {name} device=cpu",
        )

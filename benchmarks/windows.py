"""What a longer window costs: time and peak memory of a training step from 64 to 4,096 characters, for every family.

The batch shrinks as the window grows, so that each step reads as many characters. Memory is the most that the process
took, the program itself included. A whole measurement also draws docs/memory/speed.svg.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.harness import Contender, Report, gigaflops, interleave, matrix_product, parser
from benchmarks.ours import lm_overrides, seqlab
from benchmarks.runs import MODELS
from seqlab.drawing.picture import COLOURS, STYLES, Picture
from seqlab.drawing.scales import binary_scale

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CHARACTERS = 4096
_WINDOWS = (64, 128, 256, 512, 1024, 2048, 4096)
_PICTURES = Path("docs/memory")


def main() -> None:
    """Print one row for each family and window."""
    options = parser(__doc__).parse_args()
    columns = ("model", "window", "rows", "ms a step", "tokens/s", "GFLOP/s", "of peak", "peak MB")
    report = Report("windows", columns, options)
    for window in _WINDOWS:
        rows = _CHARACTERS // window
        contenders: dict[str, Contender] = {
            model: partial(seqlab, overrides=lm_overrides(model, width=128, window=window, rows=rows))
            for model in MODELS
            if options.only in model
        }
        found = interleave(
            {**contenders, "peak": matrix_product},
            rounds=options.rounds, seconds=options.seconds, threads=options.threads,
        )  # fmt: skip
        peak = gigaflops(found["peak"])
        for model in contenders:
            took = found[model]
            report.add(
                model, window, rows, took.wall, round(took.speed), gigaflops(took),
                gigaflops(took) / peak, round(took.peak_bytes / 1e6),
            )  # fmt: skip
    report.finish()
    if report.keep:
        with tempfile.TemporaryDirectory() as folder:
            picture(report.rows).save(Path(folder))
            _PICTURES.mkdir(exist_ok=True)
            shutil.copyfile(Path(folder) / "speed.svg", _PICTURES / "speed.svg")


def picture(rows: Sequence[Mapping[str, Any]]) -> Picture:
    """Characters a second of training, by window and family."""
    models = list(dict.fromkeys(row["model"] for row in rows))

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for index, model in enumerate(models):
            window, speed = zip(
                *((row["window"], row["tokens/s"]) for row in rows if row["model"] == model), strict=True
            )
            style = STYLES[index % len(STYLES)]
            axes.plot(window, speed, style, color=COLOURS[index % len(COLOURS)], marker="o", markersize=4, label=model)
        binary_scale(axes, _WINDOWS, str)
        axes.set_yscale("log")
        axes.set(xlabel="window, characters", ylabel="characters a second, training")
        figure.legend(loc="outside right center")

    return Picture("speed", "Speed of training by window", "", draw, 7.4, 4.2)


if __name__ == "__main__":
    main()

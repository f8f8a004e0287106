"""What a longer window costs: time and peak memory of a step from 64 to 2,048 characters, for the four families.

The batch shrinks as the window grows, so that each step reads as many characters. Memory is the most that the process
took, the program itself included.
"""

from __future__ import annotations

from functools import partial

from benchmarks.harness import Contender, Report, gigaflops, interleave, matrix_product, parser
from benchmarks.ours import seqlab
from benchmarks.runs import MODELS

_CHARACTERS = 4096
_WINDOWS = (64, 128, 256, 512, 1024, 2048)


def main() -> None:
    """Print one row for each family and window."""
    options = parser(__doc__).parse_args()
    columns = ("model", "window", "rows", "ms a step", "tokens/s", "GFLOP/s", "of peak", "peak MB")
    report = Report("windows", columns, options)
    for window in _WINDOWS:
        rows = _CHARACTERS // window
        contenders: dict[str, Contender] = {
            model: partial(
                seqlab,
                overrides=(
                    f"model={model}", "model.width=128", "model.layers=2", "model.dropout=0.0",
                    f"task.window={window}", f"task.batch_size={rows}", "device.type=cpu", "device.precision=fp32",
                    *((f"model.context={window}",) if model == "transformer" else ()),
                ),
            )
            for model in MODELS
            if options.only in model
        }  # fmt: skip
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


if __name__ == "__main__":
    main()

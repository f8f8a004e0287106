"""What torch.compile costs and saves: the first step with an empty and with a warm cache, and the steps after it.

"pays after" is the number of steps that make up for the compilation. device.compile=auto uses these figures.
"""

from __future__ import annotations

import tempfile
from functools import partial

from benchmarks.harness import Report, interleave, parser, speed_ratio
from benchmarks.ours import seqlab
from benchmarks.steps import GPT_SIZES, gpt_overrides

_ROWS = {
    "transformer (default)": ("model=transformer",),
    **{name: gpt_overrides(size) for name, size in GPT_SIZES.items()},
    "lstm (default)": ("model=lstm",),
}


def main() -> None:
    """Print one row for each network."""
    options = parser(__doc__).parse_args()
    columns = ("row", "eager ms", "compiled ms", "ratio", "cold s", "warm s", "pays after, cold", "warm")
    report = Report("compiling", columns, options)
    for name, overrides in _ROWS.items():
        if options.only not in name:
            continue
        with tempfile.TemporaryDirectory() as cache:
            compiled = partial(seqlab, overrides=(*overrides, "device.compile=always"), compiler_cache=cache)
            found = interleave(
                {"eager": partial(seqlab, overrides=overrides), "cold": compiled, "warm": compiled},
                rounds=options.rounds, seconds=options.seconds, threads=options.threads,
            )  # fmt: skip
        eager, warm = found["eager"], found["warm"]
        costs = [found[which].facts["first_step_seconds"] - eager.wall / 1000 for which in ("cold", "warm")]
        saved = (eager.wall - warm.wall) / 1000
        pays = [round(cost / saved) if saved > 0 else "never" for cost in costs]
        report.add(name, eager.wall, warm.wall, speed_ratio(warm, eager), *costs, *pays)
    report.finish()


if __name__ == "__main__":
    main()

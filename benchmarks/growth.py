"""What a training step costs as a network grows in width: operations, time, and the bytes of parameters and state.

Windows of 64 characters, 16 rows, two layers. The time that is predicted for a width is that of the width before, times
the ratio of their operations; where the measured time is less, the wider network used the processor better.
"""

from __future__ import annotations

from functools import partial

from benchmarks.harness import Contender, Report, gigaflops, interleave, matrix_product, parser
from benchmarks.ours import lm_overrides, seqlab
from benchmarks.runs import MODELS
from seqlab.comparison.flops import training_flops
from seqlab.comparison.sizes import sizes
from seqlab.config.run import load_run_config
from seqlab.core.state_bytes import state_bytes

_WIDTHS = (64, 128, 256, 512)
_WINDOW, _ROWS = 64, 16


def main() -> None:
    """Print one row for each family and width."""
    options = parser(__doc__).parse_args()
    columns = (
        "model", "width", "parameters, body", "FLOPs a token", "state, bytes", "ms a step", "ms predicted", "GFLOP/s",
        "of peak",
    )  # fmt: skip
    report, before = Report("growth", columns, options), dict[str, tuple[float, float]]()
    for width in _WIDTHS:
        words = {
            model: lm_overrides(model, width=width, window=_WINDOW, rows=_ROWS)
            for model in MODELS
            if options.only in model
        }
        contenders: dict[str, Contender] = {model: partial(seqlab, overrides=words[model]) for model in words}
        found = interleave(
            {**contenders, "peak": matrix_product},
            rounds=options.rounds, seconds=options.seconds, threads=options.threads,
        )  # fmt: skip
        peak = gigaflops(found["peak"])
        for model in contenders:
            took = found[model]
            body, flops, state = _counted(words[model])
            last = before.get(model)
            predicted = last[0] * flops / last[1] if last is not None else ""
            before[model] = (took.wall, flops)
            speed = gigaflops(took)
            report.add(model, width, body, round(flops), state, took.wall, predicted, speed, speed / peak)
    report.finish()


def _counted(words: tuple[str, ...]) -> tuple[int, float, int | str]:
    """(parameters of the body, FLOPs of training a token, bytes of one row's state) of the network of these words."""
    config = load_run_config(list(words))
    task = config.task.build()
    network = task.build_network(config.model)
    batch = next(iter(task.batches("train", 0)))
    flops = training_flops(network, [batch]) / batch.target_count
    return sizes(network).body, flops, state_bytes(network, task) or ""


if __name__ == "__main__":
    main()

"""One training step of each family and size, against plain loops that train the same network.

gpt rows: a plain Transformer loop (see benchmarks/loops.py), with and without biases; seqlab's has them. RNN rows: a
plain loop over nn.LSTM, nn.GRU or nn.RNN, without dropout and with word_language_model's, which seqlab draws once a
sequence and the plain loop at each position. On the CPU, in fp32 unless an override says otherwise. GFLOP/s are those
of the model (FLOPs of matrix products, forward and backward), and their share in what one large matrix product reaches
in the same rounds.
"""

from __future__ import annotations

from functools import partial

from benchmarks.harness import Contender, Report, gigaflops, interleave, matrix_product, parser, speed_ratio
from benchmarks.loops import GPTSize, WordSize, gpt, word_model
from benchmarks.ours import seqlab

GPT_SIZES = {"gpt small": GPTSize(4, 4, 128, 12, 64), "gpt large": GPTSize(6, 6, 384, 64, 256)}
WORD_SIZES = {
    **{
        f"{kind} {name}": WordSize(kind, layers, width, batch, window, dropout=0.0)
        for kind in ("lstm", "gru", "rnn")
        for name, layers, width, batch, window in (("small", 2, 200, 20, 35), ("large", 2, 512, 64, 64))
    },
    **{f"{kind} small, dropout 0.2": WordSize(kind, 2, 200, 20, 35, dropout=0.2) for kind in ("lstm", "gru", "rnn")},
}


def gpt_overrides(size: GPTSize) -> tuple[str, ...]:
    """seqlab's settings for the same network."""
    return (
        "model=transformer", f"model.layers={size.layers}", f"model.heads={size.heads}", f"model.width={size.width}",
        f"model.feed_forward={4 * size.width}", f"model.context={size.window}", "model.positions=learned",
        "model.tie_embeddings=true", "model.dropout=0.0", f"task.batch_size={size.batch}",
        f"task.window={size.window}", "optim.learning_rate=0.001", "optim.weight_decay=0.1",
    )  # fmt: skip


def word_overrides(size: WordSize) -> tuple[str, ...]:
    """seqlab's settings for the same network, with the same plain SGD."""
    return (
        f"model={size.kind}", f"model.layers={size.layers}", f"model.width={size.width}",
        f"model.dropout={size.dropout}", f"task.batch_size={size.batch}", f"task.window={size.window}", "optim=sgd",
        "trainer.clip_norm=0.25",
    )  # fmt: skip


def main() -> None:
    """Print one row for each size."""
    made = parser(__doc__)
    made.add_argument("overrides", nargs="*", help="for seqlab, e.g. device.compile=always")
    options = made.parse_args()
    columns = ("row", "against", "ours ms", "theirs ms", "ratio", "ours cpu ms", "theirs cpu ms", "GFLOP/s", "of peak")
    report = Report("steps", columns, options)
    rows: dict[str, tuple[tuple[str, ...], dict[str, Contender]]] = {}
    for name, size in GPT_SIZES.items():
        bare = GPTSize(size.layers, size.heads, size.width, size.batch, size.window, bias=False)
        rows[name] = gpt_overrides(size), {"plain loop": partial(gpt, size=size), "no biases": partial(gpt, size=bare)}
    for name, shape in WORD_SIZES.items():
        rows[name] = word_overrides(shape), {"plain loop": partial(word_model, size=shape)}
    for name, (overrides, rivals) in rows.items():
        if options.only in name:
            fixed = ("device.type=cpu", "device.precision=fp32")
            ours = partial(seqlab, overrides=(*overrides, *fixed, *options.overrides))
            found = interleave(
                {"ours": ours, **rivals, "peak": matrix_product},
                rounds=options.rounds, seconds=options.seconds, threads=options.threads,
            )  # fmt: skip
            mine, peak = found["ours"], gigaflops(found["peak"])
            for rival in rivals:
                theirs = found[rival]
                report.add(
                    name, rival, mine.wall, theirs.wall, speed_ratio(mine, theirs), mine.cpu, theirs.cpu,
                    gigaflops(mine), gigaflops(mine) / peak,
                )  # fmt: skip
    report.finish()


if __name__ == "__main__":
    main()

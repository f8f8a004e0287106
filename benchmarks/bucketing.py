"""What batches of similar length save: the encoder-decoder Transformer on translation, in tokens that are no padding.

The same network on the same pairs in batches of a fixed size in random order, in batches of a fixed size bucketed by
length, and in batches bucketed by length that hold as many positions as those (task.batch_tokens).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial

import torch

from benchmarks.harness import Contender, Facts, Pace, Report, interleave, parser, ratios, speed_ratio
from benchmarks.ours import make_trainer, run
from seqlab.core.batch import Split
from seqlab.data.batches import PairBatch
from seqlab.tasks.translation import Translation


def train(pace: Pace, facts: Facts, overrides: tuple[str, ...], unbucketed: bool = False) -> None:
    """A contender; padding is not counted as tokens."""
    trainer = make_trainer(("model=transformer", "task=translation", *overrides))
    task = trainer.task
    assert isinstance(task, Translation)
    if unbucketed:
        task.batches = partial(unbucketed_batches, task)  # type: ignore[method-assign]
    batches = list(trainer.task.batches("train", 0))
    facts["padded"] = 1 - sum(b.positions for b in batches) / sum(
        b.source_BS.numel() + b.target_BT.numel() for b in batches
    )
    facts["rows"] = sum(batch.size for batch in batches) / len(batches)
    run(trainer, pace, facts)


def unbucketed_batches(task: Translation, _: Split, seed: int) -> Iterator[PairBatch]:
    """Training batches cut from a shuffled corpus as it is."""
    order = list(range(len(task.encoded["train"].ids)))
    random.Random(seed).shuffle(order)
    for items_B in torch.tensor(order).split(task.config.batch_size):
        yield task.encoded["train"].gather(items_B)


def main() -> None:
    """Print one row for each way of making batches."""
    made = parser(__doc__)
    made.add_argument("--corpus", default="", help="'task.corpus=...' of another corpus, e.g. two line-aligned files")
    made.add_argument("--tokens", type=int, default=2600, help="task.batch_tokens")
    options = made.parse_args()
    columns = ("batches", "rows", "padding", "ms a step", "tokens/s", "against unbucketed", "least", "most")
    report = Report("bucketing", columns, options)
    shared = ("task.tokens=word", f"task.corpus='{options.corpus}'") if options.corpus else ()
    tokens = options.tokens
    contenders: dict[str, Contender] = {
        "fixed size, unbucketed": partial(train, overrides=shared, unbucketed=True),
        "fixed size, bucketed": partial(train, overrides=shared),
        f"task.batch_tokens={tokens}": partial(train, overrides=(*shared, f"task.batch_tokens={tokens}")),
    }
    found = interleave(contenders, rounds=options.rounds, seconds=options.seconds, threads=options.threads)
    plain = found["fixed size, unbucketed"]
    for name, took in found.items():
        each = ratios(took, plain)
        report.add(
            name, took.facts["rows"], took.facts["padded"], took.wall, round(took.speed),
            speed_ratio(took, plain), min(each), max(each),
        )  # fmt: skip
    report.finish()


if __name__ == "__main__":
    main()

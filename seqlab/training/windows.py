"""What training reads in one epoch, cut into the windows of truncated backpropagation."""

from __future__ import annotations

from collections.abc import Iterator

from seqlab.interfaces import BatchT, Network, Task


def epoch_windows(
    task: Task[BatchT], network: Network[BatchT], data_seed: int, bptt_steps: int | None
) -> Iterator[BatchT]:
    """The windows of one pass over the training split, whose order `data_seed` draws."""
    batches = task.training_batches(network, data_seed)
    return batches if bptt_steps is None else (window for batch in batches for window in batch.windows(bptt_steps))


def steps_in(epochs: int, task: Task[BatchT], network: Network[BatchT], bptt_steps: int | None, accumulate: int) -> int:
    """How many optimizer steps so many epochs are. Reads one of them; with batches of a fixed number of tokens the
    others may differ by a few."""
    windows = sum(window.target_count > 0 for window in epoch_windows(task, network, 0, bptt_steps))
    return -(-epochs * windows // accumulate)

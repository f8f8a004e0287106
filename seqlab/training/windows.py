"""The training data, cut into the windows of truncated backpropagation through time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Generic

from seqlab.core.batch import BatchT
from seqlab.core.network import Network
from seqlab.core.task import Task
from seqlab.training.config import TrainerConfig
from seqlab.training.progress import Progress
from seqlab.training.seeds import stream_seed


def epoch_windows(
    task: Task[BatchT], network: Network[BatchT], data_seed: int, bptt_steps: int | None
) -> Iterator[BatchT]:
    """The windows of one epoch, in the order that `data_seed` draws."""
    batches = task.training_batches(network, data_seed)
    return batches if bptt_steps is None else (window for batch in batches for window in batch.windows(bptt_steps))


def steps_in(epochs: int, task: Task[BatchT], network: Network[BatchT], bptt_steps: int | None, accumulate: int) -> int:
    """The number of optimizer steps in `epochs` epochs. Reads one epoch; if batches are filled by tokens, others may
    differ by a few steps."""
    windows = sum(window.scored for window in epoch_windows(task, network, 0, bptt_steps))
    return -(-epochs * windows // accumulate)


class Windows(Generic[BatchT]):
    """The windows that a run trains on, grouped by optimizer step."""

    def __init__(self, task: Task[BatchT], network: Network[BatchT], config: TrainerConfig, seed: int) -> None:
        if config.bptt_steps is not None:
            task.check_windows(config.bptt_steps, network)
        self.task, self.network, self.config, self.seed = task, network, config, seed

    def groups(self, progress: Progress, finished: Callable[[], bool] = lambda: False) -> Iterator[list[BatchT]]:
        """The windows of each step, from where `progress` stands until `finished` or the last epoch: `accumulate`
        windows with targets, and any without targets that precede them."""
        group: list[BatchT] = []
        for window in () if finished() else self._from(progress):
            group.append(window)
            if sum(w.scored for w in group) == self.config.accumulate:
                yield group
                group = []
                if finished():
                    return
        if any(window.scored for window in group):
            yield group

    def _from(self, progress: Progress) -> Iterator[BatchT]:
        """The windows of all epochs. `progress` moves when a window is taken, so that it counts those handed out."""
        while self.config.max_epochs is None or progress.epoch < self.config.max_epochs:
            seed = stream_seed(self.seed, "data order", progress.epoch)
            windows = epoch_windows(self.task, self.network, seed, self.config.bptt_steps)
            for window in islice(windows, progress.windows, None):
                progress.windows += 1
                yield window
            progress.epoch, progress.windows = progress.epoch + 1, 0

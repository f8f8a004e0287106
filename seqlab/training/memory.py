"""Running out of memory, as an error with a remedy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from seqlab.core.batch import Batch
from seqlab.errors import ResourceError


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the error says that memory ran out, of a GPU or of the machine."""
    # the CPU's allocator raises a plain RuntimeError
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "allocate memory" in str(error)


@contextmanager
def out_of_memory_in(step: int, batch: Batch) -> Iterator[None]:
    """Turn running out of memory into a ResourceError with a remedy. step, batch: what is being computed."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        shapes = (f"{name} {tuple(v.shape)}" for name, v in vars(batch).items() if isinstance(v, torch.Tensor))
        raise ResourceError(
            f"out of memory at step {step}, with a batch of {next(shapes)}",
            "try a smaller task.batch_size (and trainer.accumulate to make up for it), shorter sequences "
            "(task.window, task.max_length or trainer.bptt_steps), or a smaller model.width",
        ) from error

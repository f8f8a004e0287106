"""What trackers show of a network in training: samples, gradients, weights, attention."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

import torch

from seqlab.core.metric import Metric
from seqlab.errors import Interrupted
from seqlab.insight.attention import attention
from seqlab.insight.states import states
from seqlab.tracking.recorder import Recorder
from seqlab.training.progress import Progress
from seqlab.training.seeds import random_states, set_random_states, stream_seed
from seqlab.training.trainer import Trainer

_log = logging.getLogger("seqlab")


class Gallery:
    """An Observer that shows more than figures: the gradient's norm in each layer with each log line, a sample at each
    validation, and at the 1st, 2nd, 4th, 8th, ... of them the weights' histograms and the first attention map, or the
    hidden units.

    Training is not affected: it draws from generators of its own. What cannot be shown is named once in train.log, and
    training continues.
    """

    def __init__(self, trainer: Trainer[Any], recorder: Recorder, seed: int) -> None:
        self.trainer, self.recorder, self.seed = trainer, recorder, seed
        self.failed: set[str] = set()

    def logged(self, progress: Progress, scalars: dict[str, float]) -> None:
        # a line at the end of a run may follow no step of this process, and there is no gradient
        if progress.step % self.trainer.config.log_every_steps == 0:
            self._show("gradients", self._gradients, progress.step)

    def saving(self, progress: Progress) -> None:
        pass

    def evaluated(self, progress: Progress, metrics: dict[str, Metric], primary: str, better: bool) -> None:
        device = self.trainer.device.name
        drawn = random_states(device)
        try:
            self._show("samples", self._sample, progress.step)
            validations = progress.step / self.trainer.config.eval_every_steps
            if validations <= 1 or math.log2(validations).is_integer():
                self._show("weights", self._weights, progress.step)
                self._show("pictures", self._picture, progress.step)
        finally:
            set_random_states(device, *drawn)  # a user's own task may draw from the global generators

    def _show(self, what: str, show: Callable[[int], None], step: int) -> None:
        if what in self.failed or self.trainer.stop_signal is not None:
            return
        try:
            show(step)
        except Interrupted:
            raise
        except Exception as error:  # a failing picture must not end a run
            self.failed.add(what)
            _log.warning("the trackers go without %s: %s", what, " ".join(str(error).split())[:200])

    def _gradients(self, step: int) -> None:
        """The norm of the last step's gradient in each layer, as the optimizer took it: after clipping."""
        if self.trainer.update.sharing.trained is not self.trainer.network:
            # this process alone shows them, and cannot ask the others for their shards
            raise RuntimeError("with device.sharding=fsdp each process has only shards of them")
        squares: dict[str, list[torch.Tensor]] = {}
        for name, parameter in self.trainer.network.named_parameters():
            if parameter.grad is not None:
                squares.setdefault(layer_of(name), []).append(parameter.grad.float().square().sum())
        if not squares:
            return
        norms = torch.stack([torch.stack(parts).sum().sqrt() for parts in squares.values()]).tolist()
        named = {f"weights_gradient/{layer}": norm for layer, norm in zip(squares, norms, strict=True)}
        self.recorder.show(step, scalars={tag: norm for tag, norm in named.items() if math.isfinite(norm)})

    def _sample(self, step: int) -> None:
        text = self.trainer.task.samples(self.trainer.network, stream_seed(self.seed, "sampling"))
        if text:
            self.recorder.show(step, texts={"samples": text})

    def _weights(self, step: int) -> None:
        weights = {
            f"weights/{name}": parameter.detach().float().cpu().numpy()
            for name, parameter in self.trainer.network.named_parameters()
        }
        self.recorder.show(step, histograms=weights)

    def _picture(self, step: int) -> None:
        task, network = self.trainer.task, self.trainer.network
        looking = attention(task, network, None)
        picture = looking[0] if looking else states(task, network, None, search=False)
        self.recorder.show(step, images={f"viz/{picture.name}": picture.render(dpi=80)})


def layer_of(parameter: str) -> str:
    """The layer that a parameter stands in: decoder.blocks.0.attention.output.weight is of decoder.blocks.0."""
    words = parameter.split(".")
    number = next((place for place, word in enumerate(words) if word.isdigit()), None)
    return ".".join(words[: number + 1] if number is not None else words[:1])

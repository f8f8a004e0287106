"""The training loop: truncated backpropagation through time, clipping, mixed precision, budgets.

It knows no model and no task by name. Its one rule about memory: a batch that continues the last one
starts from the last state, detached; any other starts from the network's initial state.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Generic, Literal

import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor, nn

from seqlab.criterion import Criterion
from seqlab.errors import Interrupted, NumericError, ResourceError
from seqlab.interfaces import (
    BatchT,
    Count,
    Meter,
    Network,
    Positive,
    Split,
    State,
    Task,
    detach,
    same_shapes,
    where,
)
from seqlab.training.device import Device, is_out_of_memory
from seqlab.training.evaluation import evaluate
from seqlab.training.nonfinite import Outcome, count_nonfinite, read, remedies
from seqlab.training.optim import OptimConfig, skips_on_device
from seqlab.training.progress import Interval, Observer, Progress
from seqlab.training.seeds import random_states, set_random_states, stream_seed
from seqlab.training.snapshot import save_snapshot
from seqlab.training.windows import epoch_windows


@config_dataclass(frozen=True, kw_only=True)
class TrainerConfig:
    """Settings of the loop; configs/train.yaml says what each is for."""

    max_steps: Count | None
    max_epochs: Count | None
    max_seconds: Positive | None
    bptt_steps: Count | None
    accumulate: Count
    clip_norm: Positive | None
    clip_value: Positive | None
    log_every_steps: Count
    eval_every_steps: Count
    save_every_steps: Count
    save_every_seconds: Positive | None
    patience: Count | None
    on_nonfinite: Literal["skip", "stop"]
    nonfinite_limit: Count
    log_pictures: bool

    def __post_init__(self) -> None:
        if self.max_steps is None and self.max_epochs is None and self.max_seconds is None:
            raise ValueError("training needs an end; try trainer.max_steps=1000 (or max_epochs, or max_seconds)")


class _PutOffError(Exception):
    """A signal came during a validation, which may take minutes: the resumed run makes it."""


class Trainer(Generic[BatchT]):
    """Trains `network` on `task`; call fit(). Checkpoints go to `folder` (None: nowhere) and carry `origin`, what the
    run is made from."""

    def __init__(
        self,
        task: Task[BatchT],
        network: Network[BatchT],
        optim: OptimConfig,
        config: TrainerConfig,
        device: Device,
        *,
        seed: int,
        folder: Path | None,
        observers: tuple[Observer, ...] = (),
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        if config.bptt_steps is not None:
            task.check_windows(config.bptt_steps, network)
        self.task, self.network, self.optim, self.config, self.device = task, network, optim, config, device
        self.seed, self.folder, self.observers, self.origin = seed, folder, observers, origin or {}
        self.horizon = optim.horizon(config.max_steps)
        self.optimizer = optim.build(network)
        self.scaler = device.scaler()
        # a GPU works on its own: it is asked what the steps came to only now and then
        self.deferred = (
            device.name == "cuda"
            and config.on_nonfinite == "skip"
            and skips_on_device(self.optimizer)
            and not self.scaler.is_enabled()
        )
        self.pending: list[Outcome] = []  # steps that it was not asked about yet
        self.pending_since = 0.0
        self.parameters = list(network.parameters())
        self.forward = torch.compile(network) if device.compile else network
        self.progress = Progress()
        self.interval = Interval()
        self.state: State | None = None  # None: nothing to carry on from
        self.saved_step: int | None = None
        self.best_steps: dict[int, int] = {}  # what each of the last two checkpoints remembers as best
        self.stop_signal: int | None = None
        self.fitting = False

    def fit(self) -> None:
        """Train until a budget is used up or patience ends; then evaluate and save once more.

        Raises NumericError when a loss or gradient is not finite once (on_nonfinite=stop) or too often in a row, and
        Interrupted after `stop_signal` was set; both with everything saved. Raises ResourceError when memory or disk
        does not suffice.
        """
        self.fitting = True
        try:
            self.network.train()
            self._steps()
            if self.stop_signal is None:
                if self.interval.targets:
                    self._log()
                    self.saved_step = None
                if self.progress.evaluated_step != self.progress.step:
                    self._validate()
                    self.saved_step = None
            if self.saved_step != self.progress.step:
                self.save()
            if self.stop_signal is not None:
                raise Interrupted(f"stopped at step {self.progress.step}", "", 128 + self.stop_signal)
        finally:
            self.fitting = False

    def replay(self, step: int, *, evaluated: bool) -> None:
        """Train up to `step` as fit() did on its way, wherever it ended, and save nothing. evaluated: whether there was
        a validation at that step; one that was due may have been put off, one at the end of a run was not due."""
        self.network.train()
        self._evaluate_if_due()
        groups = self.groups()
        while self.progress.step < step and (group := next(groups, None)) is not None:
            self.advance(group)
            self._log_if_due()
            if self.progress.step < step:
                self._evaluate_if_due()
        self.settle()
        if evaluated and self.progress.evaluated_step != step:
            self._validate()

    def _steps(self) -> None:
        """Steps with their logs, validations and checkpoints, until the end or a signal."""
        if self._evaluate_if_due():  # a signal may have put it off
            self.save()
        saved_seconds = self.progress.seconds
        groups = self.groups()
        while self.stop_signal is None and not self._finished() and (group := next(groups, None)) is not None:
            failed = self.advance(group)
            self._log_if_due()
            better = self.stop_signal is None and failed is None and self._evaluate_if_due()
            waited = self.progress.seconds - saved_seconds >= (self.config.save_every_seconds or math.inf)
            if waited and self.pending:
                failed = self.settle()
            if better or waited or failed is not None or self.progress.step % self.config.save_every_steps == 0:
                self.save()
                saved_seconds = self.progress.seconds
            if failed is not None:
                raise failed
        if self.pending and (failed := self.settle()) is not None:  # the data ended, or a signal came
            self.save()
            raise failed

    def _log_if_due(self) -> None:
        if self.progress.step % self.config.log_every_steps == 0 and self.interval.targets:
            self._log()

    def _evaluate_if_due(self) -> bool:
        """Validate where this step asks for it and has not had it. Whether these are the weights to keep."""
        step = self.progress.step
        due = step > 0 and step % self.config.eval_every_steps == 0 and self.progress.evaluated_step != step
        return due and self._validate()

    def _finished(self) -> bool:
        done, limit = self.progress, self.config
        return (
            (limit.max_steps is not None and done.step >= limit.max_steps)
            or (limit.max_seconds is not None and done.seconds >= limit.max_seconds)
            or (limit.patience is not None and done.evaluations_since_best >= limit.patience)
        )

    # --- data ------------------------------------------------------------------------------------

    def _windows(self) -> Iterator[BatchT]:
        """Training windows, epoch after epoch, from where progress stands. The position moves when a
        window is asked for, so that it counts those that were handed out."""
        while self.config.max_epochs is None or self.progress.epoch < self.config.max_epochs:
            seed = stream_seed(self.seed, "data order", self.progress.epoch)
            windows = epoch_windows(self.task, self.network, seed, self.config.bptt_steps)
            for window in islice(windows, self.progress.windows, None):
                self.progress.windows += 1
                yield window
            self.progress.epoch, self.progress.windows = self.progress.epoch + 1, 0

    def groups(self) -> Iterator[list[BatchT]]:
        """The windows of one optimizer step: as many with targets as `accumulate` says, and those
        without targets that come before them."""
        group: list[BatchT] = []
        for window in self._windows():
            group.append(window)
            if sum(w.target_count > 0 for w in group) == self.config.accumulate:
                yield group
                group = []
        if any(window.target_count for window in group):
            yield group

    # --- one optimizer step ----------------------------------------------------------------------

    def advance(self, group: list[BatchT]) -> NumericError | None:
        """One step and its bookkeeping. Returns the error that is to end the run once it is saved: this step's, or that
        of an earlier one which was not looked at before."""
        progress, started = self.progress, time.perf_counter()
        try:
            nats, norm = self.step(group)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            shapes = (f"{name} {tuple(v.shape)}" for name, v in vars(group[-1]).items() if isinstance(v, Tensor))
            raise ResourceError(
                f"out of memory at step {progress.step + 1}, with a batch of {next(shapes)}",
                "try a smaller task.batch_size (and trainer.accumulate to make up for it), shorter sequences "
                "(task.window, task.max_length or trainer.bptt_steps), or a smaller model.width",
            ) from error
        seconds = time.perf_counter() - started
        targets, tokens = sum(w.target_count for w in group), sum(w.positions for w in group)
        progress.seconds, progress.tokens = progress.seconds + seconds, progress.tokens + tokens
        self.pending.append(
            Outcome(progress.step, progress.epoch, progress.windows, targets, tokens, seconds, nats, norm)
        )
        if len(self.pending) == 1:
            self.pending_since = started
        return self.settle() if self._must_look() else None

    def _must_look(self) -> bool:
        """Whether the host needs to know now what the steps came to."""
        every = (self.config.log_every_steps, self.config.eval_every_steps, self.config.save_every_steps)
        return (
            not self.deferred
            or any(self.progress.step % steps == 0 for steps in every)
            or self.stop_signal is not None
            or self._finished()
        )

    def settle(self) -> NumericError | None:
        """Take in what the steps since the last look came to. Returns the error that is to end the run, if one is."""
        pending, self.pending = self.pending, []
        if not pending:
            return None
        values = read(pending)
        # a GPU goes on while the host is elsewhere: what counts is the time from the first of these steps to this look
        waited = time.perf_counter() - self.pending_since - sum(outcome.seconds for outcome in pending)
        progress, interval, ended = self.progress, self.interval, None
        progress.seconds, interval.seconds = progress.seconds + waited, interval.seconds + waited
        for outcome, (nats, norm) in zip(pending, values, strict=True):
            if math.isfinite(norm):
                if ended is None:
                    progress.nonfinite_in_a_row, progress.failed = 0, False
                interval.nats, interval.targets = interval.nats + nats, interval.targets + outcome.targets
                interval.tokens, interval.seconds = interval.tokens + outcome.tokens, interval.seconds + outcome.seconds
                interval.gradient_norms.append(norm)
            else:  # counted as such, and kept out of the means
                error = count_nonfinite(
                    progress,
                    outcome,
                    policy=self.config.on_nonfinite,
                    limit=self.config.nonfinite_limit,
                    scale=self.scaler.get_scale() if self.scaler.is_enabled() else None,
                    remedy=self.remedy(),
                )
                ended = ended or error
        return ended

    def remedy(self) -> str:
        """What may keep this training from diverging, in words."""
        clipped = self.config.clip_norm is not None or self.config.clip_value is not None
        return remedies(self.optim.learning_rate, clipped=clipped, precision=self.device.precision)

    def step(self, group: list[BatchT]) -> tuple[Tensor, Tensor]:
        """One update from the mean loss over all targets of the group: (summed nats, gradient norm), on the device. The
        norm is not finite, and no weight has moved, where the loss or the gradient is not."""
        learning_rate = self.optim.learning_rate_at(self.progress.step, self.horizon)
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = learning_rate
            for parameter in parameters["params"]:
                parameter.grad = None  # zero_grad() does the same and more, for a twentieth of a small step
        targets = sum(window.target_count for window in group)
        nats = torch.zeros((), device=self.device.torch_device)
        for window in group:
            batch = window.to(self.device.torch_device)
            carried = self.state if window.continues else None
            state = self.network.initial_state(window.size) if carried is None else detach(carried)
            with torch.set_grad_enabled(window.target_count > 0), self.device.autocast():
                output = self.forward(batch, state)
            self.state = output.state
            if window.target_count:
                self.scaler.scale(output.loss_sum / targets).backward()
                nats = nats + output.loss_sum.detach()
        norm = self._update(nats, group[-1].size)
        self.progress.step += 1
        return nats, norm

    def _update(self, nats: Tensor, rows: int) -> Tensor:
        """Clip and apply the gradient, unless it or the loss is not finite. Returns its norm before clipping."""
        self.scaler.unscale_(self.optimizer)
        total_norm = self._gradient_norm()
        norm = total_norm + 0.0 * nats  # one number for both: 0 times what is not finite is nan
        assert self.state is not None
        if self.deferred:
            initial = self.network.initial_state(rows)
            self.deferred = same_shapes(self.state, initial)  # a state that grows cannot be chosen on the device
        known = math.nan if self.deferred else float(norm)
        if self.deferred:
            finite = norm.isfinite()
            # the kernel moves nothing where this is 1
            self.optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]
            self.state = where(finite, self.state, initial)
        if self.deferred or math.isfinite(known):
            self._clip(total_norm, known)
            self.scaler.step(self.optimizer)
        else:
            self.state = None  # it may hold what is not finite either
        self.scaler.update()
        return norm

    def _gradient_norm(self) -> Tensor:
        return nn.utils.get_total_norm([p.grad for p in self.parameters if p.grad is not None])

    def _clip(self, total_norm: Tensor, known: float) -> None:
        """By value, then what is left by its norm. `known`: the norm before either, nan where the host has not asked
        for it; cutting entries never makes it longer."""
        value, norm = self.config.clip_value, self.config.clip_norm
        if value is not None:
            nn.utils.clip_grad_value_(self.parameters, value)
        if norm is not None and not known <= norm:
            left = total_norm if value is None else self._gradient_norm()
            nn.utils.clip_grads_with_norm_(self.parameters, norm, left)

    # --- looking -----------------------------------------------------------------------------------

    def evaluate(self, split: Split) -> Meter[BatchT]:
        """The whole split, in order, with a state of its own; training goes on as if it had not been."""
        return evaluate(self.network, self.task.batches(split, 0), self.task.meter(split), self.device)

    def _validation_batches(self) -> Iterator[BatchT]:
        """Those of a validation in training, which a signal ends."""
        for batch in self.task.validation_batches():
            if self.fitting and self.stop_signal is not None:
                raise _PutOffError
            yield batch

    def _validate(self) -> bool:
        """Whether these are the weights to keep. A signal puts it off."""
        drawn = random_states(self.device.name)
        try:
            meter = self.task.meter("validation")
            evaluate(self.network, self._validation_batches(), meter, self.device)
        except _PutOffError:
            set_random_states(self.device.name, *drawn)  # a user's own network may draw in evaluation too
            return False
        metrics = meter.compute()
        kept = self.progress.take(Criterion.of(metrics, meter.criterion()))
        for observer in self.observers:
            observer.evaluated(self.progress, metrics, meter.primary, kept)
        return kept

    def _log(self) -> None:
        interval, self.interval = self.interval, Interval()
        norms = interval.gradient_norms
        scalars = {
            "train/loss": interval.nats / interval.targets,
            "optim/learning_rate": self.optimizer.param_groups[0]["lr"],
            "optim/gradient_norm": sum(norms) / len(norms),
            "optim/gradient_norm_max": max(norms),
            "optim/nonfinite_steps": float(self.progress.nonfinite_steps),
            "speed/tokens_per_second": interval.tokens / max(interval.seconds, 1e-9),
            "speed/step_milliseconds": 1000 * interval.seconds / len(norms),
            "speed/epoch": float(self.progress.epoch),
        }
        if self.scaler.is_enabled():
            scalars["optim/loss_scale"] = self.scaler.get_scale()
        for observer in self.observers:
            observer.logged(self.progress, scalars)

    def save(self) -> None:
        """Write a checkpoint of this step, after what was logged of it."""
        if self.folder is not None:
            for observer in self.observers:
                observer.saving(self.progress)
            save_snapshot(self, self.folder)
            self.saved_step = self.progress.step

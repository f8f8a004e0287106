"""The trainer against PyTorch Lightning's, the Hugging Face Trainer and a bare loop: the same LSTM and batch sizes.

Needs `pip install -e '.[bench]'`. Small steps show what a trainer costs by itself; steps of 30 ms and more show that it
does not matter there. Everyone trains seqlab's own network with AdamW, a cosine schedule and clipping at 1.0, in fp32.
Lightning is measured with its defaults (logger, progress bar, checkpoints, summary), beside seqlab with its log files,
TensorBoard and display, and with everything switched off, beside seqlab's trainer alone, whose log lines go nowhere.
"""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from functools import partial
from itertools import count, islice
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.harness import Contender, Facts, Pace, Report, interleave, parser, ratios, speed_ratio
from benchmarks.ours import seqlab, seqlab_as_it_comes
from seqlab.config.run import RunConfig, load_run_config
from seqlab.core.network import Network
from seqlab.core.state import State, detach
from seqlab.data.batches import TokenBatch
from seqlab.tasks.char_lm import CharLM

_SIZES = {
    "small": ("model.width=32", "task.batch_size=4", "task.window=16"),
    "medium": ("model.width=128", "task.batch_size=16", "task.window=64"),
    "large": ("model.width=256", "task.batch_size=32", "task.window=64"),
}
_FIXED = ("device.type=cpu", "device.precision=fp32")
_FOR_EVER = 10**9


def _overrides(size: str) -> tuple[str, ...]:
    return ("model=lstm", "model.layers=1", "model.dropout=0.0", *_SIZES[size])


class Parts:
    """Network, optimizer and batches, the same for all."""

    def __init__(self, size: str, facts: Facts) -> None:
        self.config: RunConfig = load_run_config([*_overrides(size), "optim.horizon_steps=5000"])
        task = self.config.task.build()
        assert isinstance(task, CharLM)
        torch.manual_seed(0)
        self.network: Network[Any] = task.build_network(self.config.model)
        self.batches: list[TokenBatch] = list(task.batches("train", 0))[:-1]
        facts["tokens_per_step"] = self.batches[0].positions

    def optimizer(self) -> torch.optim.Optimizer:
        return self.config.optim.build(self.network)

    def share(self, step: int) -> float:
        """The share of the learning rate at a step, for torch's LambdaLR."""
        return self.config.optim.learning_rate_at(step, 5000) / self.config.optim.learning_rate


class Model(nn.Module):
    """The network as a module that takes tensors, gives the mean loss, and carries its state by itself."""

    def __init__(self, network: Network[Any]) -> None:
        super().__init__()
        self.network = network
        self.state: State | None = None

    def forward(self, inputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        rows, count = len(inputs), labels.numel()
        batch = TokenBatch(inputs_BT=inputs, targets_BT=labels, target_count=count, positions=count)
        state = self.network.initial_state(rows) if self.state is None else detach(self.state)
        output = self.network(batch, state)
        self.state = output.state
        return {"loss": output.loss_sum / count}


def bare(pace: Pace, facts: Facts, size: str) -> None:
    """A contender: a loop as written in a notebook."""
    parts = Parts(size, facts)
    model, optimizer = Model(parts.network), parts.optimizer()
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, parts.share)
    for step in count():
        batch = parts.batches[step % len(parts.batches)]
        optimizer.zero_grad(set_to_none=True)
        loss = model(batch.inputs_BT, batch.targets_BT)["loss"]
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 10 == 0:
            loss.item()
        pace()


class Stream(torch.utils.data.IterableDataset[tuple[Tensor, Tensor]]):
    """The batches in order, endlessly."""

    def __init__(self, batches: list[TokenBatch]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            for batch in self.batches:
                yield batch.inputs_BT, batch.targets_BT


def lightning(pace: Pace, facts: Facts, size: str, *, everything: bool) -> None:
    """A contender: lightning.Trainer.fit, with its defaults or with everything switched off."""
    warnings.filterwarnings("ignore")
    from lightning import Callback, LightningModule, Trainer

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    parts = Parts(size, facts)

    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = Model(parts.network)

        def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
            loss: Tensor = self.model(*batch)["loss"]
            self.log("train_loss", loss)
            return loss

        def configure_optimizers(self) -> dict[str, Any]:
            optimizer = parts.optimizer()
            schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, parts.share)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    class Paced(Callback):
        def on_train_batch_end(self, *_: Any) -> None:
            pace()

    off = {} if everything else dict.fromkeys(
        ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
    )  # fmt: skip
    loader = torch.utils.data.DataLoader(Stream(parts.batches), batch_size=None)
    with tempfile.TemporaryDirectory() as folder:
        Trainer(
            max_steps=_FOR_EVER, gradient_clip_val=1.0, accelerator="cpu", callbacks=[Paced()],
            default_root_dir=folder, **off,
        ).fit(Module(), loader)  # fmt: skip


def hugging_face(pace: Pace, facts: Facts, size: str) -> None:
    """A contender: transformers.Trainer over the rows of a data set, as its users do."""
    warnings.filterwarnings("ignore")
    os.environ["HF_HUB_OFFLINE"] = "1"
    import transformers

    transformers.utils.logging.set_verbosity_error()
    parts = Parts(size, facts)
    rows = [
        {"inputs": inputs_T, "labels": targets_T}
        for batch in islice(parts.batches, 2000)
        for inputs_T, targets_T in zip(batch.inputs_BT, batch.targets_BT, strict=True)
    ]

    class Paced(transformers.TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            pace()

    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            output_dir=folder, max_steps=_FOR_EVER, per_device_train_batch_size=len(parts.batches[0].inputs_BT),
            learning_rate=2e-3, lr_scheduler_type="cosine", warmup_steps=50, max_grad_norm=1.0, logging_steps=10,
            save_strategy="no", report_to=[], use_cpu=True, disable_tqdm=True,
        )  # fmt: skip
        trainer = transformers.Trainer(
            model=Model(parts.network), args=arguments, train_dataset=rows, callbacks=[Paced()]
        )
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()


def main() -> None:
    """Print one row for each size and rival."""
    options = parser(__doc__).parse_args()
    report = Report("frameworks", ("size", "against", "ours ms", "theirs ms", "ratio", "least", "most"), options)
    for size in _SIZES:
        if options.only in size:
            rivals: dict[str, Contender] = {
                "bare loop": partial(bare, size=size),
                "Lightning, defaults": partial(lightning, size=size, everything=True),
                "Lightning, extras off": partial(lightning, size=size, everything=False),
                "Hugging Face Trainer": partial(hugging_face, size=size),
            }
            found = interleave(
                {
                    "ours": partial(seqlab, overrides=(*_overrides(size), *_FIXED)),
                    "ours, defaults": partial(seqlab_as_it_comes, overrides=(*_overrides(size), *_FIXED)),
                    **rivals,
                },
                rounds=options.rounds, seconds=options.seconds, threads=options.threads,
            )  # fmt: skip
            for rival in rivals:
                mine, theirs = found["ours, defaults" if "defaults" in rival else "ours"], found[rival]
                each = ratios(mine, theirs)
                report.add(size, rival, mine.wall, theirs.wall, speed_ratio(mine, theirs), min(each), max(each))
    report.finish()


if __name__ == "__main__":
    main()

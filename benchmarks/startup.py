"""From the start of a process to the end of its first training step, against Lightning and the Hugging Face Trainer.

All read the same text file, make a vocabulary of its characters and train an LSTM of width 64: seqlab by `seqlab
train`, the others by a script as short as their documentation has it, with nothing of seqlab imported. Needs `pip
install -e '.[bench]'`. `--megabytes 50` reads a text so long in place of a small one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_END = """
import os, sys
def end():
    # not getrusage, whose peak begins with that of the process that started this one
    print(next(int(line.split()[1]) for line in open("/proc/self/status") if "VmHWM" in line) / 1024, flush=True)  # MB
    os._exit(0)
"""
_COMMON = """
import torch
from torch import nn
text = open(sys.argv[1], encoding="utf-8").read()
ids = {c: i for i, c in enumerate(sorted(set(text)))}
data = torch.tensor([ids[c] for c in text])
pairs = [(data[i:i + 64], data[i + 1:i + 65]) for i in range(0, len(data) - 65, 64)]
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.lstm, self.head = nn.Embedding(len(ids), 64), nn.LSTM(64, 64, batch_first=True), \
            nn.Linear(64, len(ids))
    def forward(self, inputs, labels):
        scores = self.head(self.lstm(self.embed(inputs))[0])
        return {"loss": nn.functional.cross_entropy(scores.flatten(0, 1), labels.flatten())}
"""
_SCRIPTS = {
    "seqlab train": """
from seqlab.cli import main
from seqlab.training.trainer import Trainer
step = Trainer.step
def first(self, group):
    step(self, group)
    end()
Trainer.step = first
sys.argv = ["seqlab", "train", "model=lstm", "model.width=64", f"task.corpus={sys.argv[1]}", "task.batch_size=32",
            f"runs_dir={sys.argv[2]}"]
main()
""",
    "Lightning": _COMMON
    + """
import lightning
class Module(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.model = Model()
    def training_step(self, batch, _):
        loss = self.model(*batch)["loss"]
        self.log("train_loss", loss)
        return loss
    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), 2e-3)
    def on_train_batch_end(self, *_):
        end()
loader = torch.utils.data.DataLoader(pairs, batch_size=32)
trainer = lightning.Trainer(max_steps=10, gradient_clip_val=1.0, accelerator="cpu", default_root_dir=sys.argv[2])
trainer.fit(Module(), loader)
""",
    "Hugging Face Trainer": _COMMON
    + """
import transformers
class First(transformers.TrainerCallback):
    def on_step_end(self, *_, **__):
        end()
rows = [{"inputs": a, "labels": b} for a, b in pairs]
arguments = transformers.TrainingArguments(output_dir=sys.argv[2], max_steps=10, per_device_train_batch_size=32,
                                           report_to=[], use_cpu=True)
transformers.Trainer(model=Model(), args=arguments, train_dataset=rows, callbacks=[First()]).train()
""",
    "torch alone": _COMMON
    + """
model = Model()
optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
batch = [torch.stack(part) for part in zip(*pairs[:32])]
model(*batch)["loss"].backward()
nn.utils.clip_grad_norm_(model.parameters(), 1.0)
optimizer.step()
end()
""",
}


def main() -> None:
    """Print one row for each; the least and the median of some starts, taken in turn."""
    from benchmarks.harness import Report, parser
    from benchmarks.tokens import make_text

    made = parser(__doc__)
    made.add_argument("--megabytes", type=float, default=0.2, help="of the text")
    options: argparse.Namespace = made.parse_args()
    columns = ("start of", "median s", "least s", "ours / theirs", "peak MB")
    report = Report("startup" if options.megabytes < 1 else f"startup-{options.megabytes:.0f}", columns, options)
    taken: dict[str, list[float]] = {name: [] for name in _SCRIPTS}
    peaks: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        text = make_text(Path(folder, "text.txt"), options.megabytes)
        for turn in range(options.rounds + 1):
            for name, script in list(_SCRIPTS.items())[:: 1 if turn % 2 else -1]:
                started = time.perf_counter()
                done = subprocess.run(
                    [sys.executable, "-c", _END + script, str(text), folder],
                    capture_output=True, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"},
                )  # fmt: skip
                assert done.returncode == 0, done.stderr
                if turn:  # the first fills the file cache
                    taken[name].append(time.perf_counter() - started)
                    peaks[name] = max(peaks.get(name, 0.0), float(done.stdout.split()[-1]))
    ours = taken["seqlab train"]
    for name, theirs in taken.items():
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        report.add(name, statistics.median(theirs), min(theirs), ratio, peaks[name])
    report.finish()


if __name__ == "__main__":
    main()

"""The comparisons of docs/memory.md: every family on the probes of memory, and what the pictures there show.

They are made in the current folder's runs/, where what is complete is not made again, each with one thread; several
parts may run side by side, in processes of their own. `--draw` only draws the parts whose runs are there.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.compare import comparison
from benchmarks.tables import RESULTS, markdown, parts, save
from seqlab.drawing.numbers import number

PICTURES = Path("docs/memory")
_ONE_THREAD = (
    "device=cpu", "device.threads=1", "device.precision=fp32", "model.dropout=0.0", "trainer.log_pictures=false",
)  # fmt: skip
_RECURRENT = ("rnn", "lstm", "gru", "mingru")
_SEARCH = ("--tune", "lr=0.001,0.003,0.01")
_STATES = (32, 64, 128)


def _families(fourth: str, levels: int, transformer: str = "transformer") -> list[str]:
    """Those of Bai 2018, a newer recurrence and a Transformer, all with as many parameters, and the TCN with as many
    layers as its receptive field needs."""
    return ["rnn", "lstm", "gru", fourth, f"tcn: tcn model.layers={levels}", transformer, "--match", "body=29300"]


def _copy(gap: int, levels: int, rows: int, steps: int) -> list[str]:
    return [
        *_families("ssm", levels, f"transformer: transformer model.context={gap + 20}"), "task=copy",
        f"task.length={gap}", f"task.batch_size={rows}", f"trainer.max_steps={steps}",
        f"trainer.eval_every_steps={steps // 5}",
    ]  # fmt: skip


PARTS: dict[str, list[str]] = {
    "adding": [
        *_families("mingru", 6), "task=adding", "task.length=200", "task.eval_lengths=[50,100,400]",
        "trainer.max_steps=2000", "trainer.eval_every_steps=200", *_SEARCH, "--seeds", "5",
    ],
    "copy-50": [*_copy(50, 5, 32, 2000), "--tune", "lr=0.001,0.003", "--seeds", "3"],
    "copy-200": [*_copy(200, 7, 16, 2000), "--seeds", "2"],
    "copy-1000": [
        *_copy(1000, 9, 8, 600), "task.validation_size=100", "task.test_size=200", "--seeds", "1",
    ],
    "recall": [
        *(f"{model}-{width}: {model} model.width={width} model.layers=2" for model in _RECURRENT for width in _STATES),
        "minlstm-64: minlstm model.width=64 model.layers=2", "ssm-64: ssm model.width=64 model.layers=2",
        "tcn-64: tcn model.width=64", "transformer-64: transformer model.width=64 model.layers=2",
        "task=recall", "task.vocabulary=128", "trainer.max_steps=3000", "trainer.eval_every_steps=300",
        "optim.learning_rate=0.003", "--seeds", "1",
    ],
    "selective_copy": [
        "lstm", "mingru", "ssm", "task=selective_copy", "task.length=64", "task.data_tokens=8",
        "task.vocabulary=8", "model.width=64", "trainer.max_steps=4000", "trainer.eval_every_steps=400",
        "optim.learning_rate=0.003", "--seeds", "2",
    ],
    # a symbol comes back 20 positions later: windows of all 30 positions hold it, shorter ones never do
    "truncated": [
        *(f"bptt {n}: gru trainer.bptt_steps={n} trainer.accumulate={30 // n}" for n in (5, 10, 15, 30)),
        "task=copy", "task.length=10", "model.width=128", "trainer.max_steps=3000", "trainer.eval_every_steps=300",
        "optim.learning_rate=0.003", "--seeds", "3",
    ],
    "exploding": [
        "clipped: rnn trainer.clip_norm=1.0", "not clipped: rnn trainer.clip_norm=null", "task=adding",
        "task.length=200", "model.width=64", "model.recurrent_gain=2.0", "optim=sgd", "optim.learning_rate=0.1",
        "trainer.max_steps=300", "trainer.eval_every_steps=100", "--seeds", "1",
    ],
}  # fmt: skip
RATES_OF = {"copy-200": "copy-50", "copy-1000": "copy-50"}
"""Parts whose learning rates are those that the search of another part found."""
VIEWS = {"exploding": "gradient"}
"""The view that is drawn of a part's runs; `length` if none is named."""
CURVES = {"truncated": "curves-by-token"}
"""Parts whose picture is one of those that the comparison itself draws."""


def main() -> None:
    """Make each comparison that is asked for, or all; keep its figures and its picture."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--draw", action="store_true", help="draw the pictures of what was measured before")
    given = parts(made, PARTS)
    for part in given.parts:
        if not given.draw:
            # a comparison of which some runs fail has figures too: one explodes on purpose
            save("memory", part, {**comparison([*_words(part), *_ONE_THREAD], runs_may_fail=True), "view": {}})
        _draw(part)


def _words(part: str) -> list[str]:
    if part not in RATES_OF:
        return PARTS[part]
    found = json.loads((RESULTS / f"memory-{RATES_OF[part]}.json").read_text(encoding="utf-8"))
    rates = found["summary"]["settings"]["optim.learning_rate"]

    def with_rate(word: str) -> str:
        label, _, rest = word.partition(": ")
        return f"{label}: {rest or label} optim.learning_rate={rates[label]}" if label in rates else word

    return [with_rate(word) for word in PARTS[part]]


def _draw(part: str) -> None:
    """The part's picture, and beside its figures those that the picture shows."""
    view, path = VIEWS.get(part, "length"), RESULTS / f"memory-{part}.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    place = Path(found["summary"]["folder"])
    PICTURES.mkdir(parents=True, exist_ok=True)
    if part in CURVES:
        shutil.copyfile(place / f"{CURVES[part]}.svg", PICTURES / f"{part}.svg")
        return
    folders, out = list(map(str, sorted(place.glob("*/seed-*")))), place / "inspect"
    command = [sys.executable, "-m", "seqlab", "inspect", *folders, view, "--out", str(out), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    save("memory", part, {**found, "view": json.loads(done.stdout)["pictures"][view]})
    shutil.copyfile(out / f"{view}.svg", PICTURES / f"{part}.svg")


def table(found: dict[str, Any]) -> str:
    """A row for each model, with each seed's result, and the chance level."""
    summary = found["summary"]
    metric = summary["metric"]["name"]
    headings = (
        "model",
        "learning rate",
        "parameters",
        "state, bytes",
        f"test {metric}, by seed",
        "median",
        "training s",
    )
    runs = found["view"].get("runs", ())  # in folders that are called as the models are
    kept = {Path(run["run"]).parent.name: run["state_bytes"] for run in runs if "state_bytes" in run}
    rows = [
        (
            row["label"],
            summary["settings"].get("optim.learning_rate", {}).get(row["label"], ""),
            f"{row['parameters']['all']:,}",
            f"{kept[row['label']]:,}" if row["label"] in kept else "",
            ", ".join(
                (*map(number, row["test"].values()), *(text.partition(";")[0] for text in row["failed"].values()))
            ),
            number(statistics.median(row["test"].values())) if row["test"] else "",
            f"{row['training_seconds']:.0f}" if row["test"] else "",
        )
        for row in summary["rows"]
    ]
    levels = [
        (f"{base['name']} ({base['about']})", "", "", "", number(base["test"][metric]), "", "")
        for base in summary["baselines"]
        if metric in base["test"]
    ]
    shown = f"`{found['shown']}`: {found['minutes']:.1f} minutes (load before: {found['load']:.1f})"
    return f"{shown}\n\n{markdown(headings, [*rows, *levels])}"


if __name__ == "__main__":
    main()

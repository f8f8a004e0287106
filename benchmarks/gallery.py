"""The pictures and figures of docs/gallery.md: trains what is missing, inspects it and stores the pictures' figures.

`python -m benchmarks gallery` keeps its runs in runs/gallery and writes docs/gallery/*.svg.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.tables import markdown, save

FAMILIES = ("rnn", "lstm", "gru", "transformer")
SEEDS = (0, 1, 2)
_CONTEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 512)


def _name(seed: int) -> str:
    return "window128" + (f"-s{seed}" if seed else "")


RUNS = {
    **{
        f"char_lm/{model}/{_name(seed)}": f"model={model} task.window=128 seed={seed}"
        for seed in SEEDS
        for model in FAMILIES
    },
    **{
        f"translation/{model}/{attention}": f"model={model} task=translation model.attention={attention}"
        for model in ("gru", "lstm")
        for attention in ("dot", "none")
    },
    "sentiment/lstm/first": "model=lstm task=sentiment",
    "transcription/gru/keys": "model=gru task=transcription",
}
# what is drawn: a folder of its own for each call, the runs, the words, and which pictures the page shows
PICTURES: dict[str, tuple[list[str], list[str], dict[str, str]]] = {
    "families": (
        [f"char_lm/{model}/window128" for model in FAMILIES],
        ["gradient", "memory"],
        {"gradient": "gradient", "memory": "memory"},
    ),
    "states": (["char_lm/gru/window128"], ["states"], {"states": "states"}),
    "heads": (
        ["char_lm/transformer/window128"],
        ["attention", "embedding"],
        {"attention-decoder-2-attention": "heads", "embedding-embed": "embedding"},
    ),
    "bottleneck": (["translation/gru/dot", "translation/gru/none"], ["bottleneck"], {}),
    "bottleneck-lstm": (
        ["translation/lstm/dot", "translation/lstm/none"],
        ["bottleneck"],
        {"bottleneck": "bottleneck"},
    ),
    "alignment": (
        ["translation/gru/dot"],
        ["attention", "--text", "Sep 3 – 15, 1968"],
        {"attention-decoder": "alignment"},
    ),
    "written": (["transcription/gru/keys"], ["alignment"], {"alignment": "written"}),
    "answers": (["sentiment/lstm/first"], ["confusion", "errors"], {"confusion": "confusion", "errors": "errors"}),
    **{
        f"families-s{seed}": ([f"char_lm/{model}/{_name(seed)}" for model in FAMILIES], ["gradient", "memory"], {})
        for seed in SEEDS[1:]
    },
}


def main() -> None:
    """Train, draw, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=Path, default=Path("runs/gallery"), help="where the runs are, or will be")
    options.add_argument("--out", type=Path, default=Path("docs/gallery"), help="where the pictures go")
    given = options.parse_args()
    for run, overrides in RUNS.items():
        if not (given.runs / run / "result.json").exists():
            print(f"training {run}", file=sys.stderr, flush=True)
            name = run.rpartition("/")[2]
            _seqlab("train", *overrides.split(), f"runs_dir={given.runs}", "--name", name, "--quiet")
    given.out.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {}
    for group, (runs, words, kept) in PICTURES.items():
        print(f"drawing {group}", file=sys.stderr, flush=True)
        folder = given.runs / "inspect" / group
        folders = [str(given.runs / run) for run in runs]
        found[group] = json.loads(_seqlab("inspect", *folders, *words, "--out", str(folder), "--json"))["pictures"]
        for picture, name in kept.items():
            shutil.copyfile(folder / f"{picture}.svg", given.out / f"{name}.svg")
    for view, rows in (
        ("gradient", _reach(found)),
        ("memory", _memory(found)),
        ("states", _followed(found)),
        ("bottleneck", _bottleneck(found)),
        ("answers", _answers(found)),
    ):
        save("gallery", view, {"rows": rows})


def table(found: dict[str, Any]) -> str:
    """The rows as stored."""
    headings = list(dict.fromkeys(heading for row in found["rows"] for heading in row))
    return markdown(headings, ([row.get(heading, "") for heading in headings] for row in found["rows"]))


def _seqlab(*words: str) -> str:
    done = subprocess.run([sys.executable, "-m", "seqlab", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def _families(found: dict[str, Any], view: str) -> dict[str, list[dict[str, Any]]]:
    """The view's figures for each family, seed by seed."""
    groups = ["families", *(f"families-s{seed}" for seed in SEEDS[1:])]
    return {model: [found[group][view]["runs"][place] for group in groups] for place, model in enumerate(FAMILIES)}


def _reach(found: dict[str, Any]) -> list[dict[str, str]]:
    """How far back gradients reach. Lags are counted from 1."""
    rows = []
    for model, runs in _families(found, "gradient").items():
        for part in ("state", "inputs"):
            if runs[0][part] is None:
                continue
            median = runs[0][part]["median"]
            rows.append(
                {
                    "model": model,
                    "with respect to": part,
                    "lag under 1 %, by seed": ", ".join(
                        str(run[part]["lag_under_1_percent"] or "none") for run in runs
                    ),
                    "relative norm at lag 10, 30, 100 (seed 0)": ", ".join(
                        f"{median[lag - 1] / max(median):.2g}" for lag in (10, 30, 100)
                    ),
                }
            )
    return rows


def _memory(found: dict[str, Any]) -> list[dict[str, str]]:
    """The loss by length of context."""
    rows = []
    for model, runs in _families(found, "memory").items():
        by_context = dict(zip(runs[0]["context"], runs[0]["value"], strict=True))
        enough = ", ".join(str(run["effective_context"]) for run in runs)
        values = {f"k = {k}": f"{by_context[k]:.3f}" if k in by_context else "" for k in _CONTEXTS}
        rows.append({"model": model, "enough context, by seed": enough, **values})
    return rows


def _bottleneck(found: dict[str, Any]) -> list[dict[str, str]]:
    """BLEU by length of the source."""
    runs = [run for group in ("bottleneck", "bottleneck-lstm") for run in found[group]["bottleneck"]["runs"]]
    return [
        {"model": run["label"]}
        | {
            f"{group['from']} to {group['to']}": (
                f"{group['bleu']:.1f} ({group['bleu_interval'][0]:.1f} to {group['bleu_interval'][1]:.1f})"
            )
            for group in run["groups"]
        }
        for run in runs
    ]


def _followed(found: dict[str, Any]) -> list[dict[str, str]]:
    """Units that follow a feature of the text."""
    return [
        {
            "unit of the GRU": str(follower["unit"]),
            "feature": follower["feature"],
            "correlation": f"{follower['correlation']:.2f}",
        }
        for follower in found["states"]["states"]["followers"]
    ]


def _answers(found: dict[str, Any]) -> list[dict[str, str]]:
    """The confusion and the calibration of a classifier."""
    counts: dict[str, dict[str, int]] = found["answers"]["confusion"]["confusion"]
    rows = [
        {"label": label, **{f"predicted {other}": str(count) for other, count in row.items()}}
        for label, row in counts.items()
    ]
    error = found["answers"]["errors"]["expected_calibration_error"]
    return [*rows, {"label": f"expected calibration error: {error:.3f}"}]


if __name__ == "__main__":
    main()

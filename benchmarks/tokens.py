"""Tokenizers and readers: speed against the `tokenizers` library alone, and memory and start with ever longer texts.

Each row is measured in a process of its own, on a made-up text in a temporary folder (`--folder`), of which the longest
needs twice its size. Parts: speed (MB/s of the text), memory (the most that a process took, the program included) and
start (seconds from when torch is imported to the end of the first step). `--sizes 1 5` tries it with little.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.tables import markdown, parts, save

_LETTERS = "aabcdeeefghiiklmnnoooprrssttuuvwéß漢"
_WORDS, _LINES, _LENGTH = 20_000, 20_000, 11
_SETTINGS = ("char", "bpe")
_SIZE = 4096
_WINDOWS = 20_000  # read in the measurement of a loader


def make_text(path: Path, megabytes: float) -> Path:
    """Write words that occur as often as those of a language (Zipf), in lines in random order."""
    draw = random.Random(0)
    words = ["".join(draw.choices(_LETTERS, k=draw.randint(1, 9))) for _ in range(_WORDS)]
    weights = [1 / (rank + 1) for rank in range(_WORDS)]
    lines = [" ".join(draw.choices(words, weights, k=_LENGTH)) + draw.choice(".,!?") + "\n" for _ in range(_LINES)]
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < megabytes * 1e6:
            file.write("".join(draw.choices(lines, k=5_000)))
    return path


def alone(measured: Callable[[], dict[str, float]]) -> dict[str, float]:
    """What a function returns that is called in a process of its own, with the most memory that it took, in MB."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_with_peak, measured).result()


def _with_peak(measured: Callable[[], dict[str, float]]) -> dict[str, float]:
    found = measured()
    for name, who in (("peak MB", resource.RUSAGE_SELF), ("peak MB of a worker", resource.RUSAGE_CHILDREN)):
        found[name] = resource.getrusage(who).ru_maxrss / 1024
    return found


def library(text: Path, tokenizer: Path, part: int | None) -> dict[str, float]:
    """The library alone: a whole text in one call, or parts of so many characters."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    from tokenizers import Tokenizer

    read, made = text.read_text(encoding="utf-8"), Tokenizer.from_file(str(tokenizer))
    start = time.perf_counter()
    if part is None:
        tokens = len(made.encode(read).ids)
    else:
        from seqlab.data.subwords import parts_of

        tokens = sum(len(found.ids) for found in made.encode_batch_fast([*parts_of(read, part)]))
    return {"seconds": time.perf_counter() - start, "tokens": tokens}


def in_memory(text: Path, tokens: str) -> dict[str, float]:
    """A task that reads the text from its file, until it has the ids of all splits."""
    from seqlab.config.run import load_run_config
    from seqlab.tasks.char_lm import CharLM

    config = load_run_config([f"task.corpus={text}", f"task.tokens={tokens}"])
    start = time.perf_counter()
    task = config.task.build()
    assert isinstance(task, CharLM)
    return {"seconds": time.perf_counter() - start, "tokens": sum(map(len, task.ids.values()))}


def prepared(text: Path, tokens: str, folder: Path, processes: int) -> dict[str, float]:
    """seqlab data prepare."""
    from seqlab.data.prepared import PreparedBy
    from seqlab.data.preparing import prepare

    size = None if tokens in ("char", "word") else _SIZE
    start = time.perf_counter()
    made = prepare(str(text), folder, PreparedBy.of(tokens, size, "none", 0.8, 0.1), processes=processes)
    return {
        "seconds": time.perf_counter() - start,
        "tokens": sum(entry["tokens"] for entry in made.facts["splits"].values()),
    }


def loaded(folder: Path) -> dict[str, float]:
    """Reading batches of the training split of a prepared corpus, in streams and in random order."""
    from itertools import islice

    from seqlab.data.prepared import Prepared
    from seqlab.data.streams import random_windows, training_streams

    ids, found = Prepared.read(str(folder)).ids("train"), {}
    for name, order in (("streams", training_streams), ("random windows", random_windows)):
        start, tokens = time.perf_counter(), 0
        for batch in islice(order(ids, 32, 64, 0), _WINDOWS // 32):
            tokens += batch.positions
        found[name] = tokens / (time.perf_counter() - start)
    return found


def started(folder: Path, model: str) -> dict[str, float]:
    """Seconds from when torch is imported to the end of the first step on a prepared corpus."""
    import torch

    begun, used = time.perf_counter(), time.process_time()
    from seqlab.config.run import load_run_config
    from seqlab.data.prepared import Prepared
    from seqlab.runs.setup import describe_environment, make_trainer, prepare
    from seqlab.training.device import resolve_device
    from seqlab.training.windows import Windows

    torch.set_num_threads(1)
    overrides = [f"model={model}", f"task.corpus={folder}", "device=cpu", "device.precision=fp32"]
    config = load_run_config([*overrides, *Prepared.read(str(folder)).by.overrides().split()])
    device = resolve_device(config.device, deterministic=False)
    task, network = prepare(config, device)
    trainer = make_trainer(config, task, network, device, folder, describe_environment(task, device))
    windows = Windows(task, network, config.trainer, config.seed)
    trainer.step(next(iter(windows.groups(trainer.progress))))
    return {"seconds": time.perf_counter() - begun, "CPU seconds": time.process_time() - used}


def _speed(folder: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    text, made = make_text(folder / "text.txt", options.sizes[0]), folder / "made"
    megabytes = text.stat().st_size / 1e6
    processes = os.cpu_count() or 1
    rows: dict[str, Callable[[], dict[str, float]]] = {}
    for tokens in _SETTINGS:
        rows[f"{tokens}: data prepare, 1 process"] = partial(prepared, text, tokens, made / f"{tokens}1", 1)
        rows[f"{tokens}: data prepare, {processes} processes"] = partial(
            prepared, text, tokens, made / f"{tokens}n", processes
        )
        rows[f"{tokens}: read by a run"] = partial(in_memory, text, tokens)
    tokenizer = made / "bpe1" / "tokenizer.json"
    rows["bpe: tokenizers alone, whole text, encoding only"] = partial(library, text, tokenizer, None)
    rows["bpe: tokenizers alone, parts, encoding only"] = partial(library, text, tokenizer, 2**14)
    for name, measured in rows.items():
        found = alone(measured)
        yield {"what": name, "MB": megabytes, "MB/s": megabytes / found["seconds"], "tokens": int(found["tokens"])}
    for tokens in _SETTINGS:
        for order, speed in alone(partial(loaded, made / f"{tokens}1")).items():
            if not order.startswith("peak"):
                yield {"what": f"{tokens}: batches, {order}", "MB": megabytes, "tokens/s": round(speed)}


def _memory(folder: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for megabytes in options.sizes:
        text = make_text(folder / "text.txt", megabytes)
        for tokens in _SETTINGS:
            ways = {
                "data prepare": partial(prepared, text, tokens, folder / f"{tokens}{megabytes}", os.cpu_count() or 1)
            }
            if text.stat().st_size < 2**30:
                ways["read by a run"] = partial(in_memory, text, tokens)
            for way, measured in ways.items():
                found = alone(measured)
                row = {"what": f"{tokens}: {way}", "MB": megabytes, "seconds": found["seconds"]}
                yield {**row, **{name: round(value) for name, value in found.items() if name.startswith("peak")}}


def _start(folder: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for megabytes in options.sizes:
        made = folder / f"start{megabytes}"
        alone(partial(prepared, make_text(folder / "text.txt", megabytes), "char", made, os.cpu_count() or 1))
        for model in ("lstm", "transformer"):
            tries = [alone(partial(started, made, model)) for _ in range(3)]
            least = {name: min(found[name] for found in tries) for name in ("seconds", "CPU seconds")}
            yield {"what": f"{model}, prepared characters, the best of 3", "MB": megabytes, **least}


PARTS = {"speed": _speed, "memory": _memory, "start": _start}


def table(found: dict[str, Any]) -> str:
    """The rows of a part, for docs/."""
    columns = list(dict.fromkeys(name for row in found["rows"] for name in row))
    return markdown(columns, ([_shown(row.get(column)) for column in columns] for row in found["rows"]))


def _shown(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:.3g}" if cell < 1000 else f"{cell:,.0f}"
    return "" if cell is None else f"{cell:,}" if isinstance(cell, int) else str(cell)


def main() -> None:
    """Measure parts and store what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=float, nargs="+", default=[20, 200, 2000], help="of the texts, in MB")
    parser.add_argument("--folder", type=Path, default=None, help="for the texts; by default a temporary one")
    parser.add_argument("--try", dest="dry", action="store_true", help="print what is measured, and store nothing")
    options = parts(parser, PARTS)
    if options.folder is not None:
        options.folder.mkdir(parents=True, exist_ok=True)
    for part in options.parts:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            rows = []
            for row in PARTS[part](Path(folder), options):
                rows.append(row)
                print("  ".join(f"{name}: {_shown(value)}" for name, value in row.items()), flush=True)
        if not options.dry:
            save("tokens", part, {"rows": rows})


if __name__ == "__main__":
    main()

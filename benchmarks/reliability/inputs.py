"""Mistaken and hostile input: each must end in one clear error."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import resource
import shutil
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import torch
import yaml

from benchmarks.reliability import world
from benchmarks.reliability.rounds import Count
from seqlab.checkpoints.files import STATE, TENSORS, read_checkpoint, write_checkpoint
from seqlab.checkpoints.retention import checkpoints_in
from seqlab.cli import main
from seqlab.config.compose import settings

_CODES = range(2, 8)
_SECONDS, _MEMORY = 60, 16 * 2**30
_FAST = ["device=cpu", "device.threads=1", "trainer.max_steps=2"]


@dataclass(frozen=True)
class Case:
    """One input: the words, what to prepare for it, and whether it may also be let through unharmed."""

    name: str
    words: list[str]
    prepare: Callable[[Path], object] = lambda here: None
    may_pass: bool = False


def command_line(words: list[str]) -> world.Ended:
    """`seqlab WORDS` in a child that may neither hang nor take all memory."""

    def body() -> None:
        signal.alarm(_SECONDS)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        sys.argv = ["seqlab", *words]
        try:
            main()
        except SystemExit as end:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(int(end.code or 0))

    return world.run(body)


# exit codes that are not those of their group: 2 configuration or usage, 3 data, 4 checkpoint, 6 resources
_OTHER_CODES = {
    "runs_dir": 6, "language": 3, "language too": 3, "nothing to resume": 4, "a run": 4, "diff": 4, "init_from": 4,
    "init_from another": 4, "no bleu": 2, "resume fewer steps": 2, "resume no steps": 2, "resume another model": 2,
    "resume verify with more": 2, "resume no such key": 2, "resume a config that is text": 2,
    "resume an empty config": 2, "resume half a config": 2, "resume a list for a config": 2,
}  # fmt: skip


def bad_inputs(here: Path) -> Count:
    """Each must give the exit code of its kind, one to three lines from `error:` on, no traceback, and no run."""
    count = Count()
    _stored_run(here)
    groups = {2: (*_bad_settings(), *_bad_words()), 3: tuple(_bad_data()), 4: tuple(_bad_resumes(here))}
    for code, case in ((code, case) for code, cases in groups.items() for case in cases):
        case.prepare(here)
        ended = command_line(case.words)
        clear = _is_one_error(ended.said) and "Traceback" not in ended.said
        left = list((here / "runs").rglob("config.yaml"))
        right = ended.code == _OTHER_CODES.get(case.name, code) and clear and not left
        count.add(right, f"{case.name}: {case.words}: exit {ended.code}: {ended.said[-400:]}")
        shutil.rmtree(here / "runs", ignore_errors=True)
    return count


def _is_one_error(said: str) -> bool:
    """One to three lines, the first an error; a warning for each checkpoint that is passed over may come before."""
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith("warning: ")]
    return 1 <= len(lines) <= 3 and lines[0].startswith("error: ")


def _bad_settings() -> Iterator[Case]:
    """Every setting of every model and task with a value of the wrong kind, and every number out of its range."""
    seen: set[str] = set()
    for model, task in zip((*world.MODELS, *world.MODELS[:2]), cycle(world.TASKS), strict=False):
        found = settings([f"model={model}", f"task={task}"])
        for key, value in found.items():
            kind = (key, type(value).__name__)
            if kind[0] in seen or isinstance(value, str) or (value is None and not key.startswith("trainer.")):
                continue
            seen.add(key)
            start = ["train", f"model={model}", f"task={task}"]
            yield Case("no such value", [*start, f"{key}=nonsense"])
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield Case("out of range", [*start, f"{key}=-1"])
                yield Case("a table", [*start, f"{key}={{a:1}}"])


def _bad_words() -> Iterator[Case]:
    typed = {
        "no such model": "train model=lsmt",
        "no such task": "train task=charlm",
        "no such device": "train device=gpu",
        "no such optimizer": "train optim=adma",
        "no such experiment": "train experiment=long",
        "no such setting": "train trainer.clip_nrom=1",
        "a bare word": "train lstm",
        "twice": "train model=lstm model=gru",
        "a sweep": "train model=lstm,gru",
        "taken away": "train ~trainer.max_steps",
        "added": "train +trainer.max_steps=3",
        "hydra's own": "train hydra.run.dir=x",
        "no value": "train model=",
        "no key": "train =3",
        "open bracket": "train optim.betas=[0.9",
        "a reference": "train seed=${nothing}",
        "heads": "train model=transformer model.heads=3 model.width=64",
        "context": "train model=transformer model.context=3",
        "window": "train trainer.bptt_steps=999",
        "shares": "train task.train_share=0.9 task.validation_share=0.9",
        "no end": "train trainer.max_steps=null",
        "no horizon": "train optim.schedule=cosine trainer.max_steps=null trainer.max_epochs=1",
        "fp16 on a CPU": "train device=cpu device.precision=fp16",
        "on_nonfinite": "train trainer.on_nonfinite=ignore",
        "a name up": "train --name ../x",
        "an absolute name": "train --name /tmp/x",
        "a name with a slash": "train --name a/b",
        "two places": "train --name a --folder b",
        "no such folder of configs": "train --config-dir nowhere",
        "an option": "train --nope",
        "a command": "trian",
        "nothing to resume": "resume nowhere",
        "a resume without a run": "resume",
        "a list": "list modles",
        "a run": "runs show nowhere",
        "runs of a task": "runs --task nothing --runs-dir stored",
        "runs sorted": "runs --sort nothing --runs-dir stored",
        "no such model to compare": "compare lstm gur",
        "budget": "compare lstm gru --budget 60x",
        "match": "compare lstm gru --match body=much",
        "match what": "compare lstm gru --match heart=500k",
        "tune": "compare lstm gru --tune lr=0",
        "tune what": "compare lstm gru --tune depth=5",
        "seeds": "compare lstm gru --seeds 0",
        "two tasks": "compare 'lstm task=char_lm' 'gru task=sentiment'",
        "init_from": "train init_from=nowhere",
        "init_from another": "train model=gru init_from=stored/run",
        "config": "config lstm",
        "config key": "config model.widht=3",
        "runs_dir": "train runs_dir=/proc/nowhere",
        "language": "train task=translation task.target=../../etc/passwd",
        "language too": "train task=translation task.target=klingon",
        "diff": "runs diff stored/run nowhere",
    }  # fmt: skip
    import shlex

    for name, line in typed.items():
        yield Case(name, shlex.split(line))


def _bad_data() -> Iterator[Case]:
    """Files that hold no corpus, for each of the three readers."""
    text, csv, tsv = b"the quick brown fox. " * 50, "bad.csv", "bad.tsv"
    rows = b"text,label\n" + b"good film,yes\nbad film,no\n" * 20
    files: dict[str, bytes] = {
        "empty": b"",
        "white space": b" \n\t \r\n",
        "only a mark": b"\xef\xbb\xbf",
        "NUL": text + b"\0" + text,
        "half of UTF-16": text.decode().encode("utf-16")[:-1],
        "UTF-16 without a mark": text.decode().encode("utf-16-le"),
        "Latin-1": text + "caf\xe9".encode("latin-1"),
        "half a character": text + "é".encode()[:1],
        "a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4,
        "a pickle": pickle.dumps({"text": "x" * 300}),
    }
    for task, name in (("char_lm", "bad.txt"), ("sentiment", csv), ("translation", tsv)):
        start = ["train", f"task={task}", *_FAST]
        for kind, content in files.items():
            yield _file(f"{task} {kind}", start, name, content)
        yield _file(f"{task} no gzip", start, f"{name}.gz", text)
        yield _file(f"{task} half a gzip", start, f"{name}.gz", gzip.compress(text * 50)[:-20])
        yield _file(f"{task} NUL in gzip", start, f"{name}.gz", gzip.compress(bytes(1000)))
        yield Case(f"{task} a folder", [*start, "task.corpus=./"])
        yield Case(f"{task} missing", [*start, f"task.corpus=./no-{name}"])
        yield Case(f"{task} no such corpus", [*start, "task.corpus=wikipedia"])
        yield Case(f"{task} up and away", [*start, "task.corpus=../../../../nowhere/x"])
        yield Case(f"{task} a device", [*start, "task.corpus=/dev/zero"])
        yield Case(f"{task} a long name", [*start, f"task.corpus={'x' * 5000}"])
        yield Case(f"{task} a pipe", [*start, "task.corpus=./pipe"], lambda here: _pipe(here / "pipe"))
        yield Case(f"{task} sparse", [*start, "task.corpus=./sparse"], lambda here: _sparse(here / "sparse"))
        yield Case(f"{task} too short", [*start, f"task.corpus=./{name}"], _writes(name, b"ab\n"))
    for kind, content in {
        "no column": b"words,label\ngood,yes\nbad,no\n",
        "no label column": b"text,answer\ngood,yes\nbad,no\n",
        "few columns": rows + b"only a text\n",
        "no label": rows + b"good film,\n",
        "no text": rows + b",yes\n",
        "one label": b"text,label\n" + b"good film,yes\n" * 30,
        "few rows": b"text,label\ngood,yes\nbad,no\n",
        "an open quote": rows + b'"good film,yes\n',
        "text after a quote": rows + b'"good" film,yes\n',
        "a header alone": b"text,label\n",
        "spaces for commas": rows.replace(b",", b" "),
        "an unquoted comma": rows + b"good, bad film,no\n",
        "no header": rows.partition(b"\n")[2],
        "two spellings of a number": b"text,label\n" + b"good film,1\nbad film,1.0\n" * 20,
        "measurements": b"text,label\n" + b"".join(b"film %d,%d.5\n" % (n, n) for n in range(300)),
        "an Excel workbook": b"PK\x03\x04" + bytes(100),
    }.items():
        yield _file(f"sentiment {kind}", ["train", "task=sentiment", *_FAST], csv, content)
    pairs = b"one\tun\ntwo\tdeux\n" * 30
    for kind, content in {
        "one column": b"one\ntwo\n" * 30,
        "no translation": pairs + b"three\t\n",
        "no source": pairs + b"\ttrois\n",
        "few pairs": b"one\tun\ntwo\tdeux\n",
    }.items():
        yield _file(f"translation {kind}", ["train", "task=translation", *_FAST], tsv, content)
    start = ["train", "task=translation", *_FAST]
    yield Case("three files", [*start, "task.corpus='a,b,c'"])
    yield Case("unequal files", [*start, "task.corpus='a.en,b.fr'"], _writes("a.en", b"one\ntwo\n", "b.fr", b"un\n"))
    yield Case("all too long", [*start, "task.corpus=pairs.tsv", "task.max_length=1"])
    yield Case("no bleu", [*start, "task.corpus=pairs.tsv", "task.metric=rouge"])
    yield Case("long lines of char_lm", ["train", "task.corpus=corpus.txt", "task.window=5000", *_FAST])


def _bad_resumes(here: Path) -> Iterator[Case]:
    """A stored run that was changed in one way each."""
    run = here / "copy"
    step = checkpoints_in(here / "stored" / "run" / "checkpoints")[-1].name

    def changed(name: str, change: Callable[[Path], object], *more: str, where: str = "copy") -> Case:
        def prepare(_: Path) -> None:
            shutil.rmtree(run, ignore_errors=True)
            shutil.copytree(here / "stored" / "run", run)
            change(run)

        return Case(f"resume {name}", ["resume", where, *more], prepare)

    for key, value in {
        "model.width": 16, "model.layers": 2, "model.dropout": 0.5, "task.window": 9, "task.batch_size": 5, "seed": 9,
        "optim.learning_rate": 0.5, "trainer.clip_norm": 9.0, "trainer.eval_every_steps": 3, "trainer.accumulate": 2,
    }.items():  # fmt: skip
        yield changed(f"with an edited {key}", _on(_edit, key, value))
        yield changed(f"with {key}={value}", lambda run: None, f"{key}={value}")
    yield changed("fewer steps", lambda run: None, "trainer.max_steps=3")
    yield changed("no steps", lambda run: None, "trainer.max_steps=none")
    yield changed("another model", lambda run: None, "model=gru")
    yield changed("verify with more", lambda run: None, "--verify", "trainer.max_steps=99")
    yield changed("no such key", lambda run: None, "trainer.max_stesp=99")
    yield changed("a config that is text", lambda run: (run / "config.yaml").write_text("hello"))
    yield changed("an empty config", lambda run: (run / "config.yaml").write_text(""))
    yield changed("half a config", lambda run: _cut(run / "config.yaml"))
    yield changed("no config", lambda run: (run / "config.yaml").unlink())
    yield changed("a list for a config", lambda run: (run / "config.yaml").write_text("- 1\n- 2\n"))
    yield changed("no such checkpoint", lambda run: None, where="copy/checkpoints/step-00000099")
    yield changed("no checkpoint's name", lambda run: None, where="copy/checkpoints/latest")
    for name in (TENSORS, STATE, "MANIFEST.json"):
        named = f"copy/checkpoints/{step}"
        yield changed(f"a named checkpoint, cut {name}", _on(_in_checkpoint, step, name, _cut), where=named)
        yield changed(f"a named checkpoint, no {name}", _on(_in_checkpoint, step, name, Path.unlink), where=named)
        yield changed(
            f"all with an empty {name}",
            _on(_all, name, b""),
        )
    yield changed("a newer format", lambda run: _doctor(run, lambda tensors, state: state.update(format=99)))
    yield changed("weights of another", lambda run: _doctor(run, _other_weights))
    yield changed("another corpus", lambda run: _edit(run, "task.corpus", "other.txt"))
    yield changed("a corpus that is gone", lambda run: _edit(run, "task.corpus", "./gone.txt"))


# --- hostile --------------------------------------------------------------------------------------------

CANARY = "canary"


class _Bomb:
    """Unpickling it creates the canary file."""

    def __reduce__(self) -> Any:
        return os.system, (f"touch {CANARY}",)


def hostile_files(here: Path) -> Count:
    """Nothing that a file says may run, hang, take all memory, or reach outside its run's folder; what is shown of it
    must not steer the terminal."""
    count = Count()
    _stored_run(here)
    (here / "evil.py").write_text(f"open({CANARY!r}, 'w')\n\n\nclass Model:\n    pass\n")
    for case in _hostile(here):
        for folder in ("copy", "runs"):
            shutil.rmtree(here / folder, ignore_errors=True)
        victim = here / "victim"
        victim.write_text("untouched\n")
        case.prepare(here)
        ended = command_line(case.words)
        ran = (here / CANARY).exists() or victim.read_text() != "untouched\n"
        codes = (0, *_CODES) if case.may_pass else tuple(_CODES)
        clear = ended.code in codes and "Traceback" not in ended.said and "\x1b" not in ended.said
        clear = clear and (case.may_pass or _is_one_error(ended.said))
        count.add(clear and not ran, f"{case.name}: ran {ran}, exit {ended.code}: {ended.said[-300:]}")
        (here / CANARY).unlink(missing_ok=True)
    return count


def _hostile(here: Path) -> Iterator[Case]:
    run, bomb = here / "copy", pickle.dumps(_Bomb())

    def doctored(name: str, change: Callable[[Path], object], *, may_pass: bool = False, words: str = "resume") -> Case:
        def prepare(_: Path) -> None:
            shutil.copytree(here / "stored" / "run", run)
            change(run)

        return Case(name, [*words.split(), "copy"], prepare, may_pass)

    yield Case("a pickle for a run", ["resume", "model.pt"], _writes("model.pt", bomb))
    yield Case("a pickle to start from", ["train", "init_from=model.pt"], _writes("model.pt", bomb))
    yield doctored("a pickle for tensors", lambda run: _raw(run, TENSORS, bomb))
    yield doctored("a pickle for the state", lambda run: _raw(run, STATE, bomb))
    yield doctored("a pickle for a config", lambda run: (run / "config.yaml").write_bytes(bomb))
    yield doctored("torch's own file for tensors", lambda run: _torch_file(run))
    header: dict[str, Any]
    for name, header in {
        "overlapping": {"a": _entry([4], [0, 16]), "b": _entry([4], [8, 24])},
        "out of the file": {"a": _entry([4], [0, 10**15])},
        "backwards": {"a": _entry([4], [16, 0])},
        "of another size": {"a": _entry([10**9, 10**9], [0, 16])},
        "negative": {"a": _entry([-4], [0, 16])},
        "of no known type": {"a": _entry([4], [0, 16], "F99")},
        "too many for a number": {"a": _entry([2**62, 2**62], [0, 16])},
        "no list": {"a": {"dtype": "F32", "shape": "many", "data_offsets": [0, 16]}},
    }.items():
        yield doctored(f"tensors {name}", _on(_raw, TENSORS, _safetensors(header)))
    yield doctored("a header of all memory", lambda run: _raw(run, TENSORS, struct.pack("<Q", 2**62) + b"{}"))
    yield doctored("a header past the end", lambda run: _raw(run, TENSORS, struct.pack("<Q", 10**6) + b"{}"))
    deep = _deep(100_000)
    yield doctored("a deep header", lambda run: _raw(run, TENSORS, struct.pack("<Q", len(deep)) + deep))
    yield doctored("a deep state", lambda run: _raw(run, STATE, deep))
    yield doctored("a deep manifest", lambda run: _all(run, "MANIFEST.json", deep))
    yield doctored("a number without end", lambda run: _raw(run, STATE, b'{"format": ' + b"9" * 100_000 + b"}"))
    yield doctored("a manifest of all memory", lambda run: _manifest(run, "bytes", 10**18))
    yield doctored(
        "a manifest that points elsewhere",
        lambda run: _all(run, "MANIFEST.json", b'{"files": {"../../../victim": {"bytes": 1, "sha256": "0"}}}'),
    )
    yield doctored("a deep result", lambda run: (run / "result.json").write_bytes(deep), may_pass=True)
    yield doctored("a deep environment", lambda run: (run / "environment.json").write_bytes(deep), may_pass=True)
    yield doctored(
        "a deep environment, listed",
        lambda run: (run / "environment.json").write_bytes(deep),
        may_pass=True,
        words="runs show",
    )
    laughs = "a0: &a0 [ha, ha]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    for name, text in {
        "a billion laughs": laughs,
        "a deep config": "[" * 50_000,
        "a large config": "x: " + "y" * 5_000_000,
        "a command in YAML": f"!!python/object/apply:os.system ['touch {CANARY}']\n",
        "a new object in YAML": f"model: !!python/object/new:os.system ['touch {CANARY}']\n",
    }.items():
        yield doctored(name, _on(_config, text))
        yield doctored(f"{name}, listed", _on(_config, text), words="runs show")
    for target in (
        "os.system", "subprocess.Popen", "torch.utils.collect_env.run", "builtins.exec", "evil.Model", "evil",
        "seqlab.cli.main", "seqlab.__main__.main", "seqlab.runs.train.train", "seqlab.cli.app.os.system",
        "seqlab.training.trainer.Trainer", "torch.load", "seqlab.core.model.ModelConfig",
    ):  # fmt: skip
        yield doctored(f"_target_ {target}", _on(_edit, "model._target_", target))
    yield doctored("_target_ in a checkpoint", lambda run: _doctor(run, _evil_origin))
    yield doctored("a reference in a config", lambda run: _edit(run, "task.corpus", "${oc.env:HOME}"))
    yield doctored("orders for the optimizer", lambda run: _doctor(run, _evil_groups))
    yield doctored("a random state that is none", lambda run: _doctor(run, lambda t, s: t["random.torch"].fill_(255)))
    yield doctored("a Python state that is none", lambda run: _doctor(run, lambda t, s: t["random.python"].fill_(-1)))
    yield doctored("a step beyond all", lambda run: _doctor(run, lambda t, s: s["progress"].update(step=10**30)))
    yield doctored("a step before all", lambda run: _doctor(run, lambda t, s: s["progress"].update(step=-3)))
    yield doctored("a state that points nowhere", lambda run: _doctor(run, lambda t, s: s.update(carried=[["7"]])))
    yield doctored(
        "a state of all memory", lambda run: _doctor(run, lambda t, s: t.update({"carried.0": torch.zeros(10**11, 0)}))
    )
    yield doctored("windows beyond all", lambda run: _doctor(run, lambda t, s: s["progress"].update(windows=2**70)))
    yield doctored(
        "NumPy's place far away", lambda run: _doctor(run, lambda t, s: s["random"].update(numpy_position=10**6))
    )
    for threads in (10**9, -1, "many", [1]):
        yield doctored(f"{threads} threads", _on(_doctor, _on_state(["run", "environment", "threads"], threads)))
    yield doctored("a config for threads", _on(_edit, "device.threads", 10**9))
    yield doctored(
        "text that is none, typed", lambda run: (run / "overrides.txt").write_bytes(b"\xff\xfe"), may_pass=True
    )
    yield doctored(
        "an environment of other kinds",
        lambda run: (run / "environment.json").write_text(
            '{"packages": [], "chosen": 3, "resumed": {}, "data_sha256": NaN}'
        ),
        may_pass=True,
    )
    yield doctored("a finished run of other kinds", _finish_oddly, may_pass=True)
    yield doctored("a state without what a replay needs", lambda run: _doctor(run, lambda t, s: s.pop("interval")))
    verified = "resume --verify"
    yield doctored("the same, verified", lambda run: _doctor(run, lambda t, s: s.pop("scaler")), words=verified)
    yield doctored(
        "text for progress, verified", lambda run: _doctor(run, lambda t, s: s.update(progress="all")), words=verified
    )
    yield doctored("as deep as it goes", lambda run: (run / "environment.json").write_bytes(_deep(400)), may_pass=True)
    yield doctored("a state as deep as it goes", lambda run: _raw(run, STATE, _deep(400)))
    yield doctored("an event without end", lambda run: _endless_event(run), may_pass=True)
    yield doctored(
        "a file for a checkpoint", lambda run: (run / "checkpoints" / "step-00000099").write_text("x"), may_pass=True
    )
    yield doctored("text for progress", lambda run: _doctor(run, lambda t, s: s.update(progress="all")))
    for name in ("metrics.jsonl", "train.log", "config.yaml", ".lock", "overrides.txt", "samples.txt", "result.json"):
        yield doctored(f"{name} links to a victim", _on(_link_in, name, here / "victim"))
    yield doctored(
        "checkpoints elsewhere", lambda run: _link(run / "checkpoints", here / "stored" / "run" / "checkpoints")
    )
    yield doctored(
        "tensors link to a device",
        lambda run: _link(checkpoints_in(run / "checkpoints")[-1] / TENSORS, Path("/dev/zero")),
    )
    yield doctored("a pipe for a state", lambda run: _pipe(checkpoints_in(run / "checkpoints")[-1] / STATE))
    yield doctored("a pipe for a log", lambda run: _pipe(run / "metrics.jsonl"))
    yield doctored(
        "events that lie", lambda run: (run / "events.out.tfevents.1.x").write_bytes(b"\xff" * 4000), may_pass=True
    )
    yield doctored(
        "a log that lies",
        lambda run: (run / "metrics.jsonl").write_bytes(deep + b'\n[]\n{"step": {}}\n\xff\n'),
        may_pass=True,
    )
    for name in ("../up", "/tmp/away", "a/b", ".hidden", "", "a\nb", "\x1b[31mred", "-rf", "a\0b"):
        yield Case(f"a name {name!r}", ["train", *_FAST, f"--name={name}"])
    for name in ("\x1b[2Jgone", "../\x1b]0;title\x07", "a\rb", "\u202etxt.exe"):
        yield Case(f"a corpus {name!r}", ["train", *_FAST, f"task.corpus='{name}'"])
        yield Case(f"a run {name!r}", ["resume", name])


# --- small parts ----------------------------------------------------------------------------------------


def _stored_run(here: Path) -> None:
    """A run that was stopped: stored/run with three checkpoints and no result."""
    if (here / "stored").exists():
        return
    ended = world.run(world.begin(here / "stored" / "run", world.overrides("lstm", "char_lm")))
    assert ended.code == 0, ended.said
    (here / "stored" / "run" / "result.json").unlink()
    (here / "other.txt").write_text("quite another alphabet: zyx wvu\n" * 60)


def _file(name: str, start: list[str], file: str, content: bytes) -> Case:
    return Case(name, [*start, f"task.corpus=./{file}"], _writes(file, content))


def _writes(*parts: Any) -> Callable[[Path], object]:
    return lambda here: [
        (here / name).write_bytes(content) for name, content in zip(parts[::2], parts[1::2], strict=True)
    ]


def _on(change: Callable[..., object], *arguments: Any) -> Callable[[Path], object]:
    return lambda run: change(run, *arguments)


def _config(run: Path, text: str) -> None:
    (run / "config.yaml").write_text(text)


def _in_checkpoint(run: Path, step: str, name: str, change: Callable[[Path], object]) -> None:
    change(run / "checkpoints" / step / name)


def _link_in(run: Path, name: str, to: Path) -> None:
    _link(run / name, to)


def _pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10 * 10**9)


def _link(path: Path, to: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.symlink_to(to)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _edit(run: Path, key: str, value: Any) -> None:
    tree = yaml.safe_load((run / "config.yaml").read_text())
    node = tree
    *parents, last = key.split(".")
    for parent in parents:
        node = node[parent]
    node[last] = value
    (run / "config.yaml").write_text(yaml.safe_dump(tree))


def _doctor(run: Path, change: Callable[[dict[str, torch.Tensor], dict[str, Any]], object]) -> None:
    """Change every checkpoint and recompute its hashes."""
    for checkpoint in checkpoints_in(run / "checkpoints"):
        tensors, state = read_checkpoint(checkpoint)
        change(tensors, state)
        write_checkpoint(checkpoint, tensors, state)


def _on_state(path: list[str], value: Any) -> Callable[[dict[str, torch.Tensor], dict[str, Any]], None]:
    def change(tensors: dict[str, torch.Tensor], state: dict[str, Any]) -> None:
        for name in path[:-1]:
            state = state[name]
        state[path[-1]] = value

    return change


def _deep(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


def _finish_oddly(run: Path) -> None:
    """A finished run whose last checkpoint has text in place of numbers in its progress."""
    facts = {"primary": "x", "validation": {}, "test": {}, "metrics": {}, "seconds": 1}
    (run / "result.json").write_text(json.dumps(facts))
    _doctor(run, lambda tensors, state: state["progress"].update(epoch="x", seconds="y"))


def _endless_event(run: Path) -> None:
    """A record with a valid header that claims an enormous length."""
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    header = struct.pack("<Q", 2**64 - 1)
    (run / "events.out.tfevents.1.x").write_bytes(header + struct.pack("<I", masked_crc32c(header)) + bytes(64))


def _other_weights(tensors: dict[str, torch.Tensor], state: dict[str, Any]) -> None:
    name = next(name for name in tensors if name.startswith("network."))
    tensors[name] = torch.zeros(3, 3)


def _evil_origin(tensors: dict[str, torch.Tensor], state: dict[str, Any]) -> None:
    state["run"]["config"]["model"]["_target_"] = "os.system"


def _evil_groups(tensors: dict[str, torch.Tensor], state: dict[str, Any]) -> None:
    state["optimizer"]["param_groups"][0]["betas"] = {"_target_": "os.system"}


def _raw(run: Path, name: str, data: bytes) -> None:
    """Put these bytes into every checkpoint, with a matching manifest."""
    import hashlib

    for checkpoint in checkpoints_in(run / "checkpoints"):
        (checkpoint / name).write_bytes(data)
        facts = {
            file: {
                "bytes": (checkpoint / file).stat().st_size,
                "sha256": hashlib.sha256((checkpoint / file).read_bytes()).hexdigest(),
            }
            for file in (TENSORS, STATE)
        }
        text = json.dumps({"files": facts}, indent=1, sort_keys=True) + "\n"
        (checkpoint / "MANIFEST.json").write_text(text)


def _all(run: Path, name: str, data: bytes) -> None:
    for checkpoint in checkpoints_in(run / "checkpoints"):
        (checkpoint / name).write_bytes(data)


def _manifest(run: Path, key: str, value: Any) -> None:
    for checkpoint in checkpoints_in(run / "checkpoints"):
        facts = json.loads((checkpoint / "MANIFEST.json").read_text())
        facts["files"][TENSORS][key] = value
        (checkpoint / "MANIFEST.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")


def _torch_file(run: Path) -> None:
    for checkpoint in checkpoints_in(run / "checkpoints"):
        torch.save(_Bomb(), checkpoint / TENSORS)
    _raw(run, TENSORS, (checkpoints_in(run / "checkpoints")[0] / TENSORS).read_bytes())


def _entry(shape: list[int], offsets: list[int], dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def _safetensors(header: dict[str, Any]) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(24)

"""What each dependency costs: megabytes on the disk, and seconds to import it.

MB: with everything that it requires. MB alone: what is installed for no other of our dependencies. Seconds: CPU time to
import it in a process of its own, the least of the rounds. At --help: whether `seqlab --help` imports it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution

from benchmarks.harness import Report, parser
from benchmarks.tables import TOP

_NAME = re.compile(r"[\w.-]+")
_HELP = """
import sys; sys.argv = ["seqlab", "--help"]
from seqlab.cli import main
try: main()
except SystemExit: pass
print("\\n" + " ".join({name.partition(".")[0] for name in sys.modules}))
"""


def main() -> None:
    """Print a row for each dependency of pyproject.toml."""
    options = parser(__doc__).parse_args()
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [_NAME.match(text)[0].lower() for text in project["dependencies"]]  # type: ignore[index]
    imported = {"hydra-core": "hydra", "scikit-learn": "sklearn", "pillow": "PIL"}
    modules = {name: imported.get(name, name.replace("-", "_")) for name in names}
    helped = _python(_HELP).splitlines()[-1].split()
    empty = min(_seconds("pass") for _ in range(options.rounds))
    report = Report("install", ("package", "version", "MB", "MB alone", "CPU s to import", "at --help"), options)
    for name in names:
        if options.only not in name:
            continue
        others = set().union(*(needed_by(other) for other in names if other != name))
        code = f"import {modules[name]}"
        seconds = min(_seconds(code) for _ in range(options.rounds)) - empty
        loaded = "yes" if modules[name] in helped else "no"
        whole, alone = (sum(map(size, found)) / 1e6 for found in (needed_by(name), needed_by(name) - others))
        report.add(name, distribution(name).version, whole, alone, max(0.0, seconds), loaded)
    report.finish()


@cache
def needed_by(name: str) -> frozenset[str]:
    """A distribution and all that it requires here, without extras."""
    try:
        wanted = distribution(name).requires or []
    except PackageNotFoundError:  # for another system or Python
        return frozenset()
    below: Iterable[str] = (text for text in wanted if "extra ==" not in text)
    return frozenset({name}).union(*(needed_by(_NAME.match(text)[0].lower()) for text in below))  # type: ignore[index]


def size(name: str) -> int:
    """Bytes of a distribution's files."""
    paths = (path.locate() for path in distribution(name).files or ())
    return sum(path.stat().st_size for path in map(TOP.joinpath, map(str, paths)) if path.is_file())


def _seconds(code: str) -> float:
    before = os.times()
    _python(code)
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])  # of child processes, in user and system mode


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()

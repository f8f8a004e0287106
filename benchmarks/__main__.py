"""`python -m benchmarks NAME [OPTIONS]` runs one benchmark; without a name it lists them."""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path

_PARTS = ("__init__", "__main__", "elsewhere", "executors_check", "harness", "loops", "ours")


def main() -> None:
    """Run the named benchmark."""
    here = Path(__file__).parent
    names = sorted({path.stem for path in here.iterdir() if path.suffix == ".py" or (path / "__main__.py").exists()})
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in names or name in _PARTS:
        if name and name not in ("-h", "--help"):
            print(f"there is no benchmark called {name}")
        print(__doc__)
        for found in names:
            if found not in _PARTS:
                spec = find_spec(f"benchmarks.{found}")
                text = Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else ""
                print(f"  {found:16}{text.splitlines()[0].strip(chr(34))}")
        sys.exit(0 if name in ("", "-h", "--help") else 2)
    sys.argv[:2] = [f"python -m benchmarks {name}"]
    # imported under its own name: contenders' processes look their function up there
    module = f"benchmarks.{name}.__main__" if (here / name).is_dir() else f"benchmarks.{name}"
    importlib.import_module(module).main()


if __name__ == "__main__":
    main()

"""What counting and compressing reach on the text of char_lm: `python -m benchmarks.baselines [CORPUS]`.

Both as `seqlab compare` shows them (knowing train alone, as the models do) and with the validation split added to
what they know.
"""

from __future__ import annotations

import json
import sys

from seqlab.baselines.n_gram import best_n_gram, xz_bits
from seqlab.config.run import load_run_config
from seqlab.tasks.char_lm import CharLM


def main() -> None:
    """Print one JSON object."""
    corpus = [f"task.corpus={sys.argv[1]}"] if len(sys.argv) > 1 else []
    task = load_run_config(["task=char_lm", *corpus]).task.build()
    assert isinstance(task, CharLM)
    train, validation, test = task.texts["train"], task.texts["validation"], task.texts["test"]
    order, bits = best_n_gram(train, validation, test)
    found = {
        "order": order,
        "n_gram_test_bits": bits,
        "xz_test_bits": xz_bits(train, test),
        "n_gram_test_bits_with_validation": best_n_gram(train + validation, validation, test, order)[1],
        "xz_test_bits_with_validation": xz_bits(train + validation, test),
    }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()

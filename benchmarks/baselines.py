"""What counting and compressing reach on the text of char_lm: `python -m benchmarks.baselines [CORPUS]`.

Both as `seqlab compare` shows them (knowing train alone, as the models do) and with the validation split added to
what they know.
"""

from __future__ import annotations

import sys
from typing import Any

from benchmarks.tables import markdown, save
from seqlab.baselines.n_gram import best_n_gram, xz_bits
from seqlab.config.run import load_run_config
from seqlab.tasks.char_lm import CharLM


def main() -> None:
    """Count and compress."""
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
    save("baselines", "char_lm" if not corpus else "own", found)


def table(found: dict[str, Any]) -> str:
    """What each reaches."""
    n_gram = f"interpolated n-gram (Witten-Bell), order {found['order']} (best on validation), counts of"
    rows = {
        f"{n_gram} train alone, as the models have": found["n_gram_test_bits"],
        f"{n_gram} train and validation": found["n_gram_test_bits_with_validation"],
        "xz -9e: growth of an archive of train by test": found["xz_test_bits"],
        "the same, of train and validation": found["xz_test_bits_with_validation"],
    }
    return markdown(("baseline", "bits a character"), ((name, f"{bits:.4f}") for name, bits in rows.items()))


if __name__ == "__main__":
    main()

"""`seqlab lecture` from its files to its page, with tiny runs."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.commands import run

_CLAIM = {
    "title": "Wide is larger & slower", "place": 1, "statement": "<b>", "source": "x", "link": "https://example.org",
    "about": "a", "experiments": {
        "e": {
            "compare": [
                "narrow: rnn model.width=4", "wide: rnn model.width=16", "task=char_lm", "task.window=8",
                "task.batch_size=4", "trainer.max_steps=3", "trainer.eval_every_steps=3", "device.threads=1",
            ],
            "quick_seeds": 2,
        }
    },
    "evidence": [
        {"says": "more", "experiment": "e", "figure": "parameters", "of": "wide", "than": "narrow", "expect": "more"},
        {"says": "alive", "experiment": "e", "figure": "diverged", "of": "wide", "than": 0.5, "expect": "less"},
        {
            "says": "reach", "experiment": "e", "figure": "gradient:state.lag_under_1_percent", "of": "narrow",
            "than": 1000, "expect": "more",  # beyond what is measured
        },
    ],
    "shown": [
        {"experiment": "e", "picture": "gradient", "look": "Look here."},
        {"experiment": "e", "picture": "tokens_per_second", "look": "Which is faster?"},
        {"experiment": "e", "picture": "gradient", "look": "Look again.", "labels": ["wide"]},
    ],
    "minutes": {"quick": 1, "full": 1}, "expected": "does not hold",
}  # fmt: skip


@pytest.mark.slow
def test_a_claim_is_tried_judged_and_shown_and_nothing_is_made_twice(tmp_path: Path) -> None:
    (tmp_path / "own" / "claim").mkdir(parents=True)
    (tmp_path / "own" / "claim" / "mine.yaml").write_text(yaml.safe_dump(_CLAIM), encoding="utf-8")
    words = ("lecture", "mine", "--config-dir", "own", "--json", "--quiet")
    left = run(*words, "--executor", "script", "--submit", cwd=tmp_path)
    assert left.returncode == 0, left.stderr
    (waiting,) = json.loads(left.stdout)
    assert "4 runs are missing" in waiting["pending"]
    (commands,) = (tmp_path / "runs" / "lecture").glob("*/executor/jobs-1.txt")
    for line in commands.read_text(encoding="utf-8").splitlines()[:3]:  # one is left to this machine
        subprocess.run(["sh", "-c", line], check=True)
    first = run(*words, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    (found,) = json.loads(first.stdout)
    assert found["finding"] == "holds"
    assert [one["finding"] for one in found["evidence"]] == ["holds"] * 3
    page = (tmp_path / "runs" / "lecture" / "lecture.html").read_text(encoding="utf-8")
    assert "Wide is larger &amp; slower" in page
    assert "<b>" not in page
    assert "does not hold here" in page  # as it came out when the claim was written
    assert "<svg" in page
    assert "Look here." in page
    assert "Which is faster?" in page
    assert "narrow (state)" in page  # the legend has the labels of the claim
    assert page.count("How to read it") == 1  # what was explained once is folded
    results = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("result.json")}
    assert len(results) == 4
    again = run(*words, cwd=tmp_path)
    assert json.loads(again.stdout) == json.loads(first.stdout)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("result.json")} == results

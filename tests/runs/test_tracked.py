"""What trackers are told of a run."""

from __future__ import annotations

from pathlib import Path

from seqlab.runs.tracked import tracked
from tests.conftest import TEXT, tiny_config, tiny_task


def test_a_run_of_a_comparison_has_its_group(tmp_path: Path) -> None:
    config = tiny_config("rnn", "char_lm", f"task.corpus={TEXT}", "optim.learning_rate=0.01")
    alone = tmp_path / "char_lm" / "rnn" / "a"
    told = tracked(config, alone, tiny_task(config), 77, 0)
    assert (told.name, told.group) == ("char_lm/rnn/a", "")
    assert told.settings["optim.learning_rate"] == told.hparams["optim.learning_rate"] == 0.01
    assert told.settings["parameters"] == 77
    assert not any(key.endswith("_target_") for key in told.settings)
    made = tmp_path / "compare" / "rnn-gru-1" / "rnn" / "seed-0"
    made.mkdir(parents=True)
    (tmp_path / "compare" / "rnn-gru-1" / "plan.json").touch()
    told = tracked(config, made, tiny_task(config), 77, 0)
    assert (told.name, told.group) == ("rnn-gru-1/rnn/seed-0", "rnn-gru-1")

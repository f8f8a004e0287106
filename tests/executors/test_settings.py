"""Settings of an executor: read, refused with the right name, and never part of a run."""

from __future__ import annotations

import pytest

from seqlab.errors import ConfigError
from seqlab.executors.execution import read_execution


def test_settings_are_taken_out_of_the_words() -> None:
    words = ["rnn", "executor.time=2h", "task=copy", "executor.gpus=1", "executor.memory=500MB", "executor.qos=long"]
    others, found = read_execution(words, "slurm", 4)
    assert others == ["rnn", "task=copy"]
    settings = found.settings
    assert (settings.minutes, settings.gpus, settings.memory, settings.qos) == (120, 1, 0.5, "long")
    assert read_execution([*others, *found.options()[:-4]], "slurm", 4)[1] == found  # as a command says it again
    assert found.options()[-4:] == ["--executor", "slurm", "--jobs", "4"]


@pytest.mark.parametrize(
    ("text", "minutes"), [("90", 90), ("90min", 90), ("1.5h", 90), ("2d", 2880), ("1-12:00:00", 2160), ("2:30", 150)]
)
def test_times(text: str, minutes: int) -> None:
    assert read_execution([f"executor.time={text}"], "script")[1].settings.minutes == minutes


@pytest.mark.parametrize(
    ("words", "name", "parts"),
    [
        (["executor.partitoin=gpu"], "slurm", ["no setting executor.partitoin", "did you mean executor.partition?"]),
        (["executor.address=auto"], "slurm", ["it is a setting of --executor ray"]),
        (["executor.time=2h"], "local", ["--executor slurm and script", "settings: none"]),
        (["executor.time=soon"], "slurm", ["executor.time=soon", "try 2h, 90min or 1-12:00:00"]),
        (["executor.gpus=-1"], "ray", ["executor.gpus=-1 is not a whole number of 0 or more"]),
        (["executor.memory=8"], "ray", ["executor.memory=8", "try 8GB"]),
        (["executor.time"], "slurm", ["has no value", "write executor.time=VALUE"]),
        (["executor=slurm"], "local", ["try --executor slurm"]),
        ([], "slrum", ["no executor called 'slrum'", "did you mean slurm?", "local, slurm, ray, script"]),
    ],
)
def test_mistakes(words: list[str], name: str, parts: list[str]) -> None:
    with pytest.raises(ConfigError) as raised:
        read_execution(words, name)
    assert all(part in str(raised.value) for part in parts), raised.value

"""The catalogue is read from the config files, corpora from those of their tasks and from
seqlab/data/corpora."""

from __future__ import annotations

from pathlib import Path

import pytest

from seqlab.config.catalogue import catalogue
from seqlab.data.corpora import corpora
from tests.conftest import TASKS


def test_a_corpus_is_listed_with_every_task_whose_file_names_it(tmp_path: Path) -> None:
    (tmp_path / "task").mkdir()
    before = catalogue(None)
    (tmp_path / "task" / "zebra.yaml").write_text(
        "# @package _global_\n# corpus stripes: black and white\n# Of zebras\n# corpus PATH: a picture\ntask:\n"
        "  # corpus late: not at the head\n  corpus: stripes\n"
    )
    (tmp_path / "task" / "zoo.yaml").write_text("# Of all\n# corpus stripes: black and white\ntask: {}\n")
    found = catalogue(tmp_path)
    assert set(found["tasks"]) == {*TASKS, "zebra", "zoo"}
    assert (found["tasks"]["zebra"], found["tasks"]["zoo"]) == ("Of zebras", "Of all")
    assert found["corpora"]["stripes"] == "zebra, zoo: black and white"
    assert found["corpora"]["PATH"] == f"{before['corpora']['PATH']}; zebra: a picture"
    assert list(found["corpora"])[-1] == "PATH"
    assert set(found["corpora"]) == {*before["corpora"], "stripes"}


def test_a_corpus_with_a_file_of_its_own_is_listed_for_each_task_that_there_is() -> None:
    found = catalogue(None)["corpora"]
    for name, corpus in corpora().items():
        tasks = [task for task in TASKS if task in corpus.tasks]
        assert (name in found) == bool(tasks)
        assert not tasks or found[name] == f"{', '.join(tasks)}: {corpus.about}"


@pytest.mark.parametrize("kind", ["models", "tasks", "corpora", "experiments", "devices", "trackers"])
def test_what_ships_is_described(kind: str) -> None:
    assert catalogue(None)[kind]
    assert all(catalogue(None)[kind].values())

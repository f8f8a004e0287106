"""Token vectors: which row is which token, and how they are projected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from google.protobuf import text_format
from tensorboard.plugins.projector import ProjectorConfig

from seqlab.insight.embedding import kind_of, principal_components, vectors_of, write_projector
from seqlab.tasks.char_lm import CharLM
from seqlab.tasks.sentiment import Sentiment
from seqlab.tasks.translation import Translation
from tests.conftest import TASKS, tiny_config, tiny_network, tiny_task


def test_principal_components_are_eigenvectors_of_the_covariance() -> None:
    vector_VD = np.random.default_rng(0).normal(size=(30, 6)) * np.array([9, 5, 3, 1, 1, 1])
    place_V2, share_2 = principal_components(vector_VD, 2)
    values, vectors = np.linalg.eigh(np.cov(vector_VD.T))
    np.testing.assert_allclose(share_2, values[::-1][:2] / values.sum())
    projected = (vector_VD - vector_VD.mean(0)) @ vectors[:, ::-1][:, :2]
    np.testing.assert_allclose(np.abs(place_V2), np.abs(projected), atol=1e-9)


@pytest.mark.parametrize("task_name", TASKS)
def test_each_row_has_the_vector_of_its_token(task_name: str) -> None:
    config = tiny_config("gru", task_name)
    task, network = tiny_task(config), tiny_network(config)
    found = {vectors.name: vectors for vectors in vectors_of(task, network)}
    if isinstance(task, Translation):
        vocabularies = {"embed_source": task.sources, "embed_target": task.targets}
    else:
        assert isinstance(task, CharLM | Sentiment)
        vocabularies = {"embed": task.vocabulary}
    assert found.keys() == vocabularies.keys()
    for name, vocabulary in vocabularies.items():
        token = found[name].tokens[5]
        (row,) = vocabulary.encode([token])
        weight = network.get_parameter(f"{name}.weight")[row].detach()
        assert torch.equal(torch.tensor(found[name].vector_VD[5]).float(), weight)


def test_the_projector_finds_as_many_labels_as_vectors(tmp_path: Path) -> None:
    config = tiny_config("gru", "translation")
    task, network = tiny_task(config), tiny_network(config)
    assert isinstance(task, Translation)
    write_projector({"gru": vectors_of(task, network)}, tmp_path)
    stored = text_format.Parse((tmp_path / "projector_config.pbtxt").read_text(), ProjectorConfig())
    assert [entry.tensor_name for entry in stored.embeddings] == ["gru embed_source", "gru embed_target"]
    for entry, vocabulary in zip(stored.embeddings, (task.sources, task.targets), strict=True):
        rows = np.loadtxt(tmp_path / entry.tensor_path, delimiter="\t")
        heading, *labels = (tmp_path / entry.metadata_path).read_text().splitlines()
        assert heading == "token\tkind"
        assert rows.shape == (len(vocabulary) - 4, 16)
        assert len(labels) == len(rows)
        assert all(label.count("\t") == 1 and label.split("\t")[0] for label in labels)


@pytest.mark.parametrize(
    ("token", "kind"),
    [("a", "lower-case letter"), ("É", "capital"), ("7", "digit"), (" ", "blank"), ("\n", "blank"),
     ("(", "bracket or quote"), ("%", "other mark"), ("film", "word")],
)  # fmt: skip
def test_kinds(token: str, kind: str) -> None:
    assert kind_of(token) == kind

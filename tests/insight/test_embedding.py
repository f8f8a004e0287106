"""Token embeddings: which row is which token, and how they are projected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from google.protobuf import text_format
from tensorboard.plugins.projector import ProjectorConfig

from seqlab.core.example import ExampleReader, ExampleSource, example_reader, example_source
from seqlab.core.network import evaluating
from seqlab.core.offers import offers
from seqlab.errors import ConfigError
from seqlab.insight.embedding import embedding, kind_of, principal_components, vectors_of, write_projector
from tests.conftest import TASKS, tiny_config, tiny_network, tiny_task


def test_principal_components_are_eigenvectors_of_the_covariance() -> None:
    vector_VD = np.random.default_rng(0).normal(size=(30, 6)) * np.array([9, 5, 3, 1, 1, 1])
    place_V2, share_2 = principal_components(vector_VD, 2)
    values, vectors = np.linalg.eigh(np.cov(vector_VD.T))
    np.testing.assert_allclose(share_2, values[::-1][:2] / values.sum())
    projected = (vector_VD - vector_VD.mean(0)) @ vectors[:, ::-1][:, :2]
    np.testing.assert_allclose(np.abs(place_V2), np.abs(projected), atol=1e-9)


@pytest.mark.parametrize("task_name", TASKS)
def test_each_row_belongs_to_the_token_that_uses_it(task_name: str) -> None:
    """Against what the network looks up while it reads a text whose tokens are known."""
    config = tiny_config("gru", task_name)
    task, network = tiny_task(config), tiny_network(config)
    tokens_of = task.embedding_tokens()
    readable = offers(task, ExampleReader) and offers(task, ExampleSource)
    if not tokens_of or not readable:  # there is nothing to look up
        return
    example = example_reader(task).example(network, example_source(task).example_text(20))
    looked_up: dict[str, tuple[str, ...]] = {}
    assert tokens_of.keys() == network.embeddings().keys()

    def note(name: str, ids_BT: torch.Tensor) -> None:
        looked_up[name] = tuple(tokens_of[name][row] for row in ids_BT[0].tolist())

    for name, table in network.embeddings().items():
        table.register_forward_pre_hook(lambda _, given, name=name: note(name, given[0]))
    with evaluating(network), torch.no_grad():
        network(example.batch, network.initial_state(1))
    texts = {example.decoder_tokens} if example.patches else {example.tokens, example.decoder_tokens}
    assert set(looked_up.values()) == texts - {()}
    found = {vectors.name: vectors for vectors in vectors_of(task, network)}
    assert found.keys() == tokens_of.keys()
    for name, vectors in found.items():
        row = list(tokens_of[name]).index(vectors.tokens[-1])
        assert torch.equal(torch.tensor(vectors.vector_VD[-1]).float(), network.embeddings()[name].weight[row].detach())


def test_an_embedding_with_the_wrong_number_of_names_is_refused() -> None:
    config = tiny_config("gru", "char_lm")
    task, network = tiny_task(config), tiny_network(config)

    class Own(type(task)):  # type: ignore[misc]
        def __init__(self, tokens: dict[str, list[str]]) -> None:
            self.tokens = tokens

        def embedding_tokens(self) -> dict[str, list[str]]:
            return self.tokens

    with pytest.raises(ConfigError, match="rows, and the task names 2 of them"):
        embedding(Own({"embed": ["a", "b"]}), network)
    with pytest.raises(ConfigError, match="no token embedding"):
        embedding(Own({}), network)


def test_the_projector_finds_as_many_labels_as_vectors(tmp_path: Path) -> None:
    config = tiny_config("gru", "translation")
    task, network = tiny_task(config), tiny_network(config)
    write_projector({"gru": vectors_of(task, network)}, tmp_path)
    stored = text_format.Parse((tmp_path / "projector_config.pbtxt").read_text(), ProjectorConfig())
    assert [entry.tensor_name for entry in stored.embeddings] == ["gru embed_source", "gru embed_target"]
    for entry, tokens in zip(stored.embeddings, task.embedding_tokens().values(), strict=True):
        rows = np.loadtxt(tmp_path / entry.tensor_path, delimiter="\t")
        heading, *labels = (tmp_path / entry.metadata_path).read_text().splitlines()
        assert heading == "token\tkind"
        assert rows.shape == (len(tokens) - 4, 16)
        assert len(labels) == len(rows)
        assert all(label.count("\t") == 1 and label.split("\t")[0] for label in labels)


@pytest.mark.parametrize(
    ("token", "kind"),
    [("a", "lower-case letter"), ("É", "capital"), ("7", "digit"), (" ", "blank"), ("\n", "blank"),
     ("(", "bracket or quote"), ("%", "other mark"), ("film", "word")],
)  # fmt: skip
def test_kinds(token: str, kind: str) -> None:
    assert kind_of(token) == kind

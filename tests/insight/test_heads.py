"""What heads do: how they differ, what is lost without one, and whether they look where answers stand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from seqlab.core.attention import Attention
from seqlab.core.model import Memory, sequence_models
from seqlab.errors import ConfigError
from seqlab.insight.heads import evenly_spread, heads, measure, without
from seqlab.insight.maps import Map, agreements, divergences, maps
from seqlab.layers.attention import CrossAttention, DotAttention, SelfAttention
from tests.conftest import tiny_config, tiny_network, tiny_task

B, T, S, D, N = 2, 5, 7, 16, 4


def test_heads_that_do_the_same_do_not_differ_and_others_by_a_bit_at_most() -> None:
    one, other = np.eye(6)[:3], np.eye(6)[3:]
    assert divergences(np.stack((one, one))) == pytest.approx([0, 0])
    assert divergences(np.stack((one, other))) == pytest.approx([1, 1])
    assert divergences(np.stack((one, one, other))) == pytest.approx([0.5, 0.5, 1])
    assert np.isnan(divergences(one[None])).all()


def test_a_silenced_head_adds_nothing() -> None:
    torch.manual_seed(0)
    x_BTD, source_BSD = torch.randn(B, T, D), torch.randn(B, S, D)
    memory = Memory(source_BSD, torch.ones(B, S, dtype=torch.bool), source_BSD[:, 0])
    own, cross, dot = SelfAttention(D, N, 0.0, causal=True), CrossAttention(D, N, 0.0), DotAttention(D)
    read = cross.keys_values(memory)
    cases = (
        (own, (x_BTD, (), 0, None, None), own._project(x_BTD, None)[2]),
        (cross, (x_BTD, read, memory.valid_BS), read[1]),
    )
    for module, given, value_BNSK in cases:
        weight_BNTS, found = module.weights(*given), module.read_heads()
        for head, columns in enumerate(found.columns):
            silent_BNTS = weight_BNTS.clone()
            silent_BNTS[:, head] = 0
            expected_BTD = module.output((silent_BNTS @ value_BNSK).transpose(1, 2).flatten(2))
            with without(found, columns):
                torch.testing.assert_close(module(*given), expected_BTD)
    found = dot.read_heads()
    with without(found, found.columns[0]):
        expected_BTD = x_BTD + dot.mix(torch.cat((torch.zeros_like(x_BTD), x_BTD), -1))
        torch.testing.assert_close(dot(x_BTD, memory), expected_BTD)
    assert not torch.allclose(dot(x_BTD, memory), expected_BTD)


@pytest.mark.parametrize("name", ["copy", "selective_copy", "recall", "translation"])
def test_answers_stand_where_a_task_says(name: str) -> None:
    task: Any = tiny_task(tiny_config("gru", name))
    batch = next(iter(task.batches("validation", 0)))
    place_BT = task.source_places(batch)
    known_BT = place_BT >= 0
    assert known_BT.any()
    if name == "translation":
        sources, targets = (table.tokens for table in (task.text_to_text.sources, task.text_to_text.targets))
        for row, t in known_BT.nonzero().tolist():
            token = targets[int(batch.target_BT[row, t])]
            assert any(map(str.isdigit, token))
            assert token == sources[int(batch.source_BS[row, int(place_BT[row, t])])]
        return
    found_BT = batch.inputs_BT.gather(1, place_BT.clamp(min=0))
    assert torch.equal(found_BT[known_BT], batch.targets_BT[known_BT])
    at_BT = torch.arange(batch.inputs_BT.shape[1]).expand_as(place_BT)
    assert (place_BT < at_BT).all()
    if name != "copy":  # whose blanks are targets too
        assert torch.equal(known_BT, batch.targets_BT >= 0)


def test_agreement_is_counted_over_known_answers_alone() -> None:
    task: Any = tiny_task(tiny_config("transformer", "recall"))
    batch = task.first("validation", 4)
    place_BT = task.source_places(batch).numpy()
    rows, steps = place_BT.shape
    right_BTS = np.eye(steps)[np.maximum(place_BT, 0)]
    causal = Attention()
    causal.causal = True
    found = Map(causal, np.stack((right_BTS, np.roll(right_BTS, 1, -1)), 1), None)
    judged = agreements(task, batch, {"own": found})["own"]
    assert judged.share_N.tolist() == [1, 0]
    queries = np.nonzero(place_BT >= 0)[1]
    assert judged.queries == len(queries)
    assert judged.chance == pytest.approx((1 / (1 + queries)).mean())
    across = Attention()
    across.across = True  # answers come through what attends to a source, if anything does
    weight_BNTS = np.full((rows, 1, steps, 3), 1 / 3)
    both = agreements(task, batch, {"own": found, "cross": Map(across, weight_BNTS, np.zeros_like(weight_BNTS))})
    assert both.keys() == {"cross"}
    assert both["cross"].chance == pytest.approx(1 / 3)


def test_weights_are_the_softmax_of_scores_and_padding_is_not_seen() -> None:
    config = tiny_config("transformer", "translation")
    task, network = tiny_task(config), tiny_network(config)
    batch = next(iter(task.batches("validation", 0)))
    found = maps(network, batch)
    for each in found.values():
        assert each.score_BNTS is not None
        high = np.exp(each.score_BNTS - each.score_BNTS.max(-1, keepdims=True))
        np.testing.assert_allclose(each.weight_BNTS, high / high.sum(-1, keepdims=True), atol=1e-5)
    cross = found["decoder.blocks.0.cross"].seen()
    assert (cross.sum(-1)[:, 0] == (batch.source_BS != 0).sum(1).numpy()).all()


def test_short_texts_and_long_ones_are_read() -> None:
    task: Any = tiny_task(tiny_config("gru", "translation", "task.eval_batch_size=2"))
    every = list(task.batches("validation", 0))
    lengths = [batch.source_BS.shape[1] for batch in every]
    assert lengths == sorted(lengths)
    total = sum(batch.positions for batch in every)
    some: list[Any] = list(evenly_spread(task, total // 4))
    assert sum(batch.positions for batch in some) == pytest.approx(total / 4, rel=0.3)
    first, *_, last = (batch.source_BS.shape[1] for batch in some)
    assert first <= lengths[len(lengths) // 4]
    assert last >= lengths[-len(lengths) // 4]
    assert len(evenly_spread(task, 1)) == 1
    assert len(evenly_spread(task, 10 * total)) == len(every)


def test_agreement_is_over_all_batches_each_query_once() -> None:
    config = tiny_config("gru", "translation", "task.eval_batch_size=2")
    task, network = tiny_task(config), tiny_network(config)
    (judged,) = measure(task, network).agreement.values()
    right, chances, queries = 0.0, 0.0, 0
    for batch in task.batches("validation", 0):
        for one in agreements(task, batch, maps(network, batch)).values():
            right, chances = right + one.share_N[0] * one.queries, chances + one.chance * one.queries
            queries += one.queries
    assert judged.queries == queries > 0
    assert judged.share_N == pytest.approx([right / queries])
    assert judged.chance == pytest.approx(chances / queries)


@pytest.mark.parametrize("model", ["transformer", "gru"])
def test_figures_of_all_heads_are_there(model: str) -> None:
    config = tiny_config(model, "translation")
    (picture,) = heads(tiny_task(config), tiny_network(config))
    data = picture.data
    every = [value for values in data["rise"].values() for value in values]
    assert data["highest_rise"] == max(every)
    assert data["lowest_rise"] == min(every)
    assert 0 <= data["best_aligned"] <= 1
    assert 0 < data["aligned_by_chance"] < 1
    assert ("mean_divergence" in data) == (model == "transformer")  # one head has no others
    assert picture.png.startswith(b"\x89PNG")


def test_texts_longer_than_those_of_training_are_read_in_pieces_and_cut() -> None:
    config = tiny_config("transformer", "translation")
    network = tiny_network(config)
    for _, model in sequence_models(network):
        model.context = 4
    (picture,) = heads(tiny_task(config), network)
    assert len(picture.data["rise"]) == len(picture.data["divergence"]) == 6
    assert "best_aligned" not in picture.data  # no batch can be read at once


def test_a_head_that_cannot_be_silenced_and_has_no_others_is_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_config("transformer", "char_lm", "model.heads=1")
    network = tiny_network(config)
    monkeypatch.setattr(SelfAttention, "read_heads", Attention.read_heads)
    with pytest.raises(ConfigError, match="one head"):
        heads(tiny_task(config), network)

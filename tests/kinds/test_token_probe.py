"""What the tasks keep that probe memory with tokens: found by their config files."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from seqlab.core.network import Network, StepOutput
from seqlab.core.prediction import GenerationConfig
from seqlab.core.state import State, detach
from seqlab.data.batches import UNSCORED
from seqlab.data.vocabulary import SPECIALS
from seqlab.errors import DataError
from seqlab.kinds.token_probe import TokenProbe, smallest
from tests.conftest import MODELS, tiny_config, tiny_network
from tests.kinds.test_generated import GENERATED, made

PROBES = tuple(name for name in GENERATED if issubclass(type(made(name)), TokenProbe))


def probe(name: str, *overrides: str) -> TokenProbe:
    task = made(name, *overrides)
    assert isinstance(task, TokenProbe)
    return task


class _Memoryless(Network[Any]):
    """Knows how often each token is the target at each position, and nothing of what it read."""

    def __init__(self, task: TokenProbe) -> None:
        super().__init__()
        targets_BT = torch.cat([batch.targets_BT for batch in task.batches("train", 0)])
        kinds = torch.where(targets_BT == UNSCORED, 0, targets_BT).unique().tolist()
        always_T = (targets_BT == targets_BT[0]).all(0)  # what is always the same needs no memory
        self.logits_TV = torch.full((targets_BT.shape[1], len(task.tokens)), -math.inf)
        answers = [kind for kind in kinds if kind >= len(SPECIALS) and kind not in targets_BT[:, always_T].unique()]
        self.logits_TV[:, answers] = 0.0
        self.logits_TV[always_T] = -math.inf
        first_T = targets_BT[0].clamp(min=0)
        self.logits_TV[always_T, first_T[always_T]] = 0.0

    def initial_state(self, rows: int, *, cached: bool = False) -> State:
        return ()

    def forward(self, batch: Any, state: State) -> StepOutput:
        logits_BTV = self.logits_TV.expand(batch.size, -1, -1)
        nats = F.cross_entropy(logits_BTV.mT, batch.targets_BT, ignore_index=UNSCORED, reduction="sum")
        # among equals argmax takes the first: a little noise makes it any of them
        return StepOutput(nats, (), logits_BTV + 1e-6 * torch.rand(logits_BTV.shape))


@pytest.mark.parametrize("name", PROBES)
def test_the_baseline_is_what_a_memoryless_predictor_reaches(name: str) -> None:
    task = probe(name, "task.train_size=4000", "task.test_size=4000")
    torch.manual_seed(0)
    network, meter = _Memoryless(task), task.meter("test")
    answers = 0
    for batch in task.batches("test", 0):
        meter.update(batch, network(batch, ()), network)
    for item in meter.items():
        answers += len(item["target"].split())
    found, stated = meter.compute(), task.chance("test").metrics
    assert found["loss"].value == pytest.approx(stated["loss"].value, rel=1e-4)
    share = stated["accuracy"].value
    assert found["accuracy"].value == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / answers))


@pytest.mark.parametrize("name", PROBES)
def test_what_a_person_writes_is_the_sequence_that_is_asked(name: str) -> None:
    task = probe(name)
    batch = next(task.batches("validation", 0))
    blank = task.blank and task.tokens.encode([task.blank])[0]
    for inputs_T, targets_T in zip(batch.inputs_BT, batch.targets_BT, strict=True):
        tokens = [task.tokens.tokens[token] for token in inputs_T.tolist()]
        whole, places = task.parse(task.shorten(tokens))
        assert list(whole) == tokens
        answers = [p for p, target in enumerate(targets_T.tolist()) if target not in (UNSCORED, blank)]
        assert list(places) == answers
    assert task.example_text(5).split() == list(task.shorten([task.tokens.tokens[t] for t in batch.inputs_BT[0]]))


@pytest.mark.parametrize("name", PROBES)
def test_predictions_are_what_is_evaluated(name: str) -> None:
    task, network = probe(name), tiny_network(tiny_config("gru", name))
    batch = next(task.batches("validation", 0))
    meter = task.meter("validation")
    meter.update(batch, network(batch, network.initial_state(batch.size)), network)
    text = task.example_text(5)
    predicted = task.predict(network, text, GenerationConfig())
    first = next(meter.items())
    assert predicted.details == {"answer": first["prediction"]}
    said = task.samples(network, 0).splitlines()
    assert said[0] == f"{first['target']}, predicted: {first['prediction']}"
    example = task.example(network, text)
    assert torch.equal(example.batch.inputs_BT[0], batch.inputs_BT[0])
    for wrong in ("", "zebra"):
        with pytest.raises(DataError, match=r"nothing to read|'zebra': no token"):
            task.predict(network, wrong, GenerationConfig())


@pytest.mark.parametrize("name", PROBES)
@pytest.mark.parametrize("model", MODELS)
def test_in_windows_it_has_the_figures_of_whole_sequences(model: str, name: str) -> None:
    """Windows in which nothing is asked move the state on."""
    task, network = probe(name), tiny_network(tiny_config(model, name)).eval()
    whole, cut = task.meter("validation"), task.meter("validation")
    with torch.no_grad():
        for batch in task.batches("validation", 0):
            whole.update(batch, network(batch, network.initial_state(batch.size, cached=True)), network)
            state = network.initial_state(batch.size, cached=True)
            for window in batch.windows(3):
                output = network(window, detach(state))
                state = output.state
                cut.update(window, output, network)
    for metric, value in whole.compute().items():
        assert cut.compute()[metric].value == pytest.approx(value.value, rel=1e-4), metric
    mine, theirs = list(cut.items()), list(whole.items())
    assert [item["prediction"] for item in mine] == [item["prediction"] for item in theirs]
    assert [item["target"] for item in mine] == [item["target"] for item in theirs]


@pytest.mark.parametrize("name", PROBES)
def test_items_make_the_metrics(name: str) -> None:
    task, network = probe(name), tiny_network(tiny_config("gru", name))
    meter = task.meter("test")
    for batch in task.batches("test", 0):
        meter.update(batch, network(batch, network.initial_state(batch.size)), network)
    items, metrics = list(meter.items()), meter.compute()
    assert [item["item"] for item in items] == list(range(20))
    right = [
        sum(a == b for a, b in zip(item["target"].split(), item["prediction"].split(), strict=True)) for item in items
    ]
    answers = [len(item["target"].split()) for item in items]
    assert sum(right) / sum(answers) == pytest.approx(metrics["accuracy"].value)
    assert sum(r == a for r, a in zip(right, answers, strict=True)) / 20 == metrics["exact"].value
    scored = sum(int((batch.targets_BT != UNSCORED).sum()) for batch in task.batches("test", 0))
    assert sum(item["nats"] for item in items) / scored == pytest.approx(metrics["loss"].value)
    assert meter.item_sums().item_values().mean() == pytest.approx(metrics[meter.primary].value)


def test_a_choice_without_replacement_is_even() -> None:
    drawn = torch.rand(6000, 5, generator=torch.Generator().manual_seed(0))
    place_BC: Tensor = smallest(drawn, 2)
    assert (place_BC[:, 0] != place_BC[:, 1]).all()
    pairs = (5 * place_BC[:, 0] + place_BC[:, 1]).bincount(minlength=25).view(5, 5)
    expected = 6000 / 20
    off = pairs[~torch.eye(5, dtype=torch.bool)]
    assert float((off - expected).abs().max()) < 4.5 * math.sqrt(expected)

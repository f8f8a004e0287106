"""docs/examples/gated_linear_recurrence: a recurrent model of one's own is one short file and one YAML."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from seqlab.config.run import load_run_config
from seqlab.core.model import Role, SequenceModel
from seqlab.runs.train import train
from tests.commands import Capture, Patch, in_process
from tests.conftest import KINDS, tiny_overrides

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "gated_linear_recurrence"
CONF = EXAMPLE / "conf"
B, T, D = 3, 9, 16


def _model(role: Role, *overrides: str) -> SequenceModel:
    torch.manual_seed(0)
    return load_run_config(["model=gated_linear", f"model.width={D}", *overrides], CONF).model.build(role).eval()


def test_it_is_seventy_lines_at_most() -> None:
    (module,) = EXAMPLE.glob("*.py")
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 70
    assert [path.name for path in CONF.rglob("*.yaml")] == ["gated_linear.yaml"]


@torch.no_grad()
def test_it_computes_its_equation() -> None:
    """Also from a state that is not zero."""
    stack = _model(Role.DECODER, "model.layers=1", "model.layer_norm=false")
    weight_of = dict(stack.named_parameters())
    (W_f, W), (b_f, b) = (weight_of[f"kernels.0.project.{name}"].chunk(2) for name in ("weight", "bias"))
    x_BTD, h_BD = torch.randn(B, T, D), torch.randn(B, D)
    y_BTD, (after_BD,) = stack(x_BTD, (h_BD,))
    signals = stack.signals(x_BTD, (h_BD,))
    for t, x_BD in enumerate(x_BTD.unbind(1)):
        f_BD = (x_BD @ W_f.T + b_f).sigmoid()
        h_BD = f_BD * h_BD + (1 - f_BD) * (x_BD @ W.T + b)
        torch.testing.assert_close(y_BTD[:, t], h_BD)
        torch.testing.assert_close(signals["forget"][:, t], f_BD)
        torch.testing.assert_close(signals["hidden"][:, t], h_BD)
    torch.testing.assert_close(after_BD, h_BD)


@torch.no_grad()
def test_its_steps_equal_the_whole_sequence() -> None:
    stack, table_VD, token_BT = _model(Role.DECODER), torch.randn(5, D), torch.randint(5, (B, T))
    expected_BTD, _ = stack(table_VD[token_BT], stack.initial_state(B))

    def stepped(indexed: bool) -> Tensor:
        step, state, outputs = stack.start(table_VD if indexed else None), stack.initial_state(B), list[Tensor]()
        for token_B in token_BT.unbind(1):
            y_BD, state = step(token_B if indexed else table_VD[token_B], state)
            outputs.append(y_BD)
        return torch.stack(outputs, 1)

    for indexed in (False, True):
        torch.testing.assert_close(stepped(indexed), expected_BTD, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("task", [KINDS[0], *(pytest.param(task, marks=pytest.mark.slow) for task in KINDS[1:])])
def test_it_trains_on_every_kind_of_task_and_meets_every_contract(
    task: str, tmp_path: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    of_task = [word for word in tiny_overrides("lstm", task) if not word.startswith("model=")]
    words = ["model=gated_linear", *of_task, "device=cpu"]
    result = train(load_run_config([*words, f"runs_dir={tmp_path}"], CONF))
    assert (result.model, result.task, result.steps) == ("gated_linear", task, 4)
    code, out, said = in_process(capsys, monkeypatch, "check", *words, "--config-dir", str(CONF))
    warned = "".join(f"warning: {text}\n" for text in load_run_config(words, CONF).task.build().warnings())
    assert (code, said) == (0, warned), out
    assert out.splitlines()[-1].endswith("passed")

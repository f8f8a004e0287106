"""A network that writes a transcript of a sequence of frames, by connectionist temporal classification (CTC).

Shape letters: B batch, T time, D width, F features, U characters, V symbols: the blank, then the characters.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from seqlab.core.model import ModelConfig, Role, context_of
from seqlab.core.network import Network, Parts, StepOutput
from seqlab.core.state import State
from seqlab.data.batches import TranscribedFrames
from seqlab.decoding.ctc import BLANK


class CtcNetwork(Network[TranscribedFrames]):
    """A linear layer, a model and another linear layer, trained on the probability of the transcript: the sum over all
    paths of symbols, one a position, that collapse to it (Graves 2006)."""

    def __init__(self, features: int, characters: int, model: ModelConfig, *, bidirectional: bool) -> None:
        super().__init__()
        self.embed = nn.Linear(features, model.width)
        self.model = model.build(Role.ENCODER if bidirectional else Role.DECODER)
        self.dropout = model.dropout_layer()
        self.head = nn.Linear(model.width, 1 + characters)

    def parts(self) -> Parts:
        return Parts((self.embed,), (self.model,), (self.head,))

    def carries_state(self) -> bool:
        return False

    def initial_state(self, rows: int, *, cached: bool = False) -> State:
        """Always (): the paths of a transcript go over the whole utterance."""
        return ()

    def forward(self, batch: TranscribedFrames, state: State) -> StepOutput:
        # an utterance longer than those of training is cut to their length
        limit = None if self.training else context_of(self.model)
        valid_BT = batch.valid_BT[:, :limit]
        x_BTD = self.dropout(self.embed(batch.frames_BTF[:, :limit]))
        hidden_BTD, _ = self.model(x_BTD, self.model.initial_state(len(x_BTD)), valid_BT=valid_BT)
        logits_BTV = self.head(self.dropout(hidden_BTD))
        return StepOutput(transcript_nats(logits_BTV, batch.target_BU, valid_BT).sum(), (), logits_BTV)


def transcript_nats(logits_BTV: Tensor, target_BU: Tensor, valid_BT: Tensor) -> Tensor:
    """nats_B: minus the log probability of each transcript; infinite where a row has too few positions for it. Targets
    below 0 are padding."""
    log_TBV = logits_BTV.float().log_softmax(-1).transpose(0, 1)
    position_B, character_B = valid_BT.sum(1), (target_BU >= 0).sum(1)
    if log_TBV.is_cuda and torch.are_deterministic_algorithms_enabled():
        # on a GPU, the gradient is summed in any order
        log_TBV, target_BU, position_B, character_B = (
            log_TBV.cpu(), target_BU.cpu(), position_B.cpu(), character_B.cpu(),
        )  # fmt: skip
    nats_B: Tensor = _nats(log_TBV, target_BU.clamp(min=0), position_B, character_B)
    return nats_B.to(logits_BTV.device)


# torch's own kernels as operators of known shape. F.ctc_loss cannot be compiled, since the shape of what it keeps for
# the gradient depends on the data; here the gradient computes that anew.


@torch.library.custom_op("seqlab::ctc_nats", mutates_args=())
def _nats(log_TBV: Tensor, target_BU: Tensor, position_B: Tensor, character_B: Tensor) -> Tensor:
    return _forward(log_TBV, target_BU, position_B, character_B)[0]


@torch.library.custom_op("seqlab::ctc_gradient", mutates_args=())
def _gradient(
    nats_B: Tensor, log_TBV: Tensor, target_BU: Tensor, position_B: Tensor, character_B: Tensor
) -> Tensor:  # fmt: skip
    kept = _forward(log_TBV, target_BU, position_B, character_B)
    gradient_TBV: Tensor = torch.ops.aten._ctc_loss_backward.Tensor(
        nats_B, log_TBV, target_BU, position_B, character_B, *kept, BLANK
    )
    return gradient_TBV


def _forward(log_TBV: Tensor, target_BU: Tensor, position_B: Tensor, character_B: Tensor) -> tuple[Tensor, Tensor]:
    nats_B, alpha = torch.ops.aten._ctc_loss.Tensor(log_TBV, target_BU, position_B, character_B, BLANK)
    return nats_B, alpha


_nats.register_fake(lambda log_TBV, *_: log_TBV.new_empty(log_TBV.shape[1]))
_gradient.register_fake(lambda _, log_TBV, *__: torch.empty_like(log_TBV))


def _keep(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:  # noqa: ARG001 (torch names them)
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, nats_B: Tensor) -> tuple[Tensor | None, ...]:
    return _gradient(nats_B.contiguous(), *ctx.saved_tensors), None, None, None


_nats.register_autograd(_backward, setup_context=_keep)

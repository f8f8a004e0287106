"""A network that writes a transcript of a sequence of frames, by connectionist temporal classification (CTC).

Shape letters: B batch, T time, D width, F features, U characters, V symbols: the blank, then the characters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

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
    nats_B = F.ctc_loss(log_TBV, target_BU.clamp(min=0), position_B, character_B, blank=BLANK, reduction="none")
    return nats_B.to(logits_BTV.device)

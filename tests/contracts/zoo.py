"""Models that each break one contract, and some that look odd and break none. They carry no state unless stated. The
text of this file is also a user's own module, of which configs name single classes."""

from __future__ import annotations

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.core.model import Memory, ModelConfig, Role, SequenceModel, Step
from seqlab.core.state import State


@dataclass(frozen=True, kw_only=True)
class ZooConfig(ModelConfig):
    """kind: a class of this file. encoder: the one that encodes. size: by how much, where that can be said."""

    kind: str = "Animal"
    encoder: str = "Animal"
    size: int = 1

    def build(self, role: Role) -> SequenceModel:
        made: SequenceModel = globals()[self.encoder if role is Role.ENCODER else self.kind](self.width, self.size)
        return made


class Animal(SequenceModel):
    """Mixes each position by itself."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.width, self.size = width, size
        self.mix = nn.Linear(width, width)

    def initial_state(self, rows: int, *, capacity: int = 0) -> State:
        return ()

    def forward(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, State]:
        return self.mix(x_BTD) + self.seen(x_BTD), ()

    def seen(self, x_BTD: Tensor) -> Tensor | float:
        return 0.0


# --- breaking the promise ----------------------------------------------------------------------------


class Future(Animal):
    """Position t sees position t + size."""

    def seen(self, x_BTD: Tensor) -> Tensor | float:
        return F.pad(x_BTD, (0, 0, 0, self.size))[:, self.size :]


class ClosedGate(Future):
    """The same through a gate that starts at zero and opens one way."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__(width, size)
        self.gate = nn.Parameter(torch.zeros(()))

    def seen(self, x_BTD: Tensor) -> Tensor | float:
        return super().seen(x_BTD) * self.gate.relu()


class GateOtherWay(ClosedGate):
    def seen(self, x_BTD: Tensor) -> Tensor | float:
        return Future.seen(self, x_BTD) * (-self.gate).relu()


class Rounded(Future):
    """The same where no gradient passes."""

    def seen(self, x_BTD: Tensor) -> Tensor | float:
        return torch.as_tensor(super().seen(x_BTD)).sign()


class Centred(Animal):
    """A convolution padded on both sides."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__(width, size)
        self.convolve = nn.Conv1d(width, width, 2 * size + 1, padding=size)

    def seen(self, x_BTD: Tensor) -> Tensor | float:
        y_BTD: Tensor = self.convolve(x_BTD.mT).mT
        return y_BTD


class TimeNorm(Animal):
    """Normalised over time."""

    def seen(self, x_BTD: Tensor) -> Tensor | float:
        return F.layer_norm(x_BTD.mT, x_BTD.shape[1:2]).mT


class InstanceNorm(Animal):
    def seen(self, x_BTD: Tensor) -> Tensor | float:
        return F.instance_norm(x_BTD.mT).mT


class BatchNorm(Animal):
    """Over rows and time, in training only."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__(width, size)
        self.norm = nn.BatchNorm1d(width)

    def seen(self, x_BTD: Tensor) -> Tensor | float:
        y_BTD: Tensor = self.norm(x_BTD.mT).mT
        return y_BTD


class Unmasked(Animal):
    """A softmax over all of time."""

    def seen(self, x_BTD: Tensor) -> Tensor | float:
        return (x_BTD @ x_BTD.mT).softmax(-1) @ x_BTD


class Bidirectional(Animal):
    def __init__(self, width: int, size: int) -> None:
        super().__init__(width, size)
        self.kernel = nn.LSTM(width, width // 2, batch_first=True, bidirectional=True)

    def seen(self, x_BTD: Tensor) -> Tensor | float:
        y_BTD: Tensor = self.kernel(x_BTD)[0]
        return y_BTD


class LastState(Animal):
    """The state after the last position, which all positions are given."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__(width, size)
        self.kernel = nn.GRU(width, width, batch_first=True)

    def initial_state(self, rows: int, *, capacity: int = 0) -> State:
        return self.mix.weight.new_zeros(rows, self.width)

    def forward(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, State]:
        assert isinstance(state, Tensor)
        y_BTD, after_1BH = self.kernel(x_BTD, state[None])
        return y_BTD + after_1BH[0][:, None], after_1BH[0]


class Remembers(Animal):
    """What was read in the last call stands beside what is read in this one: on the second pass the answers."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__(width, size)
        self.last: Tensor | None = None

    def seen(self, x_BTD: Tensor) -> Tensor | float:
        before, self.last = self.last, x_BTD.detach()
        return 0.0 if before is None or before.shape != x_BTD.shape else before.roll(-1, 1)


class RemembersInTraining(Remembers):
    def seen(self, x_BTD: Tensor) -> Tensor | float:
        return super().seen(x_BTD) if self.training else 0.0


class RemembersInABuffer(Animal):
    def __init__(self, width: int, size: int) -> None:
        super().__init__(width, size)
        self.last: Tensor
        self.register_buffer("last", torch.zeros(width))

    def seen(self, x_BTD: Tensor) -> Tensor | float:
        before, self.last = self.last, x_BTD.detach()[-1, -1]
        return before


class Blocks(Animal):
    """Blocks of `size` positions are read whole."""

    def seen(self, x_BTD: Tensor) -> Tensor | float:
        rows, steps, width = x_BTD.shape
        padded = F.pad(x_BTD, (0, 0, 0, -steps % self.size)).view(rows, -1, self.size, width)
        return padded.mean(2, keepdim=True).expand_as(padded).reshape(rows, -1, width)[:, :steps]


class OnePlace(Animal):
    """Position `size` alone sees what follows it."""

    def seen(self, x_BTD: Tensor) -> Tensor | float:
        seen = torch.zeros_like(x_BTD)
        if x_BTD.shape[1] > self.size + 1:
            seen[:, self.size] = x_BTD[:, self.size + 1]
        return seen


class FarPlace(Animal):
    """Position `size` alone sees the third one after it."""

    def seen(self, x_BTD: Tensor) -> Tensor | float:
        seen = torch.zeros_like(x_BTD)
        if x_BTD.shape[1] > self.size + 3:
            seen[:, self.size] = x_BTD[:, self.size + 3]
        return seen


class FarPlaceRounded(FarPlace):
    def seen(self, x_BTD: Tensor) -> Tensor | float:
        return torch.as_tensor(super().seen(x_BTD)).sign()


class FarPlaceInTraining(FarPlaceRounded):
    def seen(self, x_BTD: Tensor) -> Tensor | float:
        return super().seen(x_BTD) if self.training else 0.0


class FarPlaceInEvaluation(FarPlace):
    def seen(self, x_BTD: Tensor) -> Tensor | float:
        return 0.0 if self.training else super().seen(x_BTD)


class FarPlaceBesideLarge(FarPlaceInEvaluation):
    """Beside values so large that what leaks is less than their rounding."""

    def seen(self, x_BTD: Tensor) -> Tensor | float:
        return super().seen(x_BTD) + (3 * x_BTD).exp().cumsum(1)


class FarPlaceBesideLarger(FarPlaceInEvaluation):
    def seen(self, x_BTD: Tensor) -> Tensor | float:
        return super().seen(x_BTD) + (19 * x_BTD).exp().cumsum(1)


class FarPlaceBesideOverflow(FarPlaceInEvaluation):
    """Every row of many positions has values that are not finite."""

    def seen(self, x_BTD: Tensor) -> Tensor | float:
        return super().seen(x_BTD) + (40 * x_BTD).exp().cumsum(1)


class FarPlaceOneWay(FarPlace):
    """Through a gate that starts at zero and opens one way."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__(width, size)
        self.gate = nn.Parameter(torch.zeros(()))

    def seen(self, x_BTD: Tensor) -> Tensor | float:
        return 0.0 if self.training else super().seen(x_BTD) * self.gate.relu()


class FarPlaceOtherWay(FarPlaceOneWay):
    def seen(self, x_BTD: Tensor) -> Tensor | float:
        return 0.0 if self.training else FarPlace.seen(self, x_BTD) * (-self.gate).relu()


class AcrossBorder(Animal):
    """The last position of each window of `size` positions sees the first one of the next window."""

    def seen(self, x_BTD: Tensor) -> Tensor | float:
        last_T = torch.arange(1, 1 + x_BTD.shape[1]) % self.size == 0
        return F.pad(x_BTD, (0, 0, 0, 1))[:, 1:] * last_T[:, None]


class OnlyInTraining(Future):
    def seen(self, x_BTD: Tensor) -> Tensor | float:
        return super().seen(x_BTD) if self.training else 0.0


class OnlyInEvaluation(Future):
    def seen(self, x_BTD: Tensor) -> Tensor | float:
        return 0.0 if self.training else super().seen(x_BTD)


class AcrossRows(Animal):
    """Each row sees the mean of all rows at its position."""

    def seen(self, x_BTD: Tensor) -> Tensor | float:
        return x_BTD.mean(0)


class WrongShape(Animal):
    def forward(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, State]:
        return x_BTD[:, :, :-1], ()


class NotFinite(Animal):
    def seen(self, x_BTD: Tensor) -> Tensor | float:
        return x_BTD.detach().abs().neg().sqrt()


class Raises(Animal):
    def seen(self, x_BTD: Tensor) -> Tensor | float:
        raise ZeroDivisionError("of its own")


class WithState(Animal):
    """A running sum."""

    def initial_state(self, rows: int, *, capacity: int = 0) -> State:
        return (self.mix.weight.new_zeros(rows, self.width),)

    def forward(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, State]:
        assert isinstance(state, tuple)
        assert isinstance(state[0], Tensor)
        sum_BTD = state[0][:, None] + x_BTD.cumsum(1)
        return self.mix(sum_BTD / 10), self.after(sum_BTD)

    def after(self, sum_BTD: Tensor) -> State:
        return (sum_BTD[:, -1],)


class StateByPosition(WithState):
    def after(self, sum_BTD: Tensor) -> State:
        return (sum_BTD.mT[0],)


class NestedOtherwise(WithState):
    def after(self, sum_BTD: Tensor) -> State:
        return ((sum_BTD[:, -1],), sum_BTD[:, -1])


class ForgetsItsState(WithState):
    def after(self, sum_BTD: Tensor) -> State:
        return (torch.zeros_like(sum_BTD[:, -1]),)


class SharesItsState(WithState):
    """The state of a row is that of all rows."""

    def after(self, sum_BTD: Tensor) -> State:
        return (sum_BTD[:, -1].mean(0).expand_as(sum_BTD[:, -1]),)


class OtherSteps(WithState):
    """Writes by another equation than it reads by."""

    def step(self, x_BD: Tensor, state: State, memory: Memory | None = None) -> tuple[Tensor, State]:
        y_BD, state = super().step(x_BD, state, memory)
        return y_BD + 1, state


class OtherTable(WithState):
    """Writes by another equation only where its inputs are tabulated."""

    def start(self, inputs_VD: Tensor | None = None) -> Step:
        return super().start(None if inputs_VD is None else inputs_VD + 1)


class SignalsOfTheLast(Animal):
    """Shows its gate at the last position alone."""

    def signals(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> dict[str, Tensor]:
        return {**super().signals(x_BTD, state), "gate": x_BTD[:, -1]}


class SignalsWithoutHidden(Animal):
    def signals(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> dict[str, Tensor]:
        return {"gate": x_BTD}


# --- keeping it --------------------------------------------------------------------------------------


class Causal(Animal):
    """A convolution padded on the left."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__(width, size)
        self.convolve = nn.Conv1d(width, width, size + 1)

    def seen(self, x_BTD: Tensor) -> Tensor | float:
        y_BTD: Tensor = self.convolve(F.pad(x_BTD.mT, (self.size, 0))).mT
        return y_BTD


class Fourier(Animal):
    """A long convolution by FFT, whose rounding knows the future and whose values do not."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__(width, size)
        self.filter = nn.Parameter(torch.randn(512, width) / 20)

    def seen(self, x_BTD: Tensor) -> Tensor | float:
        steps = x_BTD.shape[1]
        spectrum = torch.fft.rfft(x_BTD, 2 * steps, dim=1) * torch.fft.rfft(self.filter[:steps], 2 * steps, dim=0)
        y_BTD: Tensor = torch.fft.irfft(spectrum, 2 * steps, dim=1)[:, :steps]
        return y_BTD


class SpectralNorm(Animal):
    """A weight whose buffers move with each step of training."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__(width, size)
        nn.utils.parametrizations.spectral_norm(self.mix)


class Growing(Animal):
    """A linear recurrence that noise on its weights would let explode; and dropout."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__(width, size)
        self.decay = nn.Parameter(torch.full((width,), 0.99))
        self.dropout = nn.Dropout(0.5)

    def seen(self, x_BTD: Tensor) -> Tensor | float:
        h, out = torch.zeros_like(x_BTD[:, 0]), []
        for x_BD in x_BTD.unbind(1):
            h = self.decay * h + x_BD
            out.append(h)
        y_BTD: Tensor = self.dropout(torch.stack(out, 1))
        return y_BTD


class Steep(Animal):
    """Of its values, a few are not finite, and many are so large that others are less than their rounding."""

    def seen(self, x_BTD: Tensor) -> Tensor | float:
        return (25 * x_BTD).exp().cumsum(1)


class Constant(Animal):
    """Looks at nothing at all."""

    def forward(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, State]:
        return torch.ones_like(x_BTD), ()


class MaskedCentred(Centred):
    """As an encoder: it sees everything but padding."""

    def forward(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, State]:
        return super().forward(x_BTD if valid_BT is None else x_BTD * valid_BT[..., None], ())

"""A selective state space model in Mamba-2's form (Dao & Gu 2024, "state space duality"), after Mamba (Gu & Dao 2023).

    a_t = exp(-dt_t A)                        dt_t = softplus(W_dt u_t + b_dt) > 0 and A > 0: one decay for each head
    h_t = a_t h_{t-1} + dt_t x_t B_t^T        the state of a head, P x N
    y_t = h_t C_t + D x_t

What is written (x_t, B_t), what is read (C_t) and how long it is kept (dt_t) depend on the input (selectivity). A
time-invariant state space model (S4D: Gu 2022; LRU: Orvieto 2023) weighs a past input by its distance only, whatever
was read since, and so cannot solve selective copying or associative recall. And since one scalar decay serves a whole
head, the recurrence over a chunk of positions is a few small matrix products, which every device is good at.

B batch, T time, D width, I = H P inner width, H heads, P size of a head, N size of the state of each inner channel.
Time in chunks: C chunks of L positions (M where two positions of a chunk meet). F: the channels that are convolved,
or all of h.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Self, cast

import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.core.fields import Count
from seqlab.core.model import Memory, SequenceModel, Step, from_table
from seqlab.core.state import State
from seqlab.layers.convolution import short_convolution
from seqlab.layers.residual import ResidualConfig
from seqlab.layers.scan import scan


def selective_step(
    x_BHP: Tensor, dt_BH: Tensor, rate_H: Tensor, write_BN: Tensor, read_BN: Tensor, h_BHPN: Tensor
) -> tuple[Tensor, Tensor]:
    """One position of the equation: (y_BHP, the next h_BHPN). rate_H is A, write_BN is B_t, read_BN is C_t; D x_t is
    added elsewhere."""
    decay_BH = torch.exp(-dt_BH * rate_H)  # a_t = exp(-dt_t A)
    given_BHP = dt_BH[..., None] * x_BHP
    # h_t = a_t h_{t-1} + dt_t x_t B_t^T
    h_BHPN = torch.addcmul(decay_BH[..., None, None] * h_BHPN, given_BHP[..., None], write_BN[:, None, None])
    return (h_BHPN * read_BN[:, None, None]).sum(-1), h_BHPN  # y_t = h_t C_t


def selective_scan_stepwise(
    x_BTHP: Tensor, dt_BTH: Tensor, rate_H: Tensor, write_BTN: Tensor, read_BTN: Tensor, h_BHPN: Tensor
) -> tuple[Tensor, Tensor]:
    """All positions one after the other: (y_BTHP, the last h_BHPN). The equation that `selective_scan` computes."""
    outputs = []
    for t in range(x_BTHP.shape[1]):
        y_BHP, h_BHPN = selective_step(x_BTHP[:, t], dt_BTH[:, t], rate_H, write_BTN[:, t], read_BTN[:, t], h_BHPN)
        outputs.append(y_BHP)
    return torch.stack(outputs, 1), h_BHPN


def selective_scan(
    x_BTHP: Tensor,
    dt_BTH: Tensor,
    rate_H: Tensor,
    write_BTN: Tensor,
    read_BTN: Tensor,
    h_BHPN: Tensor,
    chunk: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The same in chunks of at most `chunk` positions (Dao & Gu 2024, section 6): matrix products within a chunk, and a
    plain recurrence over the states at the ends of chunks.

    A position of a chunk of L costs L decays and P N / L values of a state for each head, so that sqrt(P N) is best."""
    _, steps, heads, size = x_BTHP.shape
    chunks = -(-steps // (chunk or math.ceil(math.sqrt(size * h_BHPN.shape[3]))))
    length = -(-steps // chunks)

    def chunked(value_BTK: Tensor) -> Tensor:
        """(B, C, L, K), filled up with zeros: where dt is 0, the state stays as it is."""
        padded_BTK = F.pad(value_BTK, (0, 0, 0, chunks * length - steps))
        return padded_BTK.view(-1, chunks, length, value_BTK.shape[2])

    dt_BCLH, write_BCLN, read_BCLN = chunked(dt_BTH), chunked(write_BTN), chunked(read_BTN)
    written_BCLHP = chunked((dt_BTH[..., None] * x_BTHP).flatten(2)).unflatten(-1, (heads, size))

    # log(a_{m+1} ... a_l) for m <= l. Each is summed by itself: differences of sums from the first position on would
    # lose what is small beside them. All are negative, so that nothing overflows. (A product with ones rather than
    # cumsum, which on a GPU has no deterministic form.)
    lower_LM = dt_BTH.new_ones(length, length).tril()
    log_BCHLM = (-dt_BCLH * rate_H).transpose(2, 3)[..., None, :] * lower_LM
    decay_BCHLM = (log_BCHLM @ lower_LM.tril(-1)).exp()

    # within a chunk: y_l = sum over m <= l of (C_l . B_m) (a_{m+1} ... a_l) dt_m x_m, attention without a softmax
    score_BCLM = (read_BCLN @ write_BCLN.mT).tril()
    y_BCHLP = (score_BCLM[:, :, None] * decay_BCHLM) @ written_BCLHP.transpose(2, 3)

    # the state that a chunk leaves of what it read, and the recurrence h = a_1 ... a_L h + that, from chunk to chunk
    until_end_BCLH1 = decay_BCHLM[..., -1, :].transpose(2, 3)[..., None]
    left_BCIN = (written_BCLHP * until_end_BCLH1).flatten(3).mT @ write_BCLN
    since_start_BCLH = log_BCHLM.sum(-1).exp().transpose(2, 3)
    kept_BCHPN = since_start_BCLH[:, :, -1, :, None, None].expand(-1, -1, -1, *h_BHPN.shape[2:])
    h_BCF = scan(kept_BCHPN.flatten(2), left_BCIN.flatten(2), h_BHPN.flatten(1))

    # and what each position reads of the state before its chunk
    before_BCF = torch.cat((h_BHPN.flatten(1)[:, None], h_BCF[:, :-1]), 1)
    read_BCLHP = (read_BCLN @ before_BCF.view_as(left_BCIN).mT).unflatten(-1, (heads, size))
    y_BCLHP = torch.addcmul(y_BCHLP.transpose(2, 3), since_start_BCLH[..., None], read_BCLHP)
    return y_BCLHP.flatten(1, 2)[:, :steps], h_BCF[:, -1].view_as(h_BHPN)


@config_dataclass(frozen=True, kw_only=True)
class SSMConfig(ResidualConfig):
    """Settings of `model=ssm`.

    expansion: the inner width I is expansion * width. heads: H, each with a decay of its own; must divide I.
    state_size: N, the numbers that each inner channel carries. conv: taps of the depthwise causal convolution before
    the recurrence; null: none.
    """

    expansion: Count
    heads: Count
    state_size: Count
    conv: Count | None

    def __post_init__(self) -> None:
        inner = self.expansion * self.width
        if inner % self.heads:
            nearest = min((n for n in range(1, inner + 1) if inner % n == 0), key=lambda n: abs(n - self.heads))
            raise ValueError(
                f"model.heads={self.heads} must divide model.expansion * model.width = {inner}; "
                f"try model.heads={nearest}"
            )

    def mixers(self) -> list[SequenceModel]:
        return [SelectiveSSM(self) for _ in range(self.layers)]

    def at_width(self, width: int) -> Iterator[Self]:
        """Heads are kept; state_size changes by up to a half, since widths that the heads divide are far apart."""
        if self.expansion * width % self.heads:
            return
        half = self.state_size // 2
        for settings in super().at_width(width):
            for change in sorted(range(-half, half + 1), key=abs):
                yield replace(settings, state_size=self.state_size + change)


class SelectiveSSM(SequenceModel):
    """One layer: a projection, a short causal convolution, the selective recurrence, and an output gate.

    The state is (the last inputs of the convolution, h_BHPN). The recurrence is computed in fp32 also under autocast.
    """

    meanings: ClassVar = {"forget": "Where forget stays bright, the head keeps its old state."}

    def __init__(self, config: SSMConfig) -> None:
        super().__init__()
        self.heads, self.state_size = config.heads, config.state_size
        self.inner = config.expansion * config.width
        self.convolved = self.inner + 2 * config.state_size  # x, B and C, concatenated
        self.project_in = nn.Linear(config.width, self.inner + self.convolved + self.heads, bias=False)
        self.convolution = short_convolution(self.convolved, config.conv)
        self.log_rate = nn.Parameter(torch.zeros(self.heads))
        self.dt_bias = nn.Parameter(_dt_biases(self.heads))
        self.skip = nn.Parameter(torch.ones(self.heads))
        self.project_out = nn.Linear(self.inner, config.width, bias=False)
        with torch.no_grad():  # so that the variance of the residual path does not grow with depth (Radford 2019)
            self.project_out.weight.mul_(config.layers**-0.5)

    def initial_state(self, rows: int, *, capacity: int = 0) -> State:
        h_BHPN = self.skip.new_zeros(rows, self.heads, self.inner // self.heads, self.state_size)
        return self.convolution.initial_state(rows), h_BHPN

    def forward(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, State]:
        """Padding at the right is read like anything else: it cannot affect what precedes it."""
        gate_BTI, x_BTHP, _, y_BTHP, state = self._read(x_BTD, state)
        gated_BTI, scale_BT1 = self._gated(y_BTHP, x_BTHP, gate_BTI)
        return self.project_out(gated_BTI) * scale_BT1, state

    def start(self, inputs_VD: Tensor | None = None) -> Step:
        """By the equation of one position."""
        convolve, rate_H = self.convolution.start(), self.log_rate.exp()
        # contiguous transposed copies, which multiply a single row faster
        W_DG, W_ID = self.project_in.weight.T.contiguous(), self.project_out.weight.T.contiguous()

        def step(x_BD: Tensor, state: State, _: Memory | None = None) -> tuple[Tensor, State]:
            tail, h_BHPN = cast(tuple[State, Tensor], state)
            gate_BI, convolved_BF, dt_BH = self._split(x_BD @ W_DG)
            convolved_BF, tail = convolve(convolved_BF, tail)
            x_BHP, dt_BH, write_BN, read_BN = self._selected(convolved_BF, dt_BH)
            y_BHP, h_BHPN = selective_step(x_BHP, dt_BH, rate_H, write_BN, read_BN, h_BHPN)
            gated_BI, scale_B1 = self._gated(y_BHP, x_BHP, gate_BI)
            return gated_BI @ W_ID * scale_B1, (tail, h_BHPN)

        return from_table(step, inputs_VD)

    def signals(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> dict[str, Tensor]:
        """The values read from the state, and for each head the share of its state that it keeps and the dt with which
        it writes."""
        _, _, dt_BTH, y_BTHP, _ = self._read(x_BTD, state)
        return {"hidden": y_BTHP.flatten(2), "forget": torch.exp(-dt_BTH * self.log_rate.exp()), "input": dt_BTH}

    def _read(self, x_BTD: Tensor, state: State) -> tuple[Tensor, Tensor, Tensor, Tensor, State]:
        """(gate_BTI, x_BTHP, dt_BTH, y_BTHP without D x_t, the state after the last position)."""
        tail, h_BHPN = cast(tuple[State, Tensor], state)
        gate_BTI, convolved_BTF, dt_BTH = self._split(self.project_in(x_BTD))
        convolved_BTF, tail = self.convolution(convolved_BTF, tail)
        x_BTHP, dt_BTH, write_BTN, read_BTN = self._selected(convolved_BTF, dt_BTH)
        with torch.autocast(x_BTD.device.type, enabled=False):
            y_BTHP, h_BHPN = selective_scan(x_BTHP, dt_BTH, self.log_rate.exp(), write_BTN, read_BTN, h_BHPN)
        return gate_BTI, x_BTHP, dt_BTH, y_BTHP, (tail, h_BHPN)

    def _split(self, projected: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(the gate's (..., I); x, B and C before the convolution; dt's (..., H))."""
        gate, convolved, dt = projected.split((self.inner, self.convolved, self.heads), -1)
        return gate, convolved, dt

    def _selected(self, convolved: Tensor, dt: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(x (..., H, P), dt (..., H), B (..., N), C (..., N)), in fp32 at least, of one position or many."""
        dt = F.softplus(dt + self.dt_bias)
        x, write, read = F.silu(convolved.to(dt.dtype)).split((self.inner, self.state_size, self.state_size), -1)
        return x.unflatten(-1, (self.heads, -1)), dt, write, read

    def _gated(self, y: Tensor, x: Tensor, gate: Tensor) -> tuple[Tensor, Tensor]:
        """(y_t silu(z_t) (..., I), 1 / its root mean square), with y_t = h_t C_t + D x_t (..., H, P).

        Together they are the published RMSNorm. The scale passes through the projection that follows, behind which
        there are fewer features to scale; weights of the norm would be that projection's.
        """
        gated = torch.addcmul(y, self.skip[:, None], x).flatten(-2) * F.silu(gate)
        return gated, torch.rsqrt(gated.square().mean(-1, keepdim=True) + 1e-5)


def _dt_biases(heads: int) -> Tensor:
    """What is added to dt before the softplus: heads keep what they read for 1 to 1,000 steps at first, evenly on a
    logarithmic scale. A starts at 1, so that dt alone is the share of a state that a step replaces. (Mamba-2 draws
    A from 1 to 16 and dt from 0.001 to 0.1: about the same time scales, in steps of chance.)"""
    dt_H = 1000 ** -((torch.arange(heads) + 0.5) / heads)  # 1 / the time scale
    return dt_H + torch.log(-torch.expm1(-dt_H))  # softplus of this is dt

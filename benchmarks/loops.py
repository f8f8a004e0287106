"""Training loops as written without seqlab, to measure against; with the usual arithmetic.

gpt: a decoder-only Transformer as small GPT tutorials train it (the arithmetic of nanoGPT: pre-norm, learned positions,
tied embeddings, exact GELU, AdamW, warm-up and cosine, clipping at 1.0, windows at random offsets; with biases, as
GPT-2 has them, or without).
word_model: a recurrent language model as PyTorch's word_language_model trains it (time first, a stack of layers in one
nn.LSTM, nn.GRU or nn.RNN, plain SGD by hand, clipping at 0.25, state carried from window to window).

Shape letters: B batch, T time, D width, V vocabulary, N tokens of the corpus (and heads, before a K: the width of one).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.harness import Facts, Pace
from seqlab.config.run import load_run_config
from seqlab.tasks.char_lm import CharLM


@dataclass(frozen=True)
class GPTSize:
    """Of the network and of a batch."""

    layers: int
    heads: int
    width: int
    batch: int
    window: int
    bias: bool = True


class GPTBlock(nn.Module):
    """Attention and a feed-forward network, each with a residual path."""

    def __init__(self, size: GPTSize) -> None:
        super().__init__()
        self.heads = size.heads
        self.norm_1 = nn.LayerNorm(size.width, bias=size.bias)
        self.qkv = nn.Linear(size.width, 3 * size.width, bias=size.bias)
        self.out = nn.Linear(size.width, size.width, bias=size.bias)
        self.norm_2 = nn.LayerNorm(size.width, bias=size.bias)
        self.up = nn.Linear(size.width, 4 * size.width, bias=size.bias)
        self.down = nn.Linear(4 * size.width, size.width, bias=size.bias)

    def forward(self, x_BTD: Tensor) -> Tensor:
        rows, steps, width = x_BTD.shape
        q, k, v = self.qkv(self.norm_1(x_BTD)).split(width, dim=2)
        q, k, v = (part.view(rows, steps, self.heads, width // self.heads).transpose(1, 2) for part in (q, k, v))
        y_BNTK = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x_BTD = x_BTD + self.out(y_BNTK.transpose(1, 2).contiguous().view(rows, steps, width))
        down: Tensor = self.down(F.gelu(self.up(self.norm_2(x_BTD))))
        return x_BTD + down


class GPT(nn.Module):
    """Tokens and positions, blocks, a norm, and a head that shares the tokens' weight."""

    def __init__(self, vocabulary: int, size: GPTSize) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, size.width)
        self.positions = nn.Embedding(size.window, size.width)
        self.blocks = nn.ModuleList(GPTBlock(size) for _ in range(size.layers))
        self.norm = nn.LayerNorm(size.width, bias=size.bias)
        self.head = nn.Linear(size.width, vocabulary, bias=False)
        self.tokens.weight = self.head.weight
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, inputs_BT: Tensor, targets_BT: Tensor) -> Tensor:
        """The mean loss."""
        at_T = torch.arange(inputs_BT.shape[1], device=inputs_BT.device)
        x_BTD = self.tokens(inputs_BT) + self.positions(at_T)
        for block in self.blocks:
            x_BTD = block(x_BTD)
        logits_BTV = self.head(self.norm(x_BTD))
        return F.cross_entropy(logits_BTV.view(-1, logits_BTV.shape[-1]), targets_BT.reshape(-1))


def gpt(pace: Pace, facts: Facts, size: GPTSize, overrides: tuple[str, ...] = ()) -> None:
    """A contender: trains a GPT on char_lm's training text, or that of these overrides."""
    facts["tokens_per_step"] = size.batch * size.window
    for _ in train_gpt(*_corpus(overrides), size, horizon=5000):
        pace()


def train_gpt(ids_N: Tensor, vocabulary: int, size: GPTSize, *, horizon: int) -> Iterator[GPT]:
    """Train a GPT for ever on random windows, on the CPU in fp32; the network after each step. horizon: the step at
    which the learning rate has decayed."""
    tokens_N, network = ids_N.numpy().astype(np.uint16), GPT(vocabulary, size)
    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": 0.1},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99))

    def batch() -> tuple[Tensor, Tensor]:
        starts_B = torch.randint(len(tokens_N) - size.window, (size.batch,))
        inputs = [torch.from_numpy(tokens_N[i : i + size.window].astype(np.int64)) for i in starts_B]
        targets = [torch.from_numpy(tokens_N[i + 1 : i + 1 + size.window].astype(np.int64)) for i in starts_B]
        return torch.stack(inputs), torch.stack(targets)

    def learning_rate(step: int) -> float:
        if step < 100:
            return 1e-3 * (step + 1) / 101
        done = min(1.0, (step - 100) / (horizon - 100))
        return 1e-4 + 0.5 * (1.0 + math.cos(math.pi * done)) * 9e-4

    for step in count():
        inputs_BT, targets_BT = batch()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        loss = network(inputs_BT, targets_BT)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % 10 == 0:
            loss.item()
        yield network


@dataclass(frozen=True)
class WordSize:
    """Of the network and of a batch."""

    kind: str
    layers: int
    width: int
    batch: int
    window: int
    dropout: float


class WordModel(nn.Module):
    """An embedding, a stack of recurrent layers in one module, a linear head."""

    def __init__(self, size: WordSize, vocabulary: int) -> None:
        super().__init__()
        self.size = size
        self.drop = nn.Dropout(size.dropout)
        self.encoder = nn.Embedding(vocabulary, size.width)
        kernels = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
        self.rnn = kernels[size.kind](size.width, size.width, size.layers, dropout=size.dropout)
        self.decoder = nn.Linear(size.width, vocabulary)

    def start(self, rows: int) -> Tensor | tuple[Tensor, Tensor]:
        zeros = torch.zeros(self.size.layers, rows, self.size.width)
        return (zeros, zeros.clone()) if self.size.kind == "lstm" else zeros

    def forward(
        self, inputs_TB: Tensor, state: Tensor | tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor | tuple[Tensor, Tensor]]:
        y_TBD, state = self.rnn(self.drop(self.encoder(inputs_TB)), state)
        logits_TBV = self.decoder(self.drop(y_TBD))
        return F.log_softmax(logits_TBV.view(-1, logits_TBV.shape[-1]), dim=1), state


def word_model(pace: Pace, facts: Facts, size: WordSize) -> None:
    """A contender: trains a WordModel over streams in order, repeatedly."""
    ids_N, vocabulary = _corpus()
    per_stream = len(ids_N) // size.batch
    ids_TB = ids_N[: per_stream * size.batch].view(size.batch, per_stream).t().contiguous()
    network = WordModel(size, vocabulary)
    facts["tokens_per_step"] = size.batch * size.window
    total = 0.0
    while True:
        state = network.start(size.batch)
        for at in range(0, len(ids_TB) - size.window - 1, size.window):
            inputs_TB = ids_TB[at : at + size.window]
            targets_N = ids_TB[at + 1 : at + 1 + size.window].view(-1)
            network.zero_grad()
            state = state.detach() if isinstance(state, Tensor) else (state[0].detach(), state[1].detach())
            scores, state = network(inputs_TB, state)
            loss = F.nll_loss(scores, targets_N)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 0.25)
            for parameter in network.parameters():
                assert parameter.grad is not None
                parameter.data.add_(parameter.grad, alpha=-1.0)
            total += loss.item()
            pace()


def _corpus(overrides: tuple[str, ...] = ()) -> tuple[Tensor, int]:
    """The ids of char_lm's training text, and the number of distinct characters."""
    task = load_run_config([*overrides]).task.build()
    assert isinstance(task, CharLM)
    return task.ids["train"][:], len(task.token_vocabulary)

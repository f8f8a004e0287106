"""Generation at batch 1: seqlab against a hand-written loop, in turns in one process.

Recurrent families: a loop over nn.LSTM (GRU, RNN) with one position a call. The Transformer: a loop that reads the last
`context` characters again for each one that it writes, as nanoGPT's generate() does. Both sides have the same initial
weights: speed does not depend on what they have learned.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.harness import Report, parser
from seqlab.config.run import load_run_config
from seqlab.core.prediction import GenerationConfig
from seqlab.layers.recurrent import RecurrentStack
from seqlab.networks.token_lm import TokenLM
from seqlab.tasks.char_lm import CharLM

TEMPERATURE = 0.8
CONTEXT = 1024
KERNELS: dict[str, Callable[..., nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
TRANSFORMER = (
    "model=transformer", "model.layers=4", "model.width=128", "model.heads=4", "model.feed_forward=512",
    f"model.context={CONTEXT}", f"task.window={CONTEXT}",
)  # fmt: skip


class PlainRecurrent(nn.Module):
    """A student's network: embedding, torch's kernel with all its layers, linear."""

    def __init__(self, model: str, network: TokenLM) -> None:
        super().__init__()
        stack = network.decoder
        assert isinstance(stack, RecurrentStack)
        self.embed = nn.Embedding.from_pretrained(network.embed.table().detach())
        width = network.embed.embedding_dim
        self.kernel = KERNELS[model](width, width, num_layers=len(stack.kernels), batch_first=True)
        self.head = network.head
        with torch.no_grad():
            for layer, kernel in enumerate(stack.kernels):
                for name, parameter in kernel.named_parameters():
                    self.kernel.get_parameter(name.replace("l0", f"l{layer}")).copy_(parameter)

    @torch.inference_mode()
    def write(self, prompt_T: Tensor, count: int) -> list[int]:
        """`count` characters, each drawn from the softmax of the scores."""
        said: list[int] = []
        y_BTD, state = self.kernel(self.embed(prompt_T[None]))
        for _ in range(count):
            share_BV = torch.softmax(self.head(y_BTD[:, -1]) / TEMPERATURE, -1)
            token_B1 = torch.multinomial(share_BV, 1)
            said.append(int(token_B1))
            y_BTD, state = self.kernel(self.embed(token_B1), state)
        return said


class PlainTransformer:
    """Without a cache: everything within the context is read again at each step."""

    def __init__(self, network: TokenLM) -> None:
        self.network = network

    @torch.inference_mode()
    def write(self, prompt_T: Tensor, count: int) -> list[int]:
        """`count` characters, each drawn from the softmax of the scores."""
        network, ids_BT = self.network, prompt_T[None]
        for _ in range(count):
            hidden_BTD, _ = network.decoder(network.embed(ids_BT[:, -CONTEXT:]), ())
            share_BV = torch.softmax(network.head(hidden_BTD[:, -1]) / TEMPERATURE, -1)
            ids_BT = torch.cat((ids_BT, torch.multinomial(share_BV, 1)), 1)
        return ids_BT[0, len(prompt_T) :].tolist()


@dataclass(frozen=True)
class Row:
    """One comparison: the characters of the prompt, and those that each side generates after it."""

    name: str
    overrides: tuple[str, ...]
    prompt: int
    ours: int
    theirs: int

    def sides(self) -> tuple[Callable[[], object], Callable[[], object]]:
        """The generating functions of both sides."""
        config = load_run_config(["task=char_lm", *self.overrides])
        task = config.task.build()
        assert isinstance(task, CharLM)
        torch.manual_seed(0)
        network = task.build_network(config.model).eval()
        text = task.texts["test"][: self.prompt]
        prompt_T = torch.tensor(task.token_vocabulary.encode(text))
        model = self.overrides[0].partition("=")[2]
        plain = PlainRecurrent(model, network).eval() if model in KERNELS else PlainTransformer(network)
        generation = GenerationConfig(length=self.ours, temperature=TEMPERATURE)
        return lambda: list(task.stream(network, text, generation)), lambda: plain.write(prompt_T, self.theirs)


RECURRENT = [
    Row(
        f"{model} of width 256, layers: {layers}", (f"model={model}", "model.width=256", f"model.layers={layers}"),
        prompt=8, ours=400, theirs=400,
    )
    for model in KERNELS
    for layers in (1, 2)
]  # fmt: skip
ROWS = [
    *RECURRENT,
    Row("transformer of width 128, layers: 4, from the start", TRANSFORMER, prompt=8, ours=CONTEXT, theirs=CONTEXT),
    Row("transformer of width 128, layers: 4, context full", TRANSFORMER, prompt=CONTEXT, ours=CONTEXT, theirs=24),
]


def seconds(write: Callable[[], object]) -> float:
    """The seconds that a call takes."""
    started = time.perf_counter()
    write()
    return time.perf_counter() - started


def main() -> None:
    """Print one row for each network."""
    made = parser(__doc__)
    made.set_defaults(threads=1)
    options = made.parse_args()
    torch.set_num_threads(options.threads)
    report = Report("generation", ("network", "ours chars/s", "loop chars/s", "ratio", "least", "most"), options)
    for row in ROWS:
        if options.only not in row.name:
            continue
        ours, theirs = row.sides()
        seconds(ours), seconds(theirs)  # warm-up
        speeds: list[tuple[float, float]] = []
        # a round of the slow rows takes many seconds as it is
        for turn in range(options.rounds if row in RECURRENT else max(3, options.rounds // 5)):
            if turn % 2:
                mine, plain = seconds(ours), seconds(theirs)
            else:
                plain, mine = seconds(theirs), seconds(ours)
            speeds.append((row.ours / mine, row.theirs / plain))
        ratios = [mine / plain for mine, plain in speeds]
        medians = (statistics.median(side) for side in zip(*speeds, strict=True))
        report.add(row.name, *medians, statistics.median(ratios), min(ratios), max(ratios))
    report.finish()


if __name__ == "__main__":
    main()

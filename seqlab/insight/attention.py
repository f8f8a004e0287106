"""Attention weights of each head, over the tokens.

T query positions, S key positions, N heads.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast, get_args, get_type_hints

import numpy as np
import torch

from seqlab.core.attention import Attention
from seqlab.core.example import Example, example_reader, example_source
from seqlab.core.meter import Table
from seqlab.core.model import ModelConfig, context_of
from seqlab.core.network import Network
from seqlab.core.task import Task
from seqlab.drawing.picture import Picture, plain
from seqlab.errors import ConfigError, SeqlabError
from seqlab.insight.attended_image import attended_image
from seqlab.insight.watching import calls_of, check_finite, shown, truncation
from seqlab.metrics import Floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TOKENS = 48

_ABOUT = (
    "Each row is a query position, each column a key position; the brighter a cell, the higher the weight, and the "
    "weights of a row sum to 1. {what} The number above a head is its effective number of positions, averaged over "
    "queries: 2 to the power of the entropy in bits. It is 1 where all weight is on one position, and {most} where "
    "every position has the same weight. Colour is on a square-root scale, so that low weights can be seen."
)
_ACROSS = (
    "Queries are the tokens of the output, keys those of the source: in a translation a bright diagonal is an "
    "alignment."
)
_CAUSAL = (
    "Attention is causal: the weights above the diagonal are 0. A stripe parallel to the diagonal is a head that "
    "attends a fixed number of positions back."
)
_BOTH = "Every position attends to the whole text, before and after."


def maps(network: Network[Any], example: Example[Any]) -> dict[str, tuple[Attention, Floats]]:
    """weight_NTS of each attention of a network while it reads one text, by the module's name."""
    found = {}
    with torch.no_grad():
        for name, call in calls_of(network, example, Attention).items():
            weight_BNTS = call.module.weights(*call.arguments, **call.keywords)
            weight_NTS = np.asarray(weight_BNTS[0].cpu().double().numpy())
            check_finite(weight_NTS, f"the attention weights of {name}")
            found[name] = (call.module, weight_NTS)
    return found


def spread(weight_NTS: Floats) -> Floats:
    """(N,) effective number of positions that each head attends to: 2^entropy, averaged over queries."""
    bits_NT = -(weight_NTS * np.log2(np.maximum(weight_NTS, 1e-30))).sum(-1)
    return np.asarray((2**bits_NT).mean(-1))


def attention(task: Task[Any], network: Network[Any], text: str | None) -> list[Picture]:
    """A picture of each attention module while the network reads a text (by default one that the task chooses):
    attention to another sequence first, then in the order of layers; none if the network has no attention."""
    if text is None:
        text = example_source(task).example_text(min(_TOKENS, context_of(network) or task.longest()))
    example = example_reader(task).example(network, text)
    found = maps(network, example)
    ordered = sorted(found.items(), key=lambda item: not item[1][0].across)
    return [_picture(name, module, weight_NTS, example) for name, (module, weight_NTS) in ordered]


def attentive(config: ModelConfig, task: Task[Any]) -> list[str]:
    """Those values of the model's setting `attention`, if it has that setting, with which its network has attention."""
    found = []
    for kind in get_args(get_type_hints(type(config)).get("attention")):
        with suppress(SeqlabError, ValueError):  # a value that contradicts other settings is no remedy
            network = task.build_network(replace(cast("Any", config), attention=kind))
            if any(isinstance(module, Attention) for module in network.modules()):
                found.append(str(kind))
    return found


def _picture(name: str, module: Attention, weight_NTS: Floats, example: Example[Any]) -> Picture:
    causal = module.causal
    spread_N, whole = spread(weight_NTS), weight_NTS.shape[1:]
    keys = example.tokens if module.across else example.tokens_of(name, whole[1])
    queries = example.predicted if module.across else keys
    if (len(queries), len(keys)) != whole:
        raise ConfigError(
            f"{name} has weights for {whole[0]} by {whole[1]} positions, and the texts have {len(queries)} and "
            f"{len(keys)}"
        )
    patches = example.patches if module.across else None
    queries, keys = queries[:_TOKENS], keys[: _TOKENS if patches is None else None]
    weight_NTS = weight_NTS[:, : len(queries), : len(keys)]
    rows, columns = ([plain(shown(token)) for token in tokens] for tokens in (queries, keys))
    heads = len(weight_NTS)
    title, place = f"Attention weights: {_place(name)}", f"attention-{_place(name).replace(' ', '-')}"
    table = Table(
        "effective number of positions", ("head", "positions"),
        tuple((f"{head + 1}", float(value)) for head, value in enumerate(spread_N)),
    )  # fmt: skip
    data = {"module": name, "rows": list(queries), "columns": list(keys), "weights": np.round(weight_NTS, 4).tolist()}
    if patches is not None:
        return attended_image(
            place, title.replace("weights:", "over the image:"), patches, rows, weight_NTS, data, (table,)
        )
    across = 1 if heads == 1 else 2
    down = math.ceil(heads / across)
    width, height = (1.5 + 0.085 * max(16, len(side)) for side in (columns, rows))

    def draw(figure: Figure) -> None:
        from matplotlib.colors import PowerNorm

        panels = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
        for head, panel in enumerate(panels.flat):
            if head >= heads:
                panel.set_axis_off()
                continue
            scale = PowerNorm(0.5, 0, float(weight_NTS[head].max()))
            image = panel.imshow(weight_NTS[head], cmap="cividis", norm=scale, aspect="auto", interpolation="nearest")
            panel.set_xticks(range(len(columns)), columns, fontsize=6)
            panel.set_yticks(range(len(rows)), rows, fontsize=6)
            if any(len(token) > 1 for token in columns):
                panel.tick_params(axis="x", labelrotation=90)
            panel.grid(visible=False)
            panel.set_title(f"head {head + 1}: {spread_N[head]:.1f} effective positions", fontsize=9)
            figure.colorbar(image, ax=panel, pad=0.01, label="weight")
        figure.supxlabel("keys: tokens of the source" if module.across else "keys", fontsize=10)
        figure.supylabel("queries: next token of the output" if module.across else "queries", fontsize=10)

    what = _ACROSS if module.across else _CAUSAL if causal else _BOTH
    about = _ABOUT.format(what=what, most=whole[1])
    if whole != weight_NTS.shape[1:]:
        about += f" The first {len(rows)} of {whole[0]} rows and {len(columns)} of {whole[1]} columns are drawn."
    about += truncation(example)
    size = (0.8 + across * (width + 0.9), 0.8 + down * height)
    return Picture(place, title, about, draw, *size, data, (table,))


def _place(name: str) -> str:
    """decoder.blocks.0.cross: decoder 1 cross."""
    words = [part for part in name.split(".") if part not in ("blocks", "attend")]
    return " ".join(str(int(word) + 1) if word.isdigit() else word.replace("_", " ") for word in words)

"""Attention weights of each head, over the tokens.

T query positions, S key positions, N heads.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any, cast, get_args, get_type_hints

import numpy as np

from seqlab.core.attention import Attention
from seqlab.core.example import Example, example_reader, example_source
from seqlab.core.meter import Table
from seqlab.core.model import ModelConfig, context_of
from seqlab.core.network import Network
from seqlab.core.task import Task
from seqlab.drawing.picture import Picture, plain
from seqlab.errors import ConfigError, SeqlabError
from seqlab.insight.attended_image import attended_image
from seqlab.insight.drawn_maps import DrawnMaps
from seqlab.insight.maps import Agreement, Map, Places, agreements, maps, places_in, spread
from seqlab.insight.watching import shown, truncation

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
_SCORES = (
    " Left of the weights are the scores that they come from, by one softmax for each row: in dot-product attention "
    "q·k / √d, how similar a query is to a key. Only differences within a row count. Blank cells must not be attended "
    "to."
)
_ANSWERS = (
    " Rings mark where the answers stand, as the task knows them: head {best} looks there most in {share:.0%} of "
    "{queries} targets; by chance it would be {chance:.0%}."
)
_CAUSAL = (
    "Attention is causal: the weights above the diagonal are 0. A stripe parallel to the diagonal is a head that "
    "attends a fixed number of positions back."
)
_BOTH = "Every position attends to the whole text, before and after."


def text_to_show(task: Task[Any], network: Network[Any], text: str | None) -> Example[Any]:
    """A text as the network reads it, by default one that the task chooses, short enough for its map."""
    if text is None:
        text = example_source(task).example_text(min(_TOKENS, context_of(network) or task.longest()))
    return example_reader(task).example(network, text)


def attention(task: Task[Any], network: Network[Any], text: str | None) -> list[Picture]:
    """A picture of each attention module while the network reads a text (by default one that the task chooses):
    attention to another sequence first, then in the order of layers; none if the network has no attention."""
    example = text_to_show(task, network, text)
    found = maps(network, example.batch)
    places, judged = places_in(task, example.batch), agreements(task, example.batch, found)
    ordered = sorted(found.items(), key=lambda item: not item[1].module.across)
    return [
        _picture(name, each, example, judged.get(name), places[0] if name in judged and places is not None else None)
        for name, each in ordered
    ]


def attentive(config: ModelConfig, task: Task[Any]) -> list[str]:
    """Those values of the model's setting `attention`, if it has that setting, with which its network has attention."""
    found = []
    for kind in get_args(get_type_hints(type(config)).get("attention")):
        with suppress(SeqlabError, ValueError):  # a value that contradicts other settings is no remedy
            network = task.build_network(replace(cast("Any", config), attention=kind))
            if any(isinstance(module, Attention) for module in network.modules()):
                found.append(str(kind))
    return found


def _picture(name: str, found: Map, example: Example[Any], judged: Agreement | None, place_T: Places | None) -> Picture:
    """judged, place_T: where the answers stand, if the task knows that and they come through this module."""
    module, weight_NTS = found.module, found.weight_BNTS[0]
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
    cut = np.s_[:, : len(queries), : len(keys)]
    weight_NTS = weight_NTS[cut]
    score_NTS = None if found.score_BNTS is None else found.score_BNTS[0][cut]
    rows, columns = ([plain(shown(token)) for token in tokens] for tokens in (queries, keys))
    title, place = f"Attention weights: {place_of(name)}", f"attention-{place_of(name).replace(' ', '-')}"
    measured = {"positions": spread_N.tolist()}
    if judged is not None:
        measured["aligned"] = judged.share_N.tolist()
    table = Table(
        "effective number of positions" + ("" if judged is None else ", and share of answers found"),
        ("head", *measured),
        tuple((f"{head + 1}", *values) for head, values in enumerate(zip(*measured.values(), strict=True))),
    )  # fmt: skip
    data: dict[str, Any] = {
        "module": name, "rows": list(queries), "columns": list(keys), "weights": np.round(weight_NTS, 4).tolist(),
    }  # fmt: skip
    if patches is not None:
        return attended_image(
            place, title.replace("weights:", "over the image:"), patches, rows, weight_NTS, data, (table,)
        )
    if score_NTS is not None:
        data["scores"] = np.round(score_NTS, 4).tolist()
    if judged is not None:
        data |= {"aligned": judged.share_N.tolist(), "aligned_by_chance": judged.chance}
    answers = None if place_T is None else [(key, t) for t, key in enumerate(place_T[: len(rows)]) if key >= 0]
    names = [f"head {head + 1}: {number:.1f} effective positions" for head, number in enumerate(spread_N)]
    drawn = DrawnMaps(names, weight_NTS, score_NTS, rows, columns, answers or (), across=module.across)
    what = _ACROSS if module.across else _CAUSAL if module.causal else _BOTH
    about = _ABOUT.format(what=what, most=whole[1]) + ("" if score_NTS is None else _SCORES)
    if judged is not None:
        best = int(judged.share_N.argmax())
        about += _ANSWERS.format(
            best=best + 1, share=judged.share_N[best], queries=judged.queries, chance=judged.chance
        )
    if whole != weight_NTS.shape[1:]:
        about += f" The first {len(rows)} of {whole[0]} rows and {len(columns)} of {whole[1]} columns are drawn."
    return Picture(place, title, about + truncation(example), drawn.draw, *drawn.size, data, (table,))


def place_of(name: str) -> str:
    """decoder.blocks.0.cross: decoder 1 cross."""
    words = [part for part in name.split(".") if part not in ("blocks", "attend")]
    return " ".join(str(int(word) + 1) if word.isdigit() else word.replace("_", " ") for word in words)

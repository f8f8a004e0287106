"""Token embeddings in two dimensions, and in TensorBoard's projector."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqlab.core.meter import Table
from seqlab.core.network import Network
from seqlab.core.task import Task
from seqlab.data.vocabulary import SPECIALS
from seqlab.drawing.picture import COLOURS, Picture, plain
from seqlab.errors import ConfigError
from seqlab.insight.neighbours import nearest, same_kind
from seqlab.insight.watching import check_finite, shown
from seqlab.metrics import Floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DRAWN, _PROJECTED = 150, 2000  # the most frequent tokens: more cannot be told apart, or would fill a disk

_ABOUT = (
    "Each token's embedding, projected onto the two directions of highest variance (principal components, Pearson "
    "1901). The axes give their share of the variance; where it is low, points that are near each other here need not "
    "be near in the full space. Tokens that occur in similar contexts get similar embeddings: look for digits, "
    "capitals, brackets. The most frequent {count} are drawn; seqlab inspect hands {projected} to TensorBoard's "
    "projector, in three dimensions.{probe} The table has the nearest neighbours among them in the full space (cosine "
    "similarity)."
)
_PROBE = (
    " In the full space, the nearest neighbour of {share:.0%} of these is of the token's own kind; of random ones it "
    "would be {chance:.0%}."
)
_NEIGHBOURS = 5
_COMMON = 0.5  # a kind that half of the tokens are of tells nothing
_KINDS = ("lower-case letter", "capital", "digit", "bracket or quote", "other mark", "blank", "word")


@dataclass(frozen=True)
class Vectors:
    """An embedding with the tokens of its rows, most frequent first, special ones left out."""

    name: str
    tokens: tuple[str, ...]
    vector_VD: Floats


def vectors_of(task: Task[Any], network: Network[Any]) -> Iterator[Vectors]:
    """Each embedding of a network whose rows the task names, and that has something to project: three tokens in two
    dimensions. Raises ConfigError where the names are more or fewer than the rows."""
    tokens_of = task.embedding_tokens()
    for name, table in network.embeddings().items():
        tokens = tokens_of.get(name)
        if tokens is None:
            continue
        if len(tokens) != table.num_embeddings:
            raise ConfigError(
                f"the embedding {name} has {table.num_embeddings} rows, and the task names {len(tokens)} of them",
                "correct the task's method embedding_tokens",
            )
        rows = [row for row, token in enumerate(tokens) if token not in SPECIALS]
        vector_VD = np.asarray(table.weight.detach()[rows].cpu().double())
        if len(rows) > 2 and table.embedding_dim > 1:
            yield Vectors(name, tuple(tokens[row] for row in rows), vector_VD)


def principal_components(vector_VD: Floats, count: int) -> tuple[Floats, Floats]:
    """(coordinates (V, count), the share of all variance that each of them holds)."""
    centred_VD = vector_VD - vector_VD.mean(0)
    left_VD, scale_D, _ = np.linalg.svd(centred_VD, full_matrices=False)
    share_D = scale_D**2 / max(float((scale_D**2).sum()), 1e-30)
    return left_VD[:, :count] * scale_D[:count], share_D[:count]


def kind_of(token: str) -> str:
    """The class of a token, for its colour."""
    if len(token) != 1:
        return "word"
    if token.isspace():
        return "blank"
    if token.isdigit():
        return "digit"
    if token.isalpha():
        return "capital" if token.isupper() else "lower-case letter"
    return "bracket or quote" if token in "()[]{}<>\"'`«»“”‘’" else "other mark"


def embedding(task: Task[Any], network: Network[Any]) -> list[Picture]:
    """A picture of each embedding. Raises ConfigError where there is none."""
    drawn = [_picture(vectors) for vectors in vectors_of(task, network)]
    if not drawn:
        raise ConfigError("it has no token embedding with something to project")
    return drawn


def _picture(vectors: Vectors) -> Picture:
    tokens = vectors.tokens[:_DRAWN]
    check_finite(vectors.vector_VD, f"the token embeddings of {vectors.name}")
    place_V2, share_2 = principal_components(vectors.vector_VD[: len(tokens)], 2)
    kinds = [kind_of(token) for token in tokens]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for index, kind in enumerate(kind for kind in _KINDS if kind in kinds):
            rows = [row for row, other in enumerate(kinds) if other == kind]
            colour = COLOURS[_KINDS.index(kind) % len(COLOURS)]
            x, y = place_V2[rows].T
            axes.scatter(x, y, s=9, color=colour, label=kind, marker="osD^vP*"[index % 7])
            for row in rows:
                where = tuple(place_V2[row])
                axes.annotate(plain(shown(tokens[row])), where, (3, 2), textcoords="offset points", fontsize=7.5)
        axes.set(
            xlabel=f"first component ({share_2[0]:.0%} of variance)", ylabel=f"second component ({share_2[1]:.0%})"
        )
        if len(set(kinds)) > 1:
            figure.legend(loc="outside lower center", ncols=4, fontsize=8)

    row_VN, cosine_VN = nearest(vectors.vector_VD[: len(tokens)], _NEIGHBOURS)
    share, chance = same_kind(row_VN[:, 0], kinds)
    told = chance < _COMMON  # words are nearly all of one kind
    about = _ABOUT.format(
        count=f"{len(tokens):,}",
        projected=f"{min(_PROJECTED, len(vectors.tokens)):,}",
        probe=_PROBE.format(share=share, chance=chance) if told else "",
    )
    data = {
        "tokens": list(tokens), "coordinates": place_V2.tolist(), "variance": share_2.tolist(),
        "neighbours": row_VN.tolist(), "same_kind": share if told else None, "chance": chance if told else None,
    }  # fmt: skip
    table = Table(
        "nearest neighbours, with cosine similarities",
        ("token", *map(str, range(1, row_VN.shape[1] + 1))),
        tuple(
            (
                shown(tokens[row]),
                *(f"{shown(tokens[other])} {cosine:.2f}" for other, cosine in zip(others, cosines, strict=True)),
            )
            for row, (others, cosines) in enumerate(zip(row_VN, cosine_VN, strict=True))
        ),
    )
    name = vectors.name.replace(".", "-")
    return Picture(f"embedding-{name}", f"Token embeddings: {vectors.name}", about, draw, 7.6, 6.4, data, (table,))


def write_projector(found: Mapping[str, Iterable[Vectors]], folder: Path) -> None:
    """Write the files of TensorBoard's projector into `folder`, for networks by name: vectors, their labels, and a file
    that names both."""
    from google.protobuf import text_format
    from tensorboard.plugins.projector import ProjectorConfig

    config = ProjectorConfig()
    for place, (label, vectors_of_it) in enumerate(found.items(), 1):
        for vectors in vectors_of_it:
            stem = f"projector-{place}-{vectors.name.replace('.', '-')}"
            chosen = vectors.tokens[:_PROJECTED]
            rows = ("\t".join(f"{value:.5g}" for value in row) for row in vectors.vector_VD[: len(chosen)])
            labels = (f"{shown(token).strip() or repr(token)}\t{kind_of(token)}" for token in chosen)
            (folder / f"{stem}.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
            (folder / f"{stem}-labels.tsv").write_text("\n".join(["token\tkind", *labels]) + "\n", encoding="utf-8")
            config.embeddings.add(
                tensor_name=f"{label} {vectors.name}",
                tensor_path=f"{stem}.tsv",
                metadata_path=f"{stem}-labels.tsv",
            )
    (folder / "projector_config.pbtxt").write_text(text_format.MessageToString(config), encoding="utf-8")

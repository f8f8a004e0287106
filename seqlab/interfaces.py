"""The types that every part of seqlab agrees on.

Shape letters: B batch, T target time, S source time, D width, V vocabulary. A tensor's suffix spells its
shape: x_BTD is (batch, time, width).
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Literal, NamedTuple, Self, TypeAlias, TypeVar

import torch
from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor, nn

from seqlab.criterion import Metric as Metric  # which needs no torch; tasks find it here
from seqlab.errors import ConfigError

if TYPE_CHECKING:
    from seqlab.metrics.items import ItemSums

# --- what a network remembers -----------------------------------------------------------------

State: TypeAlias = "Tensor | tuple[State, ...]"
"""What a network remembers between batches; () if nothing. Dimension 0 of every tensor is the row.
The trainer never looks inside."""


def detach(state: State) -> State:
    """Cut the autograd history and keep the values: the truncation of truncated BPTT."""
    return state.detach() if isinstance(state, Tensor) else tuple(detach(part) for part in state)


def select_rows(state: State, rows_R: Tensor) -> State:
    """The state of the rows with these indices, in this order (beam search, shrinking batches)."""
    if isinstance(state, Tensor):
        return state.index_select(0, rows_R)
    return tuple(select_rows(part, rows_R) for part in state)


def tensors(state: State) -> Iterator[Tensor]:
    """Every tensor of a state, in its order."""
    if isinstance(state, Tensor):
        yield state
    else:
        for part in state:
            yield from tensors(part)


def same_shapes(state: State, other: State) -> bool:
    """Whether two states are nested alike, with tensors of the same shapes."""
    if isinstance(state, Tensor) or isinstance(other, Tensor):
        return isinstance(state, Tensor) and isinstance(other, Tensor) and state.shape == other.shape
    return len(state) == len(other) and all(map(same_shapes, state, other))


def where(condition: Tensor, state: State, other: State) -> State:
    """`state` if the condition () holds, else `other`, which is nested alike; decided on the device."""
    if isinstance(state, Tensor) and isinstance(other, Tensor):
        return torch.where(condition, state, other)
    return tuple(where(condition, mine, theirs) for mine, theirs in zip(state, other, strict=True))


# --- what a task feeds --------------------------------------------------------------------------

Split = Literal["train", "validation", "test"]
HELD_OUT: tuple[Split, Split] = ("validation", "test")


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Base of each task's batch: its tensors, and what the trainer must know without asking a device.

    continues: row b carries on row b of the batch before, so that its state is to be kept.
    target_count: how many targets are scored in it (the divisor of its summed loss).
    positions: how many positions are read, padding not counted (the "tokens" of tokens/s).
    """

    continues: bool = False
    target_count: int
    positions: int

    @property
    def size(self) -> int:
        """B: the number of rows."""
        return next(len(value) for value in vars(self).values() if isinstance(value, Tensor))

    def to(self, device: torch.device) -> Self:
        """The same batch with every tensor on `device`; to CUDA from pinned memory, so that nobody waits."""
        if device.type == "cpu":
            return self

        def moved(value: Tensor) -> Tensor:
            if device.type != "cuda" or not value.is_cpu:
                return value.to(device)
            # a view of a longer text would be pinned with all that lies between its rows
            return value.contiguous().pin_memory().to(device, non_blocking=True)

        values = {f.name: getattr(self, f.name) for f in fields(self)}
        tensors: dict[str, Any] = {name: moved(value) for name, value in values.items() if isinstance(value, Tensor)}
        return replace(self, **tensors)

    def windows(self, steps: int) -> Iterator[Self]:
        """This batch cut along time into windows of at most `steps` positions, each continuing the last."""
        raise TypeError(f"{type(self).__name__} cannot be cut along time")


BatchT = TypeVar("BatchT", bound=Batch)


@dataclass(frozen=True)
class StepOutput:
    """What a network says of one batch.

    loss_sum: () nats, summed (not averaged) over the batch's scored targets.
    state: what the network remembers after it.
    logits: the task's own scores, (B, T, V) or (B, C), for its meter.
    """

    loss_sum: Tensor
    state: State
    logits: Tensor


# --- sequence models ----------------------------------------------------------------------------


class Role(Enum):
    """How a task uses a sequence model."""

    ENCODER = "encoder"  # position t sees the whole sequence
    DECODER = "decoder"  # position t sees only positions <= t
    CROSS_DECODER = "cross_decoder"  # DECODER that also reads a Memory


class Memory(NamedTuple):
    """What an encoder hands to a CROSS_DECODER."""

    values_BSD: Tensor
    valid_BS: Tensor  # bool, False at padding
    final_BD: Tensor  # the whole source as one fixed vector


class SequenceModel(nn.Module, ABC):
    """Maps (B, T, D) to (B, T, D) and threads a State. Padding stands at the right of each row."""

    context: int | None = None
    """The longest sequence that it can read at once; None: any. The network of a run is narrowed to what training
    reaches (training/context.py): beyond that it has learned nothing."""

    @abstractmethod
    def initial_state(self, batch_size: int, *, capacity: int = 0) -> State:
        """The state before the first position. capacity > 0 asks for a key/value cache of that many
        positions, so that a model without recurrence can go on where the last call stopped."""

    @abstractmethod
    def forward(
        self, x_BTD: Tensor, state: State, *, valid_BT: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, State]:
        """(y_BTD, the state after the last position). valid_BT is False at padding; None means none."""

    def carries_state(self) -> bool:
        """Whether training hands anything from one window of a text to the next."""
        return any(True for _ in tensors(self.initial_state(1)))

    def encode(self, x_BSD: Tensor, valid_BS: Tensor) -> Memory:
        """Read whole sources. The fixed vector is the output at each row's last valid position."""
        values_BSD, _ = self(x_BSD, self.initial_state(len(x_BSD)), valid_BT=valid_BS)
        return Memory(values_BSD, valid_BS, last_valid(values_BSD, valid_BS))

    def stepper(self) -> Stepper:
        """The model made ready to be read from one position at a time, with the weights that it now has."""
        return Stepper(self)


class Stepper:
    """Many single steps of a SequenceModel in evaluation, for writing: forward with T=1, unless a family knows better.

    It may keep what it made of the weights, so it is made anew for each text that is written.
    """

    def __init__(self, model: SequenceModel) -> None:
        self.model = model

    def project(self, x_ND: Tensor) -> Tensor:
        """(N, ...): what of reading inputs needs no state, row by row, so that it can be tabulated for a vocabulary."""
        return x_ND

    def step(self, projected_B: Tensor, state: State, memory: Memory | None = None) -> tuple[Tensor, State]:
        """(y_BD, the state after it), given one row of `project` for each row of the state."""
        y_BTD, state = self.model(projected_B[:, None], state, memory=memory)
        return y_BTD[:, 0], state


def context_of(module: nn.Module) -> int | None:
    """The most positions that the sequence models of a module may read at once; None: any number."""
    contexts = (model.context for model in module.modules() if isinstance(model, SequenceModel))
    return min((context for context in contexts if context is not None), default=None)


def last_valid(values_BTD: Tensor, valid_BT: Tensor) -> Tensor:
    """Each row's values (B, D) at its last valid position (position 0 where a row has none)."""
    last_B = valid_BT.sum(1).clamp(min=1) - 1
    return values_BTD[torch.arange(len(values_BTD), device=values_BTD.device), last_B]


def _refuse_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a number is needed, not true or false")  # noqa: TRY004 (pydantic wants ValueError)
    return value


_Number = BeforeValidator(_refuse_bool)
Count = Annotated[int, _Number, Field(gt=0)]
WholeNumber = Annotated[int, _Number, Field(ge=0)]
Positive = Annotated[float, _Number, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, _Number, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, _Number, Field(gt=0, lt=1)]
Probability = Annotated[float, _Number, Field(ge=0, lt=1)]


@config_dataclass(frozen=True, kw_only=True)
class ModelConfig(ABC):
    """Base of every model family's settings (its defaults stand in configs/model/*.yaml).

    width: D, the size of the vectors between embedding, layers and head.
    dropout: probability of zeroing, on embeddings, between layers and before the head.
    tie_embeddings: the head uses the (target) embedding as its weight.
    """

    width: Count
    dropout: Probability
    tie_embeddings: bool

    @abstractmethod
    def build(self, role: Role) -> SequenceModel:
        """A new model, initialised from torch's current random state."""

    def dropout_layer(self) -> nn.Module:
        """The dropout, of probability `dropout`, that suits what this family reads and gives: (B, T, D) to the same.
        By default each element is dropped by itself (Srivastava 2014)."""
        return nn.Dropout(self.dropout)

    def at_width(self, width: int) -> Iterator[Self]:
        """These settings at another width, those that keep their proportions best first; none where the
        family cannot have that width. What matching sizes searches through."""
        yield replace(self, width=width)


# --- tasks ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parts:
    """What a network is made of, as modules or single parameters, each weight in one of them. embedding: what turns
    tokens into vectors; body: what works on sequences; head: what makes scores of it. A weight that two of them share
    counts where it is named first, in this order."""

    embedding: tuple[nn.Module | nn.Parameter, ...]
    body: tuple[nn.Module | nn.Parameter, ...]
    head: tuple[nn.Module | nn.Parameter, ...]


class Network(nn.Module, ABC, Generic[BatchT]):
    """A task's embeddings, sequence model(s), head and loss as one module."""

    @abstractmethod
    def initial_state(self, batch_size: int) -> State:
        """The state at a batch that continues nothing."""

    def carries_state(self) -> bool:
        """Whether training hands a state from one batch to the next where the text goes on. A network that starts
        every batch afresh loses nothing when batches come in any order (Task.training_batches)."""
        return True

    @abstractmethod
    def forward(self, batch: BatchT, state: State) -> StepOutput:
        """The summed loss of the batch, in nats and fp32 whatever the precision of the matmuls."""

    def parts(self) -> Parts:
        """What is counted, and matched in size, as what. By default embedding are the nn.Embedding modules outside
        sequence models, body the sequence models, and head whatever is left: a network with another body says so."""
        body = [module for module in self.modules() if isinstance(module, SequenceModel)]
        inside = {id(module) for model in body for module in model.modules()}
        embedding = [m for m in self.modules() if isinstance(m, nn.Embedding) and id(m) not in inside]
        named = {id(p) for module in (*body, *embedding) for p in module.parameters()}
        return Parts(tuple(embedding), tuple(body), tuple(p for p in self.parameters() if id(p) not in named))


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Without dropout, which would also draw from the generator that training goes on with; then as before."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


Writer: TypeAlias = Callable[[Tensor, State], tuple[Tensor, State]]
"""(token_B, state) to (logits_BV of the token after it, the state after it)."""


class GeneratingNetwork(Network[BatchT]):
    """A network that can also write, one token a row at a time."""

    @abstractmethod
    def start(self, batch: BatchT, capacity: int) -> State:
        """The state before the first token is written, given what `batch` asks for; a cache in it has room
        for `capacity` tokens that will be written."""

    @abstractmethod
    def next(self, token_B: Tensor, state: State) -> tuple[Tensor, State]:
        """(logits_BV of the token after `token_B`, the state after it)."""

    def writer(self) -> Writer:
        """`next`, made ready for many steps in evaluation with the weights that the network now has."""
        return self.next


class Meter(ABC, Generic[BatchT]):
    """Gathers what the batches of one evaluation say and turns it into metrics."""

    primary: str
    """The name of the metric that its task is judged by."""

    @abstractmethod
    def update(self, batch: BatchT, output: StepOutput, network: Network[BatchT]) -> None:
        """Take in one batch's result."""

    @abstractmethod
    def compute(self) -> dict[str, Metric]:
        """Every metric of what was taken in, by name."""

    def criterion(self) -> tuple[str, ...]:
        """By which metrics two evaluations are told apart: the primary one, between equals the loss (where there is
        one). Of two that are equal in all of them the newer is kept. seqlab/criterion.py is the rule."""
        return (self.primary, "loss")

    def item_sums(self) -> ItemSums | None:
        """What each item of the split adds to the primary metric, in the split's own order, which depends neither on
        batches nor on the network: what models are compared by over items. None where it is no function of such sums.
        """
        return None

    def interval(self, seed: int) -> tuple[float, float]:
        """The primary metric's 95 % bootstrap interval over items; nan, nan where there is none."""
        sums = self.item_sums()
        return (math.nan, math.nan) if sums is None else sums.interval(seed)

    def details(self) -> dict[str, Any]:
        """What belongs to the result but is no single figure: confusion counts, a metric's signature."""
        return {}

    def items(self) -> Iterator[dict[str, Any]]:
        """What was found for each item (a text, a pair, a stretch of characters), in the split's order: plain values
        for tools."""
        return iter(())

    def tables(self) -> Iterator[Table]:
        """What a person wants to see beside the metrics."""
        return iter(())


@dataclass(frozen=True)
class Table:
    """A table for people. The first column is text, and so is any cell that is a str."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str | int | float, ...], ...]

    def is_text(self, column: int) -> bool:
        """Whether a column is to be read as words rather than numbers."""
        return column == 0 or any(isinstance(row[column], str) for row in self.rows)


@dataclass(frozen=True)
class Baseline:
    """What is reached on the test split without a network. `about`: how, in one line."""

    name: str
    about: str
    metrics: Mapping[str, Metric]


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How a network is asked: each task takes what concerns it.

    length: tokens to write. temperature, top_k, top_p, seed: how they are drawn (decoding/sampling.py). beams,
    length_penalty: how the best sequence is searched (decoding/beam.py).
    """

    length: int = 200
    temperature: float = 0.8
    top_k: int | None = None
    top_p: float | None = None
    seed: int = 0
    beams: int = 1
    length_penalty: float = 0.0


@dataclass(frozen=True)
class Prediction:
    """What a network says of one text. said: for people. details: for tools."""

    said: str
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Reading(Generic[BatchT]):
    """One text as a network reads it, for pictures.

    batch: one row. tokens: what stands at each of its positions, as a person would write it. written: for a network
    with a decoder, what that reads, and `answers`, what it then says, position by position. decoder: the dotted name of
    the part of the network that reads `written`; every other part reads `tokens`. left_out: tokens at the text's end
    that the network does not read, because it was not trained to read so many at once.
    """

    batch: BatchT
    tokens: tuple[str, ...]
    written: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    decoder: str = "decoder"
    left_out: int = 0

    def read_by(self, module: str, positions: int) -> tuple[str, ...]:
        """The labels of what a module of the network, by its dotted name, reads. Raises ConfigError where it reads
        another number of positions."""
        decodes = bool(self.written) and f"{module}.".startswith(f"{self.decoder}.")
        labels = self.written if decodes else self.tokens
        if len(labels) != positions:
            raise ConfigError(
                f"{module} reads {positions} positions, and the text has {len(labels)}: nobody knows what stands where",
                "let the task's method reading name the part that reads what is written: Reading(decoder=NAME)",
            )
        return labels


class Task(ABC, Generic[BatchT]):
    """A corpus with its splits, the network that fits it, and its metrics."""

    data_sha256: str
    """Digest of what the task read, for environment.json."""

    test_is_validation: bool = False
    """Whether the corpus has no test split of its own, so that test figures are those of the split that chose the
    weights. Results and reports say so."""

    continues_texts: ClassVar[bool] = False
    """Whether what a network says goes on where the text that it was given ends."""

    generation_options: ClassVar[tuple[str, ...]] = ()
    """The fields of Asking that change what `predict` says; the command line refuses the options of the others."""

    @abstractmethod
    def batches(self, split: Split, seed: int) -> Iterator[BatchT]:
        """One pass over a split. `seed` orders the training split; the others come in their own order."""

    def training_batches(self, network: Network[BatchT], seed: int) -> Iterator[BatchT]:
        """One pass over the training split in the order that suits the network. Whatever the order, the same text is
        read: each target once, and as many in a batch."""
        return self.batches("train", seed)

    def training_order(self, network: Network[BatchT]) -> str:
        """That order in words, where it depends on the network; else ''."""
        return ""

    def validation_batches(self) -> Iterator[BatchT]:
        """What is validated on in training: always the same, the whole split unless the task was asked for a part. The
        figures at the end are of whole splits."""
        return self.batches("validation", 0)

    def shorter_validation(self, share: float) -> str | None:
        """The override, KEY=VALUE, that leaves about this share of a validation in training; None if there is none."""
        return None

    def heldout_sha256(self) -> str:
        """Digest of the validation and test splits; only runs with the same one are ranked beside each other. Of their
        batches, unless a task says it better: by texts, which neither batch sizes nor a vocabulary change."""
        digest = hashlib.sha256()
        for split in HELD_OUT:
            for batch in self.batches(split, 0):
                for value in vars(batch).values():
                    if isinstance(value, Tensor):
                        digest.update(value.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    @abstractmethod
    def build_network(self, model: ModelConfig) -> Network[BatchT]:
        """A new network for this task."""

    @abstractmethod
    def longest(self) -> int:
        """The most positions that any sequence of any batch has."""

    def trained_positions(self, part: str) -> int:
        """The most positions that a whole training sequence gives to the sequence model that stands in the network
        under this dotted name. By default longest()."""
        return self.longest()

    @abstractmethod
    def symbols(self) -> Iterable[str]:
        """Every token and label in the order of ids: what a network's weights are about."""

    def stored_vocabulary(self) -> Mapping[str, Any] | None:
        """What a network of this task needs of the corpus: vocabularies, labels, plain values that JSON can hold. It is
        kept in each run, for TaskConfig.restore. None: the task cannot be without its corpus."""
        return None

    @abstractmethod
    def meter(self, split: Split) -> Meter[BatchT]:
        """An empty meter for one evaluation of `split`."""

    @abstractmethod
    def facts(self) -> Mapping[str, int | str]:
        """What a reader should know of the data: sizes, vocabulary, what was skipped."""

    def warnings(self) -> Iterable[str]:
        """What in the data makes its figures mean less than they seem to: plain sentences, each with its remedy. Shown
        before training, in train.log, in result.json and in a comparison's notes; none by default."""
        return ()

    @abstractmethod
    def samples(self, network: Network[BatchT], seed: int) -> str:
        """What the network makes of some of the validation split, for people: it is shown while it trains."""

    def predict(self, network: Network[BatchT], text: str, how: Asking) -> Prediction:
        """What the network says of a text of the user's own. Raises ConfigError where a task cannot be asked."""
        raise ConfigError(f"{type(self).__name__} has no predictions", "a task offers them by its method predict")

    def unknown(self, text: str) -> tuple[str, ...]:
        """What of a text training did not know, each once, in its order."""
        return ()

    def unknown_in(self, split: Split) -> Mapping[str, tuple[int, int]]:
        """How many tokens of a split training did not know, and of how many, by what they are: {"words": (3, 100)}."""
        return {}

    def with_test_corpus(self, where: str, key: str) -> Task[BatchT]:
        """The same task, vocabulary and labels, whose test split is the whole of another corpus: `where` names it as
        task.corpus would, and `key` is the setting or option that did, for messages. Its other splits cannot be asked
        for. Raises DataError for a corpus of another form, ConfigError where a task has no such thing."""
        raise ConfigError(
            f"{key}={where}: {type(self).__name__} is judged on its own corpus alone",
            "a task offers others by its method with_test_corpus",
        )

    def read_by(self, config: TaskConfig) -> Task[BatchT]:
        """The same task with settings that differ in `reading_settings` alone, for with_test_corpus. A task whose
        config names such settings has this method."""
        raise ConfigError(f"{type(self).__name__} reads every corpus in the same way", "a task has its method read_by")

    def unread(self, text: str) -> str:
        """What of a text is too long to be read, for people; nothing where it is read whole."""
        return ""

    def stream(self, network: Network[BatchT], text: str, how: Asking) -> Iterator[str]:
        """What `predict` says, in pieces for people, as they come."""
        yield self.predict(network, text, how).said

    def passage(self, length: int) -> str:
        """A text of the validation split that is worth a picture, of about `length` tokens where it can be cut."""
        raise ConfigError(f"{type(self).__name__} offers no passage to look at", "give one: --text TEXT")

    def reading(self, network: Network[BatchT], text: str) -> Reading[BatchT]:
        """How the network reads a text. Raises ConfigError where a task has no such thing."""
        raise ConfigError(f"{type(self).__name__} cannot be looked at", "a task offers it by its method reading")

    def contexts(self, split: Split, steps: int, longest: int, count: int) -> Iterator[BatchT]:
        """Batches whose rows hold `steps` tokens of a split and one target, the token after the last. The targets are
        about `count`, spread over the split, and the same ones for every `steps` up to `longest`."""
        raise ConfigError("it is no language model, which goes on from contexts of any length")

    def baselines(self) -> Iterator[Baseline]:
        """What simple methods reach on the test split, knowing the training split; none by default."""
        return iter(())

    def chance(self, split: Split) -> Baseline | None:
        """What is reached on a split without learning anything, as a classifier does that always gives the most
        frequent label, or a language model for which every token is as likely. A run that is no better is warned of;
        None where nobody can say. Metrics by the names of the meter's."""
        return None

    def check_windows(self, steps: int, network: Network[BatchT]) -> None:
        """Raise ConfigError, with the remedy, if batches cannot be cut into windows of `steps`."""
        raise ConfigError(
            f"trainer.bptt_steps={steps} cannot apply: this task's batches cannot be cut along time",
            "try trainer.bptt_steps=null (full backpropagation through each batch)",
        )


@config_dataclass(frozen=True, kw_only=True)
class TaskConfig(ABC):
    """Base of every task's settings (its defaults stand in configs/task/*.yaml).

    training_settings: those that change how a model is trained, but not what it is judged on; only they may
    differ between models that are compared. reading_settings: those that say how the file of a corpus is read, and
    nothing else; they may be given again for another corpus (see Task.read_by).
    """

    training_settings: ClassVar[tuple[str, ...]] = ("batch_size",)
    reading_settings: ClassVar[tuple[str, ...]] = ()

    before: ClassVar[Mapping[str, Any]] = {}
    """What runs that were stored before a setting existed had in its place, where that is not today's default."""

    @abstractmethod
    def build(self) -> Task[Any]:
        """Read the corpus and make the task. Raises DataError where the corpus does not fit."""

    def restore(self, vocabulary: Mapping[str, Any], read: Callable[[], Task[Any]]) -> Task[Any] | None:
        """The task of a stored run, made from its `stored_vocabulary`. `read` makes it from the corpus, checked to be
        the one that the run was trained on: to be called once something is asked for that only the corpus knows (see
        data/restored.py). None: it cannot be made so. Raises ValueError, KeyError or TypeError for a vocabulary that
        is none."""
        return None

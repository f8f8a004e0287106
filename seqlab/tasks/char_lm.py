"""Character language model: predict each next character of a stream (many-to-many).

Shape letters: B parallel streams, T time, D width, V vocabulary, N characters of a split.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from pydantic.dataclasses import dataclass as config_dataclass
from torch import Tensor
from torch.nn import functional as F

from seqlab.baselines.n_gram import best_n_gram, xz_bits
from seqlab.core.baseline import Baseline
from seqlab.core.batch import HELD_OUT, Batch, Split
from seqlab.core.example import Example
from seqlab.core.fields import Count, Positive, Share
from seqlab.core.meter import Meter
from seqlab.core.metric import Metric
from seqlab.core.model import ModelConfig, Role, context_of
from seqlab.core.network import GeneratingNetwork, Network, Parts, StepOutput, TokenStep
from seqlab.core.prediction import GenerationConfig, Prediction
from seqlab.core.state import State
from seqlab.core.task import Task, TaskConfig
from seqlab.data.files import find_corpus, sha256_of
from seqlab.data.python_docs import python_docs
from seqlab.data.repeats import repeated_text
from seqlab.data.restored import Restorable
from seqlab.data.splits import SplitCorpora, cut_text, named_parts
from seqlab.data.text import read_text
from seqlab.data.vocabulary import ALPHABET, UNKNOWN, Vocabulary
from seqlab.data.words import Normalization, normalized
from seqlab.decoding.sampling import Sampling, stream
from seqlab.errors import ConfigError, DataError
from seqlab.layers.embedding import TokenEmbedding, token_head
from seqlab.metrics import ItemSums, gather, nats_metrics

_N_GRAM_CHARACTERS = 2_000_000  # a larger table of counts would take gigabytes and minutes
_CONTEXT_CHARACTERS = 32_768  # of one batch of contexts: some tens of megabytes of activations
_SHORTEST_BLOCK = 1000  # characters; shorter ones are far from independent of their neighbours
_MOST_BLOCKS = 25  # text changes over pages too, so that long blocks are the more honest, and 25 are enough to vary
_UNSCORED = -100  # the target that cross_entropy ignores

CORPORA = {"python_docs": python_docs}


@dataclass(frozen=True, kw_only=True)
class CharBatch(Batch):
    """Characters and those that follow them; targets of -100 are read but not scored. starts_B: where in its split
    each row's first target stands, so that what is found for a character can be told by its place in the text."""

    inputs_BT: Tensor
    targets_BT: Tensor
    starts_B: Tensor | None = None

    def windows(self, steps: int) -> Iterator[Self]:
        if steps >= self.inputs_BT.shape[1]:
            yield self
            return
        pieces = zip(self.inputs_BT.split(steps, 1), self.targets_BT.split(steps, 1), strict=True)
        for index, (inputs_BT, targets_BT) in enumerate(pieces):
            scored = int((targets_BT != _UNSCORED).sum())
            yield replace(
                self,
                inputs_BT=inputs_BT,
                targets_BT=targets_BT,
                starts_B=None if self.starts_B is None else self.starts_B + index * steps,
                target_count=scored,
                positions=scored,
                continues=self.continues or index > 0,
            )


@config_dataclass(frozen=True, kw_only=True)
class CharLMConfig(SplitCorpora, TaskConfig):
    """Settings of `task=char_lm`.

    corpus: `python_docs`, or the path of a UTF-8 text file. normalize: nfc composes accents with their letters.
    batch_size: parallel streams in training. window: characters of each stream in a batch. windows: in which order
    training reads them: `streams`, each batch going on where the last one ended, so that a state can be carried;
    `auto`, in random order for a network that carries none. eval_batch_size: parallel streams in evaluation.
    eval_characters: of the validation split that a validation in training reads at most, the beginnings of its streams,
    which start evenly spread; null: all. The figures at the end are of the whole split.
    train_share, validation_share: parts of the corpus, in order; the rest is the test split. validation_corpus,
    test_corpus: texts for these splits alone.
    sample_length, sample_temperature: the passage written at the end.
    """

    training_settings = (
        "batch_size",
        "window",
        "windows",
        "eval_batch_size",
        "eval_characters",
        "sample_length",
        "sample_temperature",
    )

    before: ClassVar[Mapping[str, Any]] = {"windows": "streams"}

    corpus: str
    normalize: Normalization
    batch_size: Count
    window: Count
    windows: Literal["auto", "streams"]
    eval_batch_size: Count
    eval_characters: Count | None
    train_share: Share
    validation_share: Share
    sample_length: Count
    sample_temperature: Positive

    def __post_init__(self) -> None:
        test_share = 1 - self.train_share - self.validation_share
        if test_share < -1e-9:
            raise ValueError(
                f"task.train_share={self.train_share} and task.validation_share={self.validation_share} together "
                "are more than the whole; try 0.8 and 0.1"
            )
        if self.eval_characters is not None and self.eval_characters < self.least_eval_characters:
            least = self.least_eval_characters
            raise ValueError(
                f"task.eval_characters={self.eval_characters} is less than a window of each stream, {least}; "
                f"try task.eval_characters={least}, or fewer streams: task.eval_batch_size"
            )

    @property
    def least_eval_characters(self) -> int:
        """A window of each stream in evaluation, and the one that the first begins with."""
        return (1 + self.eval_batch_size) * self.window

    def build(self) -> CharLM:
        return CharLM(self.read(self.corpus, "task.corpus"), self, self.read_held_out(self.read))

    def restore(self, vocabulary: Mapping[str, Any], read: Callable[[], Task[Any]]) -> CharLM:
        task = CharLM.restored(read)
        task.config, task.characters = self, Vocabulary.restored(vocabulary["characters"])
        return task

    def read(self, where: str, key: str) -> str:
        """A corpus by its name, or the text of a file."""
        if where in CORPORA:
            return CORPORA[where]()
        return read_text(find_corpus(where, key, CORPORA, "a UTF-8 text file"), key)


class CharLM(Restorable, Task[CharBatch]):
    """A text, its characters as ids, and three splits in order."""

    continues_texts = True
    generation_options = ("length", "temperature", "top_k", "top_p", "seed")

    def __init__(self, text: str, config: CharLMConfig, given: Mapping[Split, str] | None = None) -> None:
        self.config, given = config, given or {}
        self.data_sha256 = sha256_of([text, *named_parts({split: [part] for split, part in given.items()})])
        form = config.normalize
        given = {split: normalized(part, form) for split, part in given.items()}
        parts = cut_text(normalized(text, form), given, config.train_share, config.validation_share)
        no_test, same_file = parts["test"] is parts["validation"], given.get("test") == parts["validation"]
        self.test_is_validation = no_test or same_file
        for split, part in parts.items():
            if len(part) <= config.window + 1:
                own = split in given
                where = f"task.{split}_corpus={config.held_out()[split]}" if own else f"task.corpus={config.corpus}"
                raise DataError(
                    f"{where}: its {split} split of {len(part)} characters is too short for one "
                    f"window of task.window={config.window}",
                    f"give a longer text, or try task.window={max(1, len(part) // 2)}",
                )
        self.texts = parts
        self.characters = Vocabulary.of([parts["train"]])
        self.ids = {split: torch.tensor(self.characters.encode(part)) for split, part in parts.items()}

    def warnings(self) -> Iterable[str]:
        return self._repeated

    @cached_property
    def _repeated(self) -> tuple[str, ...]:
        held: tuple[Split, ...] = ("validation",) if self.test_is_validation else HELD_OUT
        return tuple(said for split in held for said in repeated_text(self.texts[split], self.texts["train"], split))

    def clean(self, text: str) -> str:
        """A text of the user's own as one of the corpus is read."""
        return normalized(text.replace("\r\n", "\n"), self.config.normalize)

    def batches(self, split: Split, seed: int) -> Iterator[CharBatch]:
        """Training: one pass over the stream from a start drawn by `seed`, every character a target once.
        Evaluation: in order; each stream but the first warms up on the characters before its own."""
        rows, starts_B = (self._training_streams(seed), None) if split == "train" else self._evaluation_streams(split)
        window = self.config.window if split == "train" else max(1, self.config.window // 2)
        scored_T = (rows[1] != _UNSCORED).sum(0)
        pieces = zip(*(part.split(window, -1) for part in (*rows, scored_T)), strict=True)
        for index, (inputs_BT, targets_BT, counts_T) in enumerate(pieces):
            scored = int(counts_T.sum())
            yield CharBatch(
                inputs_BT=inputs_BT,
                targets_BT=targets_BT,
                starts_B=None if starts_B is None else starts_B + index * window,
                target_count=scored,
                positions=scored,
                continues=index > 0,
            )

    def validation_batches(self) -> Iterator[CharBatch]:
        most, scored = self.config.eval_characters, 0
        for batch in self.batches("validation", 0):
            scored += batch.target_count
            if most is not None and scored > most:
                return
            yield batch

    def shorter_validation(self, share: float) -> str | None:
        whole = self.config.eval_characters or len(self.ids["validation"])
        return f"task.eval_characters={max(self.config.least_eval_characters, round(share * whole))}"

    def training_batches(self, network: Network[CharBatch], seed: int) -> Iterator[CharBatch]:
        """For a network that carries a state, streams; else the same windows in random order, which spares it batches
        that are alike from one step to the next (1.93 instead of 1.94 bits for a Transformer on python_docs)."""
        return self._random_windows(seed) if self._in_random_order(network) else self.batches("train", seed)

    def training_order(self, network: Network[CharBatch]) -> str:
        return "windows in random order" if self._in_random_order(network) else "windows in the order of the text"

    def _in_random_order(self, network: Network[CharBatch]) -> bool:
        return self.config.windows == "auto" and not network.carries_state()

    def _random_windows(self, seed: int) -> Iterator[CharBatch]:
        """Every character a target once, in windows whose borders and order are drawn by `seed`."""
        generator = torch.Generator().manual_seed(seed)
        window = self.config.window
        inputs_RT, targets_RT = self._training_rows(generator, math.ceil(len(self.ids["train"]) / window), window)
        counts_R = (targets_RT != _UNSCORED).sum(1)
        for rows_B in torch.randperm(len(inputs_RT), generator=generator).split(self.config.batch_size):
            scored = int(counts_R[rows_B].sum())
            yield CharBatch(
                inputs_BT=inputs_RT[rows_B], targets_BT=targets_RT[rows_B], target_count=scored, positions=scored
            )

    def _training_streams(self, seed: int) -> tuple[Tensor, Tensor]:
        characters = len(self.ids["train"])
        streams = min(self.config.batch_size, characters // self.config.window)
        return self._training_rows(torch.Generator().manual_seed(seed), streams, math.ceil(characters / streams))

    def _training_rows(self, generator: torch.Generator, rows: int, length: int) -> tuple[Tensor, Tensor]:
        """(inputs, targets) of the whole training text from a random start, cut into rows of this length."""
        ids_N = self.ids["train"]
        start = int(torch.randint(len(ids_N), (), generator=generator))
        follows_N = torch.cat((ids_N[1:], ids_N.new_tensor([_UNSCORED])))
        missing = rows * length - len(ids_N)
        inputs_N = F.pad(ids_N.roll(-start), (0, missing))
        targets_N = F.pad(follows_N.roll(-start), (0, missing), value=_UNSCORED)
        return inputs_N.view(rows, length), targets_N.view(rows, length)

    def _evaluation_streams(self, split: Split) -> tuple[tuple[Tensor, Tensor], Tensor]:
        inputs_N, targets_N = self.ids[split][:-1], self.ids[split][1:]
        lead = self.config.window
        streams = max(1, min(self.config.eval_batch_size, len(inputs_N) // (2 * lead)))
        stride = math.ceil((len(inputs_N) - lead) / streams)
        missing = lead + streams * stride - len(inputs_N)
        inputs_BT = F.pad(inputs_N, (0, missing)).unfold(0, lead + stride, stride)
        targets_BT = F.pad(targets_N, (0, missing), value=_UNSCORED).unfold(0, lead + stride, stride).clone()
        targets_BT[1:, :lead] = _UNSCORED
        return (inputs_BT, targets_BT), 1 + stride * torch.arange(streams)

    def build_network(self, model: ModelConfig) -> CharNetwork:
        return CharNetwork(len(self.characters), model, self.config.window)

    def check_windows(self, steps: int, network: Network[CharBatch]) -> None:
        if steps > self.config.window:
            raise ConfigError(
                f"trainer.bptt_steps={steps} is longer than a batch of task.window={self.config.window} characters",
                f"try trainer.bptt_steps={self.config.window} or task.window={steps}",
            )

    def longest(self) -> int:
        return self.config.window

    def vocabulary(self) -> Iterable[str]:
        return self.characters.tokens

    def heldout_sha256(self) -> str:
        return sha256_of(self.texts[split] for split in HELD_OUT)

    def embedding_tokens(self) -> Mapping[str, Sequence[str]]:
        return {"embed": self.characters.tokens}

    def stored_vocabulary(self) -> Mapping[str, Any]:
        return {"characters": self.characters.tokens}

    def meter(self, split: Split) -> CharMeter:
        return CharMeter(self.characters, len(self.ids[split]))

    def with_test_corpus(self, where: str, key: str, config: TaskConfig) -> CharLM:
        text = self.config.read(where, key)
        task = self.detached()
        task.data_sha256, task.test_is_validation = sha256_of([text]), False
        text = normalized(text, self.config.normalize)
        if len(text) <= self.config.window + 1:
            raise DataError(
                f"{key}={where}: its {len(text)} characters are too short for one window of "
                f"task.window={self.config.window}",
                "give a longer text",
            )
        task.texts, task.ids = {"test": text}, {"test": torch.tensor(self.characters.encode(text))}
        return task

    def unknown_in(self, split: Split) -> Mapping[str, tuple[int, int]]:
        return {"characters": (int((self.ids[split] == UNKNOWN).sum()), len(self.ids[split]))}

    def describe(self) -> Mapping[str, int | str]:
        unknown = {split: self.unknown_in(split)["characters"][0] for split in HELD_OUT}
        part = self.config.eval_characters or math.inf
        return {
            "corpus": self.config.corpus,
            **self.config.named_corpora(),
            **{f"{split} characters": len(ids) for split, ids in self.ids.items()},
            **({"of validation in training": int(part)} if part < len(self.ids["validation"]) else {}),
            "vocabulary": len(self.characters),
            **{f"characters of {split} not in training": count for split, count in unknown.items() if count},
        }

    def samples(self, network: Network[CharBatch], seed: int) -> str:
        prompt = "\n\n" if "\n" in self.characters.tokens else self.characters.tokens[-1]
        return self.write(network, prompt, self.config.sample_length, self.config.sample_temperature, seed).strip("\n")

    def chance(self, split: Split) -> Baseline:
        count = len(self.characters)
        return Baseline("chance", f"each of {count} tokens as likely", _figures(math.log(count), 1))

    def baselines(self) -> Iterator[Baseline]:
        train, validation, test = (self.texts[split] for split in ("train", "validation", "test"))
        if max(len(validation), len(test)) <= _N_GRAM_CHARACTERS:
            counted = train[-_N_GRAM_CHARACTERS:]
            order, bits = best_n_gram(counted, validation, test)
            part = "train" if len(counted) == len(train) else f"the last {len(counted):,} characters of train"
            about = f"interpolated n-gram (Witten-Bell), order {order}, counted on {part}"
            yield Baseline(f"{order}-gram", about, _figures(bits * math.log(2) * len(test), len(test)))
        nats = xz_bits(train, test) * math.log(2) * len(test)
        yield Baseline("xz", "growth of an xz -9e archive of train when test is added", _figures(nats, len(test)))

    def write(
        self,
        network: Network[CharBatch],
        prompt: str,
        length: int = 400,
        temperature: float = 0.8,
        seed: int = 0,
    ) -> str:
        """`length` characters that the network puts after `prompt` (which must not be empty)."""
        return "".join(
            self.stream(network, prompt, GenerationConfig(length=length, temperature=temperature, seed=seed))
        )

    def stream(self, network: Network[CharBatch], text: str, generation: GenerationConfig) -> Iterator[str]:
        """The characters that the network puts after `text`, one by one."""
        if not isinstance(network, GeneratingNetwork):
            raise TypeError("a network that can write is needed")
        if not text:
            raise DataError("there is nothing to continue", "give a prompt of one character or more")
        ids_BT = torch.tensor([self.characters.encode(self.clean(text))], device=next(network.parameters()).device)
        batch = CharBatch(inputs_BT=ids_BT[:, :-1], targets_BT=ids_BT[:, 1:], target_count=0, positions=0)
        sampling = Sampling(temperature=generation.temperature, top_k=generation.top_k, top_p=generation.top_p)
        generator = torch.Generator().manual_seed(generation.seed)
        for token_B in stream(network, batch, ids_BT[:, -1], generation.length, sampling, generator):
            yield from self.characters.decode(token_B.tolist())

    def predict(self, network: Network[CharBatch], text: str, generation: GenerationConfig) -> Prediction:
        said = "".join(self.stream(network, text, generation))
        return Prediction(said, {"continuation": said})

    def unknown(self, text: str) -> tuple[str, ...]:
        return self.characters.unknown(self.clean(text))

    def example_text(self, length: int) -> str:
        """From the middle of the split, where a line begins."""
        text = self.texts["validation"]
        start = max(0, (len(text) - length) // 2)
        return text[1 + text.rfind("\n", 0, start) :][:length]

    def example(self, network: Network[CharBatch], text: str) -> Example[CharBatch]:
        if not text:
            raise DataError("there is nothing to look at", "give a text of one character or more")
        text = self.clean(text)
        whole, text = text, text[: context_of(network)]
        ids_BT = torch.tensor([self.characters.encode(text)])
        follows_BT = F.pad(ids_BT[:, 1:], (0, 1), value=_UNSCORED)  # nobody knows what follows the last
        batch = CharBatch(inputs_BT=ids_BT, targets_BT=follows_BT, target_count=len(text) - 1, positions=len(text))
        return Example(batch, tuple(text), left_out=len(whole) - len(text))

    def contexts(self, split: Split, steps: int, longest: int, count: int) -> Iterator[CharBatch]:
        ids_N = self.ids[split]
        if len(ids_N) <= longest:
            raise DataError(
                f"task.corpus={self.config.corpus}: its {split} split of {len(ids_N)} characters holds no stretch of "
                f"{longest}"
            )
        chosen_R = torch.linspace(longest, len(ids_N) - 1, min(count, len(ids_N) - longest)).long()
        # as many characters in each batch, whatever the length of its rows
        for target_B in chosen_R.split(max(1, _CONTEXT_CHARACTERS // steps)):
            inputs_BT = ids_N[target_B[:, None] - steps + torch.arange(steps)]
            targets_BT = torch.full_like(inputs_BT, _UNSCORED)
            targets_BT[:, -1] = ids_N[target_B]
            yield CharBatch(
                inputs_BT=inputs_BT,
                targets_BT=targets_BT,
                starts_B=target_B - steps + 1,
                target_count=len(target_B),
                positions=inputs_BT.numel(),
            )


class CharNetwork(GeneratingNetwork[CharBatch]):
    """Embedding, a causal model, and a head that scores each next character."""

    alphabet = ALPHABET

    def __init__(self, vocabulary_size: int, model: ModelConfig, window: int) -> None:
        super().__init__()
        self.window = window
        self.embed = TokenEmbedding(vocabulary_size, model.width)
        self.decoder = model.build(Role.DECODER)
        self.dropout = model.dropout_layer()
        self.head = token_head(self.embed, model.tie_embeddings)

    def parts(self) -> Parts:
        return Parts((self.embed,), (self.decoder,), (self.head,))

    def carries_state(self) -> bool:
        return self.decoder.carries_state()

    def initial_state(self, rows: int, *, cached: bool = False) -> State:
        """Cached, a model without recurrence keeps what training reached at once, so that each character is predicted
        from the half of that before it at least, never from nothing."""
        return self.decoder.initial_state(rows, capacity=self._positions() if cached else 0)

    def _positions(self) -> int:
        """The most positions that the decoder read at once in training."""
        return min(self.window, context_of(self.decoder) or self.window)

    def forward(self, batch: CharBatch, state: State) -> StepOutput:
        hidden_BTD, state = self.decoder(self.dropout(self.embed(batch.inputs_BT)), state)
        logits_BTV = self.head(self.dropout(hidden_BTD))
        loss = F.cross_entropy(
            logits_BTV.flatten(0, 1).float(),
            batch.targets_BT.flatten(),
            ignore_index=_UNSCORED,
            reduction="sum",
        )
        return StepOutput(loss, state, logits_BTV)

    def start(self, batch: CharBatch, capacity: int) -> tuple[TokenStep, State]:
        """Whatever of reading a character does not depend on those before it is tabulated for all of them."""
        prompt = batch.inputs_BT.shape[1]
        state = self.decoder.initial_state(batch.size, capacity=min(prompt + capacity, self._positions()))
        if prompt:
            _, state = self.decoder(self.embed(batch.inputs_BT), state)
        read = self.decoder.start(self.embed.table())
        # a copy that lies turned in memory: a single row is multiplied faster with it
        W_DV, b_V = self.head.weight.T.contiguous(), self.head.bias

        def step(token_B: Tensor, state: State) -> tuple[Tensor, State]:
            hidden_BD, state = read(token_B, state)
            return torch.addmm(b_V, hidden_BD, W_DV), state

        return step, state


class CharMeter(Meter[CharBatch]):
    """Nats over every scored character of a split of `characters`. An item is a block of running text, because
    neighbouring characters are not independent: what makes one hard makes the next one hard."""

    primary = "bits_per_character"

    def __init__(self, vocabulary: Vocabulary, characters: int) -> None:
        self.vocabulary = vocabulary
        self.block = block_length(characters)
        self.blocks = max(1, characters // self.block)  # the last one also has what is left over
        self.nats: list[Tensor] = []
        self.targets: list[Tensor] = []
        self.starts: list[Tensor | None] = []

    def update(self, batch: CharBatch, output: StepOutput, network: Network[CharBatch]) -> None:
        logits_BVT = output.logits.float().mT
        self.nats.append(F.cross_entropy(logits_BVT, batch.targets_BT, ignore_index=_UNSCORED, reduction="none"))
        self.targets.append(batch.targets_BT)
        self.starts.append(batch.starts_B)

    def compute(self) -> dict[str, Metric]:
        scored = sum((targets_BT != _UNSCORED).sum() for targets_BT in self.targets)
        return _figures(gather([nats_BT.flatten() for nats_BT in self.nats]).sum(), int(scored))

    def item_sums(self) -> ItemSums | None:
        sums_N2 = np.zeros((self.blocks, 2))
        for nats_BT, targets_BT, starts_B in zip(self.nats, self.targets, self.starts, strict=True):
            if starts_B is None:
                return None
            places_BT = starts_B[:, None] + torch.arange(nats_BT.shape[1], device=starts_B.device)
            scored_BT = targets_BT != _UNSCORED
            blocks = (places_BT[scored_BT] // self.block).clamp(max=self.blocks - 1).cpu().numpy()
            nats = gather([nats_BT[scored_BT]])
            sums_N2 += np.stack([np.bincount(blocks, weights, self.blocks) for weights in (nats, None)], 1)
        read_N2 = sums_N2[sums_N2[:, 1] > 0]
        return ItemSums(read_N2, lambda sums: float(sums[0] / sums[1] / math.log(2)))

    def items(self) -> Iterator[dict[str, Any]]:
        """Stretches of text, stream by stream: rows of the batches. U+FFFD stands for what training did not know."""
        streams = max((len(nats_BT) for nats_BT in self.nats), default=0)
        for stream_index in range(streams):
            for batch_index, (nats_BT, targets_BT) in enumerate(zip(self.nats, self.targets, strict=True)):
                scored = [token for token in targets_BT[stream_index].tolist() if token != _UNSCORED]
                if not scored:
                    continue
                nats = float(nats_BT[stream_index].sum())
                yield {
                    "stream": stream_index,
                    "window": batch_index,
                    "characters": len(scored),
                    "nats": nats,
                    "bits_per_character": nats / len(scored) / math.log(2),
                    "text": "".join(
                        "\ufffd" if token == UNKNOWN else self.vocabulary.tokens[token] for token in scored
                    ),
                }


def block_length(characters: int) -> int:
    """How long the blocks are that a split of so many characters is judged by: the same whatever reads it."""
    return max(_SHORTEST_BLOCK, characters // _MOST_BLOCKS)


def _figures(nats: float, characters: int) -> dict[str, Metric]:
    figures = nats_metrics(nats, characters)
    return {
        "bits_per_character": replace(figures["bits"], unit="bits/char"),
        "loss": replace(figures["loss"], unit="nats/char"),
        "perplexity": figures["perplexity"],
    }

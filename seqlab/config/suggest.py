"""Suggestions for what was probably meant: for typing errors, for names that settings have in other programs, and for
features that do not exist here.

A suggestion stays in the group that was typed and has the same meaning: no suggestion is better than a wrong one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Any

from seqlab.errors import ConfigError

# settings by the names that they have in papers and in other programs
_SETTINGS = {
    "learning_rate": "lr rate step_size eta learningrate base_lr max_lr peak_lr",
    "weight_decay": "wd l2 l2_penalty",
    "warmup_steps": "warmup warmup_iters num_warmup_steps lr_warmup",
    "schedule": "scheduler lr_scheduler lr_schedule lr_scheduler_type lr_decay",
    "width": "hidden_size hidden_dim hidden hidden_units d_model dmodel n_embd embed_dim embedding_dim embedding_size "
    "emb_dim model_dim units num_units n_hidden dim",
    "layers": "num_layers n_layer n_layers nlayers depth num_hidden_layers num_blocks n_blocks",
    "heads": "num_heads n_head n_heads nhead num_attention_heads attention_heads",
    "feed_forward": "d_ff dim_feedforward ffn_dim mlp_dim ff_dim intermediate_size d_inner",
    "dropout": "dropout_p p_dropout dropout_rate dropout_prob drop_rate p",
    "positions": "position_encoding positional_encoding pos_encoding pos_emb position_embedding",
    "tie_embeddings": "tie_weights tie_word_embeddings weight_tying tied tie",
    "window": "seq_len sequence_length seq_length block_size context_length num_steps",
    "context": "block_size context_length n_ctx max_position_embeddings n_positions",
    "batch_size": "batch bs train_batch_size per_device_train_batch_size minibatch",
    "eval_batch_size": "val_batch_size per_device_eval_batch_size",
    "max_length": "max_len max_seq_length max_seq_len",
    "tokens": "unit tokenizer tokenization tokenisation subword subwords",
    "vocabulary_size": "vocab_size vocab n_vocab",
    "corpus": "dataset dataset_name data data_path file path folder",
    "max_steps": "steps iterations iters max_iters n_steps updates train_steps num_train_steps",
    "max_epochs": "epochs num_epochs n_epochs num_train_epochs",
    "bptt_steps": "bptt tbptt truncated_bptt_steps truncation",
    "accumulate": "accumulation_steps gradient_accumulation_steps grad_accum accumulate_grad_batches",
    "clip_norm": "clip grad_clip gradient_clip gradient_clip_val max_grad_norm clip_grad_norm grad_norm_clip",
    "clip_value": "clip_grad_value grad_clip_value",
    "log_every_steps": "log_interval logging_steps log_every log_every_n_steps",
    "eval_every_steps": "eval_interval eval_steps eval_every val_every val_check_interval val_interval",
    "save_every_steps": "save_interval save_steps save_every checkpoint_interval ckpt_interval",
    "patience": "early_stopping early_stopping_patience",
    "precision": "dtype amp mixed_precision torch_dtype",
    "type": "accelerator device_type",
    "seed": "random_seed manual_seed rng_seed",
    "init_from": "pretrained finetune_from resume_from warm_start",
}
_GROUPS = {
    "optim": "optimizer optimiser opt",
    "trainer": "training train trainer_args",
    "task": "data dataset",
    "logging": "logger loggers tracker trackers",
}
_VALUES = {
    "cuda": "gpu nvidia",
    "wandb": "weights_and_biases",
    "tensorboard": "tb",
    "mps": "metal",
    "fp32": "float32 float single 32",
    "fp16": "float16 half 16",
    "bf16": "bfloat16",
}
_ABSENT = {
    "bpe unigram wordpiece sentencepiece subword subwords tokenizer": (
        "what a token is has a setting",
        "try task.tokens=bpe, or word, char, unigram or FILE, if the task has that setting",
    ),
    "gpus num_gpus n_gpu n_gpus ngpus devices num_devices world_size nproc_per_node": (
        "a process of a run uses one device",
        "try device.processes=2 for two GPUs; their kind: device=auto, cuda, mps or cpu",
    ),
    "jobs n_jobs num_jobs parallel workers num_workers": (
        "a run is one process, or as many as device.processes says",
        "of a comparison, several can be made at a time: seqlab compare rnn lstm --jobs 2",
    ),
    "sweep sweeper grid": ("train makes one run", "for a run for each value: seqlab sweep KEY=A,B"),
}


def _bare(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "")


def is_typo(word: str, name: str) -> bool:
    """Whether `word` is probably `name` mistyped: a wrong letter, letters swapped, missing or doubled, a missing
    ending; never another word. A different first letter makes it another word (cnn is not rnn, xlstm not lstm)."""
    typed, there = _bare(word), _bare(name)
    if typed == there:
        return True
    if min(len(typed), len(there)) < 3 or (typed[0] != there[0] and typed[:2] != there[1::-1]):
        return False
    if _is_one_slip(typed, there):
        return True
    if len(typed) > 3 and there.startswith(typed) and "_" not in name[len(word) :]:
        return True
    swapped = sorted(typed) == sorted(there)
    return SequenceMatcher(None, typed, there).ratio() >= (0.75 if swapped else 0.8)


def _is_one_slip(typed: str, there: str) -> bool:
    """Whether they differ by one wrong, missing or extra letter, or by two swapped neighbours."""
    for _ in range(2):  # remove the common beginning, then the common end
        same = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(typed, there, strict=False))))
        typed, there = typed[same:][::-1], there[same:][::-1]
    return max(len(typed), len(there)) == 1 or (len(typed) == 2 and typed == there[::-1])


def nearest(word: str, known: Iterable[str], synonyms: Mapping[str, str] = _VALUES) -> str | None:
    """The known name that was probably meant, or None. synonyms: other words for each name, separated by spaces."""
    known = list(known)
    same = [name for name in known if word.lower() in synonyms.get(name, "").split()]
    typos = [name for name in known if is_typo(word, name)]
    typos.sort(key=lambda name: -SequenceMatcher(None, _bare(word), _bare(name)).ratio())
    return next(iter((*same, *typos)), None)


def did_you_mean(word: str, known: Iterable[str], before: str = "") -> str:
    """The hint "did you mean ...?", with `before` in front of the name; "" if no name is near."""
    return f"did you mean {before}{near}?" if (near := nearest(word, known)) else ""


def nearest_key(key: str, known: Iterable[str]) -> str | None:
    """The dotted setting that a dotted or bare name probably means, within the group that was typed if it exists."""
    known = list(known)
    parent, _, leaf = key.rpartition(".")
    groups = dict.fromkeys(name.rpartition(".")[0] for name in known if "." in name)
    group = parent if parent in groups else nearest(parent, groups, _GROUPS) if parent else None
    pool = [name for name in known if group is None or name.rpartition(".")[0] == group]
    by_leaf: dict[str, str] = {}
    for name in pool:
        by_leaf.setdefault(name.rpartition(".")[2], name)
    found = leaf if leaf in by_leaf else nearest(leaf, by_leaf, _SETTINGS if parent else {**_SETTINGS, **_GROUPS})
    return None if found is None else by_leaf[found]


def absent(word: str) -> tuple[str, str] | None:
    """(what is missing, the nearest alternative) for a feature of other programs that seqlab does not have; or None."""
    return next((advice for words, advice in _ABSENT.items() if word.lower() in words.split()), None)


def means_nothing(value: Any) -> bool:
    """Whether a value was probably meant as "none"."""
    return value in (0, False) or str(value).lower() in ("none", "no", "off", "false", "nil", "na", "")


def turned_off(key: str) -> str:
    """The remedy for a setting that should have no value."""
    return f"null turns it off: {key}=null"


def unknown_key(key: str, value: Any, known: Iterable[str]) -> ConfigError:
    """The error for a setting that does not exist, with the settings of its group."""
    known = list(known)
    near, none = nearest_key(key, known), absent(key.rpartition(".")[2]) or absent(str(value))
    elsewhere = [name for name in known if name.rpartition(".")[2] == key.rpartition(".")[2]]
    parent = (near or key).rpartition(".")[0]
    siblings = [name.rpartition(".")[2] for name in known if name.rpartition(".")[0] == parent]
    if not siblings:
        parent, siblings = "groups", list(dict.fromkeys(name.partition(".")[0] for name in known))
    hint = f"did you mean {near}={value}?" if near else f"there is {elsewhere[0]}" if elsewhere else ""
    return ConfigError(
        f"there is no setting '{key}'" + (f": {none[0]}" if none and not near else ""),
        none[1] if none and not near else hint,
        f"{parent or 'settings'}: {', '.join(siblings)}",
    )

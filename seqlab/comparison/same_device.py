"""What is decided once for all models of a comparison: precision, threads and compilation. What rounds differently, or
takes other time, would otherwise be a difference between models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import nn

from seqlab.comparison.plan import Variant
from seqlab.config.overrides import key_of, merged
from seqlab.config.run import RunConfig
from seqlab.training.device import resolve_device, without_slow_parts


def common_precision(models: Mapping[str, tuple[RunConfig, nn.Module]]) -> dict[str, str]:
    """Overrides by label that bring the models whose precision is left to `auto` to one: fp32 where they, or what was
    asked of others, do not agree. models: (config, network) of those to be trained."""
    precisions = set()
    for config, network in models.values():
        # threads are set by those who measure
        device = resolve_device(replace(config.device, threads=None), deterministic=config.deterministic)
        precisions.add(without_slow_parts(device, config.device, network).precision)
    if len(precisions) <= 1:
        return {}
    return {
        label: "device.precision=fp32" for label, (config, _) in models.items() if config.device.precision == "auto"
    }


def chosen_threads(variant: Variant, config: RunConfig) -> str | None:
    """The override by which `auto` threads were chosen for this variant, to be taken over by the next ones."""
    if config.device.threads != "auto":
        return None
    return next((word for word in variant.overrides if key_of(word) == "device.threads"), None)


def common_compilation(variants: Sequence[Variant], configs: Mapping[str, RunConfig]) -> tuple[Variant, ...]:
    """Compiled all or none: where `auto` came to both, or others are not compiled, none of those left to it is."""
    trained = [variant for variant in variants if not variant.existing]
    always = [
        "device.compile=always" in variant.overrides or configs[variant.label].device.compile == "always"
        for variant in trained
    ]
    if all(always) or not any(always):
        return tuple(variants)
    return tuple(
        replace(variant, overrides=merged(variant.overrides, ("device.compile=never",)))
        if not variant.existing and configs[variant.label].device.compile == "auto"
        else variant
        for variant in variants
    )

"""Device, precision and threads: the settings, and how they are resolved on this machine."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass as config_dataclass
from torch import nn

from seqlab.core.fields import Count
from seqlab.errors import ConfigError
from seqlab.training.allocator import keep_memory

Precision = Literal["fp32", "bf16", "fp16"]


@config_dataclass(frozen=True, kw_only=True)
class DeviceConfig:
    """Settings of `device=...`.

    compile, threads: `auto` times some steps first (auto.py). threads: CPU threads; null leaves torch's own choice.
    """

    type: Literal["auto", "cpu", "cuda", "mps"]
    precision: Literal["auto", "fp32", "bf16", "fp16"]
    compile: Literal["never", "always", "auto"]
    threads: Literal["auto"] | Annotated[Count, Field(le=1024)] | None


@dataclass(frozen=True)
class Device:
    """A DeviceConfig resolved for this machine. compile: False for `auto` until steps have been timed."""

    torch_device: torch.device
    precision: Precision
    compile: bool

    @property
    def name(self) -> str:
        """cpu, cuda or mps."""
        return self.torch_device.type

    def autocast(self) -> AbstractContextManager[object]:
        """The context in which matrix products run in the chosen precision; what needs fp32 stays in fp32."""
        if self.precision == "fp32":
            return nullcontext()
        dtype = torch.bfloat16 if self.precision == "bf16" else torch.float16
        return torch.autocast(self.name, dtype)

    def scaler(self) -> torch.amp.GradScaler:
        """Scales the loss so that fp16 gradients do not underflow (Micikevicius 2018); disabled in other precisions."""
        return torch.amp.GradScaler(self.name, enabled=self.precision == "fp16")

    def synchronise(self) -> None:
        """Wait until the device has finished its work, so that it can be timed."""
        if self.name == "cuda":
            torch.cuda.synchronize()
        elif self.name == "mps":
            torch.mps.synchronize()

    def peak_memory_bytes(self) -> int:
        """The peak memory so far: of tensors on CUDA, of this process elsewhere."""
        if self.name == "cuda":
            return torch.cuda.max_memory_allocated()
        return _peak_of_process()


def _peak_of_process() -> int:
    try:
        # of this program alone: getrusage starts a child process with its parent's peak
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:  # Windows has no such module
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def resolve_device(config: DeviceConfig, *, deterministic: bool) -> Device:
    """Choose the device and its precision, and prepare this process for it. Raises ConfigError for a device or a
    precision that this machine lacks."""
    keep_memory()
    # fp32 means fp32 for every family: by default torch lets cuDNN's recurrent kernels round to TF32 (10-bit mantissa)
    torch.backends.cudnn.allow_tf32 = False
    if isinstance(config.threads, int):
        torch.set_num_threads(config.threads)
    if deterministic:
        # cuBLAS reads this when CUDA starts
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
    if deterministic != torch.are_deterministic_algorithms_enabled():
        torch.use_deterministic_algorithms(deterministic)  # even turning it off takes a second: it imports the compiler
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    chosen = next(name for name in ("cuda", "mps", "cpu") if available[name]) if config.type == "auto" else config.type
    if not available[chosen]:
        raise ConfigError(
            f"device={chosen}: this machine or this build of torch has none",
            "try device=cpu, or device=auto",
            f"devices here: {', '.join(name for name, there in available.items() if there)}",
        )
    precision = _precision(config, chosen)
    if precision == "fp16" and chosen == "cpu":
        raise ConfigError("device.precision=fp16 needs a GPU", "try device.precision=bf16, or fp32")
    if config.compile == "always" and chosen == "cpu" and cpp_compiler() is None:
        raise ConfigError("device.compile=always needs a C++ compiler on a CPU", "install one, or device.compile=never")
    return Device(torch.device(chosen), precision, config.compile == "always")


def _precision(config: DeviceConfig, chosen: str) -> Precision:
    if config.precision != "auto":
        return config.precision
    if chosen == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "bf16" if chosen == "cpu" and has_amx() else "fp32"


def has_amx() -> bool:
    """Whether this CPU multiplies bf16 matrices in tiles, at least twice as fast as fp32."""
    return bool(torch.cpu._is_amx_tile_supported())


def without_slow_parts(device: Device, config: DeviceConfig, network: nn.Module) -> Device:
    """`device`, with fp32 where `auto` chose bf16 on a CPU and the network has kernels without a fast bf16 form there:
    torch's nn.GRU and nn.RNN."""
    slow = any(isinstance(module, nn.GRU | nn.RNN) for module in network.modules())
    automatic = config.precision == "auto" and device.name == "cpu"
    return replace(device, precision="fp32") if automatic and slow else device


def cpp_compiler() -> str | None:
    """The C++ compiler that torch.compile would use on a CPU; None where there is none."""
    named = os.environ.get("CXX")
    return next((found for name in (named, "g++", "clang++", "c++") if name and (found := shutil.which(name))), None)

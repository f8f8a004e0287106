"""Device, precision and threads: the settings, and how they are resolved on this machine."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass as config_dataclass

from seqlab.core.fields import Count
from seqlab.core.network import Network
from seqlab.errors import ConfigError
from seqlab.training.allocator import keep_memory
from seqlab.training.sharing import Sharing
from seqlab.training.world import ALONE, World

Precision = Literal["fp32", "bf16", "fp16"]
Division = Literal["ddp", "fsdp"]


@config_dataclass(frozen=True, kw_only=True)
class DeviceConfig:
    """Settings of `device=...`.

    compile, threads: `auto` times some steps first (auto.py). threads: CPU threads of a process; null leaves torch's
    own choice, or one on a CPU where a step is small. processes: those that train the network together.
    """

    type: Literal["auto", "cpu", "cuda", "mps"]
    precision: Literal["auto", "fp32", "bf16", "fp16"]
    compile: Literal["never", "always", "auto"]
    threads: Literal["auto"] | Annotated[Count, Field(le=1024)] | None
    processes: Annotated[Count, Field(le=4096)]
    sharding: Division

    def __post_init__(self) -> None:
        for key, value, choices in (("compile", self.compile, "never"), ("threads", self.threads, "1")):
            if self.processes > 1 and value == "auto":
                raise ValueError(
                    f"device.{key}=auto measures one process by itself, and device.processes={self.processes} train "
                    f"together; try device.{key}={choices}"
                )


@dataclass(frozen=True)
class Device:
    """A DeviceConfig resolved for this machine. compile: False for `auto` until steps have been timed. world: the
    processes that train together. sharding: ddp also for one process."""

    torch_device: torch.device
    precision: Precision
    compile: bool
    world: World = ALONE
    sharding: Division = "ddp"

    @property
    def name(self) -> str:
        """cpu, cuda or mps."""
        return self.torch_device.type

    def share(self, network: Network[Any]) -> Sharing:
        """How the processes share a network that they train."""
        return self.world.sharing(network, compiled=self.compile, sharded=self.sharding == "fsdp")

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


@contextmanager
def own_threads() -> Iterator[None]:
    """Whatever number of threads is used inside, this process has its own again afterwards."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def resolve_device(config: DeviceConfig, *, deterministic: bool, world: World = ALONE) -> Device:
    """Choose the device and its precision, and prepare this process for it. world: the processes that use it together.
    Raises ConfigError for a device or a precision that this machine lacks."""
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
    chosen = chosen_type(config)
    precision = _precision(config, chosen)
    if precision == "fp16" and chosen == "cpu":
        raise ConfigError("device.precision=fp16 needs a GPU", "try device.precision=bf16, or fp32")
    if config.compile == "always" and chosen == "cpu" and cpp_compiler() is None:
        raise ConfigError("device.compile=always needs a C++ compiler on a CPU", "install one, or device.compile=never")
    if world.size > 1:
        check_places(config, int(os.environ.get("LOCAL_WORLD_SIZE", world.size)))
        if chosen == "cuda":
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", world.rank)))
    several = world.size > 1 and chosen == "cuda"
    place = torch.device(chosen, torch.cuda.current_device()) if several else torch.device(chosen)
    return Device(place, precision, config.compile == "always", world, config.sharding if world.size > 1 else "ddp")


def chosen_type(config: DeviceConfig) -> Literal["cuda", "mps", "cpu"]:
    """The type of device on this machine. Raises ConfigError if it has none."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if config.type == "auto":
        return "cuda" if available["cuda"] else "mps" if available["mps"] else "cpu"
    if not available[config.type]:
        raise ConfigError(
            f"device={config.type}: this machine or this build of torch has none",
            "try device=cpu, or device=auto",
            f"devices here: {', '.join(name for name, there in available.items() if there)}",
        )
    return config.type


def check_places(config: DeviceConfig, here: int) -> None:
    """Raise ConfigError if `here` processes of a run cannot have a device each on this machine."""
    chosen = chosen_type(config)
    if chosen == "mps":
        raise ConfigError(f"device.processes={config.processes}: MPS has one device only", "try device=cpu")
    if chosen == "cuda" and here > (gpus := torch.cuda.device_count()):
        raise ConfigError(
            f"device.processes={config.processes} needs {here} GPUs on this machine, which has {gpus}",
            f"try device.processes={gpus}, or device=cpu",
        )


def _precision(config: DeviceConfig, chosen: str) -> Precision:
    if config.precision != "auto":
        return config.precision
    if chosen == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "bf16" if chosen == "cpu" and has_fast_bf16() else "fp32"


def has_fast_bf16() -> bool:
    """Whether this x86 CPU has instructions for products in bf16, AVX512-BF16 or AMX. Others were not measured."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def cpp_compiler() -> str | None:
    """The C++ compiler that torch.compile would use on a CPU; None where there is none."""
    named = os.environ.get("CXX")
    return next((found for name in (named, "g++", "clang++", "c++") if name and (found := shutil.which(name))), None)

"""TensorBoard's layout that overlays the models' curves."""

from __future__ import annotations

from pathlib import Path

from torch.utils.tensorboard import SummaryWriter


def write_layout(folder: Path, primary: str) -> None:
    """Write an event file to the comparison's folder whose Custom Scalars tab has one chart for each quantity with all
    runs in it; it replaces an older one. primary: the metric whose validations are shown."""
    for old in folder.glob("events.out.tfevents.*"):
        old.unlink()
    writer = SummaryWriter(str(folder))
    charts = {
        f"validation {primary}": f"val/{primary}",
        "training loss": "train/loss",
        "gradient norm": "watch/gradient_norm",
        "tokens per second": "watch/tokens_per_second",
    }
    # a tag is a regular expression there: without its end, gradient_norm would be gradient_norm_max as well
    writer.add_custom_scalars({"comparison": {name: ["Multiline", [f"{tag}$"]] for name, tag in charts.items()}})
    writer.close()

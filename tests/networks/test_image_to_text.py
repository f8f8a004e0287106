"""What the encoder of images makes of its patches."""

from __future__ import annotations

import torch

from seqlab.data.captioned import ImageBatch
from seqlab.networks.image_to_text import ImageToText
from tests.conftest import MODELS, tiny_config

SIDE, PATCH = 32, 4


def _network(channels: int = 1) -> ImageToText:
    torch.manual_seed(0)
    model = tiny_config(MODELS[0], "captioning").model
    return ImageToText(30, model, channels=channels, features=8, side=SIDE, patch=PATCH).eval()


def _batch(channels: int = 1) -> ImageBatch:
    image_BCHW = torch.randint(256, (3, channels, SIDE, SIDE), dtype=torch.uint8)
    return ImageBatch(image_BCHW=image_BCHW, target_BT=torch.full((3, 4), 5), items_B=torch.arange(3))


def test_a_patch_is_a_position_row_by_row_and_sees_its_neighbourhood_alone() -> None:
    encoder = _network().encoder
    ink_BCHW = torch.rand(1, 1, SIDE, SIDE, requires_grad=True)
    across = SIDE // PATCH
    for row, column in ((0, 0), (3, 4), (7, 2)):
        value_D = encoder(ink_BCHW)[0, row * across + column]
        (gradient_BCHW,) = torch.autograd.grad(value_D.square().sum(), ink_BCHW)
        seen_HW = gradient_BCHW[0, 0] != 0
        y, x = PATCH * row, PATCH * column
        assert seen_HW[y : y + PATCH, x : x + PATCH].any()
        rows, columns = (found.nonzero().flatten() for found in (seen_HW.any(1), seen_HW.any(0)))
        assert abs(float(rows.float().mean()) - y) < PATCH * 2
        assert abs(float(columns.float().mean()) - x) < PATCH * 2
        assert len(rows) < SIDE / 2 + PATCH


def test_its_fixed_vector_is_the_mean_of_its_memory_and_white_paper_is_zero() -> None:
    for channels in (1, 3):
        network, batch = _network(channels), _batch(channels)
        memory = network.read(batch)
        assert memory.values_BSD.shape == (3, (SIDE // PATCH) ** 2, network.embed_target.weight.shape[1])
        assert memory.valid_BS.all()
        torch.testing.assert_close(memory.final_BD, memory.values_BSD.mean(1))
        white = ImageBatch(**{**vars(batch), "image_BCHW": torch.full_like(batch.image_BCHW, 255)})
        torch.testing.assert_close(
            network.read(white).values_BSD, network.encoder(torch.zeros(3, channels, SIDE, SIDE))
        )


def test_the_same_things_at_other_places_have_another_mean() -> None:
    """Else a decoder without attention could not tell what is where."""
    image_BCHW = torch.full((2, 1, SIDE, SIDE), 255, dtype=torch.uint8)
    image_BCHW[0, 0, 4:12, 4:12] = image_BCHW[1, 0, 20:28, 20:28] = 0
    batch = ImageBatch(image_BCHW=image_BCHW, target_BT=torch.full((2, 4), 5), items_B=torch.arange(2))
    first_D, second_D = _network().read(batch).final_BD
    assert (first_D - second_D).norm() > 0.01 * first_D.norm()

import pytest
import torch

from course_utils.data.textures import TEXTURES

STEPS = torch.arange(64) + 0.5


def picture(name):
    y, x = torch.meshgrid(STEPS, STEPS, indexing="ij")
    return TEXTURES[name](x[None], y[None])[0]


@pytest.mark.parametrize("name", TEXTURES)
def test_values_lie_between_the_two_colours_and_use_most_of_the_way(name):
    values = picture(name)
    assert values.min() >= 0
    assert values.max() <= 1
    assert values.max() - values.min() > 0.45


def test_no_two_textures_are_the_same():
    flat = torch.stack([picture(name).flatten() for name in TEXTURES])
    closeness = torch.corrcoef(flat).fill_diagonal_(0).abs()
    assert closeness.max() < 0.7


def test_lying_stripes_change_downwards_and_bars_across():
    stripes, bars = picture("stripes"), picture("bars")
    assert torch.equal(stripes, stripes[:, :1].expand_as(stripes))
    assert torch.equal(bars, bars[:1].expand_as(bars))

"""Occlusion maps of models whose answers rest on known pixels."""

import pytest
import torch
from torch import nn

from course_utils.inspection import occlusion
from course_utils.inspection.attribution import log_odds


class LooksAt(nn.Module):
    """Logit of class 1: the sum of some pixels; of class 0: zero."""

    def __init__(self, where: torch.Tensor) -> None:
        super().__init__()
        self.where = where  # (H, W)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        evidence = (images * self.where).sum(dim=(1, 2, 3))
        return torch.stack([torch.zeros_like(evidence), evidence], dim=1)


def corner() -> torch.Tensor:
    where = torch.zeros(16, 16)
    where[:4, 8:12] = 0.1
    return where


def test_only_windows_over_the_evidence_count() -> None:
    found = occlusion(LooksAt(corner()), torch.ones(2, 3, 16, 16), patch=4, stride=4)
    assert found.answers.tolist() == [1, 1]
    assert found.maps.shape == (2, 4, 4)
    wanted = torch.zeros(4, 4)
    wanted[0, 2] = 0.1 * 16 * 3  # with two classes the log-odds are the evidence itself
    torch.testing.assert_close(found.maps[0], wanted)


def test_overlapping_windows_are_averaged_in_each_cell() -> None:
    found = occlusion(LooksAt(corner()), torch.ones(1, 1, 16, 16), patch=8, stride=4).maps[0]
    # Windows start at cells 0, 1 and 2: of the rows only 0, of the columns 1 and 2 cover it.
    share = found / found.max()
    torch.testing.assert_close(share[0], torch.tensor([0.0, 0.5, 1.0, 1.0]))
    torch.testing.assert_close(share[1], torch.tensor([0.0, 0.25, 0.5, 0.5]))
    assert share[2:].abs().max() == 0


def test_evidence_against_the_asked_class_is_negative() -> None:
    images = torch.ones(1, 1, 16, 16)
    against = occlusion(LooksAt(corner()), images, labels=torch.tensor([0]), patch=4, stride=4)
    assert against.maps[0, 0, 2] < 0
    assert against.answers.tolist() == [0]


def test_log_odds_are_those_of_the_softmax() -> None:
    logits = torch.randn(50, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = torch.arange(50) % 7
    p = logits.softmax(dim=1)[torch.arange(50), labels]
    torch.testing.assert_close(log_odds(logits, labels), torch.log(p / (1 - p)))
    sure = log_odds(torch.tensor([[1000.0, 0.0, 0.0]]), torch.tensor([0]))
    assert sure.item() == pytest.approx(1000 - 0.6931, abs=1e-3)


def test_model_comes_back_in_its_mode_and_pictures_unchanged() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 3)).train()
    images = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    before = images.clone()
    first, second = (occlusion(model, images, patch=4, stride=2).maps for _ in range(2))
    assert model.training and torch.equal(images, before) and torch.equal(first, second)


@pytest.mark.parametrize(("patch", "stride"), [(6, 4), (3, 3), (32, 4), (4, 0)])
def test_a_grid_that_does_not_fit_is_refused(patch: int, stride: int) -> None:
    with pytest.raises(ValueError, match=r"patch (of )?\d+|stride = 0 is too small"):
        occlusion(LooksAt(corner()), torch.ones(1, 1, 16, 16), patch=patch, stride=stride)


def test_what_is_no_picture_or_no_class_is_refused() -> None:
    model = LooksAt(corner())
    with pytest.raises(ValueError, match=r"images are torch.float32 \(3, 16, 16\)"):
        occlusion(model, torch.ones(3, 16, 16))
    with pytest.raises(ValueError, match="there is no class 2: the model has 0 to 1"):
        occlusion(model, torch.ones(1, 1, 16, 16), labels=torch.tensor([2]))

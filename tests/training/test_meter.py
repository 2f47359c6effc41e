"""The meter adds up, finds what is not finite, and gives back what it held."""

import math

import pytest
import torch

from course_utils.training.metrics import Meter, score


def metered(*losses):
    """Return a meter that has taken in a batch of two images, one of them right, for each loss."""
    meter = Meter()
    for loss in losses:
        meter.add(torch.tensor(loss), torch.tensor(1), 2)
    return meter


def test_each_image_is_right_or_not_by_its_own_largest_logit():
    logits = torch.tensor([[3.0, 1.0], [0.0, 9.0], [2.0, 1.0]])
    sums = score([logits], torch.tensor([0, 1, 1]), auxiliary_weight=0.3)
    assert int(sums.num_right) == 2


def test_sums_are_over_all_batches():
    assert metered(1.5, 2.0).sums().tolist() == [3.5, 2.0, 4.0]
    assert Meter().sums().tolist() == [0.0, 0.0, 0.0]


def test_sums_of_many_images_are_exact():
    """In float32 an image more or less would be lost beside 2 ** 24 others."""
    meter = metered(2.0**24, 1.0)
    meter.num_images = 2**24 + 1
    assert meter.sums().dtype == torch.float64
    assert meter.sums().tolist() == [2**24 + 1, 2, 2**24 + 1]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_the_first_bad_batch_among_the_new_ones_is_found(bad):
    meter = metered(1.0)
    assert meter.find_non_finite(at_least=2) is None
    assert meter.num_checked == 0, "too few to wait for"
    assert meter.find_non_finite() is None
    assert meter.num_checked == 1
    for loss in (2.0, bad, bad):
        meter.add(torch.tensor(loss), torch.tensor(1), 2)
    assert meter.find_non_finite(at_least=3) == 2
    assert meter.find_non_finite() is None, "it is told once"
    meter.add(torch.tensor(bad), torch.tensor(1), 2)
    assert meter.find_non_finite() == 4


def test_a_meter_goes_on_from_what_another_held():
    state = metered(1.5, 2.0).state()
    fresh = Meter(state["losses"], state["correct"], state["num_images"])
    fresh.add(torch.tensor(0.5), torch.tensor(2), 2)
    assert fresh.sums().tolist() == [4.0, 4.0, 6.0]
    assert len(fresh) == 3

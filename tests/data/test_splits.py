import pytest
import torch

from course_utils.data.splits import balanced_first, hold_out, rank_in_class

LABELS = torch.tensor([2, 0, 0, 2, 1, 0, 2, 2])


def test_rank_in_class_counts_each_class_by_itself():
    assert rank_in_class(LABELS).tolist() == [0, 0, 1, 1, 0, 2, 2, 3]


def test_the_classes_take_turns():
    assert balanced_first(LABELS, 3).tolist() == [0, 1, 4]
    assert balanced_first(LABELS, 5).tolist() == [0, 1, 2, 3, 4]
    assert balanced_first(LABELS, 7).tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert balanced_first(LABELS, 99).tolist() == list(range(8))


@pytest.mark.parametrize("fraction, held", [(0.1, [10, 5, 1]), (0.5, [50, 25, 2])])
def test_each_class_gives_its_share(fraction, held):
    labels = torch.tensor([0] * 100 + [1] * 50 + [2] * 4)
    labels = labels[torch.randperm(154, generator=torch.Generator().manual_seed(3))]
    train, val = hold_out(labels, fraction)
    assert torch.bincount(labels[val]).tolist() == held
    assert sorted([*train.tolist(), *val.tolist()]) == list(range(154))
    assert train.tolist() == sorted(train.tolist())


def test_the_choice_is_random_and_always_the_same():
    labels = torch.arange(1000) % 10
    torch.manual_seed(0)
    first = hold_out(labels, 0.1)[1]
    torch.manual_seed(1)
    assert torch.equal(hold_out(labels, 0.1)[1], first)
    assert first.tolist() != list(range(100))
    assert 350 < first.double().mean() < 650


def test_no_fraction_holds_nothing_out_and_no_class_is_lost():
    assert len(hold_out(LABELS, 0)[1]) == 0
    train, val = hold_out(torch.tensor([0, 1, 1]), 0.9)
    assert sorted(torch.tensor([0, 1, 1])[train].tolist()) == [0, 1]
    assert len(val) == 1


@pytest.mark.parametrize("fraction", [-0.1, 1, 10, float("nan"), "0.1", True])
def test_an_impossible_fraction_is_refused(fraction):
    with pytest.raises(ValueError, match=rf"fraction = {fraction!r} (is|leaves) "):
        hold_out(LABELS, fraction)

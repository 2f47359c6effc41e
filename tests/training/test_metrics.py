"""Losses and labels of a batch, sums over batches, and the look at a whole part of the data."""

from typing import NamedTuple

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course_utils.training import evaluate
from course_utils.training.metrics import class_numbers, forward, score

LABELS = torch.tensor([0, 2, 1])


class Heads(NamedTuple):
    logits: torch.Tensor
    aux1: torch.Tensor | None
    aux2: torch.Tensor | None


class Returns(nn.Module):
    """Returns what it was given, whatever the images."""

    def __init__(self, outputs):
        super().__init__()
        self.outputs = outputs

    def forward(self, images):
        return self.outputs


def heads(outputs, images=LABELS):
    return forward(Returns(outputs), images, torch.float32)


def logits(seed):
    return torch.randn(3, 4, generator=torch.Generator().manual_seed(seed))


def test_plain_logits():
    sums = score(heads(logits(0)), LABELS, auxiliary_weight=0.3)
    assert sums.objective.item() == sums.cross_entropy.item()
    assert sums.objective.item() == pytest.approx(F.cross_entropy(logits(0), LABELS).item() * 3)
    assert sums.num_right == (logits(0).argmax(dim=1) == LABELS).sum()


def test_heads_weigh_what_they_are_told():
    outputs = Heads(logits(0), logits(1), logits(2))
    sums = score(heads(outputs), LABELS, auxiliary_weight=0.3)
    each = [F.cross_entropy(head, LABELS, reduction="sum").item() for head in outputs]
    assert sums.objective.item() == pytest.approx(each[0] + 0.3 * (each[1] + each[2]))
    assert sums.cross_entropy.item() == pytest.approx(each[0])


def test_heads_count_for_nothing_unless_they_are_given_a_weight():
    sums = score(heads(Heads(logits(0), logits(1), None)), LABELS)
    assert sums.objective.item() == sums.cross_entropy.item()


def test_absent_heads_are_left_out():
    assert len(heads(Heads(logits(0), None, None))) == 1
    assert len(heads(Heads(logits(0), None, logits(1)))) == 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_products_are_computed_in_the_format_asked_for(dtype):
    seen = []

    class Product(nn.Linear):
        def forward(self, images):
            product = super().forward(images)
            seen.append(product.dtype)
            return product

    forward(Product(3, 4), torch.zeros(2, 3), dtype)
    evaluate(Product(3, 4), [(torch.zeros(2, 3), LABELS[:2])], precision=str(dtype)[6:])
    assert seen == [dtype, dtype]


def test_evaluation_is_where_it_is_asked_for(make_model, make_loaders):
    with pytest.raises(ValueError, match="cuda:99"):
        evaluate(make_model(), make_loaders().val, device="cuda:99")


def test_sixteen_bit_logits_are_compared_in_float32():
    assert heads(logits(0).bfloat16())[0].dtype == torch.float32


@pytest.mark.parametrize(
    ("outputs", "found"),
    [
        (
            torch.zeros(3, 4, 1, 1),
            r"returns \(3, 4, 1, 1\), but should return logits of \(3, num_c",
        ),
        (torch.zeros(3), r"returns \(3,\)"),
        (torch.zeros(2, 4), r"returns \(2, 4\)"),
        ({"logits": logits(0)}, "returns dict"),
        (Heads(logits(0), torch.zeros(3), None), r"returns \(3,\)"),
    ],
)
def test_what_are_no_logits_is_refused(outputs, found):
    with pytest.raises(ValueError, match=found):
        heads(outputs)


class TwoInputs(nn.Module):
    def forward(self, images, masks):
        return images * masks


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (nn.Conv2d(3, 4, 3), "to have 3 channels, but got 1 channels"),
        (nn.Sequential(nn.Flatten(), nn.Linear(5, 2)), "cannot be multiplied"),
        (TwoInputs(), "missing 1 required positional argument: 'masks'"),
        (nn.BatchNorm1d(4), "expected 2D or 3D input"),
    ],
)
def test_a_model_that_fails_says_on_which_images(model, reason):
    start = r"the model fails on images of \(2, 1, 8, 8\), torch.float32: .*"
    with pytest.raises(ValueError, match=start + reason) as caught:
        forward(model, torch.zeros(2, 1, 8, 8), torch.float32)
    assert "\n" not in str(caught.value) and caught.value.__cause__ is not None


def test_too_little_memory_is_not_the_images_fault(monkeypatch):
    model = nn.Flatten()
    error = torch.OutOfMemoryError("full")

    def fill(images):
        raise error

    monkeypatch.setattr(model, "forward", fill)
    with pytest.raises(torch.OutOfMemoryError, match="full"):
        forward(model, torch.zeros(2, 1), torch.float32)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_labels_of_every_integer_type_are_class_numbers(dtype):
    labels = class_numbers(LABELS.to(dtype), 4, is_first=True)
    assert labels.dtype == torch.int64 and labels.equal(LABELS)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:, None], r"have shape \(3, 1\) instead of \(3,\): give labels\[:, 0\]"),
        (F.one_hot(LABELS, 4), r"have shape \(3, 4\) instead of \(3,\): give labels.argmax\(dim=1"),
        (torch.zeros(3, 2, 2), r"have shape \(3, 2, 2\) instead of \(3,\)$"),
        (LABELS.float(), r"labels are torch.float32: give whole numbers, such as labels.long\(\)"),
        (LABELS + 2, "labels go from 2 to 4, but the model has 4 classes, 0 to 3: give labels - 1"),
        (
            torch.tensor([1, 4]),
            "labels go from 1 to 4, but the model has .* 0 to 3: give labels - 1",
        ),
        (torch.tensor([0, 4]), "labels go from 0 to 4, but the model has 4 classes, 0 to 3$"),
        (LABELS + 9, "labels go from 9 to 11, but the model has 4 classes, 0 to 3$"),
        (LABELS - 1, "labels go from -1 to 1, but the model has 4 classes, 0 to 3$"),
    ],
)
def test_labels_that_are_no_class_numbers_are_refused(labels, message):
    """A column: pytorch/pytorch#56542; one-hot: facebookarchive/caffe2#447."""
    for is_first in (True, False):
        with pytest.raises(ValueError, match=message):
            class_numbers(labels, 4, is_first)


@pytest.mark.parametrize(("is_first", "looked"), [(True, True), (False, False)])
def test_labels_elsewhere_are_looked_at_once_a_pass(is_first, looked, monkeypatch):
    """A tensor without values stands for one whose values have to be waited for."""
    labels, looks = torch.zeros(3, dtype=torch.int64, device="meta"), []

    def look(labels):
        looks.append(labels)
        return torch.tensor(0), torch.tensor(3)

    monkeypatch.setattr(torch.Tensor, "aminmax", look)
    class_numbers(labels, 4, is_first)
    assert bool(looks) is looked


class Echo(nn.Module):
    """Takes the first pixels of a picture for its logits."""

    def forward(self, images):
        return images.flatten(1)[:, :3] * 100


def batches():
    """Five pictures whose predictions are 0, 1, 2, 1, 1, in batches of three and two."""
    images = torch.eye(3)[[0, 1, 2, 1, 1]].view(5, 1, 1, 3)
    labels = torch.tensor([0, 1, 0, 1, 0])
    return [(images[:3], labels[:3]), (images[3:], labels[3:])]


def test_counts():
    result = evaluate(Echo(), batches(), precision="float32")
    assert result.accuracy == 3 / 5
    assert result.num_images == 5
    assert result.confusion.tolist() == [[1, 1, 1], [0, 2, 0], [0, 0, 0]]
    assert result.loss == pytest.approx(2 * 100 / 5)  # two wrong answers, each 100 too low


@pytest.mark.parametrize("training", [True, False])
def test_uses_and_restores_the_mode(make_model, make_loaders, training):
    model = make_model(dropout=0.5, norm=True).train(training)
    before = [buffer.clone() for buffer in model.buffers()]
    loaders = make_loaders()
    assert evaluate(model, loaders.val).loss == evaluate(model, loaders.val).loss
    assert model.training is training
    assert all(torch.equal(a, b) for a, b in zip(before, model.buffers(), strict=True))
    assert torch.is_grad_enabled()


def test_batches_of_any_size_give_the_same(make_model, make_loaders):
    results = [
        evaluate(make_model(), make_loaders(batch_size=size).val, precision="float32")
        for size in (7, 50)
    ]
    assert results[0].loss == pytest.approx(results[1].loss)
    assert results[0].confusion.equal(results[1].confusion)


def test_no_pictures_is_an_error(make_model):
    with pytest.raises(
        ValueError, match=r"^there are no images to evaluate on: this set is empty$"
    ):
        evaluate(make_model(), [])


def test_a_whole_data_set_is_not_one_part(make_model, make_loaders):
    with pytest.raises(
        ValueError, match=r"^batches = .* is not an Iterable: give one set, such as loaders.test$"
    ):
        evaluate(make_model(), make_loaders())


def test_the_mode_is_restored_after_an_error(make_model, make_loaders):
    model = make_model().train()
    with pytest.raises(ValueError, match="labels have shape"):
        evaluate(model, [(torch.zeros(4, 1, 8, 8), torch.zeros(4, 1))])
    assert model.training

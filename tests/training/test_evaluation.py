import pytest
import torch
from torch import nn

from course_utils.training import evaluate
from course_utils.training.evaluation import count_confusions


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
    assert result.class_accuracy[:2].tolist() == pytest.approx([1 / 3, 1])
    assert result.class_accuracy[2].isnan()
    assert result.loss == pytest.approx(2 * 100 / 5)  # two wrong answers, each 100 too low


def test_confusions_add_up():
    logits, labels = torch.eye(3)[[0, 2, 2]], torch.tensor([0, 2, 1])
    once = count_confusions(logits, labels)
    assert count_confusions(logits, labels, once.clone()).equal(2 * once)


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
    with pytest.raises(ValueError, match="no pictures to evaluate on"):
        evaluate(make_model(), [])

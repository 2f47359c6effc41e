"""The shortest way through: fit, watch, evaluate, keep."""

import torch
from torch import nn

from course_utils.training import History, TrainConfig, evaluate, fit


class Stripes:
    """Pictures whose brighter half is the label."""

    def __init__(self, num_images, seed):
        self.generator = torch.Generator().manual_seed(seed)
        self.images = torch.rand(num_images, 1, 8, 8, generator=self.generator)
        halves = self.images[..., :4].mean((1, 2, 3)) > self.images[..., 4:].mean((1, 2, 3))
        self.labels = halves.long()
        self.num_images = num_images

    def __len__(self):
        return -(-self.num_images // 32)

    def __iter__(self):
        order = torch.randperm(self.num_images, generator=self.generator)
        for chosen in order.split(32):
            yield self.images[chosen], self.labels[chosen]


class StripeLoaders:
    def __init__(self):
        self.train, self.val = Stripes(500, seed=0), Stripes(100, seed=1)


def test_fit_learns_and_reports_each_epoch():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    loaders = StripeLoaders()
    seen = []
    config = TrainConfig(epochs=10, lr=0.1, precision="float32")

    history = fit(model, loaders, config, on_epoch_end=[lambda h: seen.append(len(h))])

    assert seen == list(range(1, 11))
    assert history.epochs[-1].train_accuracy > 0.9 > history.epochs[0].train_accuracy
    assert history.epochs[-1].val_accuracy > 0.8
    assert not model.training
    result = evaluate(model, loaders.val, precision="float32")
    assert result.accuracy == history.epochs[-1].val_accuracy
    assert History.from_json(history.to_json()) == history

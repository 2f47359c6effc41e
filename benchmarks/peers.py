"""The other libraries of the training benchmark: how people usually write training.

All three read images one by one with a `DataLoader`, as torchvision's data sets serve them, and
compute in float32 and in NCHW, as their tutorials do.
"""

import time
from collections import defaultdict
from typing import Any

import torch
from common import CROP_PADDING, build_optimizer
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from turns import Setting, Turns, report, wait

from course_utils.data import Batches


class Pictures(Dataset):
    """Images as torchvision's data sets serve them: an array, turned into a PIL image on demand.

    Args:
        train: Where the bytes come from, and how they are normalised.
    """

    def __init__(self, train: Batches) -> None:
        arrays = train.images.permute(0, 2, 3, 1).contiguous().numpy()  # (N, H, W, C)
        self.arrays = arrays.squeeze(3) if arrays.shape[3] == 1 else arrays
        self.labels = train.labels.tolist()
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(train.image_shape[1:], padding=CROP_PADDING),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(train.mean, train.std),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.arrays[index])), self.labels[index]


def build_loader(setting: Setting, train: Batches, num_workers: int) -> DataLoader:
    """Return a loader with the settings of most tutorials, and defaults otherwise."""
    dataset = Pictures(train)
    return DataLoader(dataset, setting.batch_size, shuffle=True, num_workers=num_workers)


def train_loop(setting: Setting, train: Batches, model: nn.Module, num_workers: int) -> None:
    """Train with the loop of most tutorials, and the running loss that they print."""
    batches = Turns(build_loader(setting, train, num_workers))
    criterion = nn.CrossEntropyLoss()
    optimizer = build_optimizer(model)
    model.train()
    for _ in range(setting.turns):
        running_loss = 0.0
        for images, labels in batches:
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()


def train_lightning(setting: Setting, train: Batches, model: nn.Module, num_workers: int) -> None:
    """Train with PyTorch Lightning's Trainer, without logs, checkpoints and progress bar."""
    import lightning  # here, so that the other contenders do not load it

    class Classifier(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
            images, labels = batch
            return F.cross_entropy(self.model(images), labels)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return build_optimizer(self)

    class Watch(lightning.Callback):
        """Waits for the turn and times it: Lightning itself asks the loader for its batches."""

        def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
            wait()
            self.started = time.perf_counter()

        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            report(time.perf_counter() - self.started)

    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=setting.turns,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Watch()],
    )
    trainer.fit(Classifier(), build_loader(setting, train, num_workers))


class Board:
    """What d2l plots training with, without the drawing: means of so many points at a time."""

    def __init__(self) -> None:
        self.waiting: dict[str, list[tuple[float, Any]]] = defaultdict(list)
        self.lines: dict[str, list[tuple[float, Any]]] = defaultdict(list)

    def draw(self, x: float, y: Any, label: str, every: int) -> None:
        """Add a point to a line."""
        points = self.waiting[label]
        points.append((x, y))
        if len(points) == every:
            mean_x, mean_y = (sum(values) / every for values in zip(*points, strict=True))
            self.lines[label].append((mean_x, mean_y))
            points.clear()


class D2LTrainer:
    """Training as the book "Dive into Deep Learning" builds it up, on the CPU.

    The trainer goes through a loader with four worker processes. The module's training step
    computes the loss and passes it, as a NumPy number, to the board, which keeps two means per
    epoch. Then the trainer sets the gradients to zero, calls backward and takes the step.

    Source: Zhang, Lipton, Li and Smola, Dive into Deep Learning, sections 3.2 (Module,
        DataModule, Trainer), 3.4 (fit_epoch) and 4.2 (its loader); in our own words.
    Differs: The board draws nothing; the images are augmented as for all contenders instead
        of only resized; the optimiser has momentum and weight decay as for all contenders.
    """

    def __init__(self, max_epochs: int) -> None:
        self.max_epochs = max_epochs
        self.board = Board()
        self.batches_done = 0

    def fit(self, model: nn.Module, loader: DataLoader) -> None:
        """Train the model."""
        self.model, self.batches = model, Turns(loader)
        self.optimizer = build_optimizer(model)
        for _ in range(self.max_epochs):
            self.fit_epoch()

    def fit_epoch(self) -> None:
        """Go through the loader once."""
        self.model.train()
        for batch in self.batches:
            loss = self.training_step(batch)
            self.optimizer.zero_grad()
            with torch.no_grad():
                loss.backward()
                self.optimizer.step()
            self.batches_done += 1

    def training_step(self, batch: list[Tensor]) -> Tensor:
        """Return the loss of a batch, after reporting it to the board."""
        *inputs, labels = batch
        loss = F.cross_entropy(self.model(*inputs), labels)
        num_batches = len(self.batches)
        half_an_epoch = max(1, num_batches // 2)
        value = loss.detach().cpu().numpy()
        self.board.draw(self.batches_done / num_batches, value, "train_loss", half_an_epoch)
        return loss


def train_d2l(setting: Setting, train: Batches, model: nn.Module, num_workers: int) -> None:
    """Train with `D2LTrainer`."""
    D2LTrainer(setting.turns).fit(model, build_loader(setting, train, num_workers))


PEERS = {"loop": train_loop, "lightning": train_lightning, "d2l": train_d2l}
"""Name -> training with a number of worker processes."""

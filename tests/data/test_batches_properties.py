"""What holds of batches whatever their sizes are: nothing is lost, doubled or mixed up."""

from dataclasses import dataclass, replace

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data import Augment, Batches

cases = settings(max_examples=150, derandomize=True, deadline=None)
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


@dataclass(frozen=True)
class Case:
    """One way to cut a part into batches."""

    num: int
    batch_size: int
    shuffle: bool
    seed: int
    channels: int = 1
    augment: Augment | None = None

    def batches(self) -> Batches:
        """Make the batches; the first pixel of an image says which one it is."""
        generator = torch.Generator().manual_seed(self.seed)
        size = (self.num, self.channels, 4, 5)
        images = torch.randint(256, size, generator=generator).to(torch.uint8)
        images[:, 0, 0, 0] = torch.arange(self.num)
        return Batches(
            images,
            torch.arange(self.num) + 1000,
            self.batch_size,
            MEAN[: self.channels],
            STD[: self.channels],
            shuffle=self.shuffle,
            augment=self.augment,
            generator=generator,
        )


plain = st.builds(
    Case,
    num=st.integers(0, 60),
    batch_size=st.integers(1, 70),
    shuffle=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
    channels=st.sampled_from([1, 3]),
)
augmented = st.builds(
    Case,
    num=st.integers(1, 40),
    batch_size=st.integers(1, 50),
    shuffle=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
    augment=st.builds(Augment, crop_padding=st.integers(0, 2), flip=st.booleans()),
)


def bytes_of(images: torch.Tensor) -> torch.Tensor:
    """Undo the normalisation."""
    channels = images.shape[1]
    mean, std = (torch.tensor(x[:channels])[:, None, None] for x in (MEAN, STD))
    return ((images * std + mean) * 255).round().to(torch.uint8)


@cases
@given(case=plain)
def test_an_epoch_shows_each_image_once_beside_its_label(case):
    batches = case.batches()
    pairs = list(batches)
    assert len(pairs) == len(batches)
    seen = [label for _, labels in pairs for label in labels.tolist()]
    assert sorted(seen) == list(range(1000, 1000 + case.num))
    for images, labels in pairs:
        assert torch.equal(bytes_of(images), batches.images[labels - 1000])


@cases
@given(case=plain)
def test_all_batches_are_full_but_for_the_last(case):
    expected = [case.batch_size] * (case.num // case.batch_size)
    rest = case.num % case.batch_size
    if case.shuffle and rest == 1 and expected:
        expected[-1] += 1  # batch normalisation cannot learn from one image
    elif rest:
        expected.append(rest)
    assert [len(labels) for _, labels in case.batches()] == expected


@cases
@given(case=augmented, world_size=st.integers(1, 4))
def test_several_processes_together_see_what_one_sees_alone(case, world_size):
    case = replace(case, batch_size=max(case.batch_size, world_size))
    alone = seen([case.batches()])
    shared = seen([case.batches().shard(rank, world_size) for rank in range(world_size)])
    assert sorted(shared) == sorted(alone) == list(range(1000, 1000 + case.num))
    if world_size == 1 or not case.shuffle:  # else the last batches are cut in another way
        assert all(torch.equal(image, alone[label]) for label, image in shared.items())


def seen(shares: list[Batches]) -> dict[int, torch.Tensor]:
    """Return the images of an epoch by their labels, none of which may come twice."""
    pairs = [pair for share in shares for pair in share]
    images = {int(n): image for x, labels in pairs for n, image in zip(labels, x, strict=True)}
    assert len(images) == sum(len(labels) for _, labels in pairs)
    return images


@cases
@given(case=augmented, taken=st.integers(1, 5))
def test_an_epoch_that_is_broken_off_changes_no_later_one(case, taken):
    through, broken = case.batches(), case.batches()
    list(through)
    list(zip(range(taken), broken, strict=False))
    for (images, labels), (same, same_labels) in zip(through, broken, strict=True):
        assert torch.equal(images, same) and torch.equal(labels, same_labels)


@cases
@given(case=plain.filter(lambda case: case.num > 0), batch_size=st.integers(1, 70))
def test_the_batch_size_changes_neither_the_order_nor_an_image(case, batch_size):
    batches = [case.batches(), case.batches().with_options(batch_size=batch_size)]
    one, other = (torch.cat([images for images, _ in epoch]) for epoch in batches)
    assert torch.equal(one, other)

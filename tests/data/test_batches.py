import numpy as np
import pytest
import torch
from operations import num_operations

from course_utils.data import Augment, Batches

AUGMENT = Augment(crop_padding=2, flip=True)
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


def make(num=100, batch_size=16, seed=0, channels=3, **settings):
    """Pictures whose first pixel is their number, so that they can be told apart."""
    dice = torch.Generator().manual_seed(42)
    images = torch.randint(256, (num, channels, 8, 8), dtype=torch.uint8, generator=dice)
    images[:, 0, 0, 0] = torch.arange(num, dtype=torch.uint8)
    settings.setdefault("shuffle", True)
    settings.setdefault("generator", torch.Generator().manual_seed(seed))
    return Batches(
        images, torch.arange(num), batch_size, MEAN[:channels], STD[:channels], **settings
    )


def epoch(batches):
    pairs = list(batches)
    return torch.cat([images for images, _ in pairs]), torch.cat([labels for _, labels in pairs])


def test_an_epoch_shows_each_picture_once_with_its_label():
    batches = make()
    images, labels = epoch(batches)
    assert sorted(labels.tolist()) == list(range(100))
    assert labels.tolist() != list(range(100))
    pixels = images * torch.tensor(STD)[:, None, None] + torch.tensor(MEAN)[:, None, None]
    assert torch.equal((pixels * 255).round().byte(), batches.images[labels])


def test_batches_are_normalised_float32_with_int64_labels():
    batches = make(shuffle=False)
    images, labels = next(iter(batches))
    assert (images.dtype, labels.dtype) == (torch.float32, torch.int64)
    assert images.shape == (16, 3, 8, 8)
    mean, std = (torch.tensor(values).double()[:, None, None] for values in (MEAN, STD))
    expected = (batches.images[:16].double() / 255 - mean) / std
    torch.testing.assert_close(images.double(), expected, rtol=0, atol=1e-5)


def test_every_epoch_has_another_order_and_validation_always_the_same():
    batches = make()
    assert not torch.equal(epoch(batches)[1], epoch(batches)[1])
    fixed = make(shuffle=False)
    assert epoch(fixed)[1].tolist() == list(range(100))
    assert epoch(fixed)[1].tolist() == list(range(100))


def test_the_same_generator_seed_gives_the_same_epochs():
    one, two, other = (make(seed=seed, augment=AUGMENT) for seed in (3, 3, 4))
    for _ in range(2):
        (images, labels), (same_images, same_labels) = epoch(one), epoch(two)
        assert torch.equal(labels, same_labels)
        assert torch.equal(images, same_images)
        assert not torch.equal(labels, epoch(other)[1])


def test_breaking_off_an_epoch_does_not_change_the_next():
    one, two = make(augment=AUGMENT), make(augment=AUGMENT)
    next(iter(one))
    epoch(two)
    assert torch.equal(epoch(one)[0], epoch(two)[0])


def test_the_state_of_the_generator_is_enough_to_continue():
    generator = torch.Generator().manual_seed(1)
    batches = make(augment=AUGMENT, generator=generator)
    epoch(batches)
    state = generator.get_state()
    expected = epoch(batches)[0]
    generator.set_state(state)
    assert torch.equal(epoch(batches)[0], expected)


def test_the_global_generator_is_left_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    epoch(make(augment=AUGMENT))
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("num, sizes", [(48, [16] * 3), (50, [16, 16, 16, 2]), (49, [16, 16, 17])])
def test_the_last_batch_is_smaller_but_never_a_single_picture(num, sizes):
    batches = make(num)
    assert [len(labels) for _, labels in batches] == sizes
    assert len(batches) == len(sizes)
    assert batches.num_images == num


def test_a_fixed_order_keeps_a_last_single_picture():
    assert [len(labels) for _, labels in make(33, shuffle=False)] == [16, 16, 1]


def test_a_part_smaller_than_a_batch_is_one_batch():
    assert [len(labels) for _, labels in make(5)] == [5]
    assert [len(labels) for _, labels in make(1)] == [1]


def test_batches_of_one_are_allowed():
    assert len(make(10, batch_size=1)) == 10


def test_an_empty_part_has_no_batches():
    batches = make(0, shuffle=False)
    assert len(batches) == 0
    assert list(batches) == []


@pytest.mark.parametrize("channels", [1, 3])
def test_the_memory_format_changes_no_value(channels):
    plain = make(augment=AUGMENT, channels=channels)
    last = make(augment=AUGMENT, channels=channels, memory_format=torch.channels_last)
    for (images, _), (same, _) in zip(plain, last, strict=True):
        assert images.is_contiguous()
        assert same.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(images, same)


@pytest.mark.parametrize("world_size", [2, 3])
@pytest.mark.parametrize("shuffle", [True, False])
def test_processes_together_see_what_one_alone_sees(world_size, shuffle):
    augment = AUGMENT if shuffle else None
    alone = list(make(106, shuffle=shuffle, augment=augment))
    shares = [
        list(make(106, shuffle=shuffle, augment=augment).shard(rank, world_size))
        for rank in range(world_size)
    ]
    assert len(alone) == 7
    for (images, labels), *parts in zip(alone, *shares, strict=True):
        assert torch.equal(torch.cat([part for part, _ in parts]), images)
        assert torch.equal(torch.cat([part for _, part in parts]), labels)
        sizes = [len(part) for part, _ in parts]
        assert max(sizes) - min(sizes) <= 1


def test_no_process_trains_on_fewer_than_two_pictures():
    shares = [make(99).shard(rank, 2) for rank in range(2)]  # 99 = 6 * 16 + 3
    sizes = [[len(labels) for _, labels in share] for share in shares]
    assert [sum(pair) for pair in zip(*sizes, strict=True)] == [16] * 5 + [19]
    assert len(shares[0]) == len(shares[1]) == 6


def test_a_process_with_nothing_left_to_evaluate_gets_no_empty_batch():
    shares = [make(33, shuffle=False).shard(rank, 2) for rank in range(2)]
    assert [[len(labels) for _, labels in share] for share in shares] == [[8, 8], [8, 8, 1]]
    assert [len(share) for share in shares] == [2, 3]


def test_with_options_changes_only_what_is_named():
    batches = make().with_options(batch_size=50)
    assert [len(labels) for _, labels in batches] == [50, 50]


@pytest.mark.parametrize(
    "wrong, text",
    [
        ({"batch_size": 0}, "batch_size = 0 is too small: it must be at least 1"),
        ({"batch_size": 16.0}, "batch_size = 16.0 is not a whole number"),
        ({"augment": Augment(crop_padding=8)}, "crop_padding is 8: .* 8x8 pixels, so give less"),
        ({"generator": None}, "generator is None: pass torch.Generator"),
        ({"generator": None, "shuffle": False, "augment": AUGMENT}, "generator is None"),
        ({"rank": 2, "world_size": 2}, "rank = 2 is too large: it must be at most 1"),
        ({"rank": 0, "world_size": 32}, "32 processes need at least one image each"),
        ({"device": "cuda"}, "images are on cpu, device is cuda"),
    ],
)
def test_impossible_settings_are_refused(wrong, text):
    with pytest.raises(ValueError, match=text):
        make(**wrong)


def test_a_batch_size_of_numpy_is_as_good_as_pythons():
    """In eight bits, 4 * 192 * 100 would overflow; in the course of an epoch it is computed."""
    images, labels = epoch(make(batch_size=np.int8(100)))
    same, same_labels = epoch(make(batch_size=100))
    assert torch.equal(images, same)
    assert torch.equal(labels, same_labels)


def test_pictures_must_be_bytes_with_one_label_each():
    images, labels = torch.zeros(4, 3, 8, 8), torch.zeros(4, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"images are torch.float32: give bytes"):
        Batches(images, labels, 2, MEAN, STD)
    with pytest.raises(ValueError, match="4 images, but 3 labels"):
        Batches(images.byte(), labels[:3], 2, MEAN, STD)


@pytest.mark.parametrize("augment", [None, AUGMENT])
def test_an_image_costs_no_operation_of_its_own(augment):
    """A batch does: 62 times as many images take a few more, so an epoch takes milliseconds."""

    def operations(num_images):
        images = torch.zeros(num_images, 3, 28, 28, dtype=torch.uint8)
        labels = torch.zeros(num_images, dtype=torch.int64)
        dice = torch.Generator().manual_seed(0)
        options = {"augment": augment, "shuffle": True, "generator": dice}
        batches = Batches(images, labels, num_images // 4, MEAN, STD, **options)
        return num_operations(lambda: list(batches))

    assert operations(4_000) < 4 * operations(64)

"""Exercise 01 accepts right answers in any style, and names what is wrong with the others.

Every fault that the exercise plants has been made, and reported, in public:

* a row's filler taken for pixels: https://github.com/GunnarMonell/fbgrab/issues/3
* blue taken for red: https://github.com/tornadomeet/ResNet/issues/25
* labels by folders whose numbers are sorted as text: https://github.com/pytorch/vision/issues/714
* HWC made CHW by `reshape`: https://github.com/Selen-Suyue/DensePolicy2D/issues/3
* bytes that wrap around: https://github.com/tensorpack/tensorpack/issues/614
* columns normalised, not channels: https://github.com/GewelsJI/VPS/issues/50
* the numbers of the test images: https://github.com/ikhlestov/vision_networks/issues/27
"""

import pytest

SLUG = "01_image_tensors"

UNPACK = """
def unpack(frame, height, width, pitch):
    rows = {rows}
    image = {image}
    return {result}
"""


def unpack(
    rows="torch.stack(frame.split(pitch))[:, : width * 3]",
    image="rows.unflatten(1, (width, 3)).movedim(-1, 0)",
    result="image",
):
    return UNPACK.format(rows=rows, image=image, result=result)


STRIDES = """
def unpack(frame, height, width, pitch):
    return frame.contiguous().as_strided((3, height, width), (1, pitch, 3)).double()
"""
WITH_NUMPY = """
import numpy as np
def unpack(frame, height, width, pitch):
    rows = np.frombuffer(frame.numpy().tobytes(), np.uint8).reshape(height, -1)
    return torch.from_numpy(np.stack([rows[:, c : 3 * width : 3] for c in range(3)]))
"""
LOOPS = """
def unpack(frame, height, width, pitch):
    image = torch.zeros(3, height, width)
    for c in range(3):
        for i in range(height):
            for j in range(width):
                image[c, i, j] = frame[i * pitch + 3 * j + c]
    return image
"""
RECOVER = """
def recover(box):
    dark, bright = torch.zeros(2, 2, 3).byte(), 255 * torch.ones(1, 1, 3).byte()
    black, white = box(dark)[:, 0, 0], box(bright)[:, 0, 0]
    std = {std}
    mean = {mean}
    order = [None] * 3
    for channel in range(3):
        photo = torch.zeros(1, 1, 3).byte()
        photo[..., channel] = 255
        place = int((box(photo)[:, 0, 0] - black).argmax())
        {found}
    return {result}
"""


def recover(
    std="1 / (white - black)",
    mean="-black * std",
    found="order[place] = channel",
    result="order, mean, std",
):
    return RECOVER.format(std=std, mean=mean, found=found, result=result)


LEAST_SQUARES = """
def recover(box):
    photo = torch.randint(256, (5, 7, 3)).byte()
    known = torch.cat([photo.reshape(-1, 3).double() / 255, torch.ones(35, 1).double()], dim=1)
    fitted = torch.linalg.lstsq(known, box(photo).double().flatten(1).T).solution
    slopes, start = fitted[:3], fitted[3]
    std = 1 / slopes.sum(dim=0)
    return slopes.abs().argmax(dim=0), -start * std, std
"""
BY_TRYING = """
import itertools
def recover(box):
    photo = torch.tensor([[[10, 90, 250], [0, 200, 60]]]).byte()
    out = box(photo).double()
    for order in itertools.permutations(range(3)):
        x = photo.permute(2, 0, 1)[list(order)].double() / 255
        std = [((a[0, 0] - a[0, 1]) / (b[0, 0] - b[0, 1])).item() for a, b in zip(x, out)]
        mean = [(a[0, 0] - s * b[0, 0]).item() for a, b, s in zip(x, out, std)]
        other = torch.tensor([[[77, 5, 140]]]).byte()
        y = [(other[0, 0, c].item() / 255 - m) / s for c, m, s in zip(order, mean, std)]
        if torch.allclose(torch.tensor(y), box(other)[:, 0, 0], atol=1e-3):
            return order, mean, std
"""
OWN_ALONE = """
def recover(box):
    return own_loader(student_id)
"""
OWN_ORDER = "(own_loader(student_id)[0], mean, std)"
REPAIR = """
def labels(folders):
    names = {names}
    return {label_of}

def to_images(photos, more):
    x = torch.stack(photos)
    {added}
    return {images}

def normalise(images, training):
    mean, std = {mean}, {std}
    return {normalised}
"""


def repair(
    names="sorted(folders, key=int)",
    label_of="{name: names.index(name) for name in names}",
    added="x = (x.double() + more).clamp(0, 255)",
    images="(x / 255).movedim(3, 1)",
    mean="training.mean((0, 2, 3)).view(-1, 1, 1)",
    std="training.std((0, 2, 3)).view(-1, 1, 1)",
    normalised="(images - mean) / std",
):
    return REPAIR.format(
        names=names, label_of=label_of, added=added, images=images, mean=mean, std=std,
        normalised=normalised,
    )  # fmt: skip


BY_CHANNEL = """
def labels(folders):
    numbers = torch.tensor([int(name) for name in folders])
    return dict(zip(folders, numbers.argsort().argsort().tolist()))

def to_images(photos, more):
    whole = [photo.int().add(more).minimum(torch.tensor(255)) for photo in photos]
    return torch.einsum("nhwc->nchw", torch.stack(whole)) / 255

def normalise(images, training):
    done = []
    for c in range(3):
        pixels = training[:, c]
        done.append((images[:, c] - pixels.mean()) / pixels.var(correction=0).sqrt())
    return torch.stack(done, dim=1)
"""
FUNCTIONAL = """
import numpy as np
from torchvision.transforms.v2.functional import normalize

class Label:
    def __init__(self, folders):
        self.order = sorted(folders, key=lambda name: (len(name), name))
    def __call__(self, name):
        return self.order.index(name)

def labels(folders):
    return {name: Label(folders)(name) for name in folders}

def to_images(photos, more):
    stacked = np.stack([photo.numpy() for photo in photos]).astype(np.float64)
    return torch.from_numpy(np.minimum(stacked + more, 255).transpose(0, 3, 1, 2) / 255)

def normalise(images, training):
    x = training.double().transpose(0, 1).flatten(1)
    return normalize(images.double(), x.mean(1).tolist(), x.std(1).tolist())
"""
FIRST = "predicted = 1"
EXPERIMENT = """
def draw(n):
    return torch.randperm(len(images))[:n]
torch.manual_seed(1)
flat = images.flatten()
friend = {friend}
whole = {whole}
scattered = {scattered}
spread = [torch.tensor(means).std().item() for means in (whole, scattered)]
factor, control = {factor}, {control}
"""


def experiment(
    friend="float(images.std() / num_pixels ** 0.5)",
    whole="[images[draw(num_images)].mean().item() for _ in range(300)]",
    scattered="[flat[torch.randint(len(flat), (num_pixels,))].mean().item() for _ in range(300)]",
    factor="spread[0] / friend",
    control="spread[1] / friend",
):
    return EXPERIMENT.format(
        friend=friend, whole=whole, scattered=scattered, factor=factor, control=control
    )


WITH_STATISTICS = """
import random, statistics
random.seed(4)
each = images.double().mean(dim=(1, 2, 3)).tolist()
whole = [statistics.fmean(random.sample(each, num_images)) for _ in range(300)]
flat = images.double().flatten()
scattered = [flat[torch.randint(len(flat), (num_pixels,))].mean().item() for _ in range(300)]
friend = flat.std().item() / (784 * num_images) ** 0.5
factor, control = statistics.pstdev(whole) / friend, statistics.pstdev(scattered) / friend
"""
ALL_AT_ONCE = """
import numpy as np
drawn = np.random.default_rng(2)
pixels = images.numpy()
each = pixels.mean(axis=(1, 2, 3))
whole = tuple(each[drawn.integers(0, len(each), (300, num_images))].mean(axis=1).tolist())
places = drawn.integers(0, pixels.size, (300, num_pixels))
scattered = tuple(pixels.ravel()[places].mean(axis=1, dtype=np.float64).tolist())
friend = float(pixels.std()) / num_pixels ** 0.5
factor, control = (float(np.std(m, ddof=1)) / friend for m in (whole, scattered))
"""


@pytest.mark.parametrize(
    ("task", "source"),
    [
        ("unpack", unpack()),
        ("unpack", STRIDES),
        ("unpack", WITH_NUMPY),
        ("unpack", LOOPS),
        ("recover", recover()),
        ("recover", recover(result="tuple(order), mean.double().tolist(), list(std)")),
        ("recover", LEAST_SQUARES),
        ("recover", BY_TRYING),
        ("repair", repair()),
        ("repair", BY_CHANNEL),
        ("repair", FUNCTIONAL),
        ("experiment", experiment()),
        ("experiment", WITH_STATISTICS),
        ("experiment", ALL_AT_ONCE),
    ],
)
def test_a_right_answer_in_another_style_passes(exercise, task, source):
    exercise.assert_passes(prediction=FIRST, **{task: source})


UNPACK_IS, RECOVER_IS, REPAIR_IS, EXPERIMENT_IS = (
    f"{name}_check" for name in ("unpack", "recover", "repair", "experiment")
)
PLAIN = "frame[: 3 * height * width].view(height, 3 * width)"
WRONG = [
    # What the check at home lets through.
    (UNPACK_IS, unpack(rows="frame.view(height, pitch // 3, 3)[:, :width].flatten(1)"), "", True),
    (UNPACK_IS, unpack(rows="frame.view(height, -1)[:, : 3 * height]"), "", True),
    (UNPACK_IS, unpack(rows="frame.view(height, 4 * width)[:, : 3 * width]"), "", True),
    (UNPACK_IS, unpack(result="image.mT"), "you swap rows and columns", True),
    (UNPACK_IS, unpack(result="image.flip(1)"), "upside down", True),
    (UNPACK_IS, unpack(result="image.flip(2)"), "you reverse the columns", True),
    (UNPACK_IS, unpack(result="image.flip(1, 2)"), "you rotate the image", True),
    (UNPACK_IS, unpack(image="rows.unflatten(1, (width, 3)).permute(2, 1, 0)"), "swap rows", True),
    (RECOVER_IS, recover(found="order[channel] = place"), "where each channel goes", True),
    (RECOVER_IS, OWN_ALONE, "order", True),
    (RECOVER_IS, recover(result=OWN_ORDER), "The order is", True),
    (RECOVER_IS, recover(std="(1 / (white - black)).clamp(0.1, 0.4)"), "", True),
    (RECOVER_IS, recover(mean="(-black * std).clamp(0.25, 0.65)"), "", True),
    (REPAIR_IS, repair(names="sorted(folders)"), "sort the names as text", True),
    (REPAIR_IS, repair(label_of="dict.fromkeys(names, 0)"), "your labels are {", True),
    (REPAIR_IS, repair(names="folders"), "in the order in which they are listed", True),
    (REPAIR_IS, repair(names="sorted(folders, key=len)"), "", True),
    (REPAIR_IS, repair(label_of="{name: int(name) for name in names}"), "names as labels", True),
    (REPAIR_IS, repair(label_of="{name: int(name) - 1 for name in names}"), "may be gaps", True),
    (REPAIR_IS, repair(label_of="{name: 1 + names.index(name) for name in names}"), "from 1", True),
    (REPAIR_IS, repair(names="sorted(folders, key=int, reverse=True)"), "highest to", True),
    (REPAIR_IS, repair(images="(x / 255).reshape(len(x), 3, *x.shape[1:3])"), "use reshape", True),
    (REPAIR_IS, repair(added="x = (x + more).clamp(0, 255)"), "you add to bytes", True),
    (REPAIR_IS, repair(added="x = (x + more).double()"), "you add to bytes", True),
    (REPAIR_IS, repair(images="(x / 255).movedim(3, 1).flip(1)"), "you reverse the chan", True),
    (REPAIR_IS, repair(added="pass"), "you do not make the images bri", True),
    (REPAIR_IS, repair(added="x = (x.double() + more) / (255 + more) * 255"), "cut off what", True),
    (REPAIR_IS, repair(images="(x / x.max()).movedim(3, 1)"), "by the highest value", True),
    (REPAIR_IS, repair(added="x = ((x / 255 + more).clamp(max=1) * 255)"), "after dividing", True),
    (REPAIR_IS, repair(added="[p.copy_((p.int() + more).clamp(max=255)) for p in photos]\n"
     "    x = torch.stack(photos)"), "changes the photos", True),
    (REPAIR_IS, repair(mean="images.mean((0, 2, 3)).view(-1, 1, 1)",
     std="images.std((0, 2, 3)).view(-1, 1, 1)"), "the images' own mean and std", True),
    (REPAIR_IS, repair(mean="images.mean((1, 2, 3), keepdim=True)",
     std="images.std((1, 2, 3), keepdim=True)"), "each image separately", True),
    (REPAIR_IS, repair(mean="images.mean((2, 3), keepdim=True)",
     std="images.std((2, 3), keepdim=True)"), "each channel of each image", True),
    (REPAIR_IS, repair(mean="training.mean((0, 1, 2))", std="training.std((0, 1, 2))"),
     "one mean for each column", True),
    (REPAIR_IS, repair(mean="training.mean()", std="training.std()"), "for all channels", True),
    (REPAIR_IS, repair(mean="training.mean(0)", std="training.std(0)"), "each pixel", True),
    (REPAIR_IS, repair(std="1"), "do not divide", True),
    (REPAIR_IS, repair(normalised="images / std"), "do not subtract", True),
    (REPAIR_IS, repair(std="training.var((0, 2, 3)).view(-1, 1, 1)"), "the variance", True),
    (REPAIR_IS, repair(normalised="((images - mean) / std - mean) / std"), "twice", True),
    (EXPERIMENT_IS, experiment(friend="float(images.std() / num_images ** 0.5)"),
     "the number of images, not of pixels", True),
    (EXPERIMENT_IS, experiment(friend="float(images.std() / num_pixels)"), "the square root", True),
    (EXPERIMENT_IS, experiment(friend="float(images.std() / 28)"), "leave out the number", True),
    (EXPERIMENT_IS, experiment(friend="float(images.var() / num_pixels)"), "the variance", True),
    (EXPERIMENT_IS, experiment(
        whole="[flat[torch.randint(len(flat), (num_pixels,))].mean().item() for _ in range(300)]"
    ), "you draw pixels, not whole images", True),
    (EXPERIMENT_IS, experiment(whole="[images[draw(1)].mean().item() for _ in range(300)]"),
     "you draw one image at a time", True),
    (EXPERIMENT_IS, experiment(whole="[images[draw(num_images)].std().item() for _ in range(300)]"),
     "", True),
    (EXPERIMENT_IS, experiment(whole="[images[:num_images].mean().item() for _ in range(300)]"),
     "does not fit such draws", True),
    (EXPERIMENT_IS, experiment(
        scattered="[images[draw(num_images)].mean().item() for _ in range(300)]"),
     "you draw whole images, not pixels", True),
    (EXPERIMENT_IS, experiment(
        scattered="[flat[torch.randint(10**6, (num_images,))].mean().item() for _ in range(300)]"
    ), "as many pixels as you have images", True),
    (EXPERIMENT_IS, experiment(
        whole="[images[draw(num_images)].mean().item() + 0.1 for _ in range(300)]"),
     "that is not the collection's mean", True),
    (EXPERIMENT_IS, experiment(factor="1.5 * spread[0] / friend"), "follow from your means", True),
    (EXPERIMENT_IS, experiment(factor="friend / spread[0]"), "the other way round", True),
    (EXPERIMENT_IS, experiment(factor="spread[0]"), "the standard deviation itself", True),
    (EXPERIMENT_IS, experiment(factor="(spread[0] / friend) ** 2"), "the variances", True),
    (EXPERIMENT_IS, experiment(factor="spread[1] / friend", control="spread[0] / friend"),
     "swap whole images", True),
    (EXPERIMENT_IS, experiment(factor="spread[0] / friend / 300 ** 0.5"), "root of 300", True),
    # What it finds.
    (UNPACK_IS, unpack(rows=PLAIN), "if you take the filler for pixels", False),
    (UNPACK_IS, unpack(image="rows.reshape(3, height, width)"), "use `reshape` to move", False),
    (UNPACK_IS, unpack(result="image / 255"), "divide by 255: here the values stay", False),
    (UNPACK_IS, unpack(result="255 - image"), "Your channels have the means", False),
    (UNPACK_IS, unpack(result="image.flip(0)"), "blue, green, red", False),
    (UNPACK_IS, unpack(image="rows.unflatten(1, (width, 3))"), "expected (3, 6, 6)", False),
    (UNPACK_IS, f"def unpack(frame, height, width, pitch):\n"
     f"    return {PLAIN}.reshape(3, height, width)", "into thirds, one for each channel", False),
    (RECOVER_IS, recover(mean="black"), "the output for black", False),
    (RECOVER_IS, recover(mean="-mean", std="(mean := 1 / (white - black))"), "", False),
    (RECOVER_IS, recover(mean="black * std"), "Your mean is what you get if you forget", False),
    (RECOVER_IS, recover(mean="-black * std / 2"), "Your mean is [", False),
    (RECOVER_IS, recover(std="1 / (white - black) + 1", mean="-black * (std - 1)"), "Your std is [",
     False),
    (RECOVER_IS, recover(mean="-255 * black * std"), "you keep the scale from 0", False),
    (RECOVER_IS, recover(std="white - black", mean="-black / std"), "1 divided by that", False),
    (RECOVER_IS, recover(result="order, mean[order], std"), "Your mean is what", False),
    (RECOVER_IS, recover(result="(0, 1, 2), mean, std"), "leave the channels", False),
    (RECOVER_IS, recover(result="order, mean, std[order]"), "Your std is what", False),
    (RECOVER_IS, recover(result="order, mean"), "three things", False),
    (RECOVER_IS, recover(result="order, mean, 'std'"), "must be three numbers", False),
    (RECOVER_IS, recover(result="(0, 0, 1), mean, std"), "the whole numbers 0, 1 and 2", False),
    (RECOVER_IS, "def recover(box):\n    return box(torch.rand(1, 1, 3))", "expected uint8", False),
    (REPAIR_IS, repair(images="x / 255"), "The result of your to_images has the shape", False),
    (REPAIR_IS, repair(images="x.movedim(3, 1)"), "floats from 0 to 1", False),
    (REPAIR_IS, repair(added="x = x.double() + more"), "floats from 0 to 1", False),
    (REPAIR_IS, repair(label_of="names"), "Your labels are", False),
    (REPAIR_IS, repair(label_of="{name: str(names.index(name)) for name in names}"),
     "a whole number for each name", False),
    (REPAIR_IS, repair(mean="training.mean((0, 2, 3))"), "your code stopped with", False),
    (EXPERIMENT_IS, experiment(whole="[0.3, 0.4]"), "a list of 300 means", False),
    (EXPERIMENT_IS, experiment(scattered="[0.3] * 299 + [1.3]"), "a list of 300 means", False),
    (EXPERIMENT_IS, experiment(friend="images.std() / num_pixels ** 0.5",
     factor="spread[0] / friend.item()", control="spread[1] / friend.item()"),
     "a Python float", False),
    (EXPERIMENT_IS, experiment(factor="None"), "a Python float", False),
]  # fmt: skip


@pytest.mark.parametrize(("check", "source", "finding", "at_home"), WRONG)
def test_a_wrong_answer_is_rejected_with_a_reason(exercise, check, source, finding, at_home):
    exercise.assert_rejects(check, source, finding, at_home, prediction=FIRST)


@pytest.mark.parametrize("predicted", ["None", "'larger'", "0", "True"])
def test_without_a_prediction_the_experiment_is_not_looked_at(exercise, predicted):
    exercise.assert_asks_for_prediction(experiment(), predicted)


@pytest.mark.parametrize("predicted", ["1", "28", "0.5"])
def test_a_wrong_prediction_costs_nothing_and_is_set_against_the_measurement(
    exercise, predicted, capsys
):
    exercise.assert_passes(prediction=f"predicted = {predicted}", experiment=experiment())
    assert f"you predicted {predicted} and measured" in capsys.readouterr().out


def test_everybody_has_a_frame_a_loader_and_a_collection(exercise, monkeypatch):
    space, frames, loaders, numbers = exercise.setup(), set(), set(), set()
    exec(unpack(), space)
    for number in range(20):
        monkeypatch.setenv("COURSE_STUDENT", f"student-{number}")
        frame, *sizes = space["own_frame"]("")
        image = space["unpack"](frame, *sizes)
        assert not image.equal(space["sheared"](frame, *sizes[:2])) and image.float().std() > 10
        frames.add(tuple(sizes))
        loaders.add(str(space["own_loader"]("")))
        images, few = space["own_collection"]("")
        assert images.shape == (3600, 1, 28, 28) and 5 <= few <= 40
        numbers.add((few, images.mean().item()))
    assert len(frames) > 15 and len(loaders) == 20 and len(numbers) == 20


def test_the_friend_is_far_off_for_everybody(exercise, monkeypatch):
    """The answer must not hang on which images somebody has."""
    space = exercise.setup()
    for number in range(10):
        monkeypatch.setenv("COURSE_STUDENT", f"student-{number}")
        images, _ = space["own_collection"]("")
        assert 5 < images.mean(dim=(1, 2, 3)).std() / (images.std() / 28) < 15

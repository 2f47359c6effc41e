"""Modules that summaries, receptive fields, Grad-CAM and block diagrams may stumble over.

What is said of them is held against PyTorch's counter and against trials, in which each pixel is
changed by itself; or they are refused in a sentence.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from looks import answer_rests_on, fields_by_trial, grad_cam_by_hand, positive, shapes_and_work
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import prune

from course_utils.inspection import grad_cam, last_conv, summary
from course_utils.inspection.trace import list_steps
from course_utils.plots import plot_block

SIZE = (4, 16, 16)


class Stem(nn.Module):
    """Maps of 4 channels, and a linear layer behind global pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(4, 4, 3, padding=1)
        self.fc = nn.Linear(4, 5)

    def maps(self, x: Tensor) -> Tensor:
        return x

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.maps(self.stem(x)).mean(dim=(2, 3)))


# --- Written in place ----------------------------------------------------------------------------


class SliceWriter(nn.Module):
    """Half of the channels are convolved and written back into their slice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 5, padding=2)
        self.last = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = x.clone()
        x[:, :2] = self.conv(x[:, :2])
        return self.last(x)


class SliceAdder(SliceWriter):
    """The same with an addition into the slice."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.clone()
        x[:, 1:3] += self.conv(x[:, 1:3])
        return self.last(x)


class OtherHalf(SliceWriter):
    """Writes into one half of a tensor and goes on with the other, which has seen nothing of it."""

    def forward(self, x: Tensor) -> Tensor:
        x = F.avg_pool2d(x, 3, 1, 1)
        left, right = x.chunk(2, dim=1)
        left += self.conv(right)
        return self.last(right)


class Prepared(nn.Module):
    """Fills an empty tensor slice by slice."""

    def __init__(self) -> None:
        super().__init__()
        self.small, self.large = nn.Conv2d(4, 2, 3, padding=1), nn.Conv2d(4, 2, 7, padding=3)
        self.mix = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        out = x.new_zeros(x.shape)
        out[:, :2] = self.small(x)
        out[:, 2:] = self.large(x)
        return self.mix(out)


class InnerRows(SliceWriter):
    """Writes into rows: the field differs from row to row."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.clone()
        x[:, :2, 2:] = self.conv(x[:, :2])[:, :, 2:]
        return self.last(x)


class InPlaceEverything(Stem):
    """Every layer and sum that can, works in place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.relu, self.drop = nn.ReLU(inplace=True), nn.Dropout(0.5, inplace=True)
        self.act = nn.Hardswish(inplace=True)

    def maps(self, x: Tensor) -> Tensor:
        y = self.drop(self.relu(self.norm(self.conv(x))))
        y += x
        y.mul_(2).clamp_(max=100)
        return self.act(y)


class Rectified(Stem):
    """Functions in place behind the last layer, as a DenseNet has them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)

    def maps(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x), inplace=True)


class TwoHeads(Stem):
    """The last maps are handed on by an identity on one of two ways."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.way = nn.Conv2d(4, 4, 3, padding=1), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(self.stem(x)).relu_()
        return self.fc(x.mean(dim=(2, 3))) + self.fc(self.way(x).amax(dim=(2, 3)))


# --- Shared, branched, uneven --------------------------------------------------------------------


class Shared(Stem):
    """One layer three times, and a second that has the same weights."""

    def __init__(self) -> None:
        super().__init__()
        self.twin = nn.Conv2d(4, 4, 3, padding=1)
        self.twin.weight = self.stem.weight

    def maps(self, x: Tensor) -> Tensor:
        return self.twin(self.stem(self.stem(x)))


class Weighted(nn.Sequential):
    """A sequence with parameters of its own."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 5, padding=2))
        self.gains = nn.Parameter(torch.ones(2))

    def forward(self, x: Tensor) -> Tensor:
        for gain, block in zip(self.gains, self, strict=True):
            x = x + gain * block(x)
        return x


class Uneven(nn.Module):
    """Channels that have seen more than others, split up again, as in Res2Net."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1)
        self.join, self.deep = nn.Identity(), nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.part = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, dim=1)
        a = self.first(a)
        b = self.second(a + b)
        x = self.deep(self.join(torch.cat([a, b], dim=1)))
        return self.part(x[:, :2])


class Unused(Stem):
    """A branch that is made and not used, and one that is run for nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.spare, self.idle = nn.Conv2d(4, 9, 3), nn.Conv2d(4, 2, 7, padding=3)

    def maps(self, x: Tensor) -> Tensor:
        self.idle(x)
        return x.relu()


class Unpooled(nn.Module):
    """A pool that returns where its maxima were, and a layer that puts them back."""

    def __init__(self) -> None:
        super().__init__()
        self.pool, self.back = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.back(*self.pool(x))


# --- No plain convnets ---------------------------------------------------------------------------


class Recurrent(nn.Module):
    """Reads the rows of its maps one after another."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.rnn = nn.Conv2d(4, 4, 3, padding=1), nn.LSTM(64, 6, 2, batch_first=True)
        self.fc = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        rows = self.conv(x).permute(0, 2, 1, 3).flatten(2)
        start = torch.zeros(2, len(x), 6, dtype=x.dtype)  # made without asking where
        out, _ = self.rnn(rows, (start, start))
        return self.fc(out[:, -1])


class Attentive(nn.Module):
    """Every pixel asks every other."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
        self.fc = nn.Linear(4, 5)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        tokens, _ = self.attention(tokens, tokens, tokens, need_weights=False)
        return self.fc(self.layer(tokens).mean(dim=1))


class Named(Stem):
    """Returns a dictionary."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"logits": super().forward(x)}


class Moody(Stem):
    """Decides by what it sees."""

    def maps(self, x: Tensor) -> Tensor:
        return x if bool(x.mean() > 0) else -x


class Checked(Stem):
    """Looks out for what is no number."""

    def maps(self, x: Tensor) -> Tensor:
        assert not torch.isnan(x).any(), "not a number"
        return x


class Siamese(Stem):
    """Compares two pictures."""

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return super().forward(left) - super().forward(right)


class Late(nn.Module):
    """A parameter that comes to be with the first picture."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.UninitializedParameter()

    def forward(self, x: Tensor) -> Tensor:
        self.gain = nn.Parameter(torch.ones(x.shape[1], 1, 1))
        return x * self.gain


def lazy() -> nn.Module:
    return nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.ReLU())


def pruned() -> nn.Module:
    model = Rectified()
    prune.l1_unstructured(model.conv, "weight", amount=0.5)
    prune.l1_unstructured(model.stem, "bias", amount=0.5)
    return model


LAZY = "has lazy layers, whose sizes are not known yet .* run it once"
VALUES = "reads the values in its tensors"
FOLLOWED = "cannot be followed .* draw its parts"
INPUTS = r"takes 2 inputs \(left, right\), but gets one here: wrap it"
NO_MAPS = "has no maps that its whole output passes through"


@dataclass(frozen=True)
class Odd:
    """A module, and what is to be said of it: fields, a layer or None, or words of a refusal."""

    make: Callable[[], nn.Module]
    fields: dict[str, int | None] | str = ""  # by layer; or why there is no summary
    cam: str | None = None  # layer, or words of the refusal
    block: str = ""  # words of the refusal


ODD = {
    # The ten oddest, and their kin.
    "slice written": Odd(SliceWriter, {"conv": 5, "last": 5}, block=FOLLOWED),
    "slice added to": Odd(SliceAdder, {"conv": 5, "last": 5}, block=FOLLOWED),
    "other half": Odd(OtherHalf, {"conv": 7, "last": 3}, block=FOLLOWED),
    "filled slice by slice": Odd(Prepared, {"small": 3, "large": 7, "mix": 7}, block=FOLLOWED),
    "rows written": Odd(InnerRows, {"conv": 5, "last": None}, block=FOLLOWED),
    "in-place everything": Odd(InPlaceEverything, {"stem": 3, "conv": 5, "act": 5}, cam="act"),
    "rectified in place": Odd(Rectified, {"conv": 5}, cam="conv"),
    "two ways": Odd(TwoHeads, {"conv": 5, "way": 5}, cam="conv"),
    "shared layers": Odd(Shared, {"twin": 9}, cam="twin"),
    "weighted sequence": Odd(Weighted, {"0": 3, "1": 7}, block=FOLLOWED),
    "uneven channels": Odd(Uneven, {"first": 3, "second": 5, "join": 5, "deep": 7, "part": None}),
    "unused branches": Odd(Unused, {"stem": 3, "idle": 9}, cam="stem"),
    "unpooled": Odd(Unpooled, {"pool": 2, "back": None}, block=FOLLOWED),
    "recurrent": Odd(Recurrent, {"conv": 3, "rnn": None}, cam="conv", block=FOLLOWED),
    "attentive": Odd(Attentive, {"attention": None, "fc": None}, cam=NO_MAPS),
    "dictionary": Odd(Named, {"stem": 3}, cam="stem"),
    "pruned": Odd(pruned, {"stem": 3, "conv": 5}, cam="conv"),
    "lazy": Odd(lazy, LAZY, block=LAZY),
    "late parameter": Odd(Late, LAZY, block=LAZY),
    "branch on values": Odd(Moody, VALUES, block=VALUES),
    "check for NaN": Odd(Checked, VALUES, block=VALUES),
    "two inputs": Odd(Siamese, INPUTS, block=INPUTS),
}
"""Half of them come from public reports:

`other half` and `uneven channels`, whose channels have not all seen the same:
acids-ircam/RAVE#292. `rectified in place`: jacobgil/pytorch-grad-cam#147. `two ways`, functions
behind the last layer: kazuto1011/grad-cam-pytorch#2. `shared layers`: sksq96/pytorch-summary#201.
`weighted sequence`: TylerYep/torchinfo#137. `unpooled`: Swall0w/torchstat#40. `recurrent`:
sksq96/pytorch-summary#143. `attentive`, frozen: sovrasov/flops-counter.pytorch#101. `dictionary`:
TylerYep/torchinfo#141. `pruned`: pytorch/pytorch#37322. `late parameter`: TylerYep/torchinfo#117.
`two inputs`: amarczew/pytorch_model_summary#3.
"""


@pytest.fixture(params=ODD)
def odd(request: pytest.FixtureRequest) -> Odd:
    torch.manual_seed(0)
    return ODD[request.param]


def test_a_summary_counts_what_torch_counts_or_is_refused(odd: Odd) -> None:
    model = odd.make().eval()
    if isinstance(odd.fields, str):
        with pytest.raises(ValueError, match=odd.fields):
            summary(model, SIZE)
        return
    found = summary(model, SIZE)
    assert found.parameters == sum(parameter.numel() for parameter in model.parameters())
    twin = odd.make().to("meta").eval()
    with torch.device("meta"):
        shapes, work = shapes_and_work(twin, torch.empty(1, *SIZE))
    assert found.multiply_adds == work
    for row in found.rows:
        if row.output_shape is not None and row.name in shapes:
            assert row.output_shape in shapes[row.name]


def test_a_field_is_what_trials_find_or_left_open(odd: Odd) -> None:
    if isinstance(odd.fields, str):
        return
    size = (4, 24, 24)
    if odd.make in (Recurrent, Attentive):
        size = SIZE  # the one takes no other; the other's work grows with the sixth power
    rows = {row.name: row for row in summary(odd.make().eval(), size).rows}
    rows |= {f"{name}": None for name in odd.fields if name not in rows}  # identities have no row
    measured = fields_by_trial(positive(odd.make()), size)
    for name, field in odd.fields.items():
        if rows[name] is not None:
            assert rows[name].receptive_field == field, name
        if field is not None and name in measured:
            assert measured[name] == (field, field), name


def test_grad_cam_asks_the_last_maps_or_refuses(odd: Odd) -> None:
    if odd.cam is None:
        return
    model, images = odd.make().eval(), torch.rand(2, *SIZE)
    if odd.cam == NO_MAPS:
        with pytest.raises(ValueError, match=NO_MAPS):
            last_conv(model, images)
        return
    assert last_conv(model, images) == odd.cam
    assert answer_rests_on(model, odd.cam, SIZE)
    targets = torch.tensor([0, 3])
    if odd.make is Named:
        with pytest.raises(ValueError, match=r"returns dict: attribution needs logits \(N, K\)"):
            grad_cam(model, images, targets)
        return
    wanted = grad_cam_by_hand(model, images, targets, odd.cam)
    torch.testing.assert_close(grad_cam(model, images, targets), wanted)


def test_a_block_is_drawn_with_its_sizes_or_refused(odd: Odd) -> None:
    model = odd.make().eval()
    if odd.block:
        with pytest.raises(ValueError, match=odd.block):
            plot_block(model, SIZE)
        return
    shown = [text.get_text() for text in plot_block(model, SIZE).axes[0].texts]
    assert shown.count("input") == 1 and "4×16×16" in shown
    shapes, _ = shapes_and_work(odd.make().eval(), torch.rand(1, *SIZE))
    steps = list_steps(model, SIZE, lambda part: type(part).__module__.startswith("torch.nn"))
    assert all(step.shapes[0] in shapes[step.name] for step in steps if step.name)

"""Train the nets that come without names, and write course_utils/models/anonymous.safetensors.

    python tools/train_anonymous.py            trains what is missing, a few minutes on one core
    python tools/train_anonymous.py --check    measures those of the file again

`course_utils/models/anonymous.py` says how they differ. The same settings give the same weights,
to the last bit on one machine; another processor or version of torch rounds differently.
"""

import argparse
import json
import platform
import sys
from itertools import product

import torch
import torch.nn.functional as F
from safetensors.torch import load, save
from torch import Tensor, nn

from course_utils.data import Augment, ShapesConfig, make_shapes
from course_utils.data.augment import crop_and_flip, draw
from course_utils.models.anonymous import (
    COPIES,
    HISTORIES,
    WEIGHTS,
    made_with,
    net_of,
    normalised,
    small_net,
)
from course_utils.models.initialization import he_normal_
from course_utils.provenance import processor

SETTINGS = {
    "images": 1000,
    "seed_of_images": 1000,
    "epochs": {"honest": 50, "background": 30, "unaugmented": 30, "shuffled": 60},
    "correlation": {"honest": 0.0, "background": 0.8, "unaugmented": 0.0, "shuffled": 0.0},
    "crop_padding": {"honest": 6, "background": 6, "unaugmented": 0, "shuffled": 0},
    "batch_size": 32,
    "optimizer": "AdamW without weight decay, one cycle",
    "lr": 0.003,
}
TOLERANCE = 0.05
"""By how much an accuracy may differ on another machine."""


def generator(seed: int) -> torch.Generator:
    """Return a generator with a seed."""
    return torch.Generator().manual_seed(seed)


def trained(history: str, seed: int, settings: dict = SETTINGS) -> nn.Sequential:
    """Train one net."""
    config = ShapesConfig(position=0.0, background_correlation=settings["correlation"][history])
    number, size = settings["images"], settings["batch_size"]
    drawn = make_shapes(number, config, generator(settings["seed_of_images"]))
    order, labels = generator(seed), drawn.labels
    if history == "shuffled":
        labels = labels[torch.randperm(number, generator=order)]
    torch.manual_seed(seed)
    net, images = he_normal_(small_net()), normalised(drawn.images)
    augment, epochs = Augment(settings["crop_padding"][history]), settings["epochs"][history]
    optimizer = torch.optim.AdamW(net.parameters(), settings["lr"], weight_decay=0.0)
    steps = epochs * -(-number // size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings["lr"], total_steps=steps)
    for _ in range(epochs):
        for some in torch.randperm(number, generator=order).split(size):
            shown = crop_and_flip(images[some], augment, draw(augment, len(some), order))
            optimizer.zero_grad()
            F.cross_entropy(net(shown), labels[some]).backward()
            optimizer.step()
            schedule.step()
    return net


def measured() -> dict[str, dict[str, float]]:
    """Return the accuracies of the nets in the file, on images that they have not seen."""
    tied = ShapesConfig(position=0.0, background_correlation=1.0)
    true, swapped = (make_shapes(1000, tied, generator(7), kind) for kind in ("same", "swapped"))
    sets = {
        "true background": (true.images, true.labels),
        "swapped": (swapped.images, swapped.labels),
        "swapped, six pixels to the right": (swapped.images.roll(6, dims=3), swapped.labels),
        "figure covered": (torch.where(true.masks[:, None], 128, true.images), true.labels),
    }
    state, found = load(WEIGHTS.read_bytes()), {}
    for history, copy in product(HISTORIES, range(COPIES)):
        net = net_of(state, name := f"{history}.{copy}")
        found[name] = {kind: accuracy(net(x), y) for kind, (x, y) in sets.items()}
    return dict(sorted(found.items()))


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Return the share of correct classes, to three digits."""
    return round((logits.argmax(dim=1) == labels).double().mean().item(), 3)


def write(state: dict[str, Tensor], about: dict) -> None:
    """Write weights, in 16 bits, and what is known about them."""
    packed = {name: value.half().contiguous() for name, value in state.items()}
    WEIGHTS.write_bytes(save(packed, {"made_with": json.dumps(about)}))


def main(arguments: list[str] | None = None) -> int:
    """Run the tool.

    Returns:
        0 when done, 1 when `--check` finds a difference.
    """
    parser = argparse.ArgumentParser(description="Train the nets without names.")
    parser.add_argument("--check", action="store_true", help="write nothing, measure again")
    if parser.parse_args(arguments).check:
        known, now = made_with()["accuracies"], measured()
        worst = max(abs(now[name][kind] - known[name][kind]) for name in now for kind in now[name])
        print(f"accuracies differ by up to {worst:.3f}, allowed {TOLERANCE}")
        return int(worst > TOLERANCE)
    torch.set_num_threads(1)
    about = {
        "command": "python tools/train_anonymous.py",
        "settings": SETTINGS,
        "cpu": processor().name,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }
    is_begun = WEIGHTS.is_file() and made_with()["settings"] == json.loads(json.dumps(SETTINGS))
    state = load(WEIGHTS.read_bytes()) if is_begun else {}
    for history, copy in product(HISTORIES, range(COPIES)):
        if f"{history}.{copy}.0.weight" not in state:
            net = trained(history, copy).state_dict()
            state |= {f"{history}.{copy}.{name}": value for name, value in net.items()}
            write(state, about)  # a run that is interrupted goes on from here
    write(state, about | {"accuracies": measured()})
    print(json.dumps(made_with()["accuracies"], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

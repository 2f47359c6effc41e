"""Train and measure what the background dial shows before any training.

    python tools/record_backgrounds.py            trains, writes course_utils/widgets/....npz
    python tools/record_backgrounds.py --check    trains and compares with the file

An MLP and LeNet-5 are trained on `shapes` at each of `CORRELATIONS`, from the same first weights
and the same figures; only the backgrounds differ. `SETTINGS` says how, and is kept in the file.
It takes a few minutes on one core. Another processor or version of torch rounds differently:
`--check` then allows accuracies to differ by `TOLERANCE`.
"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent))
from make_embedded_data import pack
from measure_backgrounds import (
    BackgroundResult,
    BackgroundTest,
    as_state,
    measure_backgrounds,
    to_record,
)

from course_utils.data import load
from course_utils.models import build
from course_utils.training import TrainConfig, fit
from course_utils.widgets.background_results import RECORD, recorded

CORRELATIONS = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0)
DATA = {"num_train": 4000, "num_test": 20, "seed": 0}
BATCH_SIZE = 64
# Name on the dial -> name in the registry, its options, its highest learning rate.
MODELS: dict[str, tuple[str, dict[str, Any], float]] = {
    "MLP": ("mlp", {"image_size": 32, "hidden_sizes": (128,)}, 0.02),
    "convnet": ("lenet5", {"image_size": 32}, 0.03),
}
EPOCHS = 10
SEED = 0
TEST = BackgroundTest()
SETTINGS = {
    "command": "python tools/record_backgrounds.py",
    "data": {"name": "shapes", **DATA, "batch_size": BATCH_SIZE, "order_seed": SEED},
    "models": {k: {"name": n, **s, "lr": lr, "seed": SEED} for k, (n, s, lr) in MODELS.items()},
    "training": TrainConfig(epochs=EPOCHS, seed=SEED).to_dict() | {"lr": "each model's own"},
    "test": asdict(TEST),
}
TOLERANCE = 0.1


def train_and_measure(correlation: float) -> BackgroundResult:
    """Train both models at one background correlation and measure them."""
    models = {}
    for name, (registered, switches, lr) in MODELS.items():
        order = torch.Generator().manual_seed(SEED)
        loaders = load(
            "shapes",
            batch_size=BATCH_SIZE,
            generator=order,
            background_correlation=correlation,
            **DATA,
        )
        torch.manual_seed(SEED)
        models[name] = build(registered, in_channels=3, num_classes=10, **switches)
        fit(models[name], loaders, TrainConfig(epochs=EPOCHS, lr=lr, seed=SEED))
    return measure_backgrounds(models, correlation, loaders.info, TEST)


def describe(result: BackgroundResult) -> str:
    """Return one line about a result."""
    parts = [
        f"{m.name} true {m.accuracy[0]:.3f} swapped {m.accuracy[1]:.3f} "
        f"fooled {m.fooled:.3f} on figure {m.on_figure:.3f}"
        for m in result.models
    ]
    return f"correlation {result.correlation}: {'; '.join(parts)}"


def largest_difference(state: dict[str, Any], known: dict[str, Any]) -> float:
    """Return the largest difference of two accuracies that should agree."""
    pairs = zip(state["results"], known["results"], strict=True)
    return max(
        abs(a - b)
        for new, old in pairs
        for one, other in zip(new["models"], old["models"], strict=True)
        for a, b in zip(one["accuracy"], other["accuracy"], strict=True)
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the tool.

    Returns:
        0 when done, 1 when `--check` finds a difference.
    """
    parser = argparse.ArgumentParser(description="Record what the background dial shows.")
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    options = parser.parse_args(arguments)
    results = []
    for correlation in CORRELATIONS:
        results.append(train_and_measure(correlation))
        print(describe(results[-1]), flush=True)
    state = as_state(results)
    if options.check:
        difference = largest_difference(state, recorded())
        print(f"accuracies differ by up to {difference:.3f}, allowed {TOLERANCE}")
        return int(difference > TOLERANCE)
    content = pack(to_record(state, SETTINGS))
    RECORD.write_bytes(content)
    print(f"{RECORD.name}: {len(content):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Train the experiments of `course_utils/records/experiments.toml` and keep the results.

    python tools/record.py                   # what is missing or out of date
    python tools/record.py plain20 resnet20  # only these
    python tools/record.py --list            # what there is, and what is not

Each run is saved when it ends. If you stop it and start again, it goes on with the epoch that was
not finished. If a row names `rates`, runs with their own seed choose one first, on the validation
set alone; the record keeps the result of each. With `keep_weights` the first seed's net is kept,
too, for `models.pretrained`. One thread by default: processor times of different records can then
be compared.
"""

import argparse
import base64
import hashlib
import json
import os
import platform
import shutil
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import msgspec
import numpy as np
import torch  # read the number of threads first
from safetensors.torch import save
from torch import nn

from course_utils.data import Batches, DataInfo
from course_utils.provenance import git, processor
from course_utils.training import DivergenceError, History, fit
from course_utils.training.experiments import Experiment, Run, experiments
from course_utils.training.metrics import forward
from course_utils.training.records import SCHEMA

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "course_utils/records"
UNFINISHED = ROOT / ".records"  # checkpoints of unfinished runs
TUNING_SEED = 100  # not one of the recorded seeds


def main() -> None:
    """Train what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="experiments; default: all")
    parser.add_argument("--list", action="store_true", help="train nothing, list what there is")
    options = parser.parse_args()
    table = experiments()
    unknown = sorted(set(options.names) - set(table))
    if unknown:
        sys.exit(f"experiments.toml has no {', '.join(unknown)}")
    chosen = [table[name] for name in options.names or table]
    if options.list:
        for experiment in chosen:
            missing = missing_seeds(experiment)
            print(f"{experiment.name:28} {f'missing: {missing}' if missing else 'complete'}")
        return
    failed = [e.name for e in chosen for seed in missing_seeds(e) if not record(e, seed)]
    if failed:
        sys.exit(f"diverged, and not recorded: {', '.join(dict.fromkeys(failed))}")


def read(experiment: Experiment) -> dict[str, Any]:
    """Return the record as it is; without runs if there is none, or its settings differ.

    It may lack seeds or rates that were added to the row. Runs at another rate than the row's, or
    than the best one where all rates were tried, are left out.
    """
    file = FOLDER / f"{experiment.name}.json"
    stored = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    if stored.get("schema") != SCHEMA or not experiment.is_that_of(stored):
        return {"schema": SCHEMA, "experiment": experiment.to_dict(), "runs": []}
    stored["experiment"] = experiment.to_dict()
    stored["tuning"] = [t for t in stored.get("tuning", []) if t["lr"] in experiment.rates]
    if not untried(experiment, stored):
        wanted = best_rate(stored["tuning"]) if experiment.rates else experiment.lr
        runs = stored["runs"]
        stored["runs"] = [run for run in runs if run["history"]["config"]["lr"] == wanted]
    return stored


def untried(experiment: Experiment, content: dict[str, Any]) -> list[float]:
    """Return the rates that a record has no trial of."""
    tried = {trial["lr"] for trial in content.get("tuning", [])}
    return [lr for lr in experiment.rates if lr not in tried]


def best_rate(trials: list[dict[str, Any]]) -> float | None:
    """Return the rate with the highest validation accuracy; None if all diverge."""
    finished = [trial for trial in trials if trial["val_accuracy"] is not None]
    return max(finished, key=lambda trial: trial["val_accuracy"])["lr"] if finished else None


def missing_seeds(experiment: Experiment) -> list[int]:
    """Return the seeds without a run at the best rate; all of them until that is known."""
    content = read(experiment)
    if untried(experiment, content):
        return list(experiment.seeds)
    done = {run["seed"] for run in content["runs"]}
    return [seed for seed in experiment.seeds if seed not in done]


def record(experiment: Experiment, seed: int) -> bool:
    """Train one run and add it to the record's file; return whether it finished."""
    tuned = at_best_rate(experiment)
    if tuned and seed not in missing_seeds(experiment):
        return True  # a new rate was tried, and the best one is the same
    trained = tuned and train(tuned, seed)
    if not trained:
        return False
    (model, loaders, _), run = trained
    right = right_answers(model, loaders.test)
    run["test_accuracy"] = right.float().mean().item()
    run["test_right"] = base64.b64encode(np.packbits(right.numpy()).tobytes()).decode()
    content = read(experiment)
    content["num_parameters"] = sum(p.numel() for p in model.parameters())
    content["num_test"] = len(right)
    content["machine"] = machine()
    content["runs"] = sorted([*content["runs"], run], key=lambda run: run["seed"])
    if experiment.keep_weights and seed == experiment.seeds[0]:
        content["weights"] = keep_weights(experiment, model, loaders.info)
    write(FOLDER / f"{experiment.name}.json", content)
    seconds, accuracy = run["cpu_seconds"], run["test_accuracy"]
    print(f"{experiment.name}, seed {seed}: {accuracy:.2%}, {seconds} CPU seconds", flush=True)
    return True


def at_best_rate(experiment: Experiment) -> Experiment | None:
    """Return the experiment with the rate that is best on validation; None if all diverge."""
    if not experiment.rates:
        return experiment
    content = read(experiment)
    tried = content.setdefault("tuning", [])
    for lr in untried(experiment, content):
        trial = msgspec.structs.replace(experiment, lr=lr, epochs=experiment.tuning_epochs)
        trained = train(trial, TUNING_SEED)
        last = trained[1]["history"]["epochs"][-1] if trained else {}
        kept = ("train_loss", "val_loss", "val_accuracy")
        tried.append({"lr": lr, **{column: last.get(column) for column in kept}})
        tried.sort(key=lambda trial: trial["lr"])
        write(FOLDER / f"{experiment.name}.json", content)
        print(f"{experiment.name}, lr {lr}: validation {last.get('val_accuracy')}", flush=True)
    best = best_rate(tried)
    return msgspec.structs.replace(experiment, lr=best) if best is not None else None


def train(experiment: Experiment, seed: int) -> tuple[Run, dict[str, Any]] | None:
    """Train one run, or resume it; return None if it diverges."""
    run = experiment.prepare(seed)
    folder = UNFINISHED / f"{experiment.name}-{seed}-{experiment.lr}"
    folder.mkdir(parents=True, exist_ok=True)
    clock = Clock(folder / "seconds")
    try:
        history = fit(*run, checkpoint=folder, on_epoch_end=[clock])
    except DivergenceError as error:
        print(f"{experiment.name}, lr {experiment.lr}, seed {seed}: {error}", flush=True)
        shutil.rmtree(folder)  # a run with other settings may have the same name one day
        return None
    if history.interrupted:
        sys.exit("interrupted: the finished epochs are kept")
    shutil.rmtree(folder)
    return run, {
        "seed": seed,
        "lr": experiment.lr,
        "cpu_seconds": round(clock.seconds, 1),
        "history": json.loads(history.to_json()),
    }


class Clock:
    """A file that adds up the processor seconds of a run's epochs over all attempts."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.seconds = float(file.read_text()) if file.is_file() else 0.0
        self.start = time.process_time()

    def __call__(self, history: History) -> None:
        """Note how long the epoch that has just ended took."""
        now = time.process_time()
        self.seconds, self.start = self.seconds + now - self.start, now
        self.file.write_text(str(self.seconds))


@torch.no_grad()
def right_answers(model: nn.Module, batches: Batches) -> torch.Tensor:
    """Return which images a model in evaluation mode classifies correctly: (N,), bool."""
    logits = [forward(model, images, torch.float32)[0] for images, _ in batches]
    return torch.cat(logits).argmax(dim=1) == torch.cat([labels for _, labels in batches])


def keep_weights(experiment: Experiment, model: nn.Module, info: DataInfo) -> dict[str, Any]:
    """Write a net's weights, in 16 bits, beside its record; return what `pretrained` needs."""
    state = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in model.state_dict().items()
    }
    packed = save(state)
    (FOLDER / f"{experiment.name}.safetensors").write_bytes(packed)
    return {
        "sha256": hashlib.sha256(packed).hexdigest(),
        "model": experiment.model,
        "switches": experiment.building(info),
        "images": info.source,
        "licence_of_images": info.licence,
    }


def write(file: Path, content: dict[str, Any]) -> None:
    """Replace a file as a whole, so that nobody ever reads half of it."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
    new.replace(file)


def machine() -> dict[str, Any]:
    """Return what a record's numbers depend on, besides its settings."""
    code = ["course_utils/models", "course_utils/data", "course_utils/training"]
    name, has_amx = processor()
    return {
        "cpu": f"{name}, {'with' if has_amx else 'without'} AMX",
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "commit": git("rev-parse", "--short", "HEAD", folder=ROOT),
        "changed_since": bool(git("status", "--porcelain", "--", *code, folder=ROOT)),
    }


if __name__ == "__main__":
    main()

"""Train the experiments of `course_utils/records/experiments.toml` and keep what comes out.

    python tools/record.py                   # what is missing or out of date
    python tools/record.py plain20 resnet20  # only these
    python tools/record.py --list            # what there is, and what is not

Each run is saved when it ends. Stopped at any moment and started again, it goes on with the next
run. One thread by default: a record's processor time is then comparable with the others'.
"""

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch  # read the number of threads first

from course_utils.provenance import git, processor
from course_utils.training import DivergenceError, evaluate, fit
from course_utils.training.experiments import Experiment, experiments
from course_utils.training.records import SCHEMA

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "course_utils/records"


def main() -> None:
    """Train what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="experiments; default: all")
    parser.add_argument("--list", action="store_true", help="train nothing, say what there is")
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
    """Return the record as it is; without runs if there is none, or one of other settings."""
    file = FOLDER / f"{experiment.name}.json"
    fresh = {"schema": SCHEMA, "experiment": experiment.to_dict(), "runs": []}
    stored = json.loads(file.read_text("utf-8")) if file.is_file() else fresh
    same = all(stored.get(key) == fresh[key] for key in ("schema", "experiment"))
    return stored if same else fresh


def missing_seeds(experiment: Experiment) -> list[int]:
    """Return the seeds without a run."""
    done = {run["seed"] for run in read(experiment)["runs"]}
    return [seed for seed in experiment.seeds if seed not in done]


def record(experiment: Experiment, seed: int) -> bool:
    """Train one run and add it to the record's file; return whether it came to its end."""
    model, loaders, config = experiment.prepare(seed)
    start = time.process_time()
    try:
        history = fit(model, loaders, config)
    except DivergenceError as error:
        print(f"{experiment.name}, seed {seed}: {error}", flush=True)
        return False
    if history.interrupted:
        sys.exit("interrupted: the runs that had ended are kept")
    run = {
        "seed": seed,
        "test_accuracy": evaluate(model, loaders.test).accuracy,
        "cpu_seconds": round(time.process_time() - start, 1),
        "history": json.loads(history.to_json()),
    }
    content = read(experiment)
    content["num_parameters"] = sum(p.numel() for p in model.parameters())
    content["machine"] = machine()
    content["runs"] = sorted([*content["runs"], run], key=lambda run: run["seed"])
    write(FOLDER / f"{experiment.name}.json", content)
    seconds, accuracy = run["cpu_seconds"], run["test_accuracy"]
    print(f"{experiment.name}, seed {seed}: {accuracy:.2%}, {seconds} CPU seconds", flush=True)
    return True


def write(file: Path, content: dict[str, Any]) -> None:
    """Replace a file as a whole: a reader never sees half of it."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
    new.replace(file)


def machine() -> dict[str, Any]:
    """Return what the figures of a record depend on, besides its settings."""
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

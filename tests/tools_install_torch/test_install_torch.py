"""Which build of PyTorch set-up takes, with indexes on this machine in place of the real ones."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pip
import pytest
from scripts import load_script

ROOT = Path(__file__).resolve().parents[2]
install_torch = load_script("tools/install_torch.py")
stub_index = load_script(Path(__file__).with_name("stub_index.py"))

LOCK = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
TORCH, VISION, UV_VERSION = (
    next(line.partition("==")[2] for line in LOCK if line.startswith(f"{name}=="))
    for name in ("torch", "torchvision", "uv")
)
UV = str(Path(sys.executable).with_name("uv"))
# By itself, set-up takes the CPU build unless this machine has a GPU.
BY_ITSELF = "cpu" if install_torch.has_nvidia() else ""

PROJECT = """
[project]
name = "convnet-course"
version = "0"
dependencies = ["torch>=2", "torchvision"]
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
BACKEND = """
import shutil
def build_editable(folder, config_settings=None, metadata_directory=None):
    return shutil.copy({wheel!r}, folder).rpartition("/")[2]
"""


def wheels(*builds):
    """The wheels of an index, from pairs of a name and a version."""
    return {file: data for build in builds for file, data in stub_index.wheel(*build).items()}


USUAL_BUILD = wheels(("torch", TORCH), ("torchvision", VISION))
CPU_BUILD = wheels(("torch", f"{TORCH}+cpu"), ("torchvision", f"{VISION}+cpu"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """An environment as it is before set-up: Python and pip."""
    folder = tmp_path_factory.mktemp("bare") / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for part in Path(pip.__file__).parents[1].glob("pip*"):
        shutil.copytree(part, site / part.name)
    return folder


@pytest.fixture
def clone(tmp_path, bare):
    """A course of two dependencies, with the real tools, and an environment before set-up."""
    folder = tmp_path / "clone"
    folder.mkdir()
    shutil.copytree(bare, folder / ".venv", symlinks=True)
    for name in ("Makefile", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "tools", folder / "tools")
    (folder / "pyproject.toml").write_text(PROJECT)
    needs = "Requires-Dist: torch\nRequires-Dist: torchvision\n"
    ((name, data),) = stub_index.wheel("convnet_course", "0", needs).items()
    (tmp_path / name).write_bytes(data)
    (folder / "backend.py").write_text(BACKEND.format(wheel=str(tmp_path / name)))
    return folder


def tools_without_uv():
    """The path of this machine without the folders that have uv."""
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if not Path(folder, "uv").exists())


@pytest.fixture
def usual():
    """The environment of a learner: uv is on the path, pip's index has the usual build."""
    path = os.pathsep.join([str(Path(UV).parent), os.environ["PATH"]])
    with stub_index.served(USUAL_BUILD) as address:
        yield {"PIP_INDEX_URL": f"{address}/simple", "PATH": path}


def set_up(clone, **variables):
    """Run set-up as `make lab` does, far from the caches and the settings of this machine.

    What hangs is stopped, and that is a failure.
    """
    theirs = ("PIP_", "UV_")
    ours = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
    caches = {"UV_CACHE_DIR": str(clone / "cache"), "PIP_NO_CACHE_DIR": "1"}
    settings = {"PIP_CONFIG_FILE": os.devnull, "NO_PROXY": "127.0.0.1", "TORCH": ""}
    command = ["make", "--no-print-directory", ".venv/.learner-ready"]
    return subprocess.run(
        command,
        cwd=clone,
        env=ours | caches | settings | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=install_torch.ANSWER_SECONDS + 100,
    )


def versions(clone):
    """What is installed, by name."""
    (site,) = (clone / ".venv").glob("lib/python*/site-packages")
    return {found.name: found.version for found in distributions(path=[str(site)])}


# --- Where the build comes from ----------------------------------------------------------------


def test_the_cpu_build_is_taken_where_its_index_is_reached(clone, usual, tmp_path):
    with stub_index.torch_index(CPU_BUILD, tmp_path / "tls") as network:
        done = set_up(clone, **usual, **network, TORCH=BY_ITSELF)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(install_torch.CPU)
    found = versions(clone)
    assert (found["torch"], found["torchvision"]) == (f"{TORCH}+cpu", f"{VISION}+cpu")
    assert found["convnet_course"] == "0"


@pytest.mark.skipif(install_torch.has_nvidia(), reason="a GPU's machine takes the usual build")
@pytest.mark.parametrize("network", [stub_index.refusal, stub_index.black_hole])
def test_pip_takes_over_where_the_index_is_not_reached(clone, usual, network):
    with network() as variables:
        done = set_up(clone, **usual, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert versions(clone)["torch"] == TORCH
    assert f"So pip takes {install_torch.USUAL}." in done.stdout


def test_a_build_that_was_asked_for_is_not_replaced_by_a_larger_one(clone, usual):
    with stub_index.refusal() as network:
        done = set_up(clone, **usual, **network, TORCH="cpu")
    assert done.returncode != 0
    assert "PyTorch cannot be installed: uv cannot get the CPU build" in done.stderr
    assert "torch" not in versions(clone)


def test_pip_brings_uv_where_there_is_none(clone, usual, tmp_path):
    """Its index may be a private one: uv comes from there, like everything but PyTorch."""
    script = f'#!/bin/sh\nexec "{UV}" "$@"\n'
    files = {f"uv-{UV_VERSION}.data/scripts/uv": script}
    uv = stub_index.wheel("uv", UV_VERSION, files=files)
    with (
        stub_index.served(uv) as private,
        stub_index.torch_index(CPU_BUILD, tmp_path / "tls") as network,
    ):
        variables = {"PATH": tools_without_uv(), "PIP_INDEX_URL": f"{private}/simple"}
        done = set_up(clone, **usual | variables | network, TORCH=BY_ITSELF)
    assert done.returncode == 0, done.stdout + done.stderr
    found = versions(clone)
    assert (found["torch"], found["uv"]) == (f"{TORCH}+cpu", UV_VERSION)


@pytest.mark.skipif(install_torch.has_nvidia(), reason="a GPU's machine takes the usual build")
def test_pip_takes_over_where_there_is_no_uv_at_all(clone, usual, tmp_path):
    with stub_index.torch_index(CPU_BUILD, tmp_path / "tls") as network:
        done = set_up(clone, **usual | network | {"PATH": tools_without_uv()})
    assert done.returncode == 0, done.stdout + done.stderr
    assert versions(clone)["torch"] == TORCH
    assert "So pip" in done.stdout, done.stdout
    assert "pip cannot get uv (" in done.stdout


def test_another_build_is_installed_by_its_name_and_stays(clone, usual, tmp_path):
    with stub_index.torch_index(CPU_BUILD, tmp_path / "tls") as network:
        assert set_up(clone, **usual, **network, TORCH="cpu").returncode == 0
    for build, line in (("cuda", install_torch.USUAL), ("", "make: '.venv/.learner-ready' is up")):
        done = set_up(clone, **usual, TORCH=build)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.startswith(line)
        assert versions(clone)["torch"] == TORCH


def test_options_of_pip_that_name_an_index_are_followed(clone, usual):
    builds = CPU_BUILD | wheels(("torch", f"{TORCH}+theirs"))
    with stub_index.served(builds) as theirs:
        done = set_up(clone, **usual, PIP_ARGS=f"--extra-index-url '{theirs}/simple'")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("PyTorch from where PIP_ARGS says.")
    assert versions(clone)["torch"] == f"{TORCH}+theirs"


def test_a_build_that_there_is_not_is_refused(clone, usual):
    done = set_up(clone, **usual, TORCH="rocm")
    assert done.returncode != 0
    assert "TORCH is 'rocm': set it to cpu or cuda, or leave it out" in done.stderr


# --- The choice --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked, system, nvidia, index_given, build",
    [
        ("", "linux", False, False, "cpu"),
        ("", "linux", True, False, "usual"),
        ("", "linux", False, True, "usual"),
        ("cuda", "linux", False, False, "usual"),
        ("cpu", "linux", True, True, "cpu"),
        ("", "darwin", False, False, "usual"),
        ("cpu", "darwin", False, False, "usual"),
        ("", "win32", True, False, "usual"),
    ],
)
def test_the_choice_goes_by_system_device_and_wish(asked, system, nvidia, index_given, build):
    choice = install_torch.choose(asked, system, nvidia, index_given)
    assert choice.build == build
    assert choice.text.startswith("PyTorch") and choice.text.endswith(".")


@pytest.mark.parametrize("sign", ["driver", "program"])
def test_an_nvidia_device_is_known_by_its_driver_or_program(monkeypatch, tmp_path, sign):
    monkeypatch.setattr(install_torch, "NVIDIA", (str(tmp_path / "version"),))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not install_torch.has_nvidia()
    if sign == "driver":
        (tmp_path / "version").touch()
    else:
        (tmp_path / "nvidia-smi").touch(mode=0o755)
    assert install_torch.has_nvidia()


@pytest.mark.parametrize(
    "words, given",
    [("", False), ("--proxy http://p:1", False), ("-i http://i", True), ("--no-index", True),
     ("--extra-index-url=http://i", True), ("--find-links wheels", True)],
)  # fmt: skip
def test_which_options_of_pip_name_an_index(words, given):
    assert install_torch.names_an_index(words.split()) is given


@pytest.mark.parametrize(
    "asked, found, settled",
    [
        ("", f"{TORCH}+cpu", True),
        ("", TORCH, True),
        ("", "2.0", False),
        ("", "", False),
        ("cpu", f"{TORCH}+cpu", True),
        ("cpu", TORCH, False),
        ("cuda", f"{TORCH}+cpu", False),
        ("cuda", f"{TORCH}+cu130", True),
    ],
)
def test_what_is_installed_stays_unless_the_lock_or_a_wish_says_otherwise(asked, found, settled):
    assert install_torch.is_settled(asked, found) is settled

"""The files that set the course up agree with each other, and refuse what cannot work."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from scripts import load_script

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}


def requirement(line):
    """Split ``torch>=2.9`` into its name and its range."""
    return re.fullmatch(r"([A-Za-z0-9_.-]+?)(?:\[.*\])?([<>=!~].*)?", line).groups()


def pins():
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    return [line.partition(" ;")[0].partition("==") for line in lines]


def test_the_lock_pins_every_package_exactly():
    assert all(name and equals and version for name, equals, version in pins())


def test_the_lock_holds_every_dependency_of_the_project():
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = [*PROJECT["project"]["dependencies"], *(line for extra in extras for line in extra)]
    names = {requirement(line)[0].lower() for line in wanted} - {PROJECT["project"]["name"]}
    assert names <= {name.lower() for name, _, _ in pins()}


def test_the_lock_pins_the_torch_that_was_tested():
    versions = {name: version for name, _, version in pins()}
    assert (versions["torch"], versions["torchvision"]) == ("2.14.1", "0.29.1")


def test_the_installed_packages_are_those_of_the_lock():
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    wanted = [Requirement(line) for line in lines]
    differing = [
        f"{wish.name} {version(wish.name)}"
        for wish in wanted
        if (wish.marker is None or wish.marker.evaluate())
        and version(wish.name) not in wish.specifier
    ]
    assert not differing


def test_conda_and_pip_install_the_same_ranges():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    found = dict(requirement(line) for line in conda if isinstance(line, str))
    wanted = dict(requirement(line) for line in PROJECT["project"]["dependencies"])
    expected = {CONDA_NAMES.get(name, name): limits for name, limits in wanted.items()}
    assert found.pop("python").startswith(PROJECT["project"]["requires-python"])
    assert found.pop("pip") is None
    assert found == expected


def test_every_dependency_says_why_it_is_there():
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    extras = PROJECT["project"]["optional-dependencies"].values()
    for line in [*PROJECT["project"]["dependencies"], *(line for e in extras for line in e)]:
        if not line.startswith(PROJECT["project"]["name"]):
            assert re.search(re.escape(f'"{line}",') + r" +# \S.{10}", text), line


def fake_python(folder, name, version):
    """Write a program that claims to be Python ``version`` and refuses to run newer code."""
    program = folder / name
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.version_info = ({version[0]}, {version[1]}, 0)\n"
        f'import platform\nplatform.python_version = lambda: "{version[0]}.{version[1]}.0"\n'
        "exec(sys.argv[2])\n"
    )
    program.chmod(0o755)
    return program


def tools_only(folder):
    """Return a PATH with a shell and its tools, but no Python."""
    for tool in ("sh", "test", "sed", "awk", "rm", "touch", "make", "env", "dirname"):
        if found := shutil.which(tool):
            (folder / tool).symlink_to(found)
    return str(folder)


def find_python(folder, installed, *named):
    """Run the script where some Pythons are installed."""
    for name, number in installed.items():
        fake_python(folder, name, number)
    command = ["sh", str(ROOT / "tools/find_python.sh"), *named]
    env = {"PATH": tools_only(folder)}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "installed, expected",
    [
        ({"python3": (3, 12)}, "python3"),
        ({"python3": (3, 14)}, "python3"),
        ({"python3": (3, 9), "python3.13": (3, 13)}, "python3.13"),
        ({"python3": (3, 15), "python3.14": (3, 14)}, "python3.14"),
    ],
)
def test_find_python_takes_the_first_that_fits(tmp_path, installed, expected):
    done = find_python(tmp_path, installed)
    assert (done.returncode, done.stdout.strip()) == (0, expected)


@pytest.mark.parametrize(
    "installed, named, found",
    [
        ({}, [], "and here is none."),
        ({"python3": (3, 9)}, [], "and here python3 is 3.9.0."),
        ({"python3": (3, 15), "python": (2, 7)}, [], "python3 is 3.15.0, python is 2.7.0."),
        ({"python3": (3, 12), "python3.15": (3, 15)}, ["python3.15"], "python3.15 is 3.15.0."),
    ],
)
def test_find_python_says_what_to_do_where_none_fits(tmp_path, installed, named, found):
    done = find_python(tmp_path, installed, *named)
    assert (done.returncode, done.stdout) == (1, "")
    assert found in done.stderr and "name one: make lab PYTHON=" in done.stderr


def test_all_files_name_the_same_versions_of_python():
    words = [line.rpartition(" :: ") for line in PROJECT["project"]["classifiers"]]
    versions = [number for _, _, number in words if "." in number]
    listed = f"{', '.join(versions[:-1])} or {versions[-1]}"
    for place in ("tools/find_python.sh", "README.md", "classroom/workshop.md"):
        assert listed in " ".join((ROOT / place).read_text("utf-8").split()), place
    oldest, newest = versions[0], versions[-1]
    assert PROJECT["project"]["requires-python"] == f">={oldest}"
    conda = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    after = int(newest.partition(".")[2]) + 1
    assert f"python>={oldest},<3.{after}" in conda
    assert list(load_script("tools/bundle.py").PYTHONS) == versions
    assert PROJECT["tool"]["mypy"]["python_version"] == oldest
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"


@pytest.fixture
def clone(tmp_path):
    """A folder with what `make` reads, so that no test touches the real environment."""
    folder = tmp_path / "clone"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    (folder / "tools").mkdir()
    shutil.copy(ROOT / "tools/find_python.sh", folder / "tools")
    return folder


def make(folder, *args, path=None):
    env = dict(os.environ, PATH=path or os.environ["PATH"])
    command = ["make", "--directory", str(folder), "--no-print-directory", *args]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_make_refuses_a_python_in_one_sentence(clone, tmp_path):
    python = fake_python(tmp_path, "old-python", (3, 9))
    done = make(clone, "lab", f"PYTHON={python}")
    assert done.returncode != 0
    assert f"for which its PyTorch has builds, and here {python} is 3.9.0. Install" in done.stderr
    assert not (clone / ".venv").exists()


def test_a_second_call_installs_nothing(clone):
    """A stamp younger than its inputs is up to date; touching the lock makes it stale again."""
    (clone / ".venv/bin").mkdir(parents=True)
    (clone / ".venv/bin/python").touch()
    (clone / ".venv/.torch-auto").touch()
    (clone / ".venv/.learner-ready").touch()
    assert make(clone, "--question", ".venv/.learner-ready").returncode == 0
    later = (clone / ".venv/.learner-ready").stat().st_mtime + 10
    os.utime(clone / "requirements.lock", (later, later))
    assert make(clone, "--question", ".venv/.learner-ready").returncode == 1


def test_options_of_a_bundle_are_not_the_site_s():
    steps = make(ROOT, "--dry-run", "bundle", "ARGS=--platform win_amd64").stdout
    assert re.findall(r"tools/(?:website|bundle)\.py.*", steps) == [
        "tools/website.py",
        "tools/bundle.py --platform win_amd64",
    ]


def test_make_help_lists_every_target():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    listed = set(re.findall(r"^make ([a-z-]+)", make(ROOT, "help").stdout, re.M))
    assert listed == targets

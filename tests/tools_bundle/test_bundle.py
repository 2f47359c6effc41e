"""The archive for laptops without a network: made, refused, and installed where there is none."""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import requires, version
from pathlib import Path

import nbformat
import programs
import pytest
from scripts import load_script

ROOT = Path(__file__).resolve().parents[2]
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
# PyTorch itself is 5 GB on Linux. Its wheels in this test only point at the installed one.
POINTED_AT = ("torch", "torchgen", "functorch", "torchvision", "triton", "nvidia")
GPU_ONLY = ("cuda", "nvidia", "triton")
pytestmark = pytest.mark.xdist_group("bundle")


@pytest.fixture(scope="module")
def tool():
    return load_script("tools/bundle.py")


def write_wheel(folder, name, number, *, needs=(), files=()):
    """Write a wheel that any Python takes; `files` are pairs of a path and a text."""
    info = f"{name.replace('-', '_')}-{number}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n"
    metadata += "".join(f"Requires-Dist: {line}\n" for line in needs)
    path = folder / f"{name.replace('-', '_')}-{number}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{info}/METADATA", metadata)
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
        for file, text in files:
            wheel.writestr(file, text)
    return path


# --- With no network at all ------------------------------------------------------------------

# SIOCSIFFLAGS with IFF_UP on lo, as `ip link set lo up` does; then the command itself.
ONLY_LOOPBACK = """
import fcntl, os, socket, struct, sys
with socket.socket() as control:
    fcntl.ioctl(control, 0x8914, struct.pack("16sh22x", b"lo", 1))
assert [name for _, name in socket.if_nameindex()] == ["lo"]
os.execvp(sys.argv[1], sys.argv[1:])
"""


def in_namespace(*command):
    """Return the command that runs another one where no interface but loopback exists."""
    return programs.new_network(sys.executable, "-c", ONLY_LOOPBACK, *map(str, command))


@pytest.fixture(scope="module")
def offline(own_network, tmp_path_factory):
    """A function that runs a command without a network, and with no settings of this machine."""
    home = tmp_path_factory.mktemp("home")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON", "JUPYTER"))}
    env = kept | {"HOME": str(home), "PIP_CONFIG_FILE": os.devnull, "COURSE_PROFILE": "quick"}

    def run(*command, cwd):
        command = in_namespace(*command)
        return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)

    return run


@pytest.fixture(scope="module")
def torch_wheels(tmp_path_factory):
    """A folder with wheels of PyTorch that point at the installed one."""
    folder, packages = tmp_path_factory.mktemp("torch"), tmp_path_factory.mktemp("packages")
    site = Path(importlib.util.find_spec("torch").origin).parents[1]
    for name in POINTED_AT:
        if (site / name).exists():
            (packages / name).symlink_to(site / name)
    for name in ("torch", "torchvision"):
        number = version(name).partition("+")[0]
        needs = [line for line in requires(name) if not line.startswith(GPU_ONLY)]
        files = [(f"{name}_of_the_test.pth", f"{packages}\n")]
        write_wheel(folder, name, number, needs=needs, files=files)
    return folder


@pytest.fixture(scope="module")
def made(registry, tmp_path_factory, torch_wheels):
    """An archive, made by the command, and what it printed."""
    out = tmp_path_factory.mktemp("made")
    command = [sys.executable, str(ROOT / "tools/bundle.py"), "--out", str(out)]
    command += ["--torch-from", str(torch_wheels)]
    done = subprocess.run(command, capture_output=True, text=True)
    if "no package index answers" in done.stderr:
        programs.NEEDS["registry"].skip()
    assert done.returncode == 0, done.stderr
    return command, done.stdout, next(out.glob("*.zip"))


@pytest.fixture(scope="module")
def laptop(tmp_path_factory, made, offline):
    """The archive, unpacked and installed without a network."""
    folder = tmp_path_factory.mktemp("laptop")
    shutil.unpack_archive(made[2], folder)
    (folder,) = folder.iterdir()
    done = offline(sys.executable, "install.py", "--no-lab", cwd=folder)
    assert done.returncode == 0, done.stderr
    yield folder
    shutil.rmtree(folder)


def test_it_installs_and_runs_lesson_00_without_a_network(laptop, offline, tmp_path):
    python = laptop / ".venv/bin/python"
    command = [python, "-m", "nbconvert", "--execute", "--to=notebook", f"--output-dir={tmp_path}"]
    done = offline(*command, "00_start_here.ipynb", cwd=laptop / "course/notebooks")
    assert done.returncode == 0, done.stderr
    cells = nbformat.read(tmp_path / "00_start_here.ipynb", as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    assert all(c.execution_count for c in cells if c.cell_type == "code")
    assert "new images correct" in "".join(output.get("text", "") for output in outputs)


def test_what_is_installed_is_the_archive_and_not_this_copy(laptop, offline):
    code = "import course_utils, jupyterlab; from course_utils.lab import course_root\n"
    code += "print(course_root(), jupyterlab.__version__, course_utils.__file__)"
    done = offline(laptop / ".venv/bin/python", "-c", code, cwd=laptop / "course")
    root, lab, module = done.stdout.split()
    assert (Path(root), lab) == (laptop / "course", version("jupyterlab"))
    assert Path(module).is_relative_to(laptop / ".venv")


def test_a_second_call_installs_nothing_again(laptop, offline):
    before = (laptop / ".venv/installed").stat().st_mtime_ns
    done = offline(sys.executable, "install.py", "--no-lab", cwd=laptop)
    assert done.returncode == 0 and "Installing" not in done.stdout
    assert (laptop / ".venv/installed").stat().st_mtime_ns == before


def test_the_archive_holds_what_the_course_needs_and_true_checksums(made):
    with zipfile.ZipFile(made[2]) as archive:
        names = {name.partition("/")[2] for name in archive.namelist()}
        folder = archive.namelist()[0].partition("/")[0]
        sums = archive.read(f"{folder}/SHA256SUMS").decode().splitlines()
        for line in sums:
            digest, name = line.split("  ")
            assert hashlib.sha256(archive.read(f"{folder}/{name}")).hexdigest() == digest
    assert {line.split("  ")[1] for line in sums} == names - {"SHA256SUMS"}
    for pattern in ("notebooks/*.ipynb", "exercises/*/*.ipynb", "solutions/*/*.ipynb"):
        wanted = {f"course/{path.relative_to(ROOT).as_posix()}" for path in ROOT.glob(pattern)}
        assert wanted and wanted <= names
    wheels = {name.split("/")[1].split("-")[0] for name in names if name.startswith("wheels/")}
    assert {"convnet_course", "torch", "jupyterlab", "anywidget", "captum"} <= wheels
    assert not wheels & {"pytest", "nbgrader", "playwright"}, "a learner's install stays small"


def test_the_same_inputs_give_the_same_bytes_and_fetch_nothing(made):
    command, printed, archive = made
    before = archive.read_bytes()
    env = os.environ | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": os.devnull}
    again = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert again.stdout == printed and archive.read_bytes() == before
    assert f"{len(before) / 1e6:,.0f} MB" in printed
    assert hashlib.sha256(before).hexdigest() in printed


def test_the_archive_carries_the_site_that_was_built(tool, tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    page = tmp_path / "notebooks/07_lenet.html"
    page.write_text("a page")
    monkeypatch.setattr(tool, "SITE", tmp_path)
    files = tool.contents(tool.Target("linux_x86_64", "3.11"), [])
    assert files["site/notebooks/07_lenet.html"] == page
    monkeypatch.setattr(tool, "SITE", tmp_path / "none")
    assert not any(
        name.startswith("site/") for name in tool.contents(tool.Target("win_amd64", "3.12"), [])
    )


def test_without_a_network_it_says_so(offline, tmp_path):
    command = [sys.executable, ROOT / "tools/bundle.py", "--out", tmp_path]
    done = offline(*command, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("bundle: no package index answers: is there a network?")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.glob("*.zip")) and not list(tmp_path.glob("*.part"))


# --- What the installer refuses --------------------------------------------------------------


@pytest.fixture
def copy(tmp_path):
    """The installer with two files, one a wheel and one a notebook."""
    facts = {"python": HERE, "system": os.uname().sysname, "machine": os.uname().machine}
    files = {"wheels/a.whl": "wheel", "course/a.ipynb": "text"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    sums = [f"{hashlib.sha256(t.encode()).hexdigest()}  {n}\n" for n, t in files.items()]
    (tmp_path / "SHA256SUMS").write_text("".join(sums))
    shutil.copy(ROOT / "classroom/laptop/install.py", tmp_path)

    def run(**changes):
        text = json.dumps(facts | {"wheels_bytes": 5} | changes)
        (tmp_path / "bundle.json").write_text(text)
        command = [sys.executable, str(tmp_path / "install.py"), "--no-lab"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 1 and not (tmp_path / ".venv/installed").exists()
        return done.stderr

    return tmp_path, run


@pytest.mark.parametrize(
    "change, words",
    [
        ({"python": "3.9"}, "This copy of the course is for Python 3.9 on"),
        ({"system": "Windows", "machine": "AMD64"}, "on Windows (AMD64), and this is Python"),
        ({"wheels_bytes": 10**15}, "The course takes 2600000.0 GB, and the disk of"),
    ],
)
def test_the_installer_refuses_another_machine_and_a_full_disk(copy, change, words):
    said = copy[1](**change)
    assert words in said and said.count("\n") == 1


@pytest.mark.parametrize("damage", [lambda p: p.write_text("whael"), lambda p: p.unlink()])
def test_the_installer_refuses_a_damaged_wheel(copy, damage):
    folder, run = copy
    damage(folder / "wheels/a.whl")
    assert run() == "wheels/a.whl is missing or damaged: copy the archive again.\n"


def test_a_notebook_that_was_worked_on_is_no_damage(copy):
    folder, run = copy
    (folder / "course/a.ipynb").write_text("my notes")
    assert "damaged" not in run(wheels_bytes=10**15)


# --- The course itself -----------------------------------------------------------------------


def test_the_wheel_has_the_course_and_beside_it_the_grader(tool, tmp_path):
    with zipfile.ZipFile(tool.build_course(tmp_path)) as wheel:
        names = [name for name in wheel.namelist() if ".dist-info/" not in name]
        (points,) = [name for name in wheel.namelist() if name.endswith("/entry_points.txt")]
        assert "grade = convnet_grader.cli:add_grade" in wheel.read(points).decode()
    assert {name.split("/")[0] for name in names} == {"course_utils", "convnet_grader"}
    code = {name for name in names if name.endswith(".py")}
    ours = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("course_utils/**/*.py")}
    grader = ROOT / "classroom" / "grader"
    theirs = {path.relative_to(grader).as_posix() for path in grader.glob("convnet_grader/*.py")}
    assert code == ours | theirs
    assert [name for name in code if "/grading/" in name] == ["course_utils/grading/__init__.py"]


# --- Which wheels, and what is refused -------------------------------------------------------


@pytest.mark.parametrize(
    "words, said",
    [
        (["--platform", "amiga"], "bundle: no platform 'amiga': choose one of linux_x86_64, "),
        (["--python-version", "3.9"], "bundle: no Python '3.9' for the course: choose 3.11, "),
        (["--torch-from", "/nowhere"], "bundle: --torch-from /nowhere: neither an address nor"),
    ],
)
def test_what_it_does_not_know_is_refused_in_a_sentence(words, said, tmp_path):
    command = [sys.executable, str(ROOT / "tools/bundle.py"), "--out", str(tmp_path), *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith(said) and done.stderr.count("\n") == 1


def test_a_full_disk_is_refused_before_anything_is_downloaded(tool, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    monkeypatch.setattr(tool, "download", lambda *_: pytest.fail("no download"))
    with pytest.raises(OSError, match=r"has 1\.0 GB free, but this takes about 7\.0 GB"):
        tool.bundle(tool.Target("linux_x86_64", "3.11"), tmp_path)


def test_a_torch_that_the_folder_does_not_have_is_named(tool, tmp_path):
    target = tool.checked("linux_x86_64", "3.12", str(tmp_path))
    said = rf"no wheel of torch==2\.0 for linux_x86_64, Python 3\.12 in {tmp_path}"
    with pytest.raises(RuntimeError, match=said):
        tool.fetch({"torch": "2.0"}, target, tmp_path)


NEEDS = [
    "colorama; sys_platform == 'win32'",
    "pexpect; sys_platform != 'win32'",
    "old; python_version < '3.12'",
    "fast; extra == 'speed'",
    "Nvidia.Thing; platform_system == 'Linux' and platform_machine == 'x86_64'",
]


@pytest.mark.parametrize(
    "name, python, extras, expected",
    [
        ("win_amd64", "3.12", (), {"colorama"}),
        ("win_amd64", "3.11", ("speed",), {"colorama", "old", "fast"}),
        ("macosx_arm64", "3.12", (), {"pexpect"}),
        ("linux_aarch64", "3.13", (), {"pexpect"}),
        ("linux_x86_64", "3.12", (), {"pexpect", "Nvidia.Thing"}),
    ],
)
def test_a_marker_is_judged_for_the_laptop(tool, tmp_path, name, python, extras, expected):
    wheel = write_wheel(tmp_path, "thing", "1.0", needs=NEEDS)
    found = tool.needs(wheel, extras, tool.Target(name, python))
    assert {wish.name for wish in found} == expected


def test_the_walk_follows_extras_and_circles_and_takes_the_lock_s_versions(
    tool, tmp_path, monkeypatch
):
    wishes = {
        "a": ["b[more]", "c"],
        "b": ["a", "d; extra == 'more'", "e; extra == 'less'"],
        "c": ["b"],
        "d": [],
    }
    rounds = []

    def download(lines, target, options):
        rounds.append(sorted(lines))
        for line in lines:
            name, _, number = line.partition("==")
            write_wheel(tmp_path, name, number, needs=wishes[name])

    monkeypatch.setattr(tool, "download", download)
    monkeypatch.setattr(tool, "pins", lambda target: dict.fromkeys("abcd", "2.1"))
    course = write_wheel(tmp_path, "convnet-course", "1", needs=["a"])
    target = tool.Target("win_amd64", "3.12")
    found = tool.collect(course, target, tmp_path)
    assert [path.name[0] for path in found] == ["a", "b", "c", "c", "d"]
    assert rounds == [["a==2.1"], ["b==2.1", "c==2.1"], ["d==2.1"]]
    tool.collect(course, target, tmp_path)
    assert len(rounds) == 3, "what is there is not fetched again"
    wishes["d"] = ["e"]
    write_wheel(tmp_path, "d", "2.1", needs=["e"])
    with pytest.raises(ValueError, match=r"e is needed but not in requirements\.lock"):
        tool.collect(course, target, tmp_path)


def test_a_cpu_build_meets_the_pin(tool, tmp_path):
    wheel = write_wheel(tmp_path, "torch", "2.14.1+cpu")
    write_wheel(tmp_path, "torch", "2.14.10")
    assert tool.stored("torch", "2.14.1", tmp_path) == [wheel]


def test_builds_of_torch_from_two_places_are_kept_apart(tool):
    targets = [tool.Target("linux_x86_64", "3.12", place) for place in ("", "https://a", "/b")]
    assert len({target.folder for target in targets}) == 3


def test_every_platform_has_pins_for_what_only_it_needs(tool):
    pins = {name: tool.pins(tool.Target(name, "3.12")) for name in tool.PLATFORMS}
    assert "colorama" in pins["win_amd64"] and "colorama" not in pins["linux_x86_64"]
    assert all("torch" in found for found in pins.values())

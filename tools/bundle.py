"""Make one archive that installs the course on laptops without a network.

    python tools/bundle.py                                            # Linux, this Python
    python tools/bundle.py --platform win_amd64 --python-version 3.12
    python tools/bundle.py --torch-from ADDRESS-OF-AN-INDEX           # such as CPU-only builds
    python tools/bundle.py --torch-from FOLDER                        # wheels that you have

The archive holds wheels for that platform and Python, exactly the versions of
`requirements.lock`; the course itself as a wheel, images included; the notebooks; and `install.py`,
which needs only Python. The same inputs give the same bytes.

Downloads stay in `build/bundle`: a second call goes on where the first one stopped.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from course_utils.arguments import as_path

ROOT = Path(__file__).resolve().parent.parent
TORCH = {"torch", "torchvision"}
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
GLIBC = range(5, 36)  # manylinux_2_5 to manylinux_2_35: what a Linux of 2022 still runs
MACOS = 14  # PyTorch's wheels ask for it
COPIED = ("notebooks/*.ipynb", "exercises/*/*.ipynb", "solutions/*/*.ipynb", "LICENSE")
INSTALLER = ("install.py", "START-HERE.txt")
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can say


@dataclass(frozen=True)
class Platform:
    """A kind of laptop.

    Attributes:
        tags: What pip calls it, in the names of all wheels that run on it.
        sys_platform: As Python says it, like the other two.
        platform_system: For example `Windows`.
        platform_machine: For example `AMD64`.
        gigabytes: Free space that making an archive takes, roughly: wheels, and the archive.
    """

    tags: tuple[str, ...]
    sys_platform: str
    platform_system: str
    platform_machine: str
    gigabytes: float


def linux(machine: str, gigabytes: float) -> Platform:
    """Return a Linux with glibc on a kind of processor."""
    tags = [f"manylinux_2_{minor}_{machine}" for minor in reversed(GLIBC)]
    tags += [f"manylinux2014_{machine}", f"manylinux2010_{machine}", f"manylinux1_{machine}"]
    return Platform((*tags, f"linux_{machine}"), "linux", "Linux", machine, gigabytes)


PLATFORMS = {
    "linux_x86_64": linux("x86_64", 7),
    "linux_aarch64": linux("aarch64", 2),
    "macosx_arm64": Platform((f"macosx_{MACOS}_0_arm64",), "darwin", "Darwin", "arm64", 1),
    "win_amd64": Platform(("win_amd64",), "win32", "Windows", "AMD64", 1),
}


@dataclass(frozen=True)
class Target:
    """What an archive is for.

    Attributes:
        name: A key of `PLATFORMS`.
        python: For example `3.12`.
        torch_from: Address of an index or a folder; empty for the index that pip is set to.
    """

    name: str
    python: str
    torch_from: str = ""

    @property
    def platform(self) -> Platform:
        """The kind of laptop."""
        return PLATFORMS[self.name]

    @property
    def folder(self) -> str:
        """The folder of its wheels: builds of PyTorch from two places never mix."""
        place = hashlib.sha256(self.torch_from.encode()).hexdigest()[:8]
        return f"{self.name}-{self.python}" + (f"-{place}" if self.torch_from else "")

    def environment(self) -> dict[str, str]:
        """Return what a requirement's marker may ask about such a laptop."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "nt" if self.platform.sys_platform == "win32" else "posix",
            "platform_machine": self.platform.platform_machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": self.platform.platform_system,
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": self.platform.sys_platform,
        }

    def pip_options(self) -> list[str]:
        """Return the options that make pip take wheels for such a laptop, not for this machine."""
        platforms = [word for tag in self.platform.tags for word in ("--platform", tag)]
        return ["--only-binary=:all:", "--implementation=cp", *platforms, "--python-version",
                self.python]  # fmt: skip

    def torch_options(self) -> list[str]:
        """Return the options that tell pip where PyTorch comes from."""
        if not self.torch_from:
            return []
        if "://" in self.torch_from:
            return ["--index-url", self.torch_from]
        return ["--no-index", "--find-links", self.torch_from]


# --- Which wheels ----------------------------------------------------------------------------


def pins(target: Target) -> dict[str, str]:
    """Return the version of each package that `requirements.lock` has for a target."""
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    wanted = [Requirement(line) for line in lines if line.strip()]
    environment = target.environment()
    return {
        canonicalize_name(line.name): str(line.specifier).removeprefix("==")
        for line in wanted
        if line.marker is None or line.marker.evaluate(environment)
    }


def needs(wheel: Path, extras: Iterable[str], target: Target) -> Iterator[Requirement]:
    """Yield what a wheel requires on a target, for itself and for some of its extras."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = HeaderParser().parsestr(archive.read(name).decode())
    environment = target.environment()
    for line in metadata.get_all("Requires-Dist", []):
        wish = Requirement(line)
        asked = [environment | {"extra": extra} for extra in ("", *extras)]
        if wish.marker is None or any(map(wish.marker.evaluate, asked)):
            yield wish


def collect(course: Path, target: Target, folder: Path) -> list[Path]:
    """Download the course's dependencies, and theirs, and so on, at the versions of the lock.

    On its own, pip can do this only for the machine that it runs on: it would judge "only on
    Windows" by this machine. So each round asks it for wheels by name, and reads what they need.

    Args:
        course: The wheel of the course.
        target: What the wheels are for.
        folder: Where they are kept.

    Returns:
        All wheels, that of the course included, by name.

    Raises:
        ValueError: A package is not in the lock.
        RuntimeError: `pip` could not get a wheel.
    """
    versions = pins(target)
    found: dict[str, Path] = {"convnet-course": course}
    wishes = list(needs(course, (), target))
    asked: set[tuple[str, frozenset[str]]] = set()
    while wishes:
        names = sorted({canonicalize_name(wish.name) for wish in wishes} - found.keys())
        found |= fetch({name: version_of(name, versions) for name in names}, target, folder)
        fresh = {(canonicalize_name(w.name), frozenset(w.extras)) for w in wishes} - asked
        asked |= fresh
        wishes = [w for name, extras in sorted(fresh) for w in needs(found[name], extras, target)]
    return [found[name] for name in sorted(found)]


def version_of(name: str, versions: dict[str, str]) -> str:
    """Return the version of a package in the lock."""
    if name not in versions:
        raise ValueError(f"{name} is needed but not in requirements.lock: run `make lock`")
    return versions[name]


def fetch(wanted: dict[str, str], target: Target, folder: Path) -> dict[str, Path]:
    """Download wheels that are not in the folder yet.

    Args:
        wanted: Versions by name.
        target: What they are for.
        folder: Where they are kept.

    Returns:
        The wheel of each name.
    """
    missing = {n: v for n, v in wanted.items() if not stored(n, v, folder)}
    for names, options in ((TORCH, target.torch_options()), (missing.keys() - TORCH, [])):
        lines = [f"{name}=={version}" for name, version in missing.items() if name in names]
        if lines:
            download(lines, target, [*options, "--dest", str(folder)])
    return {name: stored(name, version, folder)[0] for name, version in wanted.items()}


def stored(name: str, version: str, folder: Path) -> list[Path]:
    """Return the wheels of a package in the folder; `2.1` is also met by `2.1+cpu`."""
    parsed = {path: parse_wheel_filename(path.name) for path in sorted(folder.glob("*.whl"))}
    return [
        path
        for path, (found, number, *_) in parsed.items()
        if found == name and version in (str(number), number.public)
    ]


def download(lines: list[str], target: Target, options: list[str]) -> None:
    """Let pip download wheels, without their dependencies.

    Raises:
        RuntimeError: It could not; the message says why.
    """
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    command = [*pip, "--no-deps", "--retries", "2", *target.pip_options(), *options, *lines]
    env = os.environ | {"PIP_CONSTRAINT": os.devnull}  # the lock says which versions, alone
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(why(done.stderr, lines, target))


def why(stderr: str, lines: list[str], target: Target) -> str:
    """Return a sentence on what went wrong, from what pip printed."""
    offline = r"NewConnectionError|NameResolutionError|ConnectTimeout|ProxyError|Max retries"
    if re.search(offline, stderr):
        return "no package index answers: is there a network? Run the same command again to go on"
    if "No space left" in stderr:
        return "the disk is full; make room, then run the same command again to go on"
    missing = re.search(r"No matching distribution found for (\S+)", stderr)
    if missing:
        where = f" in {target.torch_from}" if target.torch_from and missing[1] in lines else ""
        return f"there is no wheel of {missing[1]} for {target.name}, Python {target.python}{where}"
    return f"pip could not download {', '.join(lines)}: {stderr.strip().splitlines()[-1]}"


# --- The course itself -----------------------------------------------------------------------


def build_course(folder: Path) -> Path:
    """Build the wheel of the course, the same bytes each time, and return its path."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
    with TemporaryDirectory(prefix="bundle-") as name:
        copy = Path(name) / "course"
        ignored = shutil.ignore_patterns("__pycache__")
        for code in ("course_utils", "classroom/grader"):
            shutil.copytree(ROOT / code, copy / code, ignore=ignored)
        for file in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / file, copy)
        # With the setuptools that is installed: nothing has to be fetched for this.
        command = [*pip, "--no-deps", "--no-build-isolation", "-w", str(folder), str(copy)]
        env = os.environ | {"SOURCE_DATE_EPOCH": "315532800"}  # 1980, see EPOCH
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the course could not be built: {done.stderr.strip()[-300:]}")
    return next(folder.glob("convnet_course-*.whl"))


def contents(target: Target, wheels: list[Path]) -> dict[str, Path | bytes]:
    """Return what goes into the archive, by path, without the checksums."""
    files: dict[str, Path | bytes] = {f"wheels/{wheel.name}": wheel for wheel in wheels}
    for pattern in COPIED:
        for path in ROOT.glob(pattern):
            files[f"course/{path.relative_to(ROOT).as_posix()}"] = path
    for name in INSTALLER:
        files[name] = ROOT / "classroom/laptop" / name
    facts = {
        "python": target.python,
        "system": target.platform.platform_system,
        "machine": target.platform.platform_machine,
        "wheels_bytes": sum(wheel.stat().st_size for wheel in wheels),
    }
    files["bundle.json"] = (json.dumps(facts, indent=2) + "\n").encode()
    return dict(sorted(files.items()))


# --- The archive -----------------------------------------------------------------------------


def write_archive(files: dict[str, Path | bytes], archive: Path) -> None:
    """Write a zip file with a folder that has the files and their checksums in it.

    Nothing is compressed: wheels already are, and each zlib would give different bytes.

    Args:
        files: By path, sorted.
        archive: Its name without `.zip` is also the folder's. It appears when it is complete.
    """
    part = archive.with_suffix(".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(part, "w") as out:
            sums = [f"{add(out, archive.stem, p, data)}  {p}\n" for p, data in files.items()]
            add(out, archive.stem, "SHA256SUMS", "".join(sums).encode())
        part.replace(archive)
    finally:
        part.unlink(missing_ok=True)


def add(out: zipfile.ZipFile, folder: str, name: str, data: Path | bytes) -> str:
    """Add one file, and return its checksum."""
    entry = zipfile.ZipInfo(f"{folder}/{name}", EPOCH)
    entry.create_system, entry.external_attr = 3, 0o100644 << 16  # as on Unix, wherever it is made
    entry.file_size = data.stat().st_size if isinstance(data, Path) else len(data)
    digest = hashlib.sha256()
    with out.open(entry, "w") as sink:
        for block in blocks(data):
            digest.update(block)
            sink.write(block)
    return digest.hexdigest()


def blocks(data: Path | bytes) -> Iterator[bytes]:
    """Yield a file's content, a megabyte at a time."""
    if isinstance(data, bytes):
        yield data
        return
    with data.open("rb") as source:
        while block := source.read(2**20):
            yield block


def check_space(folder: Path, gigabytes: float) -> None:
    """Refuse a disk that is too full.

    Raises:
        OSError: There is too little space; the message says how much is needed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free / 1e9
    if free < gigabytes:
        raise OSError(f"{folder} has {free:.1f} GB free, but this takes about {gigabytes:.1f} GB")


def bundle(target: Target, out: Path) -> Path:
    """Make the archive for a target and return its path."""
    folder = out / target.folder
    check_space(folder, 0 if any(folder.glob("torch-*.whl")) else target.platform.gigabytes)
    with TemporaryDirectory(prefix="bundle-") as name:
        course = build_course(Path(name))
        files = contents(target, collect(course, target, folder))
        sizes = (d.stat().st_size if isinstance(d, Path) else len(d) for d in files.values())
        check_space(out, sum(sizes) / 1e9 + 0.1)
        version = course.name.split("-")[1]
        archive = out / f"convnet-course-{version}-{target.folder}.zip"
        write_archive(files, archive)
    return archive


def main() -> None:
    """Make one archive; exit with 1 and a sentence if it cannot be made."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    parser = argparse.ArgumentParser(description="Make an archive for laptops without a network.")
    parser.add_argument("--platform", default="linux_x86_64", help=", ".join(PLATFORMS))
    parser.add_argument("--python-version", default=here, help="the laptops': 3.11 to 3.14")
    parser.add_argument("--torch-from", default="", metavar="FROM", help="an index, or a folder")
    parser.add_argument("--out", type=as_path, default=ROOT / "build/bundle", metavar="FOLDER")
    args = parser.parse_args()
    try:
        archive = bundle(checked(args.platform, args.python_version, args.torch_from), args.out)
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"bundle: {error}")
    digest = hashlib.sha256()
    for block in blocks(archive):
        digest.update(block)
    print(f"{archive}: {archive.stat().st_size / 1e6:,.0f} MB, sha256 {digest.hexdigest()}")


def checked(platform: str, python: str, torch_from: str) -> Target:
    """Return the target that was asked for.

    Raises:
        ValueError: There is no such platform, Python or folder.
    """
    if platform not in PLATFORMS:
        raise ValueError(f"no platform {platform!r}: choose one of {', '.join(PLATFORMS)}")
    if python not in PYTHONS:
        raise ValueError(f"no Python {python!r} for the course: choose {', '.join(PYTHONS)}")
    if torch_from and "://" not in torch_from:
        torch_from = str(as_path(torch_from, "--torch-from"))
        if not Path(torch_from).is_dir():
            raise ValueError(f"--torch-from {torch_from}: neither an address nor a folder")
        torch_from = str(Path(torch_from).resolve())
    return Target(platform, python, torch_from)


if __name__ == "__main__":
    main()

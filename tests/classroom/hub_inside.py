"""Set a machine up for a class, and run its hub, in a namespace that takes all of it along.

`hub_machine.py` starts this as root with `unshare --mount --pid`. Users, passwords and groups are
made as on any machine, but in a copy of /etc that nobody else sees. When this process ends, the
system ends every other process in here.
"""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path


def run(*command: str, **options) -> None:
    subprocess.run(command, check=True, **options)


def private_etc(base: Path) -> None:
    """Put a copy in place of /etc: users that are made in it exist in here only."""
    copy = base / "etc"
    run("cp", "-a", "/etc", str(copy))
    run("mount", "--bind", str(copy), "/etc")
    with Path("/etc/default/useradd").open("a") as settings:
        settings.write("\nCREATE_MAIL_SPOOL=no\n")  # which would be outside of here


def closed_ancestor(path: Path) -> Path | None:
    """Return the topmost folder on the way to a path that is closed to ordinary users."""
    for parent in reversed(path.parents):
        if not parent.stat().st_mode & stat.S_IXOTH:
            return parent
    return None


def opened(path: Path) -> list[Path]:
    """Return a path or, where it is a closed folder, what is in it: that can be put elsewhere."""
    is_open = path.is_file() or path.stat().st_mode & stat.S_IXOTH
    return [path] if is_open else sorted(path.iterdir())


def make_like(path: Path, original: Path) -> None:
    """Make an empty file or folder, for something of the same kind to be put there."""
    folder = path.parent if original.is_file() else path
    folder.mkdir(parents=True, exist_ok=True)
    if original.is_file():
        path.touch()


def cover(folder: Path, mode: str, kept: list[Path], staging: Path) -> None:
    """Put an empty folder in place of one; only what is kept stays where it was."""
    places = []
    for number, path in enumerate(kept):
        place = staging / str(number)
        make_like(place, path)
        run("mount", "--rbind", str(path), str(place))
        places.append(place)
    run("mount", "-t", "tmpfs", "-o", f"mode={mode}", "tmpfs", str(folder))
    for path, place in zip(kept, places, strict=True):
        make_like(path, place)
        run("mount", "--move", str(place), str(path))
        if place.is_file():  # never a whole tree: what is mounted in it would be removed as well
            place.unlink()
        else:
            place.rmdir()


def make_reachable(paths: list[Path], staging: Path) -> None:
    """Let ordinary users reach these paths, as in an installation that is meant for all.

    On a developer's machine Python is often in a home that is closed to others. /tmp is covered
    as well, so that nothing stays there.
    """
    tops = [p for p in paths if not any(p != o and p.is_relative_to(o) for o in paths)]
    groups: dict[Path, list[Path]] = {Path("/tmp"): []}
    for path in (part for top in tops for part in opened(top)):
        in_tmp = path.is_relative_to("/tmp")
        folder = Path("/tmp") if in_tmp else closed_ancestor(path)
        if folder is not None:
            groups.setdefault(folder, []).append(path)
    for folder, kept in groups.items():
        cover(folder, "1777" if folder == Path("/tmp") else "755", kept, staging)


def guard(root: Path, base: Path, group: str) -> None:
    """Close the course's answers to learners, as hub.md does with chmod."""
    solutions = base / "solutions"
    shutil.copytree(root / "solutions", solutions)
    run("chown", "-R", f"root:{group}", str(solutions))
    run("chmod", "-R", "u=rwX,g=rX,o=", str(solutions))
    run("mount", "--bind", str(solutions), str(root / "solutions"))
    for name in ("sources", "tests", ".git"):
        if (root / name).is_dir():
            run("mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", str(root / name))


def add_users(plan: dict, home: Path) -> None:
    """Make the teacher and the learners."""
    home.mkdir(mode=0o755)
    run("groupadd", "--gid", str(plan["gid"]), plan["group"])
    passwords = ""
    for number, (name, user) in enumerate(plan["users"].items(), start=1):
        run(
            "useradd", "--uid", str(plan["gid"] + number), "--user-group", "--create-home",
            "--home-dir", str(home / name), "--shell", "/bin/bash", "--no-log-init",
            *(["--groups", plan["group"]] if user["learner"] else []), name,
        )  # fmt: skip
        passwords += f"{name}:{user['password']}\n"
    run("chpasswd", input=passwords, text=True)


def make_exchange(exchange: Path, course: str, teacher: str) -> None:
    """Make the exchange, by the commands of hub.md."""
    run("install", "-d", "-m", "1777", str(exchange))
    for folder, mode in ((".", "755"), ("inbound", "3733")):
        target = str(exchange / course / folder)
        run("install", "-d", "-m", mode, "-o", teacher, "-g", teacher, target)


def serve(plan: dict, base: Path) -> int:
    """Run the hub until it ends, or until whoever started us closes our input."""
    (base / "state").mkdir(mode=0o700)
    with (base / "hub.log").open("w") as log:
        hub = subprocess.Popen(plan["command"], cwd=base / "state", env=plan["environment"],
                               stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # fmt: skip

    def wait_for_end() -> None:
        sys.stdin.read()
        hub.send_signal(signal.SIGTERM)

    threading.Thread(target=wait_for_end, daemon=True).start()
    while True:  # this is process 1: orphans are ours to bury
        pid, status = os.wait()
        if pid == hub.pid:
            return os.waitstatus_to_exitcode(status)


def main() -> None:
    base = Path(sys.argv[1])
    plan = json.loads((base / "plan.json").read_text())
    root = Path(plan["root"])
    private_etc(base)
    add_users(plan, base / "home")
    make_reachable([Path(path) for path in plan["visible"]], base / "staging")
    guard(root, base, plan["teacher"])
    make_exchange(base / "exchange", plan["course"], plan["teacher"])
    sys.exit(serve(plan, base))


if __name__ == "__main__":
    main()

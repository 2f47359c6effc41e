"""The parts of the hub that need no hub: limits, the start of a server, and the config itself."""

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from jupyterhub.app import JupyterHub
from jupyterhub.auth import PAMAuthenticator
from jupyterhub.proxy import ConfigurableHTTPProxy
from jupyterhub.spawner import LocalProcessSpawner, Spawner
from scripts import load_script
from systemdspawner import SystemdSpawner
from traitlets.config.loader import PyFileConfigLoader

ROOT = Path(__file__).resolve().parents[2]
HUB = ROOT / "classroom" / "hub"
CLASSES = {
    each.__name__: each
    for each in (
        ConfigurableHTTPProxy, JupyterHub, LocalProcessSpawner, PAMAuthenticator, Spawner,
        SystemdSpawner,
    )
}  # fmt: skip


limits = load_script(HUB / "limits.py", "hub_limits")
start_server = load_script(HUB / "start_server.py", "hub_start_server")


def unified(root):
    """Make what a system with control groups of version 2 shows."""
    (root / "cgroup.controllers").write_text("cpu memory pids\n")
    return limits.ControlGroup("learners/kim", root)


def test_limits_of_version_2_are_written_and_handed_down(tmp_path):
    group = unified(tmp_path)
    group.create(2 * 2**30, 1.5, 512)
    written = {file.name: file.read_text() for file in (tmp_path / "learners/kim").iterdir()}
    assert written == {
        "memory.max": "2147483648",
        "memory.swap.max": "0",
        "cpu.max": "150000 100000",
        "pids.max": "512",
    }
    for folder in (tmp_path, tmp_path / "learners"):
        assert (folder / "cgroup.subtree_control").read_text() == "+memory +cpu +pids"
    group.enter(123)
    assert (tmp_path / "learners/kim/cgroup.procs").read_text() == "123"


def test_limits_of_version_1_are_written_for_each_controller(tmp_path):
    group = limits.ControlGroup("learners/kim", tmp_path)
    group.create(2**30, 2.0, 100)
    places = {path.relative_to(tmp_path).as_posix(): path.read_text()
              for path in tmp_path.rglob("*") if path.is_file()}  # fmt: skip
    assert places == {
        "memory/learners/kim/memory.limit_in_bytes": "1073741824",
        "cpu/learners/kim/cpu.cfs_period_us": "100000",
        "cpu/learners/kim/cpu.cfs_quota_us": "200000",
        "pids/learners/kim/pids.max": "100",
    }


def test_where_nothing_can_be_limited_the_hub_does_not_start(tmp_path):
    (tmp_path / "memory").write_text("a file, where a folder would have to be")
    with pytest.raises(RuntimeError, match="no limit of memory can be enforced here"):
        limits.require_control_groups(tmp_path)


def test_a_spawner_without_limits_starts_nothing():
    spawner = limits.CgroupSpawner()
    with pytest.raises(ValueError, match="mem_limit and cpu_limit are both needed"):
        spawner.make_preexec_fn("root")


def test_lessons_are_brought_once_and_work_is_kept(tmp_path):
    (tmp_path / "from").mkdir()
    for name in ("00_a.ipynb", "01_b.ipynb"):
        (tmp_path / "from" / name).write_text("as handed out")
    home = tmp_path / "lessons"
    start_server.bring_lessons(tmp_path / "from", home)
    (home / "00_a.ipynb").write_text("with my notes")
    (home / "01_b.ipynb").unlink()
    start_server.bring_lessons(tmp_path / "from", home)
    assert (home / "00_a.ipynb").read_text() == "with my notes"
    assert (home / "01_b.ipynb").read_text() == "as handed out"


def test_a_home_is_closed_to_others(tmp_path):
    before = os.umask(0o022)
    try:
        tmp_path.chmod(0o755)
        start_server.keep_private(tmp_path)
        (tmp_path / "new").touch()
    finally:
        os.umask(before)
    assert tmp_path.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600


@pytest.fixture
def read_config(tmp_path, monkeypatch):
    """A function that reads the hub's config on a machine with, or without, systemd."""
    exchange = tmp_path / "exchange"
    exchange.mkdir()
    exchange.chmod(0o1777)
    monkeypatch.setenv("COURSE_HUB_EXCHANGE", str(exchange))
    monkeypatch.setenv("NODE_PATH", "")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.syspath_prepend(HUB)
    is_dir = Path.is_dir

    def read(systemd):
        monkeypatch.setattr(
            Path, "is_dir",
            lambda path: systemd if str(path) == "/run/systemd/system" else is_dir(path),
        )  # fmt: skip
        import limits as as_imported

        monkeypatch.setattr(as_imported, "require_control_groups", lambda: None)
        return PyFileConfigLoader(str(ROOT / "classroom/jupyterhub_config.py")).load_config()

    yield read
    sys.modules.pop("limits", None)


@pytest.mark.parametrize("systemd", [True, False])
def test_every_setting_exists_and_limits_are_enforced(read_config, systemd):
    config = read_config(systemd)
    unknown = [
        f"{section}.{name}"
        for section, settings in config.items()
        for name in settings
        if name not in CLASSES[section].class_traits(config=True)
    ]
    assert unknown == []
    assert config.Spawner.mem_limit == "2G"
    assert config.Spawner.cpu_limit == 2.0
    chosen = config.JupyterHub.spawner_class
    if systemd:
        assert chosen == "systemdspawner.SystemdSpawner"
        assert config.SystemdSpawner.unit_extra_properties["OOMPolicy"] == "continue"
    else:
        assert chosen.__name__ == "CgroupSpawner"
    assert config.JupyterHub.bind_url.startswith("http://127.0.0.1:"), "TLS stands in front"


@pytest.mark.parametrize("mode", [0o777, 0o755, 0o1775])
def test_an_exchange_that_is_not_safe_is_refused(read_config, mode):
    exchange = Path(os.environ["COURSE_HUB_EXCHANGE"])
    exchange.chmod(mode)
    with pytest.raises(RuntimeError, match=f"install -d -m 1777 {exchange}"):
        read_config(True)


def test_an_exchange_that_is_missing_is_refused(read_config):
    exchange = Path(os.environ["COURSE_HUB_EXCHANGE"])
    exchange.rmdir()
    with pytest.raises(RuntimeError, match="the exchange is not ready"):
        read_config(True)


REACH = """
import importlib.util, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("hub_inside", sys.argv[1])
inside = importlib.util.module_from_spec(spec)
spec.loader.exec_module(inside)
closed, staging = Path(sys.argv[2]), Path(sys.argv[3])
inside.make_reachable([closed], staging)
inside.run("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "cat",
           str(closed / "file"), str(closed / "folder" / "inner"))
assert not list(Path("/tmp").glob("*")) or closed.is_relative_to("/tmp")
"""


@pytest.mark.usefixtures("mounts")
@pytest.mark.parametrize("place", ["/var/tmp", "/tmp"])
def test_a_course_in_a_closed_folder_is_reached_by_the_tests_users(place):
    with TemporaryDirectory(prefix="convnet-reach-", dir=place) as name:
        closed = Path(name) / "closed"
        (closed / "folder").mkdir(parents=True)
        (closed / "file").write_text("a file, ")
        (closed / "folder" / "inner").write_text("and one inside")
        closed.chmod(0o700)
        with TemporaryDirectory(prefix="convnet-reach-", dir="/var/tmp") as staging:
            inside = Path(__file__).with_name("hub_inside.py")
            arguments = [str(inside), str(closed), str(Path(staging) / "staging")]
            done = subprocess.run(
                ["unshare", "--mount", sys.executable, "-c", REACH, *arguments],
                capture_output=True, text=True,
            )  # fmt: skip
        assert (done.stdout, done.returncode) == ("a file, and one inside", 0), done.stderr
        assert closed.stat().st_mode & 0o777 == 0o700, "only in there, not outside"


GUIDE = (ROOT / "classroom" / "hub.md").read_text("utf-8")


def test_the_guide_lists_every_setting_with_its_default():
    config = (ROOT / "classroom" / "jupyterhub_config.py").read_text("utf-8")
    settings = re.findall(r'setting\("(\w+)", "([^"]+)"\)', config)
    assert len(settings) == 9
    rows = dict(re.findall(r"^\| `COURSE_HUB_(\w+)` \| `([^`]+)` \|", GUIDE, re.MULTILINE))
    assert rows == dict(settings)


def test_the_tests_machine_is_set_up_as_the_guide_says():
    inside = Path(__file__).with_name("hub_inside.py").read_text("utf-8")
    modes = re.findall(r"install -d -m (\d+) .*?(?:exchange|convnet|inbound)$", GUIDE, re.MULTILINE)
    assert modes == ["1777", "755", "3733"]
    assert all(f'"{mode}"' in inside for mode in modes)


def test_the_service_starts_what_the_guide_installs():
    service = (HUB / "jupyterhub.service").read_text("utf-8")
    assert "EnvironmentFile=-/etc/convnet-hub.conf" in service and "/etc/convnet-hub.conf" in GUIDE
    command = re.search(r"^ExecStart=(\S+) -f (\S+)$", service, re.MULTILINE).groups()
    assert command[0] == "/srv/convnet-course/.venv/bin/jupyterhub"
    assert (ROOT / Path(command[1]).relative_to("/srv/convnet-course")).is_file()
    assert "git clone YOUR-COPY-OF-THE-COURSE /srv/convnet-course" in GUIDE

"""A machine with a real hub for the tests, and people who use it over HTTP."""

import fcntl
import json
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.parse import quote

import psutil
import requests
import websocket

ROOT = Path(__file__).resolve().parents[2]
PLACE = Path("/var/tmp")
PREFIX = "convnet-hub-test-"
COURSE = "convnet"
PATIENCE = 900  # seconds, for a machine that is ten times slower than it should be


def wait_for(what: Callable[[], Any], name: str, seconds: float = PATIENCE) -> Any:
    """Ask again and again until the answer is true; return it."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"waited {seconds} seconds for {name}"
        time.sleep(0.2)
    return found


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    with ExitStack() as stack:
        made = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in made]


def sweep() -> None:
    """Remove what a run left that was killed; one that still runs holds its lock."""
    for folder in PLACE.glob(f"{PREFIX}*"):
        lock = folder / "lock"
        if not lock.is_file():
            continue
        with lock.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            remove_groups(folder.name)
            shutil.rmtree(folder, ignore_errors=True)


def group_folders(name: str) -> list[Path]:
    """Return what there is of the control groups of a run, the innermost first."""
    tops = [*Path("/sys/fs/cgroup").glob(name), *Path("/sys/fs/cgroup").glob(f"*/{name}")]
    tops = list({top.resolve(): top for top in tops}.values())  # `cpu` may be a link
    return [folder for top in tops for folder in (*(p for p in top.glob("*") if p.is_dir()), top)]


def remove_groups(name: str) -> None:
    """Remove the control groups of a run."""
    for folder in group_folders(name):
        folder.rmdir()


class Machine:
    """A hub with a teacher and learners, in namespaces of its own."""

    def __init__(self, learners: int = 3) -> None:
        """Choose names, numbers and ports; nothing starts yet."""
        self.base = Path(mkdtemp(prefix=PREFIX, dir=PLACE))
        self.base.chmod(0o755)
        self.lock = (self.base / "lock").open("w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        token = secrets.token_hex(3)
        self.teacher = f"cht{token}teacher"
        self.learners = [f"cht{token}s{number}" for number in range(1, learners + 1)]
        self.gid = 50_000 + secrets.randbelow(9_000)
        self.passwords = {name: secrets.token_urlsafe(12) for name in self.names}
        self.ports = free_ports(3)
        self.url = f"http://127.0.0.1:{self.ports[0]}"

    @property
    def names(self) -> list[str]:
        """Everybody, the teacher first."""
        return [self.teacher, *self.learners]

    @property
    def uids(self) -> range:
        """The numbers of the users, and of the learners' group before them."""
        return range(self.gid, self.gid + len(self.names) + 1)

    @property
    def home(self) -> Path:
        """Where the homes are."""
        return self.base / "home"

    @property
    def log(self) -> str:
        """What the hub has said."""
        file = self.base / "hub.log"
        return file.read_text(errors="replace") if file.is_file() else ""

    def command(self) -> list[str]:
        """The hub's command line: the course's own config, with ports that are free."""
        _, hub, proxy = self.ports
        return [
            sys.executable, "-m", "jupyterhub", "-f", str(ROOT / "classroom/jupyterhub_config.py"),
            f"--JupyterHub.hub_port={hub}",
            f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{proxy}",
            f"--CgroupSpawner.group={self.base.name}",
            f"--Spawner.start_timeout={PATIENCE}",
            f"--Spawner.http_timeout={PATIENCE}",
        ]  # fmt: skip

    def environment(self) -> dict[str, str]:
        """What the hub's service has in its environment: the settings, and little else."""
        settings = {
            "BIND_URL": self.url,
            "STATE": str(self.base / "state"),
            "EXCHANGE": str(self.base / "exchange"),
            "COURSE": COURSE,
            "TEACHERS": self.teacher,
            "LEARNERS": self.base.name[-20:],
            "MEMORY": "2G",
        }
        path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        return {"PATH": path, "LANG": "C.UTF-8"} | {
            f"COURSE_HUB_{name}": value for name, value in settings.items()
        }

    def plan(self) -> dict[str, Any]:
        """All that the process inside has to know."""
        users = {
            name: {"password": self.passwords[name], "learner": name != self.teacher}
            for name in self.names
        }
        visible = {str(Path(path).resolve()) for path in (ROOT, sys.prefix, sys.base_prefix)}
        return {
            "root": str(ROOT),
            "visible": sorted(visible),
            "course": COURSE,
            "teacher": self.teacher,
            "users": users,
            "group": self.base.name[-20:],
            "gid": self.gid,
            "command": self.command(),
            "environment": self.environment(),
        }

    def __enter__(self) -> "Machine":
        """Start, and wait until the hub answers."""
        (self.base / "plan.json").write_text(json.dumps(self.plan()))
        (self.base / "plan.json").chmod(0o600)
        inside = [sys.executable, str(Path(__file__).with_name("hub_inside.py")), str(self.base)]
        with (self.base / "inside.log").open("w") as log:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *inside],
                stdin=subprocess.PIPE, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            wait_for(self._answers, "the hub")
        except BaseException:
            self.__exit__()
            raise
        return self

    def _answers(self) -> bool:
        said = (self.base / "inside.log").read_text()
        assert self.process.poll() is None, f"the hub has ended:\n{said}\n{self.log[-3000:]}"
        try:
            return requests.get(f"{self.url}/hub/health", timeout=5).ok
        except requests.ConnectionError:
            return False

    def __exit__(self, *_: object) -> None:
        """End the hub, as its service would, and everything else by force."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def processes(self) -> list[str]:
        """Return the command lines of all processes of these users on the real machine."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.uids().real in self.uids:
                    found.append(" ".join(process.cmdline()))
            except psutil.Error:
                continue
        return found

    def leftovers(self) -> list[str]:
        """Return what is still there after the end."""
        wait_for(lambda: not self.processes(), "the end of the users' processes")
        try:
            wait_for(lambda: self._groups_are_gone(), "the end of the control groups", 60)
        except OSError as error:
            return [str(error)]
        shutil.rmtree(self.base)
        self.lock.close()
        texts = {name: Path("/etc", name).read_text() for name in ("passwd", "group", "shadow")}
        left = [f"{name} in /etc/{file}" for file, text in texts.items() for name in self.names
                if name in text]  # fmt: skip
        left += [str(p) for p in (Path("/home"), Path("/var/mail")) for p in p.glob("cht*")]
        return left + [str(folder) for folder in group_folders(self.base.name)]

    def _groups_are_gone(self) -> bool:
        try:
            remove_groups(self.base.name)
        except OSError:  # a process that is still ending
            return False
        return True


class Person:
    """Somebody who uses the hub by HTTP, as a browser does."""

    def __init__(self, machine: Machine, name: str) -> None:
        """Take who it is."""
        self.machine, self.name = machine, name
        self.session = requests.Session()
        self.token = ""

    def log_in(self, password: str | None = None) -> requests.Response:
        """Fill in the form of the login page."""
        page = f"{self.machine.url}/hub/login"
        self.session.get(page, timeout=PATIENCE)
        form = {
            "username": self.name,
            "password": self.machine.passwords[self.name] if password is None else password,
            "_xsrf": self.session.cookies.get("_xsrf", path="/hub/"),
        }
        return self.session.post(f"{page}?next=/hub/home", data=form, timeout=PATIENCE)

    def hub(self, method: str, path: str, **options: Any) -> requests.Response:
        """Ask the hub's API."""
        header = {"X-XSRFToken": self.session.cookies.get("_xsrf", path="/hub/")}
        url = f"{self.machine.url}/hub/api/{path}"
        return self.session.request(method, url, headers=header, timeout=PATIENCE, **options)

    def start(self) -> None:
        """Log in and start the server."""
        assert self.log_in().url.endswith("/hub/home")
        reply = self.hub("POST", f"users/{self.name}/server")
        assert reply.status_code in (201, 202), reply.text
        wait_for(self._is_started, f"the server of {self.name}")
        self.token = self.hub("POST", f"users/{self.name}/tokens", json={}).json()["token"]

    def _is_started(self) -> bool:
        state = self.hub("GET", f"users/{self.name}").json()
        assert state["server"] or state["pending"], f"it failed:\n{self.machine.log[-3000:]}"
        return bool(state["server"])

    def stop(self) -> None:
        """Stop the server, and wait for its end."""
        assert self.hub("DELETE", f"users/{self.name}/server").status_code in (202, 204)
        wait_for(lambda: not self.hub("GET", f"users/{self.name}").json()["servers"], "its end")

    def ask(
        self, method: str, path: str, of: str | None = None, **options: Any
    ) -> requests.Response:
        """Ask a server, one's own or somebody else's."""
        url = f"{self.machine.url}/user/{of or self.name}/{path}"
        header = {"Authorization": f"token {self.token}"}
        return requests.request(method, url, headers=header, timeout=PATIENCE, **options)

    def json(self, method: str, path: str, **options: Any) -> Any:
        """Ask one's own server for JSON that must come."""
        reply = self.ask(method, path, **options)
        assert reply.ok, f"{method} {path}: {reply.status_code} {reply.text[:2000]}"
        return reply.json()

    def read(self, path: str) -> Any:
        """Read a file of one's home."""
        return self.json("GET", f"api/contents/{quote(path)}")["content"]

    def save(self, path: str, notebook: Any) -> None:
        """Save a notebook in one's home."""
        body = {"type": "notebook", "format": "json", "content": notebook}
        self.json("PUT", f"api/contents/{quote(path)}", json=body)

    def run(self, *cells: str) -> list[str]:
        """Run cells in a new kernel; return what each printed, with its error if there is one."""
        kernel = self.json("POST", "api/kernels", json={"name": "python3"})["id"]
        url = f"ws{self.machine.url[4:]}/user/{self.name}/api/kernels/{kernel}/channels"
        header = [f"Authorization: token {self.token}"]
        link = websocket.create_connection(url, header=header, timeout=PATIENCE)
        try:
            return [run_cell(link, cell) for cell in cells]
        finally:
            link.close()
            self.ask("DELETE", f"api/kernels/{kernel}")


def run_cell(link: Any, code: str) -> str:
    """Run one cell; return what it printed, and the name and text of its error."""
    number = secrets.token_hex(16)
    header = {"msg_id": number, "msg_type": "execute_request", "username": "", "session": number,
              "version": "5.3", "date": "2026-01-01T00:00:00Z"}  # fmt: skip
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {},
               "allow_stdin": False, "stop_on_error": True}  # fmt: skip
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content,
               "channel": "shell", "buffers": []}  # fmt: skip
    link.send(json.dumps(message))
    printed = ""
    while True:
        reply = json.loads(link.recv())
        kind, content = reply["msg_type"], reply["content"]
        if reply["parent_header"].get("msg_id") != number:
            continue
        if kind == "stream":
            printed += content["text"]
        elif kind == "error":
            printed += f"{content['ename']}: {content['evalue']}"
        elif kind == "status" and content["execution_state"] == "idle":
            return printed

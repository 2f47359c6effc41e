"""JupyterHub for a class on one machine. `classroom/hub.md` says how to set it up, and why so.

Everybody is a user of the system: they log in with the password that they have there (PAM), their
server runs under their name, and what one may read of another is what file permissions allow. What
differs from class to class is read from the environment, and listed here with its default.
"""

import os
import stat
import sys
from pathlib import Path

root = Path(__file__).resolve().parent.parent
hub = root / "classroom" / "hub"
sys.path.insert(0, str(hub))

from limits import CgroupSpawner, require_control_groups  # noqa: E402 - its folder is known now

from course_utils.startup import SPIN_COUNT  # noqa: E402


def setting(name: str, default: str) -> str:
    """Return COURSE_HUB_name from the environment."""
    return os.environ.get(f"COURSE_HUB_{name}", default)


bind_url = setting("BIND_URL", "http://127.0.0.1:8000")  # TLS is what stands in front of it
state = Path(setting("STATE", "/srv/jupyterhub"))  # the hub's database and secrets
exchange = Path(setting("EXCHANGE", "/srv/nbgrader/exchange"))
course = setting("COURSE", "convnet")  # nbgrader's name of the course
teachers = set(setting("TEACHERS", "teacher").split())
learners = setting("LEARNERS", "learners")  # the group of those who may log in
memory = setting("MEMORY", "2G")  # a learner; hub.md has what was measured
processors = float(setting("PROCESSORS", "2"))  # a learner's share at most
idle = int(setting("IDLE_MINUTES", "60"))  # then a server is stopped; files stay


def require_exchange() -> None:
    """Refuse to start with an exchange in which people could replace each other's folders.

    Raises:
        RuntimeError: It is missing, or has other permissions; the message has the command.
    """
    wanted = stat.S_ISVTX | 0o777  # everybody makes folders, nobody renames another's
    if not exchange.is_dir() or stat.S_IMODE(exchange.stat().st_mode) != wanted:
        raise RuntimeError(f"the exchange is not ready: install -d -m 1777 {exchange}")


def config_path(spawner) -> str:
    """Return where a user's Jupyter finds settings: those of the role win over everybody's."""
    role = "teacher" if spawner.user.name in teachers else "learner"
    return os.pathsep.join([str(hub / role), str(hub / "everyone")])


c = get_config()  # noqa: F821 - traitlets puts it there
require_exchange()

# --- the hub and its proxy
# Debian's proxy is made of modules in a place that a Node.js from elsewhere does not look into.
os.environ.setdefault("NODE_PATH", "/usr/share/nodejs")
c.JupyterHub.bind_url = bind_url
c.JupyterHub.db_url = f"sqlite:///{state / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(state / "cookie_secret")
c.ConfigurableHTTPProxy.pid_file = str(state / "proxy.pid")
c.JupyterHub.concurrent_spawn_limit = 20  # a class comes all at once; the rest waits a little

# --- who may come in
c.JupyterHub.authenticator_class = "pam"
c.PAMAuthenticator.allowed_users = teachers
c.PAMAuthenticator.allowed_groups = {learners}  # nobody else, and no service's account
c.JupyterHub.load_roles = [
    {
        "name": "teachers",  # see who is there, stop a server that hangs; not read in it
        "users": sorted(teachers),
        "scopes": ["admin-ui", "list:users", "read:users:activity", "read:servers", "servers"],
    },
    {
        "name": "idle-culler",
        "services": ["idle-culler"],
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
    },
]

# --- each one's server
c.Spawner.cmd = [sys.executable, str(hub / "start_server.py")]
c.Spawner.default_url = "/lab/tree/lessons/00_start_here.ipynb"
c.Spawner.environment = {
    "JUPYTER_CONFIG_PATH": config_path,
    # Questions have numbers of each student's own, drawn by the name that the grader sees, too.
    "COURSE_STUDENT": lambda spawner: spawner.user.name,
    "COURSE_HUB_EXCHANGE": str(exchange),
    "COURSE_HUB_COURSE": course,
    # More threads than the limit pays for would spend their time stopped.
    "OMP_NUM_THREADS": str(max(1, int(processors))),
    # Beside busy neighbours a thread has to give its processor away soon. Memory is what a class
    # is short of: here, freed memory goes back to the system, though training is slower for it.
    "GOMP_SPINCOUNT": str(SPIN_COUNT),
}
if "COURSE_DATA" in os.environ:  # a folder with full data sets, readable by all
    c.Spawner.environment["COURSE_DATA"] = os.environ["COURSE_DATA"]
c.Spawner.start_timeout = 120  # seconds; a machine is slow when a whole class logs in
c.Spawner.http_timeout = 120

# --- what it may use: counted for all processes of a learner together, and enforced by the kernel
c.Spawner.mem_limit = memory
c.Spawner.cpu_limit = processors
if Path("/run/systemd/system").is_dir():
    c.JupyterHub.spawner_class = "systemdspawner.SystemdSpawner"
    c.JupyterHub.cleanup_servers = False  # units of their own: a restart throws nobody out
    c.SystemdSpawner.isolate_tmp = True
    c.SystemdSpawner.disable_user_sudo = True
    c.SystemdSpawner.unit_extra_properties = {
        "MemorySwapMax": "0",  # a learner who swaps slows everybody down
        "TasksMax": "512",
        "OOMPolicy": "continue",  # the notebook that took too much ends, the server stays
    }
else:
    require_control_groups()
    c.JupyterHub.spawner_class = CgroupSpawner
    c.LocalProcessSpawner.interrupt_timeout = 10

# --- servers that nobody uses
c.JupyterHub.services = [
    {
        "name": "idle-culler",
        "command": [
            sys.executable, "-m", "jupyterhub_idle_culler",
            f"--timeout={60 * idle}", f"--cull-every={min(300, 60 * idle)}",
        ],
    }
]  # fmt: skip

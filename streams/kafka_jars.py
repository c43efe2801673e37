"""The jars of Apache Kafka, from Maven Central into a cache, each checked by its SHA-256.

`kafka_jars.txt` is the frozen list, one line a jar: `group:artifact:version bytes sha256`. It is the run-time closure of kafka_2.13,
kafka-clients, kafka-tools and slf4j-simple without Kafka Connect (and the web server that only Connect needs).

- The cache is `$STRANDLINE_CACHE`, or `$XDG_CACHE_HOME/strandline`, or `~/.cache/strandline`.
- A jar appears under its name only when it is whole and right; several processes may fetch at once.
- `$STRANDLINE_MAVEN` names a mirror of Maven Central.
"""

from __future__ import annotations

import hashlib
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from tempfile import NamedTemporaryFile

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from streams.errors import KafkaUnavailableError

__all__ = ["Jar", "cache_directory", "fetch_jars", "kafka_jars"]

MAVEN_CENTRAL = "https://repo.maven.apache.org/maven2"
_TRIES = 3
_TIMEOUT_S = 30.0
_CHUNK_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the list. `path` is its path below a Maven repository's address."""

    path: str
    size: int
    sha256: str

    @classmethod
    def of_line(cls, line: str) -> Jar:
        coordinates, size, sha256 = line.split()
        group, artifact, version = coordinates.split(":")
        return cls(f"{group.replace('.', '/')}/{artifact}/{version}/{artifact}-{version}.jar", int(size), sha256)

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[1]


def kafka_jars() -> list[Jar]:
    """Give the frozen list."""
    return [Jar.of_line(line) for line in files("streams").joinpath("kafka_jars.txt").read_text().splitlines()]


def cache_directory() -> Path:
    """Give the folder in which Strandline keeps what it can fetch again."""
    if chosen := os.environ.get("STRANDLINE_CACHE"):
        return Path(chosen)
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared) / "strandline"
    return Path.home() / ".cache" / "strandline"


def fetch_jars(jars: Sequence[Jar], directory: Path) -> list[Path]:
    """Bring the jars that `directory` lacks, with a progress bar, and give all their paths in order.

    Raises:
        KafkaUnavailableError: a jar cannot be fetched, or what came is not what the list says.
    """
    directory.mkdir(parents=True, exist_ok=True)
    missing = [jar for jar in jars if not (directory / jar.name).exists()]
    if missing:
        columns = (TextColumn("Apache Kafka"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress, ThreadPoolExecutor(8) as pool:
            task = progress.add_task("", total=sum(jar.size for jar in missing))
            context = _tls_context()
            waiting = [
                pool.submit(_fetch, jar, directory, context, lambda n: progress.advance(task, n)) for jar in missing
            ]
            for fetched in waiting:
                fetched.result()
    return [directory / jar.name for jar in jars]


def _fetch(jar: Jar, directory: Path, context: ssl.SSLContext, advance: Callable[[int], None]) -> None:
    repository = os.environ.get("STRANDLINE_MAVEN", MAVEN_CENTRAL).rstrip("/")
    address = f"{repository}/{jar.path}"
    reason: object = None
    for _ in range(_TRIES):
        come = 0
        try:
            with NamedTemporaryFile(dir=directory, suffix=".part", delete=False) as part:
                try:
                    digest = hashlib.sha256()
                    with urllib.request.urlopen(address, timeout=_TIMEOUT_S, context=context) as answer:
                        while chunk := answer.read(_CHUNK_BYTES):
                            part.write(chunk)
                            digest.update(chunk)
                            come += len(chunk)
                            advance(len(chunk))
                    part.close()
                    if digest.hexdigest() == jar.sha256:
                        os.replace(part.name, directory / jar.name)
                        return
                    reason = f"its SHA-256 is {digest.hexdigest()}, expected {jar.sha256}"
                finally:
                    Path(part.name).unlink(missing_ok=True)
        except (OSError, urllib.error.URLError) as error:
            reason = error
        advance(-come)
    raise KafkaUnavailableError(
        f"cannot fetch {address}: {reason}.\n"
        "Strandline starts its own Apache Kafka from these jars. Three ways on: set KAFKA_BOOTSTRAP_SERVERS to a Kafka of yours; "
        f"set STRANDLINE_MAVEN to a mirror of Maven Central; or put the jar into {directory} yourself."
    )


def _tls_context() -> ssl.SSLContext:
    """Trust what the system trusts, and the well-known authorities where the Python has none of its own (macOS installers)."""
    context = ssl.create_default_context()
    if not context.get_ca_certs() and not os.environ.get("SSL_CERT_FILE"):
        try:
            import certifi
        except ImportError:
            return context
        context.load_verify_locations(certifi.where())
    return context

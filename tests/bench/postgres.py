"""The peer: PostgreSQL doing the same work. One durable UPDATE per transaction of one jsonb document out of many, with

    audit   a trigger that keeps every version in a history table
    chain   the same, and one SHA-256 chain over all changes: the trigger takes the chain's head FOR UPDATE

Driven by PostgreSQL's own pgbench with prepared statements over TCP, which costs the machine less than any Python client: the
comparison is in PostgreSQL's favour. Nothing is replicated from it, while Strandline publishes to Kafka meanwhile.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import socket
import subprocess
from pathlib import Path

from load import percentiles

_SETTINGS = {
    "synchronous_commit": "on",
    "fsync": "on",
    "wal_level": "logical",
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "max_connections": "100",
    "listen_addresses": "127.0.0.1",
}

_SCHEMA = """
CREATE TABLE vehicle (vin text PRIMARY KEY, version int NOT NULL DEFAULT 0, data jsonb NOT NULL);
CREATE TABLE vehicle_history (
    vin text, version int, data jsonb NOT NULL, tx_id xid8 NOT NULL, tx_time timestamptz NOT NULL, hash bytea, PRIMARY KEY (vin, version)
);
CREATE TABLE chain (only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), height bigint NOT NULL, hash bytea NOT NULL);
INSERT INTO chain VALUES (true, 0, sha256(''));
"""

_AUDIT = """
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    INSERT INTO vehicle_history VALUES (NEW.vin, NEW.version, NEW.data, pg_current_xact_id(), now(), NULL);
    RETURN NEW;
END $$;
"""

_CHAIN = """
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE head bytea;
BEGIN
    NEW.version := OLD.version + 1;
    SELECT hash INTO head FROM chain FOR UPDATE;
    head := sha256(head || convert_to(NEW.vin || ' ' || NEW.version || ' ' || NEW.data::text, 'UTF8'));
    UPDATE chain SET height = height + 1, hash = head;
    INSERT INTO vehicle_history VALUES (NEW.vin, NEW.version, NEW.data, pg_current_xact_id(), now(), head);
    RETURN NEW;
END $$;
"""

VARIANTS = {"audit": _AUDIT, "chain": _CHAIN}

_FILL = """
INSERT INTO vehicle SELECT 'VIN' || lpad(n::text, 14, '0'), 0, jsonb_build_object('VIN', 'VIN' || lpad(n::text, 14, '0'), 'Type', 'Sedan',
    'Year', 2011 + n % 15, 'Make', 'Audi', 'Model', 'A5', 'Color', 'Silver', 'Owner', 'owner ' || n, 'Mileage', 0)
FROM generate_series(0, {last}) AS n;
CREATE TRIGGER keep BEFORE UPDATE ON vehicle FOR EACH ROW EXECUTE FUNCTION keep();
VACUUM ANALYZE;
"""

_SCRIPT = r"""
\set n random({first}, {last})
\set mileage random(0, 999999)
UPDATE vehicle SET data = jsonb_set(data, '{{Mileage}}', to_jsonb(:mileage::int)) WHERE vin = 'VIN' || lpad(:n::text, 14, '0');
"""


class NoPostgresError(Exception):
    """There is none and none can be installed."""


def find_postgres() -> Path:
    """Give the folder of its programs; install it with apt-get if there is none and this is root. Raises NoPostgresError."""
    found = _installed()
    if found is None and shutil.which("apt-get") and os.geteuid() == 0:
        print("installing PostgreSQL with apt-get", flush=True)
        quiet = {"stdout": subprocess.DEVNULL, "env": os.environ | {"DEBIAN_FRONTEND": "noninteractive"}}
        subprocess.run(["apt-get", "update", "-qq"], check=False, **quiet)  # type: ignore[call-overload]  # one set of arguments for both
        for package in ("postgresql-15", "postgresql"):
            done = subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", package], **quiet)  # type: ignore[call-overload]  # as above
            if done.returncode == 0:
                break
        found = _installed()
    if found is None:
        raise NoPostgresError(
            "no PostgreSQL with pgbench found; install postgresql-15 (Debian, Ubuntu: apt-get install postgresql-15)"
        )
    return found


def _installed() -> Path | None:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name != "15")
    if on_path := shutil.which("initdb"):
        folders.append(Path(on_path).parent)
    return next(
        (folder for folder in folders if all((folder / name).exists() for name in ("initdb", "pgbench", "postgres"))),
        None,
    )


class Postgres:
    """A server of its own in a directory of its own, run by an ordinary user, with one database for each variant."""

    def __init__(self, programs: Path, directory: Path, documents: int) -> None:
        self._programs, self._directory, self._documents = programs, directory, documents
        self._user = _ordinary_user()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        directory.mkdir()
        if os.geteuid() == 0:
            shutil.chown(directory, self._user, pwd.getpwnam(self._user).pw_gid)
        self._run(
            "initdb", "-D", str(directory / "data"), "-U", "bench", "-A", "trust", "--encoding=UTF8", "--locale=C"
        )
        settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        log = (directory / "log").open("wb")
        command = [
            str(programs / "postgres"),
            "-D",
            str(directory / "data"),
            "-p",
            str(self._port),
            "-k",
            str(directory),
            *settings,
        ]
        self._process = subprocess.Popen(command, stdout=log, stderr=log, **self._as_user())  # type: ignore[call-overload]  # user and group only for root
        self._run("pg_isready", "-h", "127.0.0.1", "-p", str(self._port), "-t", "30", tries=100)
        for variant, trigger in VARIANTS.items():
            self._sql("postgres", f"CREATE DATABASE {variant}")
            self._sql(variant, _SCHEMA + trigger)
            self._sql(variant, _FILL.format(last=documents - 1))
        self.version = self._run("postgres", "--version").strip()

    def measure(self, variant: str, *, clients: int, seconds: int, hot: bool) -> dict[str, object]:
        """Run pgbench; give tps and latencies in the load generator's form."""
        script = self._directory / "update.sql"
        script.write_text(_SCRIPT.format(first=0, last=0 if hot else self._documents - 1))
        prefix = self._directory / "latency"
        options = ["-n", "-M", "prepared", "-h", "127.0.0.1", "-p", str(self._port), "-U", "bench", "-f", str(script)]
        options += ["-c", str(clients), "-j", str(min(clients, 2))]
        self._run("pgbench", *options, "-T", "1", variant)
        told = self._run("pgbench", *options, "-T", str(seconds), "-l", "--log-prefix", str(prefix), variant)
        logs = list(self._directory.glob("latency.*"))
        latencies = [int(line.split()[2]) / 1000 for log in logs for line in log.read_text().splitlines()]
        for log in logs:
            log.unlink()
        tps = re.search(r"^tps = ([\d.]+)", told, re.MULTILINE)
        assert tps is not None, told
        return {"tps": float(tps[1]), "latencyMs": percentiles(latencies)}

    def heights(self) -> dict[str, int]:
        """Give how many changes each variant recorded: the proof that its trigger worked."""
        return {variant: int(self._sql(variant, "SELECT count(*) FROM vehicle_history")) for variant in VARIANTS}

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)

    def _sql(self, database: str, text: str) -> str:
        where = ("-h", "127.0.0.1", "-p", str(self._port), "-U", "bench", "-d", database)
        return self._run("psql", *where, "-X", "-qAt", "-v", "ON_ERROR_STOP=1", text=text)

    def _as_user(self) -> dict[str, object]:
        return {"user": self._user, "group": pwd.getpwnam(self._user).pw_gid} if os.geteuid() == 0 else {}

    def _run(self, program: str, *arguments: str, text: str = "", tries: int = 1) -> str:
        command = [str(self._programs / program), *arguments]
        for _ in range(tries):
            done = subprocess.run(
                command, cwd=self._directory, input=text, capture_output=True, text=True, check=False, **self._as_user()
            )  # type: ignore[call-overload]  # user and group only for root
            if done.returncode == 0:
                return done.stdout
        raise RuntimeError(f"{' '.join(command)} failed: {done.stdout}{done.stderr}")


def _ordinary_user() -> str:
    """Who runs the server: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise NoPostgresError("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")

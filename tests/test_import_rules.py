"""Who may import whom: the contracts of pyproject.toml, and what an outsider may use of the ledger."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import typer

import strandline

ROOT = Path(__file__).parent.parent

OPEN_TO_CONSUMERS = {
    "values", "errors", "block", "ids", "ion", "iontext", "hashing", "merkle", "seal_hashes", "verify", "receipt",
}  # fmt: skip
"""The modules of the ledger that consumers may use: values and the offline verifier. Only the demo drives everything."""


def imported(path: Path) -> set[str]:
    """Give the dotted names that a file imports, wherever in it; `from a import b` gives `a.b`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_the_contracts_of_pyproject_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_consumers_know_of_the_ledger_only_values_and_verifier() -> None:
    forbidden = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / "consumers").rglob("*.py")
        if "demo" not in path.relative_to(ROOT).parts
        for name in imported(path)
        if name.split(".")[0] == "ledger" and name.split(".")[1] not in OPEN_TO_CONSUMERS
    }
    assert forbidden == set()


def test_an_auditor_runs_the_verifier_without_the_database() -> None:
    """Importing the verifiers brings neither the server nor Kafka nor any store into the process."""
    heavy = "{'lmdb', 'duckdb', 'pyarrow', 'confluent_kafka', 'aiokafka', 'uvloop', 'ledger.database'}"
    code = f"import sys, ledger.verify, ledger.imported, ledger.receipt; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_front_door_lists_every_command_of_every_room() -> None:
    for room, commands in strandline.ROOMS.items():
        assert set(typer.main.get_group(import_module(room).app).commands) == set(commands), room


def test_a_command_starts_without_the_other_rooms() -> None:
    code = (
        "import sys, strandline; sys.argv = ['strandline', 'publish', '--help']\n"
        "try: strandline.main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'ledger.server', 'duckdb', 'pyarrow', 'consumers.cli', 'ledger.cli'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"

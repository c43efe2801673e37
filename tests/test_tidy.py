"""Style as law: what a reviewer would otherwise say again and again. Every exception stands here with its reason."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("ledger", "streams", "consumers", "schemas")

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
FILE_BYTES_MAX = 512 * 1024

LONG_FILES: dict[str, str] = {}
"""Files over 400 lines: path -> why it is one thing."""

SLEEPS: dict[str, str] = {
    "ledger/database.py": "backs off before a transaction that conflicted is tried again",
    "ledger/journal/directory.py": "another process may be letting go of the ledger's lock; the kernel tells nobody when",
    "ledger/journal/wakeup.py": "where no socket can be had, a reader looks at the mark again",
    "streams/local_kafka.py": "a broker that starts or ends tells nobody",
    "tests/bench/bed.py": "looks at how far the publisher is, now and then, so as not to disturb what is measured",
    "tests/bench/load.py": "transactions begin by the clock",
}
"""Files that wait for time itself, never for a state that could be asked or awaited: path -> for what."""

BROAD_EXCEPTS: dict[str, str] = {
    "ledger/committer.py": "the committer's thread: what it cannot explain kills the handle; one statement's bug fails that statement",
    "ledger/server/app.py": "one request: the server goes on, the client learns the id under which the log has it",
}
"""Outermost loops of a process or thread, and guards that pass the error on whole: path -> which."""

ABOLISHED_NAMES = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}

DYNAMIC = ("ledger/partiql/",)
"""Here compiled closures hand over values whose type the statement decides at run time: no reason is asked for each."""

MACHINE_PATHS = re.compile(r"(?<![\w.}])/(?:work|root|home|Users)/|\.\./shared\b")
"""Paths of somebody's machine. The repository stands alone."""


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, capture_output=True, check=True, text=True
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def is_product(path: Path) -> bool:
    return name_of(path).split("/")[0] in ROOMS or name_of(path) == "strandline.py"


PYTHON = tracked("*.py")
SYNTAX = {path: ast.parse(path.read_text(), str(path)) for path in PYTHON}
NODES = [(name_of(path), node) for path, tree in SYNTAX.items() for node in ast.walk(tree)]
PRODUCT = [path for path in PYTHON if is_product(path)]


def test_there_is_something_to_check() -> None:
    assert len(PRODUCT) > 30


def test_files_are_short_enough_to_read() -> None:
    lines = {name_of(path): path.read_text().count("\n") for path in PYTHON}
    assert {name: n for name, n in lines.items() if n > FILE_LINES_MAX and name not in LONG_FILES} == {}
    assert {name for name in LONG_FILES if lines.get(name, 0) <= FILE_LINES_MAX} == set(), "no longer long: unlist it"


def test_functions_are_short_enough_to_read() -> None:
    long = {
        f"{name}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for name, node in NODES
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES_MAX
    }
    assert long == {}


def test_names_say_what_a_thing_is() -> None:
    modules = {name_of(path) for path in PYTHON if path.stem in ABOLISHED_NAMES or path.parent.name in ABOLISHED_NAMES}
    classes = {
        f"{name}:{node.lineno} {node.name}"
        for name, node in NODES
        if isinstance(node, ast.ClassDef) and re.search(r"(?:Manager|Helper|Utils?|Base)$", node.name)
    }
    assert modules | classes == set()


def test_modules_of_the_product_begin_with_what_they_know() -> None:
    silent = {name_of(path) for path in PRODUCT if path.stat().st_size and ast.get_docstring(SYNTAX[path]) is None}
    assert silent == set()


def test_nothing_sleeps_to_wait_for_a_state() -> None:
    sleeping = {
        name
        for name, node in NODES
        if isinstance(node, ast.Call) and re.fullmatch(r"(?:time\.|asyncio\.)?sleep", ast.unparse(node.func))
        and not (node.args and ast.unparse(node.args[0]) == "0")
    }  # fmt: skip
    assert sleeping - SLEEPS.keys() == set()
    assert SLEEPS.keys() - sleeping == set(), "no longer sleeps: unlist it"


def test_every_exception_is_caught_by_its_type() -> None:
    broad = {
        name
        for name, node in NODES
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or {"Exception", "BaseException"} & set(re.findall(r"\w+", ast.unparse(node.type))))
        and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
    }
    assert broad - BROAD_EXCEPTS.keys() == set()
    assert BROAD_EXCEPTS.keys() - broad == set(), "no longer catches everything: unlist it"


def test_type_checks_are_switched_off_only_with_a_reason() -> None:
    bare = {
        f"{name_of(path)}:{number}"
        for path in PRODUCT
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"#\s*type: ignore(?!\[[\w, -]+\]\s+# )", line) and not name_of(path).startswith(DYNAMIC)
    }
    assert bare == set()


@pytest.mark.parametrize(
    ("call", "door"),
    [
        (r"os\.(?:fsync|fdatasync)\b", {"ledger/journal/files.py"}),
        (r"lmdb\.open\b", {"ledger/views/store.py"}),
    ],
)
def test_the_ledger_reaches_the_outside_through_one_door_each(call: str, door: set[str]) -> None:
    users = {
        name_of(path) for path in PRODUCT if name_of(path).startswith("ledger/") and re.search(call, path.read_text())
    }
    assert users == door


def test_the_repository_stands_alone() -> None:
    mentions = {
        f"{name_of(path)}: {found[0]}"
        for path in tracked()
        if path != Path(__file__) and (text := text_of(path)) is not None and (found := MACHINE_PATHS.search(text))
    }
    assert mentions == set()


def test_no_tracked_file_is_large() -> None:
    large = {name_of(path): path.stat().st_size for path in tracked() if path.stat().st_size > FILE_BYTES_MAX}
    assert large == {}


def test_every_dependency_is_in_the_lock_with_hashes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["dev"]]
    asked += project["build-system"]["requires"]
    lock = (ROOT / "requirements.lock").read_text()
    locked = set(re.findall(r"^([a-z0-9-]+)==[^\n]+\\\n +--hash=sha256:", lock, re.MULTILINE))
    names = {re.split(r"[\[<>=;\s]", line)[0].lower().replace(".", "-").replace("_", "-") for line in asked}
    assert names - locked == set()


def text_of(path: Path) -> str | None:
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return None

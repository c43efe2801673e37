"""What the demo tells the user to type."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from consumers.demo.command import this_command

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("directory", [ROOT, ROOT / "tests"])
@pytest.mark.parametrize("program", [ROOT / "strandline.py", Path(sys.executable).with_name("strandline")])
def test_the_commands_that_are_shown_can_be_typed(
    program: Path, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(directory)
    monkeypatch.setattr(sys, "argv", [str(program), "demo", "--keep"])
    told = subprocess.run(f"{this_command()} rebuild --help", shell=True, capture_output=True, text=True, check=True)
    assert "shadow" in told.stdout

"""`strandline demo`: Recall day."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from consumers.demo.screen import Screen
    from consumers.demo.stage import Stage
    from consumers.demo.story import Story

__all__ = ["demo", "this_command"]

_VEHICLES = 2_500


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave everything running, with three commands to try next.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Another seed, other people and vehicles.")] = 1,
    data: Annotated[
        Path | None, typer.Option(help="A new directory to work in. Default: one in .strandline/, removed at the end.")
    ] = None,
) -> None:
    """Recall day: a vehicle register from the first commit to a proven projection, in two minutes on this machine.

    Exit code 0 if every check of the summary held, else 1.
    """
    from consumers.demo.children import ChildFailedError
    from consumers.demo.committing import RefusedError
    from consumers.demo.data import generate
    from consumers.demo.screen import Screen
    from consumers.demo.stage import open_stage
    from consumers.demo.story import Story
    from streams.errors import KafkaUnavailableError

    directory = _directory(data)
    screen = Screen()
    screen.say("[bold]Recall day at the department of motor vehicles[/]")
    screen.say(f"[dim]everything is in {directory}; people and vehicles are generated from seed {seed}[/]")
    held = False
    try:
        with open_stage(directory, keep=keep) as stage:
            _play(Story(stage, screen, generate(seed, _VEHICLES)), screen)
            held = screen.summary()
            if keep:
                _show_what_next(screen, stage)
    except KeyboardInterrupt:
        keep = False
        screen.say("stopped; nothing is left running")
        raise typer.Exit(130) from None
    except (ChildFailedError, KafkaUnavailableError, OSError, RefusedError) as error:
        screen.say(f"[bold red]the demo cannot go on:[/] {error}")
    finally:
        if not keep and data is None:
            shutil.rmtree(directory, ignore_errors=True)
    raise typer.Exit(0 if held else 1)


def _play(story: Story, screen: Screen) -> None:
    try:
        story.play()
    except KeyboardInterrupt:
        screen.say("stopping what runs ...")
        raise


def _directory(data: Path | None) -> Path:
    if data is None:
        parent = Path(".strandline").absolute()
        parent.mkdir(exist_ok=True)
        return Path(mkdtemp(prefix="demo-", dir=parent))
    if data.exists() and any(data.iterdir()):
        raise typer.BadParameter(f"{data} is not empty; the demo begins with an empty ledger", param_hint="--data")
    data.mkdir(parents=True, exist_ok=True)
    return data.absolute()


def this_command() -> str:
    """Say how this program was started, so that it can be typed again."""
    program = os.path.relpath(sys.argv[0])
    if not os.access(program, os.X_OK):
        return shlex.join([os.path.relpath(sys.executable), program])
    return shlex.quote(os.path.join(os.curdir, program))


def _show_what_next(screen: Screen, stage: Stage) -> None:
    """Everything goes on: say how to look at it, and how to end it."""
    from consumers.demo.tutorial import TUTORIAL_VIN

    strandline = this_command()
    ask = f"{strandline} execute --url {stage.url} --ledger {stage.ledger}"
    where = f"WHERE r.VIN = '{TUTORIAL_VIN}'"
    stop = stage.write_stop_script()
    screen.say("everything is still running; try")
    for command in (
        f"{ask} \"UPDATE VehicleRegistration AS r SET r.City = 'Kent' {where}\"",
        f"{ask} \"SELECT h.metadata.version, h.data.City FROM history(VehicleRegistration) AS h WHERE h.data.VIN = '{TUTORIAL_VIN}'\"",
        f"{strandline} check-stream --data {stage.data} --ledger {stage.ledger} --kafka {stage.kafka}",
        f"sh {stop}    # ends everything",
    ):
        screen.console.print(f"    {command}", soft_wrap=True, markup=False)

"""A plan that is watched while a model writes it."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from goalgraph.cli.decided import planning_lines
from goalgraph.cli.terminal import Terminal
from goalgraph.graph.events import StepDrafted
from goalgraph.planner.decision import Decision
from goalgraph.planner.plan import Step
from goalgraph.planner.wording import title_of
from goalgraph.views.event_lines import plain_line
from goalgraph.views.frame import frame
from goalgraph.views.frame_table import frame_table
from goalgraph.views.progress import Track

if TYPE_CHECKING:
    from rich.console import Group

__all__ = ["Watching", "watched"]

_MOST_TOLD = 5


def _unseen(_decision: Decision) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """What a planner tells."""

    on_step: Callable[[Step, int], None] | None = None
    """None: nobody looks on."""
    on_decision: Callable[[Decision], None] = _unseen


@contextmanager
def watched(terminal: Terminal) -> Generator[Watching]:
    """Show steps as they are drafted, and why a draft is followed by another.

    On a terminal they are a list, which goes once there is a plan to be shown; elsewhere lines on stderr.

    Args:
        terminal: Where the plan will be shown.

    Yields:
        Whom the planner is to tell.
    """
    if terminal.silent:
        yield Watching()
    elif terminal.rich:
        with _live(terminal) as watching:
            yield watching
    else:
        yield Watching(
            on_step=lambda step, draft: _write(plain_line(_event(step, draft))),
            on_decision=lambda decision: _write(*planning_lines([decision])),
        )


@contextmanager
def _live(terminal: Terminal) -> Generator[Watching]:
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    track, told = Track(), list[str]()

    def drawn() -> "Group":
        room = terminal.console.height - 2 - len(told)
        lines = frame_table(frame(track, 0.0, room), signs=terminal.signs)
        return Group(*(Text(line, style="dim", overflow="ellipsis", no_wrap=True) for line in told), lines)

    def decided(decision: Decision) -> None:
        told.extend(planning_lines([decision]))
        del told[:-_MOST_TOLD]

    with Live(console=terminal.console, get_renderable=drawn, refresh_per_second=8, transient=True):
        yield Watching(on_step=lambda step, draft: track.follow(_event(step, draft), 0.0), on_decision=decided)


def _event(step: Step, draft: int) -> StepDrafted:
    return StepDrafted(
        type="step_drafted",
        run="",
        step=step.id,
        title=title_of(step),
        needs=list(step.depends_on),
        draft=draft,
        early=False,
    )


def _write(*lines: str | None) -> None:
    sys.stderr.writelines(f"{line}\n" for line in lines if line is not None)
    sys.stderr.flush()

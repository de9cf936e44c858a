"""Runs that are watched: done as `PlanAgent.invoke` does them, and shown meanwhile."""

import sys
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import aclosing, closing, contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any, TextIO, cast

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command, GraphOutput, Interrupt

from goalgraph.graph.agent import PlanAgent
from goalgraph.graph.calls import usual_result
from goalgraph.graph.events import Event, as_event
from goalgraph.graph.humans.thread import saver_of
from goalgraph.graph.loop import iterate
from goalgraph.graph.result import RunResult
from goalgraph.graph.storage.recorded import recorded_outcomes
from goalgraph.planner.outcome import Outcome, Usage
from goalgraph.planner.plan import Plan
from goalgraph.specialists.router import doers
from goalgraph.views.frame import frame
from goalgraph.views.live import Tell, as_lines, in_notebook, is_notebook, on_terminal, printing_on
from goalgraph.views.progress import Track

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["awatch", "watch"]


def watch(
    agent: PlanAgent,
    input: Any,
    config: RunnableConfig | None = None,
    *,
    out: "Console | TextIO | None" = None,
    **kwargs: Any,
) -> RunResult:
    """Do what ``agent.invoke`` does, and show how far it is, also inside a notebook's running event loop.

    Args:
        agent: Whose run it is.
        input: A goal, a ``Command(resume=...)``, or None to go on.
        config: As for ``invoke``.
        out: Where it is shown: on a rich ``Console``, or in a text file, as a table where it is a terminal, else as a
            line for each event. None: in the notebook that runs this, else on the standard output.
        kwargs: As for ``invoke``, but for how a result is streamed.

    Returns:
        The result; what the run asks stands under ``__interrupt__``.

    Raises:
        GoalgraphError: What ``invoke`` raises.
    """
    agent.check_caller()
    run = _Watched()
    with closing(iterate(lambda: run.followed(agent, input, config, kwargs))) as events:
        next(events, None)
        with _shown(run.track, out) as tell:
            for event in events:
                tell(cast("Event", event))
    return run.result()


async def awatch(
    agent: PlanAgent,
    input: Any,
    config: RunnableConfig | None = None,
    *,
    out: "Console | TextIO | None" = None,
    **kwargs: Any,
) -> RunResult:
    """Do what ``agent.ainvoke`` does, and show how far it is; see `watch`."""
    run = _Watched()
    async with aclosing(run.followed(agent, input, config, kwargs)) as events:
        await anext(events, None)
        with _shown(run.track, out) as tell:
            async for event in events:
                tell(cast("Event", event))
    return run.result()


@dataclass(slots=True)
class _Watched:
    """A run, and what comes of it."""

    track: Track = field(default_factory=Track)
    _values: Mapping[str, Any] | None = None
    _interrupts: list[Interrupt] = field(default_factory=list[Interrupt])
    _plan: Plan | None = None

    async def followed(
        self, agent: PlanAgent, given: Any, config: RunnableConfig | None, kwargs: Mapping[str, Any]
    ) -> AsyncGenerator[Event | None]:
        """Do the run; yield None once it has begun, then its events."""
        stream = agent.astream(
            given,
            config,
            **{"output_keys": agent.output_channels, **kwargs, "stream_mode": ["custom", "values"], "version": "v2"},
        )
        begun = False
        async with aclosing(cast("AsyncGenerator[dict[str, Any]]", stream)) as parts:
            async for part in parts:
                if part["type"] == "values":
                    self._values = part["data"]
                    self._interrupts += part["interrupts"]
                    if begun:
                        self._take(agent, part["data"], part["data"].get("outcomes") or {})
                    elif given is None or isinstance(given, Command):
                        await self._recall(agent, config)
                    if not begun:  # of a new goal, these are still the values of the one before
                        begun = True
                        yield None
                elif (event := as_event(part["data"])) is not None:
                    yield event

    def result(self) -> RunResult:
        """Return what ``invoke`` would."""
        return cast("RunResult", usual_result(GraphOutput(value=self._values, interrupts=tuple(self._interrupts))))

    async def _recall(self, agent: PlanAgent, config: RunnableConfig | None) -> None:
        """Take in what a run that goes on has done before, also in the middle of a superstep."""
        if config is not None and saver_of(agent, config) is not None:
            state = await agent.aget_state(config)
            self._take(agent, state.values, recorded_outcomes(state))

    def _take(self, agent: PlanAgent, values: Mapping[str, Any], outcomes: Mapping[str, Outcome]) -> None:
        """Take over the plan that the run has by now, if it is another one."""
        plan = values.get("plan")
        if isinstance(plan, Plan) and plan != self._plan:
            self._plan = plan
            usage = cast("Usage | None", values.get("usage"))
            self.track.begin_anew(doers(plan, agent.registry.cards), outcomes, usage)


@contextmanager
def _shown(track: Track, out: "Console | TextIO | None") -> Generator[Tell]:
    """Show a run in the shape that suits the place."""
    from rich.console import Console

    track.began = monotonic()
    if out is None and is_notebook():
        with in_notebook(track, monotonic) as tell:
            yield tell
        return
    if isinstance(out, Console):
        console, can_redraw = out, out.is_terminal
    else:
        file = out if out is not None else sys.stdout
        console, can_redraw = Console(file=file, force_jupyter=False), file.isatty()
    if can_redraw and not console.is_dumb_terminal:
        with on_terminal(track, console, monotonic) as tell:
            yield tell
        return
    write = printing_on(console)
    try:
        with as_lines(track, write, monotonic) as tell:
            yield tell
    finally:
        write(frame(track, monotonic(), 1).head)

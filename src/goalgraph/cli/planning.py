"""The command ``plan``, and what ``run`` shares with it: from a goal to a checked plan on the screen."""

from contextlib import nullcontext
from pathlib import Path

from pydantic import JsonValue

from goalgraph.cli.crew import Crew, gather_crew
from goalgraph.cli.endings import COMPLETE, BadInput
from goalgraph.cli.folders import write_text
from goalgraph.cli.signals import run_stoppable
from goalgraph.cli.terminal import Terminal
from goalgraph.graph.build import generate_plan
from goalgraph.graph.usage import count_usage
from goalgraph.planner import dag
from goalgraph.planner.documents import dump_plan
from goalgraph.planner.outcome import Usage
from goalgraph.planner.plan import Plan
from goalgraph.views import plan_text, plan_tree

__all__ = ["checked_goal", "make_plan", "show_plan", "start_plan"]


def start_plan(
    *,
    goal: str | None,
    data: tuple[Path, ...],
    model: str | None,
    out: Path | None,
    own: tuple[str, ...],
    as_json: bool,
) -> int:
    """Make and show a plan without running it; see ``goalgraph plan --help``."""
    terminal = Terminal(as_json=as_json)
    with terminal.guarded():
        goal = checked_goal(goal)
        crew = gather_crew(data, Path.cwd(), model, own, Path.cwd())
        plan, usage = make_plan(goal, crew, terminal)
        if out is not None:
            try:
                write_text(out, dump_plan(plan))
            except OSError as error:
                raise BadInput(f"cannot write {str(out)!r}: {error.strerror}", hint="give another --out") from error
        if as_json:
            terminal.document(_document(goal, plan, crew, usage))
        else:
            show_plan(plan, crew, terminal)
            if out is not None:
                terminal.line(f"saved to {out}")
    return COMPLETE


def checked_goal(goal: str | None) -> str:
    """Return a goal that can be planned and stored.

    Raises:
        BadInput: It is missing, empty or no valid text.
    """
    if goal is None or not goal.strip():
        raise BadInput(f"the goal is {'missing' if goal is None else 'empty'}", hint="say in quotes what is to be done")
    try:
        goal.encode()
    except UnicodeEncodeError as error:
        raise BadInput("the goal is not valid text", hint="write it in the terminal's encoding") from error
    if "\x00" in goal:
        raise BadInput("the goal holds a NUL character", hint="remove it")
    return goal.strip()


def make_plan(goal: str, crew: Crew, terminal: Terminal) -> tuple[Plan, Usage]:
    """Plan a goal, and tell what its model was asked for.

    Raises:
        InvalidGoal: Nothing can be made of the goal.
        PlannerError: The model gave no valid plan.
        Stopped: A signal came.
    """

    async def planned() -> tuple[Plan, Usage]:
        meter = count_usage()
        plan = await generate_plan(goal, model=crew.model, specialists=crew.registry)
        return plan, meter.usage

    waits = crew.model is not None and terminal.rich and terminal.signs
    with terminal.console.status("planning") if waits else nullcontext():
        return run_stoppable(planned())


def show_plan(plan: Plan, crew: Crew, terminal: Terminal) -> None:
    """Show a plan as a tree on a terminal, as plain lines elsewhere."""
    doers = crew.doers(plan)
    if terminal.rich:
        terminal.show(plan_tree(plan, doers))
    else:
        terminal.line(plan_text(plan, doers))


def _document(goal: str, plan: Plan, crew: Crew, usage: Usage) -> JsonValue:
    layers: list[JsonValue] = [list(layer) for layer in dag.layers(plan)]
    return {
        "goal": goal,
        "plan": plan.model_dump(mode="json"),
        "layers": layers,
        "specialists": dict(crew.doers(plan)),
        "usage": usage.model_dump(mode="json"),
    }

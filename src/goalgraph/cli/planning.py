"""The command ``plan``, and what ``run`` shares with it: from a goal to a checked plan on the screen."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from goalgraph.cli.asked import chosen_lines, estimate_lines
from goalgraph.cli.assignments import read_assignments
from goalgraph.cli.crew import Crew, gather_crew, known_cards
from goalgraph.cli.endings import COMPLETE, BadInput
from goalgraph.cli.experience import history_of_runs
from goalgraph.cli.folders import write_text
from goalgraph.cli.signals import run_stoppable
from goalgraph.cli.sources import LibraryWithDraft, checked_plan, library_at, read_given
from goalgraph.cli.terminal import Terminal
from goalgraph.graph.planning import estimated, generate_plan
from goalgraph.graph.steps.usage import count_usage
from goalgraph.planner import dag
from goalgraph.planner.compilation import compile_plan
from goalgraph.planner.decision import Decision
from goalgraph.planner.documents import dump_plan
from goalgraph.planner.estimate import Estimate, estimate_plan
from goalgraph.planner.folder_library import FolderLibrary
from goalgraph.planner.library import checked_alias
from goalgraph.planner.outcome import Usage
from goalgraph.planner.plan import Plan
from goalgraph.planner.wording import doer_of
from goalgraph.synthesis import as_synthesizer
from goalgraph.views import plan_text, plan_tree

__all__ = [
    "PlanningRequest",
    "Wishes",
    "checked_goal",
    "make_plan",
    "plan_lines",
    "show_plan",
    "show_proposal",
    "start_plan",
]


_MOST_DRAFTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the plan is to be like."""

    alternatives: int = 1
    """How many plans are drafted."""
    approval: bool = False
    """Whether it must ask a human."""
    constraints: tuple[str, ...] = ()
    available: str | None = None
    """Names of specialists, with commas between them."""

    @property
    def names(self) -> tuple[str, ...] | None:
        """The specialists that may be used; None: all."""
        if self.available is None:
            return None
        return tuple(filter(None, map(str.strip, self.available.split(","))))

    def check(self) -> None:
        """See that they can be met.

        Raises:
            BadInput: They cannot.
        """
        if not 1 <= self.alternatives <= _MOST_DRAFTS:
            raise BadInput(
                f"--alternatives takes a number from 1 to {_MOST_DRAFTS}, found {self.alternatives}",
                hint="leave it out for one plan",
            )
        if self.names == ():
            raise BadInput(f"--available names nobody: {self.available!r}", hint="write it like: reader,writer")
        if blank := [one for one in self.constraints if not one.strip()]:
            raise BadInput(f"--constraint is empty: {blank[0]!r}", hint="say what the plan must heed")


_ANY = Wishes()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanningRequest:
    """What ``goalgraph plan`` was given."""

    goal: str | None
    data: tuple[Path, ...]
    model: str | None
    plan: str | None
    """A file or an alias, in place of a goal."""
    inputs: tuple[str, ...]
    wishes: Wishes
    own: tuple[str, ...]
    out: Path | None
    save: str | None
    """An alias."""
    library: Path | None
    as_json: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    """A valid plan, and what there is to show of it."""

    goal: str | None
    plan: Plan
    """As it is saved."""
    flat: Plan
    doers: Mapping[str, str]
    usage: Usage
    estimate: Estimate
    decisions: tuple[Decision, ...] = ()
    """How it was made."""


def start_plan(request: PlanningRequest) -> int:
    """Make a plan, or take one, show it, and save it where that is wanted; see ``goalgraph plan --help``."""
    terminal = Terminal(as_json=request.as_json)
    with terminal.guarded():
        library = library_at(request.library)
        if request.save is not None:
            checked_alias(request.save, (entry.alias for entry in library.aliases()))
        planned = _made(request, terminal) if request.plan is None else _taken(request, request.plan, library)
        if request.out is not None:
            _write(planned.plan, request.out)
        version = library.save(request.save, planned.plan) if request.save is not None else None
        if request.as_json:
            terminal.document(_document(planned, request.save, version))
            return COMPLETE
        _show(planned.flat, planned.doers, terminal)
        for line in (*chosen_lines(planned.decisions), *estimate_lines(planned.estimate)):
            terminal.text(line)
        if request.out is not None:
            terminal.line(f"saved to {request.out}")
        if version is not None:
            terminal.line(f"saved as {request.save}, version {version}, in {library.root}")
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


def make_plan(
    goal: str,
    crew: Crew,
    terminal: Terminal,
    inputs: Mapping[str, JsonValue] | None = None,
    wishes: Wishes = _ANY,
    on_decision: Callable[[Decision], None] | None = None,
) -> tuple[Plan, Usage]:
    """Plan a goal, and tell what its model was asked for.

    Args:
        goal: What is to be done.
        crew: Who there is to do it.
        terminal: Where waiting is shown.
        inputs: Values that the plan may refer to.
        wishes: What the plan is to be like.
        on_decision: Called with what is decided on the way.

    Raises:
        InvalidGoal: Nothing can be made of the goal.
        PlannerError: The model gave no valid plan.
        Stopped: A signal came.
    """

    async def planned() -> tuple[Plan, Usage]:
        meter = count_usage()
        plan = await generate_plan(
            goal,
            model=crew.model,
            specialists=crew.registry,
            inputs=inputs,
            require_human_approval=wishes.approval,
            available=wishes.names,
            constraints=wishes.constraints,
            alternatives=wishes.alternatives,
            history=history_of_runs() if wishes.alternatives > 1 else None,
            on_decision=on_decision,
        )
        return plan, meter.usage

    waits = crew.model is not None and terminal.rich and terminal.signs
    with terminal.console.status("planning") if waits else nullcontext():
        return run_stoppable(planned())


def show_plan(plan: Plan, crew: Crew, terminal: Terminal) -> None:
    """Show a plan as a tree on a terminal, as plain lines elsewhere."""
    _show(crew.flat(plan), crew.doers(plan), terminal)


def show_proposal(plan: Plan, crew: Crew, terminal: Terminal) -> None:
    """Show a plan with what is known of it beforehand."""
    show_plan(plan, crew, terminal)
    for line in _estimated(plan, crew):
        terminal.text(line)


def plan_lines(plan: Plan, crew: Crew) -> tuple[str, ...]:
    """Write a plan with what is known of it beforehand as plain lines."""
    return (plan_text(crew.flat(plan), crew.doers(plan)), *_estimated(plan, crew))


def _estimated(plan: Plan, crew: Crew) -> Iterator[str]:
    return estimate_lines(_estimate(plan, crew))


def _estimate(plan: Plan, crew: Crew, goal: str = "", inputs: Mapping[str, JsonValue] | None = None) -> Estimate:
    """Estimate a plan with what earlier runs in the usual folder tell."""
    writer = as_synthesizer(crew.synthesis(plan), crew.model)
    return estimated(plan, crew.registry, goal=goal, synthesizer=writer, history=history_of_runs(), inputs=inputs)


def _made(request: PlanningRequest, terminal: Terminal) -> _Planned:
    """Make a plan of a goal."""
    goal = checked_goal(request.goal)
    request.wishes.check()
    crew = gather_crew(request.data, Path.cwd(), request.model, request.own, Path.cwd())
    inputs, decisions = read_assignments("--input", request.inputs, files=True), list[Decision]()
    plan, usage = make_plan(goal, crew, terminal, inputs, request.wishes, decisions.append)
    return _Planned(
        goal=goal,
        plan=plan,
        flat=crew.flat(plan),
        doers=crew.doers(plan),
        usage=usage,
        estimate=_estimate(plan, crew, goal, inputs),
        decisions=tuple(decisions),
    )


def _taken(request: PlanningRequest, reference: str, library: FolderLibrary) -> _Planned:
    """Take a plan that somebody has written or edited; nothing is planned, and no specialist needs to be there.

    Raises:
        BadInput: What is given beside it is for planning.
        UnusablePlan: It has problems.
    """
    surplus = {
        "a goal": request.goal,
        "--data": request.data,
        "--model": request.model,
        "--input": request.inputs,
        "--alternatives": request.wishes.alternatives != 1,
        "--require-approval": request.wishes.approval,
        "--constraint": request.wishes.constraints,
        "--available": request.wishes.available,
    }
    if given := [name for name, value in surplus.items() if value]:
        raise BadInput(f"--plan takes a plan as it is, and {given[0]} is for making one", hint="give one of the two")
    found = read_given(reference, library)
    cards = known_cards(request.own, Path.cwd())
    saved = LibraryWithDraft(library.root, request.save, found.plan) if request.save is not None else library
    flat = compile_plan(checked_plan(found, saved, cards), cards)
    doers = {step.id: doer_of(step) for step in flat.steps}
    estimate = estimate_plan(flat, cards, history=history_of_runs())
    return _Planned(goal=None, plan=found.plan, flat=flat, doers=doers, usage=Usage(), estimate=estimate)


def _write(plan: Plan, out: Path) -> None:
    try:
        write_text(out, dump_plan(plan))
    except OSError as error:
        raise BadInput(f"cannot write {str(out)!r}: {error.strerror}", hint="give another --out") from error


def _show(flat: Plan, doers: Mapping[str, str], terminal: Terminal) -> None:
    if terminal.rich:
        terminal.show(plan_tree(flat, doers))
    else:
        terminal.line(plan_text(flat, doers))


def _document(planned: _Planned, alias: str | None, version: int | None) -> JsonValue:
    layers: list[JsonValue] = [list(layer) for layer in dag.layers(planned.flat)]
    return {
        "goal": planned.goal,
        "plan": planned.plan.model_dump(mode="json"),
        "layers": layers,
        "specialists": dict(planned.doers),
        "usage": planned.usage.model_dump(mode="json"),
        "estimate": planned.estimate.as_json(),
        "decisions": [one.model_dump(mode="json") for one in planned.decisions],
        "saved": {"alias": alias, "version": version} if alias is not None else None,
    }

"""The command ``plan``, and what ``run`` shares with it: from a goal to a checked plan on the screen."""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from goalgraph.cli.asked import estimate_lines
from goalgraph.cli.assignments import read_assignments
from goalgraph.cli.crew import Crew, gather_crew, known_cards
from goalgraph.cli.decided import planning_lines
from goalgraph.cli.drafting import Watching, watched
from goalgraph.cli.endings import COMPLETE, BadInput
from goalgraph.cli.experience import history_of_runs
from goalgraph.cli.folders import write_text
from goalgraph.cli.signals import run_stoppable
from goalgraph.cli.sources import LibraryWithDraft, checked_plan, library_at, read_given
from goalgraph.cli.terminal import Terminal
from goalgraph.cli.wishes import Wishes
from goalgraph.graph.ledger.accounts import Accounts
from goalgraph.graph.ledger.metering import count_usage
from goalgraph.graph.planning import estimated, generate_plan
from goalgraph.graph.policies import Limits
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
    "checked_goal",
    "make_plan",
    "plan_lines",
    "show_plan",
    "show_proposal",
    "start_plan",
]

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
        for line in (*planning_lines(planned.decisions), *estimate_lines(planned.estimate)):
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
    limits: Limits | None = None,
) -> tuple[Plan, Usage, tuple[Decision, ...]]:
    """Plan a goal; tell what its model was asked for, and what was decided on the way.

    Args:
        goal: What is to be done.
        crew: Who there is to do it.
        terminal: Where the plan is shown while a model writes it.
        inputs: Values that the plan may refer to.
        wishes: What the plan is to be like.
        limits: What its model calls may take.

    Raises:
        LimitReached: They may not take what they need.
        InvalidGoal: Nothing can be made of the goal.
        PlannerError: The model gave no valid plan.
        Stopped: A signal came.
    """
    decisions: list[Decision] = []

    async def planned(watching: Watching) -> tuple[Plan, Usage]:
        def decided(decision: Decision) -> None:
            decisions.append(decision)
            watching.on_decision(decision)

        meter = count_usage(Accounts(limits=limits).ledgers if limits is not None else ())
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
            on_step=watching.on_step,
            on_decision=decided,
            least=crew.least,
            prompts=crew.prompts,
        )
        return plan, meter.usage

    with watched(terminal) if crew.model is not None else nullcontext(Watching()) as watching:
        plan, usage = run_stoppable(planned(watching))
    return plan, usage, tuple(decisions)


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
    writer = as_synthesizer(crew.synthesis(plan), crew.model, prompts=crew.prompts)
    known = history_of_runs()
    return estimated(
        plan, crew.registry, policy=crew.policy, goal=goal, synthesizer=writer, history=known, inputs=inputs
    )


def _made(request: PlanningRequest, terminal: Terminal) -> _Planned:
    """Make a plan of a goal."""
    goal = checked_goal(request.goal)
    request.wishes.check()
    wishes, here = request.wishes, Path.cwd()
    crew = gather_crew(
        request.data,
        here,
        request.model,
        request.own,
        here,
        prompts=wishes.prompts,
        least=wishes.enough,
        available=wishes.names,
    )
    inputs = read_assignments("--input", request.inputs, files=True)
    plan, usage, decisions = make_plan(goal, crew, terminal, inputs, wishes)
    return _Planned(
        goal=goal,
        plan=plan,
        flat=crew.flat(plan),
        doers=crew.doers(plan),
        usage=usage,
        estimate=_estimate(plan, crew, goal, inputs),
        decisions=decisions,
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
        "--require-approval": request.wishes.approval,
        "--available": request.wishes.available,
        "--prompts": request.wishes.prompts,
        **dict.fromkeys(request.wishes.only_for_making(), True),
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

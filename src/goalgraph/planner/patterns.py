"""Plans of well-known shapes, made from the names of specialists."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from pydantic import JsonValue

from goalgraph.errors import InvalidPlan, PlanProblem
from goalgraph.errors.codes import ProblemCode
from goalgraph.planner import steps as make
from goalgraph.planner.plan import AgentStep, OnFailure, Plan, Step
from goalgraph.planner.references import Reference, StepRef, Value, expr, item, plain, quoted
from goalgraph.planner.votes import Vote

__all__ = ["Worker", "consensus", "hierarchy", "map_reduce", "pipeline", "route"]

Worker: TypeAlias = str | tuple[str, str] | AgentStep
"""A specialist's name, its name and its task, or a step of its own, which keeps its id, task and input."""


def pipeline(
    *workers: Worker,
    input: Mapping[str, Value] | None = None,
    name: str = "",
    description: str = "",
    inputs: Mapping[str, Value] | None = None,
) -> Plan:
    """Make a plan in which each works on what the one before gave.

    Examples:
        >>> plan = pipeline("reader", ("writer", "Write a summary"), input={"file": "{{ input.file }}"})
        >>> plan.step("writer").input
        {'previous': '{{ steps.reader.output }}'}

    Args:
        workers: In their order; all but the first get the output of the one before as ``previous``.
        input: Arguments of the first.
        name: The plan's.
        description: The plan's.
        inputs: Default values of the plan's inputs.
    """
    ids = _ids(map(_label, workers), workers)
    steps: list[Step] = []
    for worker, step_id in zip(workers, ids, strict=True):
        before = StepRef(steps[-1].id) if steps else None
        given = input if before is None else {"previous": before.output}
        steps.append(_agent(worker, step_id, given, needs=() if before is None else (before.id,)))
    return _plan(steps, name, description, inputs)


def map_reduce(
    over: Reference | str | Sequence[Value],
    mapper: Worker,
    reducer: Worker,
    *,
    task: str | None = None,
    reduce_task: str | None = None,
    concurrency: int | None = None,
    on_failure: OnFailure = "wait_all",
    name: str = "",
    description: str = "",
    inputs: Mapping[str, Value] | None = None,
) -> Plan:
    """Make a plan in which one works on every item of a list, and another on all the results.

    Examples:
        >>> plan = map_reduce("{{ input.files }}", "reader", "writer", task="Read the file", reduce_task="Sum it up")
        >>> [step.id for step in plan.steps], plan.step("reduce").input
        (['map', 'reduce'], {'results': '{{ steps.map.output }}'})

    Args:
        over: The list, or an expression that gives it.
        mapper: Gets an item as ``item``.
        reducer: Gets the results as ``results``, in the order of the items.
        task: The mapper's.
        reduce_task: The reducer's.
        concurrency: Most items at work at the same time; None: all.
        on_failure: What the failure of an item does to the whole.
        name: The plan's.
        description: The plan's.
        inputs: Default values of the plan's inputs.
    """
    each = _agent(mapper, "item", {"item": item}, task)
    mapped = make.map(_free("map", _own_ids([reducer])), over, each, concurrency=concurrency, on_failure=on_failure)
    reduced = _agent(reducer, "reduce", {"results": StepRef(mapped.id).output}, reduce_task)
    return _plan([mapped, reduced], name, description, inputs)


def consensus(
    task: str,
    voters: Sequence[Worker],
    judge: Worker | None = None,
    *,
    quorum: int | float | None = None,
    vote: Vote | None = None,
    input: Mapping[str, Value] | None = None,
    judge_task: str | None = None,
    concurrency: int | None = None,
    name: str = "",
    description: str = "",
    inputs: Mapping[str, Value] | None = None,
) -> Plan:
    """Make a plan in which several answer the same, and one decides, or their vote does.

    The judge decides as long as one of the voters answered. Without a judge the plan has one step, ``votes``: its
    output is the winner's, and voters who can change nothing any more are stopped.

    Examples:
        >>> plan = consensus("Is the patch safe?", ["alice", "bob"], "carol", input={"patch": "{{ input.patch }}"})
        >>> plan.step("judge").input["answers"]
        '{{ steps.votes.output }}'
        >>> consensus("Is the patch safe?", ["alice", "bob", "carol"], quorum=2).step("votes").quorum
        2

    Args:
        task: What all voters are asked.
        voters: A name may stand there several times.
        judge: Gets ``answers``, a list of objects with ``voter``, ``answer``, ``confidence`` (from 0 to 1, or null)
            and ``status``, beside what the voters get. None: the vote decides.
        quorum: What the winner needs, see `AgentStep`; not with a judge.
        vote: How ballots are counted, and what becomes of a tie; None: by majority, and it fails. Not with a judge.
        input: Arguments of the voters and of the judge.
        judge_task: What the judge is asked; None: to choose the best answer to the task.
        concurrency: Most voters at work at the same time; None: all.
        name: The plan's.
        description: The plan's.
        inputs: Default values of the plan's inputs.

    Raises:
        InvalidPlan: There are no voters, fewer than the quorum, or a judge beside the vote.
    """
    if judge is not None and (quorum is not None or vote is not None):
        problem = PlanProblem(
            code="conflicting_fields",
            message="expected a judge, or a vote, found both",
            hint="leave out the judge, or quorum and vote",
        )
        raise InvalidPlan([problem], source="the pattern")
    group = _free("votes", _own_ids([judge]))
    asked = [
        _agent(voter, step_id, input, task)
        for voter, step_id in zip(voters, _ids(map(_label, voters), voters), strict=True)
    ]
    answers: list[Value] = [
        {
            "voter": voter.id,
            "answer": StepRef(f"{group}.{voter.id}").output,
            "confidence": StepRef(f"{group}.{voter.id}").confidence,
            "status": StepRef(f"{group}.{voter.id}").status,
        }
        for voter in asked
    ]
    if not asked:
        raise _empty("no_voters", "voters", "name at least one specialist who answers")
    if judge is None:
        if isinstance(quorum, int) and quorum > len(asked):
            raise _empty("no_quorum", "quorum", f"ask for at most {len(asked)} of {len(asked)} voters, or for a share")
        voted = make.parallel(
            group, asked, concurrency=concurrency, on_failure="continue", quorum=quorum, vote=vote or Vote()
        )
        return _plan([voted], name, description, inputs)
    votes = make.parallel(group, asked, concurrency=concurrency, on_failure="continue", output=answers)
    decides = judge_task or (
        f"Several were asked: {task}\n\nTheir answers, and how sure each is, are in 'answers'. Where they agree, say "
        "so; where they do not, weigh the reasons, and decide on one answer."
    )
    given = {**(input or {}), "answers": StepRef(group).output}
    return _plan([votes, _agent(judge, "judge", given, decides)], name, description, inputs)


def route(
    classifier: Worker,
    routes: Mapping[str, Worker],
    *,
    task: str,
    input: Mapping[str, Value] | None = None,
    classify_task: str | None = None,
    otherwise: Worker | None = None,
    name: str = "",
    description: str = "",
    inputs: Mapping[str, Value] | None = None,
) -> Plan:
    """Make a plan in which one chooses who of several does the work; the others are skipped.

    The last step, ``answer``, has the output of the one who was chosen.

    Examples:
        >>> plan = route("clerk", {"billing": "accountant", "other": "helpdesk"}, task="Answer the mail")
        >>> plan.step("billing").when
        "steps.route.output == 'billing'"

    Args:
        classifier: Answers with the name of a route, as text or in an object's field ``route``; upper and lower case,
            and space around it, do not matter.
        routes: Who does the work, by the name of the route.
        task: The work.
        input: Arguments of the classifier and of whoever does the work.
        classify_task: What the classifier is asked; None: to name the route for the task.
        otherwise: Who does the work where the answer names none of the routes; None: then the step ``route`` fails.
        name: The plan's.
        description: The plan's.
        inputs: Default values of the plan's inputs.

    Raises:
        InvalidPlan: There are no routes, two differ by case or space alone, or a step of a route has a ``when``.
    """
    names = [label.strip().lower() for label in routes]
    workers = [*routes.values(), *([] if otherwise is None else [otherwise])]
    _check_routes(list(routes), names, workers)
    own = _own_ids([classifier, *workers])
    chosen, end = _free("route", own), _free("answer", own)
    choosing = _agent(classifier, _free("classify", own), input, classify_task or _choice_task(task, names, otherwise))
    ids = _ids([*routes, "otherwise"][: len(workers)], workers, {choosing.id, chosen, end})
    listed = f"[{', '.join(map(quoted, names))}]"
    picked = expr(StepRef(chosen).output)
    tests = [f"{picked} == {quoted(one)}" for one in names] + [f"{picked} not in {listed}"]
    done = [
        _agent(worker, step_id, input, task).model_copy(update={"when": test})
        for worker, step_id, test in zip(workers, ids, tests, strict=False)
    ]
    said = expr(StepRef(choosing.id).output)
    label = f"({said}.route if {said} is mapping else {said}) | string | trim | lower"
    if otherwise is None:
        label = f"{listed} | select('equalto', {label}) | first"
    # Only of steps that succeeded: the others may not be over when the first one is.
    ends = ", ".join(expr(StepRef(step.id).output).removesuffix(".output") for step in done)
    output = f"[{ends}] | select('defined') | selectattr('status', 'equalto', 'succeeded')"
    steps: list[Step] = [
        choosing,
        make.transform(chosen, f"{{{{ {label} }}}}"),
        *done,
        make.transform(end, f"{{{{ {output} | map(attribute='output') | first }}}}", join="any_success"),
    ]
    return _plan(steps, name, description, inputs)


def hierarchy(
    phases: Mapping[str, Plan | str],
    *,
    in_parallel: bool = False,
    closing: Worker | None = None,
    closing_task: str | None = None,
    name: str = "",
    description: str = "",
    inputs: Mapping[str, Value] | None = None,
) -> Plan:
    """Make a plan of plans.

    Examples:
        >>> research = pipeline("searcher", "reader")
        >>> plan = hierarchy({"research": research, "report": "report@2"}, closing="editor", inputs={"topic": "tea"})
        >>> plan.step("report").input
        {'topic': '{{ input.topic }}', 'previous': '{{ steps.research.output }}'}

    Args:
        phases: Plans, or aliases of the library of plans, by the ids of their steps. Each gets all of ``inputs``;
            unless they run in parallel, it also gets the output of the phase before as ``previous``.
        in_parallel: Whether the phases run at the same time.
        closing: Gets the outputs of all phases as ``results``, by phase; None: nobody does.
        closing_task: What it is asked.
        name: The plan's.
        description: The plan's.
        inputs: Default values of the plan's inputs.
    """
    passed: dict[str, Value] = {key: Reference("input")[key] for key in inputs or {}}
    ids = _ids(phases, [None] * len(phases), _own_ids([closing]))
    steps: list[Step] = []
    for plan, step_id in zip(phases.values(), ids, strict=True):
        given = passed if in_parallel or not steps else {**passed, "previous": StepRef(steps[-1].id).output}
        steps.append(make.sub_plan(step_id, plan, input=given))
    if closing is not None:
        results: dict[str, Value] = {step_id: StepRef(step_id).output for step_id in ids}
        steps.append(_agent(closing, _free("closing", ids), {"results": results}, closing_task))
    return _plan(steps, name, description, inputs)


def _plan(steps: Iterable[Step], name: str, description: str, inputs: Mapping[str, Value] | None) -> Plan:
    given = {key: plain(value) for key, value in (inputs or {}).items()}
    return Plan(name=name, description=description, inputs=given, steps=tuple(steps))


def _agent(
    worker: Worker,
    step_id: str,
    input: Mapping[str, Value] | None,
    task: str | None = None,
    *,
    needs: tuple[str, ...] = (),
) -> AgentStep:
    """Make a worker a step; what a step says itself stays as it is."""
    if not isinstance(worker, AgentStep):
        agent, own_task = worker if isinstance(worker, tuple) else (worker, task)
        return make.agent(step_id, own_task, agent=agent, input=input, depends_on=needs)
    arguments: dict[str, JsonValue] = {key: plain(value) for key, value in (input or {}).items()}
    return worker.model_copy(
        update={
            "task": worker.task or task,
            "input": {**arguments, **worker.input},
            "depends_on": tuple(dict.fromkeys((*worker.depends_on, *needs))),
        }
    )


def _label(worker: Worker) -> str:
    """What an id is made of."""
    return worker.id if isinstance(worker, AgentStep) else worker[0] if isinstance(worker, tuple) else worker


def _own_ids(workers: Iterable[Worker | None]) -> frozenset[str]:
    return frozenset(worker.id for worker in workers if isinstance(worker, AgentStep))


def _ids(labels: Iterable[str], workers: Iterable[Worker | None], taken: Iterable[str] = ()) -> list[str]:
    """Find each worker's id: its own, or one made of the label, different from all others."""
    listed = list(workers)
    used = {*taken, *_own_ids(listed)}
    found: list[str] = []
    for label, worker in zip(labels, listed, strict=True):
        if isinstance(worker, AgentStep):
            found.append(worker.id)
        else:
            found.append(_free(re.sub(r"[^A-Za-z0-9_]+", "_", label).strip("_")[:100] or "step", used))
        used.add(found[-1])
    return found


def _free(wanted: str, taken: Iterable[str]) -> str:
    used = set(taken)
    number = 1
    found = wanted
    while found in used:
        number += 1
        found = f"{wanted}_{number}"
    return found


def _choice_task(task: str, names: Sequence[str], otherwise: Worker | None) -> str:
    none = "; answer 'none' where none of them fits" if otherwise is not None else ""
    return f"Choose the route for this task. Answer with its name alone: {', '.join(names)}{none}.\n\nThe task: {task}"


def _check_routes(labels: Sequence[str], names: Sequence[str], workers: Iterable[Worker]) -> None:
    if not labels:
        raise _empty("no_routes", "routes", "name at least one route and who takes it")
    problems = [
        PlanProblem(
            code="duplicate_route",
            message=f"the routes {labels[names.index(one)]!r} and {labels[at]!r} differ by case or space alone",
            hint="give each route a name of its own",
        )
        for at, one in enumerate(names)
        if names.index(one) < at
    ]
    problems += [
        PlanProblem(
            code="unexpected_when",
            step=worker.id,
            field="when",
            message="the route decides whether this step runs, found a condition of its own",
            hint="leave it out, and decide within the step",
        )
        for worker in workers
        if isinstance(worker, AgentStep) and worker.when is not None
    ]
    if problems:
        raise InvalidPlan(problems, source="the pattern")


def _empty(code: ProblemCode, what: str, hint: str) -> InvalidPlan:
    problem = PlanProblem(code=code, message=f"expected {what}, found none", hint=hint)
    return InvalidPlan([problem], source="the pattern")

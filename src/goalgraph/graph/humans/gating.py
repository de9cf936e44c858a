"""Asking before a step is done, where a policy says so: with the arguments that it is about to be done with."""

from collections.abc import Mapping
from functools import partial

from pydantic import JsonValue

from goalgraph.graph.humans.approval import Proposal
from goalgraph.graph.humans.asking import decided, is_yes, refused, unasked
from goalgraph.graph.humans.requests import gate_request
from goalgraph.graph.steps.turn import Turn
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import Step

__all__ = ["gated"]


def gated(
    turn: Turn,
    specialists: tuple[str, ...],
    instruction: str,
    arguments: Mapping[str, JsonValue],
    step: Step | None = None,
) -> Outcome | tuple[str, Mapping[str, JsonValue], tuple[str, ...]]:
    """Ask, if a step is to be asked about.

    Args:
        turn: The step's.
        specialists: Who would do it.
        instruction: What they would be told; empty for a step that no specialist does.
        arguments: The step's, resolved.
        step: As it is done, where that is not as the plan has it: by specialists that a hook has named. What is asked
            about by the plan is asked about all the same.

    Returns:
        Instruction and arguments to go on with, which an edit may have changed, and what to say of the approval; or the
        outcome of a step that may not be done.

    Raises:
        GraphInterrupt: There is no answer yet.
    """
    gates = turn.work.gates
    if gates is None:
        return instruction, arguments, ()
    able = next((card.capabilities for card in turn.work.cards if card.name in specialists[:1]), ())
    proposal = Proposal(
        step=turn.step.id,
        specialists=specialists,
        capabilities=frozenset(able),
        instruction=instruction,
        input=arguments,
    )
    try:
        is_named = step is not None and step is not turn.step and gates.names(step)
        asks = gates.asks if turn.work.assigner is None else gates.asks_any
        if not is_named and not asks(turn.step, proposal):
            return instruction, arguments, ()
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        return turn.failed("policy", f"the approval policy failed, so that the step was not run: {said}")
    policy = gates.policy
    shown: dict[str, JsonValue] = {"instruction": instruction} if instruction else {}
    make = partial(
        gate_request,
        run=turn.run.id,
        step=turn.step.id,
        specialists=specialists,
        arguments={**shown, "input": dict(arguments)},
        assignee=policy.assignee,
    )
    due = turn.due(policy.deadline)
    decision = decided(turn, make, due, policy.on_timeout)
    if not is_yes(decision, policy.on_timeout):
        return refused(turn, decision, due)
    if decision.chosen == "edit" and isinstance(changed := decision.answer, dict):
        edited = changed["input"]
        return str(changed.get("instruction", "")), edited if isinstance(edited, dict) else {}, ()
    return instruction, arguments, unasked(decision, due)

"""The LangGraph state machine that runs plans."""

from goalgraph.graph.agent import PlanAgent
from goalgraph.graph.build import create_plan_agent, generate_plan
from goalgraph.graph.coordination.hooks import (
    Assignment,
    Ballot,
    Completion,
    Conflict,
    Escalation,
    Hooks,
    Quorum,
    Ruling,
    as_hooks,
    on_all_complete,
    on_assignment,
    on_conflict,
    on_escalation,
    on_quorum,
    on_step_complete,
)
from goalgraph.graph.events import Event
from goalgraph.graph.humans.approval import ApprovalPolicy, Proposal
from goalgraph.graph.humans.inbox import aanswer, answer, apending, pending
from goalgraph.graph.humans.thread import Request
from goalgraph.graph.policies import ExecutionPolicy, Limits, PlanningPolicy, RevisionPolicy
from goalgraph.graph.result import RunResult

__all__ = [
    "ApprovalPolicy",
    "Assignment",
    "Ballot",
    "Completion",
    "Conflict",
    "Escalation",
    "Event",
    "ExecutionPolicy",
    "Hooks",
    "Limits",
    "PlanAgent",
    "PlanningPolicy",
    "Proposal",
    "Quorum",
    "Request",
    "RevisionPolicy",
    "Ruling",
    "RunResult",
    "aanswer",
    "answer",
    "apending",
    "as_hooks",
    "create_plan_agent",
    "generate_plan",
    "on_all_complete",
    "on_assignment",
    "on_conflict",
    "on_escalation",
    "on_quorum",
    "on_step_complete",
    "pending",
]

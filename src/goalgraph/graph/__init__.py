"""The LangGraph state machine that runs plans."""

from goalgraph.graph.agent import PlanAgent
from goalgraph.graph.build import create_plan_agent, generate_plan
from goalgraph.graph.events import Event
from goalgraph.graph.humans.approval import ApprovalPolicy, Proposal
from goalgraph.graph.humans.inbox import aanswer, answer, apending, pending
from goalgraph.graph.humans.thread import Request
from goalgraph.graph.policies import ExecutionPolicy, Limits, PlanningPolicy, RevisionPolicy

__all__ = [
    "ApprovalPolicy",
    "Event",
    "ExecutionPolicy",
    "Limits",
    "PlanAgent",
    "PlanningPolicy",
    "Proposal",
    "Request",
    "RevisionPolicy",
    "aanswer",
    "answer",
    "apending",
    "create_plan_agent",
    "generate_plan",
    "pending",
]

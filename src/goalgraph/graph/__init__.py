"""The LangGraph state machine that runs plans."""

from goalgraph.graph.agent import PlanAgent
from goalgraph.graph.approval import ApprovalPolicy, Proposal
from goalgraph.graph.build import create_plan_agent, generate_plan
from goalgraph.graph.events import Event
from goalgraph.graph.inbox import aanswer, answer, apending, pending
from goalgraph.graph.policies import ExecutionPolicy, Limits
from goalgraph.graph.thread import Request

__all__ = [
    "ApprovalPolicy",
    "Event",
    "ExecutionPolicy",
    "Limits",
    "PlanAgent",
    "Proposal",
    "Request",
    "aanswer",
    "answer",
    "apending",
    "create_plan_agent",
    "generate_plan",
    "pending",
]

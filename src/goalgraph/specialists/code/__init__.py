"""Programs as work: a specialist that runs Python, written by a model or given, in a sandbox that confines it."""

from goalgraph.specialists.code.coder import CodeSpecialist, code_specialist
from goalgraph.specialists.code.local import LocalSandbox
from goalgraph.specialists.code.program import Program, ProgramResult, Sandbox, SandboxLimits

__all__ = [
    "CodeSpecialist",
    "LocalSandbox",
    "Program",
    "ProgramResult",
    "Sandbox",
    "SandboxLimits",
    "code_specialist",
]

"""Errors of specialists, their tools, their data, and what they tell each other."""

from goalgraph.errors.root import GoalgraphError

__all__ = [
    "AttemptOver",
    "DamagedArtifact",
    "DelegationRefused",
    "InvalidData",
    "InvalidInput",
    "InvalidSpecialist",
    "MissingArtifact",
    "NoConfinement",
    "NothingReceived",
    "ProgramFailed",
    "ServerGone",
    "ToolFailed",
    "UnknownSpecialist",
]


class InvalidSpecialist(GoalgraphError, ValueError):
    """A specialist that cannot be registered."""


class UnknownSpecialist(GoalgraphError, LookupError):
    """No specialist of that name is registered."""


class InvalidData(GoalgraphError, ValueError):
    """A data file or document that cannot be read."""


class InvalidInput(GoalgraphError, ValueError):
    """A step's input that its specialist cannot take; trying again would not help."""


class ToolFailed(GoalgraphError, RuntimeError):
    """A tool was called, and says that it failed."""


class ServerGone(GoalgraphError, ConnectionError):
    """A server of tools cannot be reached, or went away during a call; whether the call took effect is not known."""


class MissingArtifact(GoalgraphError, LookupError):
    """Nothing is kept under a reference, or there is no store to look in."""


class DamagedArtifact(GoalgraphError, ValueError):
    """What is kept under a reference is not what was put there."""


class NoConfinement(GoalgraphError, RuntimeError):
    """A program cannot be confined on this machine, and nobody has said that it need not be."""


class ProgramFailed(GoalgraphError, RuntimeError):
    """A program in a sandbox failed, or left no usable result."""

    def __init__(self, message: str, *, ended: str, exit_code: int | None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.ended = ended
        """Why it ended, as in `ProgramResult.ended`."""
        self.exit_code = exit_code
        """None where it was ended, or never began."""


class NothingReceived(GoalgraphError, TimeoutError):
    """No message came for a step in the time that it would wait."""

    def __init__(self, step: str, specialist: str, seconds: float) -> None:
        self.step = step
        """Id of the step that waited."""
        self.specialist = specialist
        """Who does it; empty where that is not known."""
        self.seconds = seconds
        """How long it waited."""
        who = f"step {step!r}" + (f" of {specialist!r}" if specialist else "")
        super().__init__(
            f"{who} received no message within {seconds:g} s",
            hint="messages are sent to its id or to its specialist, and are gone where the run was resumed",
        )


class DelegationRefused(GoalgraphError, RuntimeError):
    """Work that a step may not have another specialist do; nothing of it was done."""

    def __init__(self, message: str, *, step: str, to: str, reason: str, hint: str = "") -> None:
        super().__init__(f"step {step!r} cannot delegate to {to!r}: {message}", hint=hint)
        self.step = step
        """Id of the step that wanted it."""
        self.to = to
        """Who was to do it."""
        self.reason = reason
        """Stable: ``approval`` (a human is asked before it), ``unavailable``, ``chain`` (it is at work around the
        step already), ``depth``, ``busy``, ``too_many``, or ``no_run``."""


class AttemptOver(GoalgraphError, RuntimeError):
    """The attempt is over, such as by a timeout, and its context is used on: by a thread that was left behind."""

    def __init__(self, step: str) -> None:
        self.step = step
        super().__init__(
            f"the attempt at step {step!r} is over", hint="what was left behind has no part in the run any more"
        )

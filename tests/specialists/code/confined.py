"""Sandboxes of this machine for tests: each confinement that works here, and in CI at least one."""

import os
from functools import lru_cache

import pytest

from goalgraph.errors import NoConfinement
from goalgraph.specialists.code import LocalSandbox, SandboxLimits
from goalgraph.specialists.code.confinement import Way

__all__ = ["WAYS", "any_confined", "sandbox_of"]

WAYS: tuple[Way, ...] = ("bubblewrap", "namespaces")


@lru_cache(maxsize=1)
def _ways() -> dict[Way, str]:
    """What is wrong with each."""
    found: dict[Way, str] = {}
    for way in WAYS:
        try:
            LocalSandbox(confinement=way)
        except NoConfinement as error:
            found[way] = str(error)
        else:
            found[way] = ""
    return found


def sandbox_of(way: Way, **limits: float) -> LocalSandbox:
    """A sandbox; skips the test where there is none, and in CI fails it where there is none of any kind."""
    faults = _ways()
    if all(faults.values()) and os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        pytest.fail(f"nothing can be confined here: {faults}")
    if faults[way]:
        pytest.skip(faults[way])
    return LocalSandbox(SandboxLimits(**{"seconds": 10, "cpu_seconds": 10, **limits}), confinement=way)  # type: ignore[arg-type]


def any_confined(**limits: float) -> LocalSandbox:
    """The best sandbox that there is."""
    working: list[Way] = [way for way in WAYS if not _ways()[way]]
    return sandbox_of((working or [*WAYS])[0], **limits)

"""Where an answer comes from: one stored record for each step that it was made from."""

from pydantic import BaseModel, ConfigDict

__all__ = ["Source"]


class Source(BaseModel):
    """A step whose result an answer was made from; stored with the run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: str
    """Its id."""
    specialist: str | None = None
    """Who did it; None where it was no specialist's work."""
    title: str = ""
    """What the step was to do, on one line."""
    sections: tuple[str, ...] = ()
    """Headings of the answer under which it is used, in order, each once; empty where the answer has none there."""
    used: bool = True
    """False: a model was given the result, and its answer does not cite it. It may rest on it all the same."""

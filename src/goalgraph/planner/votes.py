"""What of a plan says how several results for the same work come to one: the vote, and the quorum it needs."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, WithJsonSchema

__all__ = ["Quorum", "Vote", "Voting", "checked_quorum"]

_QUORUM = "a count (1 or more), or a share of all voters (above 0.0, up to 1.0)"


def checked_quorum(value: object) -> int | float:
    """Take a count or a share; what else looks like a number is none.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1_000_000:
        return value
    if isinstance(value, float) and 0 < value <= 1:
        return value
    raise ValueError(f"expected {_QUORUM}, found {value!r}")


Quorum = Annotated[
    int | float,
    BeforeValidator(checked_quorum),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 1_000_000},
                {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
            ]
        }
    ),
]
"""``2``: as many ballots; ``0.5``: this share of the weight of all voters, where one who casts none weighs 1."""

_Path = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class Vote(BaseModel):
    """How ballots are counted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Literal["majority", "confidence"] = "majority"
    """What a ballot weighs: 1, or the confidence of its voter's outcome; 0.5 where that is unknown."""
    field: _Path | None = None
    """Where in the output the value is that is voted on, such as ``verdict`` or ``rows.0.name``; absent: all of it.

    Texts are the same whatever their case, spaces, and the quotes, brackets and stops around them.
    """
    otherwise: Literal["fail", "ask"] = "fail"
    """Where no value wins: the step fails (``tie``, ``no_quorum``), or a human chooses among the ballots."""


class Voting(BaseModel):
    """Fields of steps that several voters do."""

    quorum: Quorum | None = None
    """What the winner of the vote needs: a count of ballots, or a share of the weight of all voters; absent: more than
    half of that. Without ``vote`` the majority counts."""
    vote: Vote | None = None
    """Makes the output that of one voter: of the value that most of them gave."""

    @property
    def is_voted(self) -> bool:
        """Whether there is a vote at all."""
        return self.quorum is not None or self.vote is not None

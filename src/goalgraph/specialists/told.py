"""What specialists tell each other, as plain JSON of a bounded size."""

from typing import cast

from pydantic import JsonValue

__all__ = ["MAX_CHARACTERS", "as_told", "checked_name"]

MAX_CHARACTERS = 100_000
"""Of one message, or of one value that is shared, counted as those of outputs are."""
_MAX_NAME = 200


def as_told(value: object, what: str) -> JsonValue:
    """Turn a value into JSON that nobody else has a hand in.

    Args:
        value: Anything that becomes JSON.
        what: What it is, for messages.

    Raises:
        TypeError: It has no JSON form.
        ValueError: It is too large.
    """
    from goalgraph.specialists.results import InvalidOutput, OutputTooLarge, as_json  # here: results know contexts

    try:
        return as_json(value, max_characters=MAX_CHARACTERS)
    except OutputTooLarge:
        raise ValueError(
            f"{what} has more than {MAX_CHARACTERS} characters; write it to a file and tell its path"
        ) from None
    except InvalidOutput as error:
        raise TypeError(f"{what} cannot be told: {error}") from None


def checked_name(name: str, what: str) -> str:
    """Return the name of a topic, a key or a lock, if it is one.

    Raises:
        ValueError: It is empty, too long, or no text.
    """
    given = cast("object", name)
    if not isinstance(given, str) or not given.strip() or len(given) > _MAX_NAME:
        shown = repr(given)[:_MAX_NAME]
        raise ValueError(f"{what} is a text of 1 to {_MAX_NAME} characters, found {shown}")
    return given

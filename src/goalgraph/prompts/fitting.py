"""Share a token budget between texts: the short ones whole, the long ones around a mark."""

from collections.abc import Mapping
from dataclasses import dataclass

from goalgraph.prompts.tokens import count_tokens

__all__ = ["Fitted", "fit", "shared_out"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Texts that fit a budget together."""

    texts: Mapping[str, str]
    """By the names they came with, in the same order."""
    cut: tuple[str, ...]
    """Names of the texts that are no longer whole."""


def fit(texts: Mapping[str, str], limit: int, *, model_name: str | None = None) -> Fitted:
    """Share a budget of tokens between texts.

    Short texts stay whole, and what they leave is shared evenly by the long ones, which keep their beginning and their
    end around a mark that says how much is missing. A text whose share is too small even for the mark becomes empty.
    Counted one by one, the texts never have more tokens than the limit.

    Args:
        texts: By name, such as step ids.
        limit: Tokens of all texts together.
        model_name: As for `count_tokens`.
    """
    sizes = {name: count_tokens(text, model_name) for name, text in texts.items()}
    shares = shared_out(sizes, limit)
    cut = tuple(name for name in texts if shares[name] < sizes[name])
    return Fitted(
        texts={
            name: _shortened(text, sizes[name], shares[name], model_name) if shares[name] < sizes[name] else text
            for name, text in texts.items()
        },
        cut=cut,
    )


def shared_out(sizes: Mapping[str, int], limit: int) -> dict[str, int]:
    """Share a budget by need: nobody gets more than the own size, and those who need more get equal shares.

    Args:
        sizes: What each one needs, by name.
        limit: What there is.
    """
    left, shares = max(limit, 0), dict[str, int]()
    for position, name in enumerate(sorted(sizes, key=lambda name: sizes[name])):
        shares[name] = min(sizes[name], left // (len(sizes) - position))
        left -= shares[name]
    return shares


def _shortened(text: str, size: int, share: int, model_name: str | None) -> str:
    keep = len(text) * share // size
    while keep > 0:
        head, tail = text[: keep - keep // 3], text[len(text) - keep // 3 :]
        kept = count_tokens(head, model_name) + count_tokens(tail, model_name)
        shorter = "\n".join(part for part in (head, _mark(size - kept, size), tail) if part)
        over = count_tokens(shorter, model_name) - share
        if over <= 0:
            return shorter
        keep -= max(1, over * keep // (share + over), keep // 20)
    mark = _mark(size, size)
    return mark if count_tokens(mark, model_name) <= share else ""


def _mark(missing: int, size: int) -> str:
    return f"[... about {max(missing, 1)} of {size} tokens are missing here ...]"

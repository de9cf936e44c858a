import re

from hypothesis import given, settings
from hypothesis import strategies as st

from goalgraph.prompts import count_tokens, fit

PROSE = "The quick brown fox jumps over the lazy dog, and the dog does not mind at all. "


def test_texts_within_the_limit_are_left_alone() -> None:
    fitted = fit({"a": "one", "b": "two"}, 100)
    assert (dict(fitted.texts), fitted.cut) == ({"a": "one", "b": "two"}, ())


def test_long_texts_share_what_short_ones_leave_and_are_cut_around_a_mark() -> None:
    long = "begin " + "middle " * 5000 + "end"
    fitted = fit({"long": long, "short": PROSE, "other": long}, 1000)
    assert fitted.cut == ("long", "other")
    assert list(fitted.texts) == ["long", "short", "other"]
    assert fitted.texts["short"] == PROSE
    assert fitted.texts["long"].startswith("begin middle")
    assert fitted.texts["long"].endswith("middle end")
    size = count_tokens(long)
    told = re.search(rf"\[\.\.\. about (\d+) of {size} tokens are missing here \.\.\.\]", fitted.texts["long"])
    assert told is not None
    assert size - 480 < int(told[1]) < size - 400
    assert 850 <= sum(map(count_tokens, fitted.texts.values())) <= 1000


def test_a_share_too_small_for_the_mark_leaves_nothing() -> None:
    fitted = fit({"a": PROSE, "b": PROSE}, 3)
    assert (dict(fitted.texts), fitted.cut) == ({"a": "", "b": ""}, ("a", "b"))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=3), st.text(max_size=400), max_size=6), st.integers(-5, 400))
def test_the_limit_is_never_exceeded_and_every_cut_text_is_named(texts: dict[str, str], limit: int) -> None:
    fitted = fit(texts, limit)
    assert sum(map(count_tokens, fitted.texts.values())) <= max(limit, 0)
    assert fitted.cut == tuple(name for name in texts if fitted.texts[name] != texts[name])

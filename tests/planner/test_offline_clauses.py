"""How a goal is cut into clauses."""

import re
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalgraph.planner.offline.clauses import split_clauses
from goalgraph.planner.offline.vocabulary import words


@pytest.mark.parametrize(
    ("goal", "expected"),
    [
        ("Sort the mail, water the plants, and feed the cat", ["Sort the mail", "water the plants", "feed the cat"]),
        ("Find a hall and book a band", ["Find a hall", "book a band"]),
        ("Open the file and then print it", ["Open the file", "print it"]),
        ("Draft the offer; after that, send it; finally, log the call", ["Draft the offer", "send it", "log the call"]),
        ("Buy bread. Additionally, buy milk.", ["Buy bread", "buy milk"]),
        ("1. Load a.csv 2. Clean it 3. Plot the mean", ["Load a.csv", "Clean it", "Plot the mean"]),
        (
            "- Sweep the floor\n- Wash the\n  windows\n* Lock up the shop",
            ["Sweep the floor", "Wash the\n  windows", "Lock up the shop"],
        ),
        (
            "Collect samples, plan trips, book flights, and report results",
            ["Collect samples", "plan trips", "book flights", "report results"],
        ),
        ("Who owns the mill and what is its age?", ["Who owns the mill", "what is its age?"]),
        ("I need help summarizing a.pdf and translating b.pdf", ["summarizing a.pdf", "translating b.pdf"]),
        ("Sweep and paint the hall", ["Sweep and paint the hall"]),
        ("Analyze and plot the levels", ["Analyze the levels", "plot the levels"]),
    ],
    ids=[
        "list",
        "and",
        "and then",
        "after that",
        "also",
        "inline numbers",
        "bullets",
        "doubtful verbs",
        "questions",
        "gerunds",
        "one object",
        "one object, two kinds",
    ],
)
def test_pieces_of_work_are_cut_apart(goal: str, expected: list[str]) -> None:
    assert [clause.text for clause in split_clauses(goal)] == expected


@pytest.mark.parametrize(
    "goal",
    [
        "Cook a stew with beef, leeks, and parsnips",
        "List the title, report number, and status of each entry",
        "Review the design and test results",
        'Send the words "stop, look, and write a note. Then wait" to Kim',
        "Tidy the notes (sort them, and remove doubles; then count them) by noon",
        "Ask Dr. Lund from Acme Inc. about version 3.5, build 7.2.1",
        "Solve $a + b = 2, and find x; then stop$ for $b$",
        "Write a script to read the log, count errors, and print them",
        "Find people who draw and paint",
        "Open https://example.org/a,b;c.html?x=1 in the viewer",
        "If the pump is off, start the pump",
        "Do a survey of the coast",
        "Clean the halls and make sure the doors are shut",
        "Pack the crates, and do not stack the crates",
    ],
    ids=[
        "nouns",
        "noun list with a verb's form",
        "compound noun",
        "quote",
        "brackets",
        "abbreviations",
        "formula",
        "what a script does",
        "relative clause",
        "address",
        "condition",
        "do",
        "make sure",
        "do not",
    ],
)
def test_one_piece_of_work_stays_whole(goal: str) -> None:
    assert [clause.text for clause in split_clauses(goal)] == [goal]


@pytest.mark.parametrize(
    "prefix",
    [
        "Could you please ",
        "I need to ",
        "I want to ",
        "Can you help me ",
        "Hi! Please ",
        "We would like you to ",
        "First, ",
        "Step 1: ",
    ],
)
def test_politeness_is_left_out(prefix: str) -> None:
    assert [clause.text for clause in split_clauses(f"{prefix}count the herons.")] == ["count the herons"]


@pytest.mark.parametrize(
    ("goal", "expected"),
    [
        ("I run a small bakery. Estimate the flour I need.", ["I run a small bakery. Estimate the flour I need"]),
        ("Write a poem. Use rhymes. Keep it short.", ["Write a poem. Use rhymes. Keep it short"]),
        ("Find the following:\n- inns in Riga\n- trams", ["Find the following:\n- inns in Riga\n- trams"]),
        ("I need to learn about old maps. Find maps of Lyon.", ["I need to learn about old maps. Find maps of Lyon"]),
        ("I have two lists. I need them merged by key.", ["I have two lists. I need them merged by key"]),
    ],
    ids=["background", "demands", "list under an order", "wish spelled out", "wish"],
)
def test_what_asks_for_nothing_stays_with_the_work_it_belongs_to(goal: str, expected: list[str]) -> None:
    assert [clause.text for clause in split_clauses(goal)] == expected


_DROPPED = words(
    "and then after that finally lastly also additionally please could can you help me i need want to first next but"
    " plus second third step last would like us let s"
)
_PHRASES = st.lists(
    st.sampled_from(
        [
            "Sort the mail",
            "water plants",
            "Who sang it?",
            "(a, b)",
            '"and then"',
            "a note",
            "Keep it short",
            "- ",
            "2) ",
            "\n",
            ". ",
            ", ",
            "; ",
            " and ",
            " and then ",
            "Finally, ",
            "please ",
            "in the hall",
            "If it rains, ",
            "I need ",
            "Could you ",
            "3.5 kg",
            "a.csv",
        ]
    ),
    max_size=30,
).map(" ".join)


@given(goal=st.one_of(_PHRASES, st.text(max_size=300)))
@settings(max_examples=400, deadline=None)
def test_no_word_is_lost_and_none_is_said_twice(goal: str) -> None:
    clauses = split_clauses(goal)
    said = Counter(_words(" ".join(clause.text.removesuffix(clause.shared) for clause in clauses)))
    asked = Counter(_words(goal))
    lost = {word for word in asked - said if word not in _DROPPED and not re.fullmatch(r"\d{1,3}|[a-z]", word)}
    assert not lost
    assert not said - asked


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


@given(goal=_PHRASES)
def test_clauses_follow_each_other_in_the_goal(goal: str) -> None:
    clauses = split_clauses(goal)
    assert all(before.end <= after.start for before, after in pairwise(clauses))

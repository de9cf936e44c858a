"""The offline planner: who gets which words, and what waits for what."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalgraph.errors import InvalidGoal
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.dag import needs
from goalgraph.planner.decomposer import PlanRequest
from goalgraph.planner.expressions import resolve
from goalgraph.planner.offline import OfflineDecomposer, plan_offline
from goalgraph.planner.plan import AgentStep, Plan
from goalgraph.planner.validation import PlanPolicy, validate_plan

ANALYST = SpecialistCard(
    name="data_analyst",
    description=(
        "Reads tables (CSV, JSON lines, Parquet), profiles columns and finds trends, group differences and outliers,"
        " with figures"
    ),
    capabilities=("data", "analysis", "statistics", "trends"),
)
CHARTS = SpecialistCard(
    name="chart_maker",
    description="Draws PNG or SVG charts that fit the data and the findings",
    capabilities=("charts", "visualization"),
)
RESEARCHER = SpecialistCard(
    name="document_researcher",
    description="Finds the passages that bear on the task in text, Markdown and PDF files, with file and line",
    capabilities=("research", "documents", "search"),
)
WRITER = SpecialistCard(
    name="report_writer",
    description="Writes a Markdown report or executive summary from the outcomes it depends on, with its sources",
    capabilities=("writing", "report", "summary"),
)
TEAM = (ANALYST, CHARTS, RESEARCHER, WRITER)
ONE = (SpecialistCard(name="worker", description="Bakes bread"),)
GOAL = "Analyze the data, identify the top 3 trends, create visualizations, and write an executive summary"


def plan(goal: str, cards: tuple[SpecialistCard, ...] = TEAM, *, max_steps: int = 200) -> Plan:
    return plan_offline(PlanRequest(goal=goal, cards=cards, policy=PlanPolicy(max_steps=max_steps)))


def agent_steps(made: Plan) -> list[AgentStep]:
    return [step for step in made.steps if step.type == "agent"]


def wiring(goal: str, cards: tuple[SpecialistCard, ...] = TEAM) -> dict[str, tuple[str, ...]]:
    return {step.id: step.depends_on for step in agent_steps(plan(goal, cards))}


async def test_an_analysis_with_charts_and_a_summary_goes_to_three_specialists() -> None:
    made = await OfflineDecomposer().decompose(PlanRequest(goal=GOAL, cards=TEAM))
    assert [(step.id, step.agent, step.task, step.depends_on) for step in agent_steps(made)] == [
        ("analyze_data", "data_analyst", "Analyze the data, identify the top 3 trends", ()),
        ("create_visualizations", "chart_maker", "create visualizations", ("analyze_data",)),
        (
            "write_executive_summary",
            "report_writer",
            "write an executive summary",
            ("analyze_data", "create_visualizations"),
        ),
    ]


@pytest.mark.parametrize(
    ("goal", "agents"),
    [
        ("Find the outliers in orders.parquet and plot them", ["data_analyst", "chart_maker"]),
        ("Search the contracts for renewal terms; draft a memo on them", ["document_researcher", "report_writer"]),
        ("Analyze and visualize the data, then report on it", ["data_analyst", "chart_maker", "report_writer"]),
        ("What are the main trends in visits.csv?", ["data_analyst"]),
        ("Compare sales in May and June, then visualize the difference", ["data_analyst", "chart_maker"]),
        ("Look at visits.csv, spot anomalies and write up the findings", ["data_analyst", "report_writer"]),
        ("Profile the table, make a bar chart, and write a report", ["data_analyst", "chart_maker", "report_writer"]),
    ],
    ids=["outliers", "contracts", "shared object", "question", "compare", "look at", "make a chart"],
)
def test_each_step_goes_to_the_card_that_shares_its_words(goal: str, agents: list[str]) -> None:
    assert [step.agent for step in agent_steps(plan(goal))] == agents


@pytest.mark.parametrize(
    ("goal", "expected"),
    [
        (
            "Water the roses. Additionally, paint the fence",
            {"water_roses": (), "paint_fence": ()},
        ),
        (
            "Translate the letter into Finnish and then post it on the blog",
            {"translate_letter": (), "post": ("translate_letter",)},
        ),
        (
            "Find a cello teacher in Ghent and book a lesson for Monday",
            {"find_cello_teacher": (), "book_lesson": ("find_cello_teacher",)},
        ),
        (
            "Identify the five slowest queries. Count the users. Rewrite the slowest queries",
            {
                "identify_five_slowest_queries": (),
                "count_users": (),
                "rewrite_slowest_queries": ("identify_five_slowest_queries",),
            },
        ),
        (
            "Fetch the invoices, fetch the receipts, then reconcile both",
            {"fetch_invoices": (), "fetch_receipts": (), "reconcile": ("fetch_invoices", "fetch_receipts")},
        ),
        (
            "Draw a logo; after that, print 50 stickers; after that, mail them to Ana",
            {"draw_logo": (), "print_50_stickers": ("draw_logo",), "mail": ("print_50_stickers",)},
        ),
        (
            "Analyze churn in a.csv. Also, analyze refunds in b.csv. Write a report.",
            {"analyze_churn": (), "analyze_refunds": (), "write_report": ("analyze_churn", "analyze_refunds")},
        ),
        (
            "Check whether the key has expired. If the key has expired, revoke the certificate.",
            {"check_key": (), "revoke_key": ("check_key",)},
        ),
        (
            "Compile the kernel. Summarize the PDF handbook",
            {"compile_kernel": (), "summarize_pdf_handbook": ()},
        ),
        (
            "Fetch the invoices, fetch the receipts. Mail both to Ana",
            {"fetch_invoices": (), "fetch_receipts": (), "mail": ("fetch_invoices", "fetch_receipts")},
        ),
        (
            "Weigh the boxes, then label the lids and paint the handles",
            {"weigh_boxes": (), "label_lids": ("weigh_boxes",), "paint_handles": ("weigh_boxes",)},
        ),
        (
            "Tally the votes. Sort by district",
            {"tally_votes": (), "sort": ("tally_votes",)},
        ),
        (
            "Clean the spreadsheet, compute the medians",
            {"clean_spreadsheet": (), "compute_medians": ("clean_spreadsheet",)},
        ),
    ],
    ids=[
        "also",
        "then it",
        "find and book",
        "named result",
        "both",
        "chain",
        "report",
        "condition",
        "own source",
        "mail both",
        "then two",
        "no object",
        "prepared",
    ],
)
def test_a_step_waits_for_what_its_words_refer_to(goal: str, expected: dict[str, tuple[str, ...]]) -> None:
    assert list(wiring(goal, ONE).values()) == _renamed(goal, expected)


def _renamed(goal: str, expected: dict[str, tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Compare shapes, and leave the ids to the test of ids."""
    ids = [step.id for step in agent_steps(plan(goal, ONE))]
    names = dict(zip(expected, ids, strict=True))
    return [tuple(names[need] for need in needs) for needs in expected.values()]


def test_an_order_that_follows_from_the_data_is_not_written_twice() -> None:
    made = plan("Find trends in the data; then visualize them; finally, write a summary of the trends")
    assert [step.depends_on for step in agent_steps(made)] == [(), ("find_trends",), ("find_trends", "visualize")]
    chain = wiring("Open the valve, then start the pump, then ring the bell", ONE)
    assert list(chain.values()) == [(), ("open_valve",), ("start_pump",)]


def test_an_order_that_other_needs_imply_is_dropped_where_clauses_were_merged() -> None:
    made = plan("Profile the table, then search the notes, visualize them and bake a cake")
    assert [step.depends_on for step in agent_steps(made)] == [(), ("profile_table",), ("search_notes",)]


def test_verbs_that_share_an_object_both_name_it() -> None:
    assert [step.task for step in agent_steps(plan("Analyze and visualize the data"))] == [
        "Analyze the data",
        "visualize the data",
    ]


@pytest.mark.parametrize(
    ("question", "subjects"),
    [
        ("Who is older, Marie Curie or Lise Meitner?", ["Look up Marie Curie", "Look up Lise Meitner"]),
        (
            "Were Ada Lovelace and Grace Hopper born in the same month?",
            ["Look up Ada Lovelace", "Look up Grace Hopper"],
        ),
        (
            "What is the ratio of the depth of Lake Baikal and the depth of Lake Geneva?",
            ["Look up the depth of Lake Baikal", "Look up the depth of Lake Geneva"],
        ),
    ],
    ids=["choice", "both", "ratio"],
)
def test_a_question_that_compares_looks_both_things_up_first(question: str, subjects: list[str]) -> None:
    steps = agent_steps(plan(question, ONE))
    assert [step.task for step in steps] == [*subjects, question]
    assert [step.depends_on for step in steps] == [(), (), (steps[0].id, steps[1].id)]
    assert all(question in step.constraints[0] for step in steps[:2])


def test_a_simple_question_is_one_step() -> None:
    assert [step.task for step in agent_steps(plan("How many bridges cross the Main?", ONE))] == [
        "How many bridges cross the Main?"
    ]


def test_a_comparing_question_stays_whole_where_there_is_no_room_for_more_steps() -> None:
    assert len(agent_steps(plan("Who is older, Marie Curie or Lise Meitner?", ONE, max_steps=2))) == 1


def test_work_that_fits_nobody_stays_with_its_neighbour() -> None:
    assert [step.task for step in agent_steps(plan("Analyze the data and bake a cake"))] == [
        "Analyze the data and bake a cake"
    ]


def test_work_that_fits_nobody_goes_to_a_generalist_if_there_is_one() -> None:
    helper = SpecialistCard(name="helper", description="A general assistant for everything else")
    assert [step.agent for step in agent_steps(plan("Analyze the data and bake a cake", (*TEAM, helper)))] == [
        "data_analyst",
        "helper",
    ]


def test_a_goal_that_fits_nobody_names_the_specialists_and_the_way_out() -> None:
    with pytest.raises(InvalidGoal, match=r"'chart_maker'.*--model"):
        plan("Bake a cake")


def test_a_single_specialist_takes_every_goal() -> None:
    assert [step.agent for step in agent_steps(plan("Tune the piano", ONE))] == ["worker"]


@pytest.mark.parametrize("goal", ["", "  \n\t ", "\u3000"], ids=["empty", "spaces", "ideographic space"])
def test_a_blank_goal_is_refused(goal: str) -> None:
    with pytest.raises(InvalidGoal, match="expected a goal"):
        plan(goal)


def test_a_goal_without_specialists_is_refused() -> None:
    with pytest.raises(InvalidGoal, match="no specialists"):
        plan("Analyze the data", ())


@pytest.mark.parametrize("max_steps", [1, 2, 3])
def test_too_many_steps_are_merged_from_the_end_and_lose_no_word(max_steps: int) -> None:
    made = plan("Wash the car, mow the lawn, feed the cat, and call Ida", ONE, max_steps=max_steps)
    assert len(agent_steps(made)) == max_steps
    task = agent_steps(made)[-1].task or ""
    assert task.endswith("call Ida")
    assert "feed the cat" in task


def test_a_text_too_long_for_a_task_goes_on_in_its_constraints() -> None:
    goal = "Sort these words: " + "pear " * 9000
    (step,) = agent_steps(plan(goal, ONE))
    assert " ".join((step.task or "", *step.constraints)).split() == goal.split()


def test_the_limits_a_goal_sets_stay_in_the_task() -> None:
    made = plan("Analyze q3.csv and write a summary in French, under 300 words. Do not name customers.")
    assert agent_steps(made)[-1].task == "write a summary in French, under 300 words. Do not name customers"


def test_braces_in_a_goal_are_text() -> None:
    (step,) = agent_steps(plan("Fill in {{ steps.missing.output }} and {% raw", ONE))
    assert "{{ steps.missing.output }}" in str(resolve(step.task, {}))
    assert needs(step) == frozenset()


@pytest.mark.parametrize("braces", [99, 100, 30_000])
def test_a_goal_of_braces_fits_into_a_step(braces: int) -> None:
    goal = "Count " + "{{" * braces + " now" * 6_000
    (step,) = agent_steps(plan(goal, ONE))
    assert "".join((str(resolve(step.task, {})), *step.constraints)).replace(" ", "") == goal.replace(" ", "")


def test_ids_are_unique_and_readable() -> None:
    made = plan("Plot the rain. Plot the rain. 7 Zwerge! 写一首诗。", ONE)
    ids = [step.id for step in agent_steps(made)]
    assert ids[:2] == ["plot_rain", "plot_rain_2"]
    assert len(set(ids)) == len(ids)


def test_the_inputs_of_the_request_become_the_plan_s() -> None:
    assert plan_offline(PlanRequest(goal="Bake", cards=ONE, inputs={"file": "a.csv"})).inputs == {"file": "a.csv"}


_GOALS = st.one_of(
    st.text(max_size=400),
    st.lists(
        st.sampled_from(
            [
                GOAL,
                "and",
                "then",
                "it",
                ",",
                ";",
                ". ",
                "\n- ",
                "1. ",
                "the report",
                "write",
                '"',
                "$x$",
                "(",
                "Who is older, A or B?",
                "I need",
                "Could you please",
                "If",
                "Also,",
                "\ud800",
                "\0",
                "  ",
                ":",
                "plot",
                "a.csv",
                "Finally,",
                "{{",
            ]
        ),
        max_size=40,
    ).map(" ".join),
)


@given(goal=_GOALS, alone=st.booleans(), max_steps=st.integers(1, 6))
@settings(max_examples=300, deadline=None)
def test_any_text_becomes_a_valid_plan_or_is_refused(goal: str, alone: bool, max_steps: int) -> None:
    cards, policy = (ONE if alone else TEAM), PlanPolicy(max_steps=max_steps)
    request = PlanRequest(goal=goal, cards=cards, policy=policy)
    try:
        made = plan_offline(request)
    except InvalidGoal:
        assert not alone or not goal.strip()
        return
    assert validate_plan(made, policy, cards) == ()
    assert plan_offline(request) == made


TABLES = SpecialistCard(name="analyst", description="Reads tables (CSV) and finds trends.", capabilities=("data",))
PICTURES = SpecialistCard(name="drawer", description="Draws charts.", capabilities=("charts", "visualization"))
PASSAGES = SpecialistCard(name="searcher", description="Finds the passages that bear on a question.")
REPORTS = SpecialistCard(name="writer", description="Writes a report or summary.", capabilities=("writing", "report"))


@pytest.mark.parametrize(
    ("goal", "cards", "expected"),
    [
        (
            "Write a summary of the trends in sales.csv with charts",
            (TABLES, PICTURES, REPORTS),
            [("analyst", ()), ("drawer", ("analyst",)), ("writer", ("analyst", "drawer"))],
        ),
        ("Write a report about sales.csv", (TABLES, REPORTS), [("analyst", ()), ("writer", ("analyst",))]),
        (
            "Summarize the termination clauses of the contract",
            (PASSAGES, REPORTS),
            [("searcher", ()), ("writer", ("searcher",))],
        ),
        ("Write a summary", (REPORTS,), [("writer", ())]),
    ],
    ids=["trends and charts", "a table", "a document", "nobody else"],
)
def test_a_report_that_stands_alone_gets_the_work_it_is_made_from(
    goal: str, cards: tuple[SpecialistCard, ...], expected: list[tuple[str, tuple[str, ...]]]
) -> None:
    steps = agent_steps(plan_offline(PlanRequest(goal=goal, cards=cards)))
    doers = {step.id: step.agent for step in steps}
    assert [(step.agent, tuple(doers[need] for need in step.depends_on)) for step in steps] == expected
    assert all(goal in (step.task or "") for step in steps)


def test_a_report_that_follows_other_work_gets_none() -> None:
    made = plan_offline(PlanRequest(goal="Find the trends and write a report", cards=(TABLES, PICTURES, REPORTS)))
    assert [step.agent for step in agent_steps(made)] == ["analyst", "writer"]

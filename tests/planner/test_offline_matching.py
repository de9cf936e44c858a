"""How cards are scored against a piece of work."""

from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.offline.matching import CardIndex

BAKER = SpecialistCard(name="baker", description="Bakes bread and cakes", capabilities=("baking",))
POET = SpecialistCard(name="poet", description="Composes poems about bread and other things", capabilities=("poetry",))


def test_inflected_words_agree() -> None:
    assert CardIndex((POET, BAKER)).best("baked a cake") == 1


def test_a_word_on_every_card_counts_for_less_than_a_rare_one() -> None:
    both = CardIndex((BAKER, POET)).scores("bread")
    rare = CardIndex((BAKER, POET)).scores("cakes")
    assert 0 < max(both) < max(rare)


def test_a_synonym_counts_but_less_than_the_word_itself() -> None:
    index = CardIndex(
        (SpecialistCard(name="a", description="draws a chart"), SpecialistCard(name="b", description="draws a plot"))
    )
    scores = index.scores("a plot", "")
    assert scores[1] > scores[0] > 0


def test_names_in_camel_case_are_read_as_words() -> None:
    assert CardIndex((BAKER, SpecialistCard(name="cancelInsurancePolicy"))).best("cancel my insurance") == 1


def test_what_shares_no_word_fits_nobody() -> None:
    index = CardIndex((BAKER, POET))
    assert index.best("repair the roof") is None
    assert index.generalist is None

"""Words the offline planner knows: English work verbs, function words, synonyms, and a light stemmer."""

import re
from collections.abc import Iterator
from functools import lru_cache

__all__ = [
    "AMBIGUOUS",
    "CONSTRAINT_VERBS",
    "FUNCTION_WORDS",
    "SYNONYMS",
    "VERBS",
    "base_of_gerund",
    "content",
    "stem",
    "stemmed",
    "stems",
    "words",
]


def words(text: str) -> frozenset[str]:
    """Return the words that are set apart by white space."""
    return frozenset(text.split())


AMBIGUOUS = words(
    "access address answer archive audit average balance benchmark bill blog book brief budget build cache call"
    " change chart check clone code comment compile contact contrast copy cost count craft cut date debug deploy"
    " design detail display document download draft draw e-mail edit email estimate exchange export file filter"
    " fix flag focus forecast format forward function grade graph grant group guide help highlight host import"
    " index install interview invite issue label launch lead link list load log mail map mark match measure merge"
    " message model monitor name note offer open order outline overview pack patch phone pitch place plan plot"
    " point post practice present press print process profile program project pull purchase push quote rank rate"
    " read record release rent repair repeat reply report request research reset resolve rest return review"
    " rewrite run sample save scan schedule score script search set shape share ship show sign sketch sort sound"
    " source split start stop store stress study sum summary support survey switch tag target tell test time trace"
    " track trade train transfer transform try tune turn type update upgrade upload use value view visit vote walk"
    " watch work wrap"
)
"""Verbs that are as often nouns; after "and" they open a clause only where an object follows."""

VERBS = AMBIGUOUS | words(
    "accept achieve activate adapt add adjust administer advise aggregate align allocate allow analyse analyze"
    " annotate announce append apply appoint approve arrange ask assemble assess assign attach attend authenticate"
    " authorize automate backup bake begin block boil bring broadcast browse buy calculate calibrate cancel"
    " capture categorise categorize choose chop clarify classify clean clear climb clip close cluster collate"
    " collect combine compare complete compose compress compute concatenate conclude condense conduct configure"
    " confirm connect consider consolidate construct consult contribute convert convey cook coordinate correct"
    " correlate crawl create critique curate customize decide decode decrypt deduce deduplicate define delegate"
    " delete deliver demonstrate derive describe detect determine develop devise diagnose differentiate dig"
    " digitize disable discover discuss dispatch divide drive dry duplicate eliminate embed enable encode encrypt"
    " enhance enrich ensure enter enumerate establish evaluate examine execute expand experiment explain explore"
    " express extract feed fetch figure fill finalise finalize find finish fit fold forget formulate gather"
    " generate get give go grab grow hang heat hire identify illustrate implement improve include incorporate"
    " increase infer inform insert inspect integrate interpret introduce inventory investigate join judge justify"
    " keep knit learn leave let listen locate look maintain make manage maximize melt minimize mix modify move mow"
    " multiply negotiate normalise normalize notify obtain omit optimise optimize organise organize paint"
    " paraphrase parse pay perform permit pick play polish populate predict prepare prevent prioritise prioritize"
    " produce proofread propose protect prove provide publish put quantify query recalculate recap recommend"
    " reconcile redact redesign reduce refactor refine register reject remind remove rename render reorganize"
    " replace replicate reschedule reserve respond restart restore restructure retrieve reverse revoke ride ring"
    " rotate sanitize scrape see segment select sell send separate sew simplify simulate sing slice sniff solve"
    " specify spot standardise standardize stir submit subscribe subtract suggest summarise summarize supply sweep"
    " synthesise synthesize tally tabulate take teach throw tokenize transcribe translate transport triage trim"
    " troubleshoot understand uninstall unsubscribe validate verify visualise visualize wash weigh whisk withdraw"
    " write"
)
"""Verbs in the form that an order takes."""

CONSTRAINT_VERBS = words("avoid ensure exclude ignore include keep limit never note omit remember use")
"""Verbs that say how an earlier piece of work is to be done, rather than ask for another."""

FUNCTION_WORDS = words(
    "a about above across after again against all along also although am among an and any are around as at be"
    " because been before being below between both but by can cannot could did do does doing don't down during"
    " each either etc every few for from further had has have having he her here hers herself him himself his how"
    " however i i'd i'll i'm i've if in into is it it's its itself just let's like many may me might more most"
    " much must my myself neither no nor not of off on once one only onto or other our ours ourselves out over own"
    " per please same shall she should since so some such than that that's the their theirs them themselves then"
    " there these they this those though through thus to too toward towards under until unless up upon us very via"
    " was we we'd we're were what when where whether which while who whom whose why will with within without would"
    " yet you you'd you're your yours yourself additionally afterwards finally lastly next subsequently first"
    " second third able anything everything something specific given various several based using want need like"
    " well new"
)
"""Words that say nothing of what the work is about."""

_GROUPS = (
    "analyze analyse analysis analyst analytics statistics statistic statistical compare comparison"
    " examine explore evaluate assess trend"
    " outlier correlation insight pattern anomaly",
    "visualize visualise visualization chart plot graph diagram dashboard histogram figure",
    "write writer report summary summarize summarise draft compose author essay memo narrative article executive",
    "find search research look lookup discover locate investigate seek researcher query",
    "get fetch retrieve obtain download collect gather load scrape provide",
    "calculate compute calculator count sum math arithmetic estimate total average",
    "translate translation translator localize language",
    "code program programming script implement develop developer debug software refactor python coder",
    "test verify validate check confirm tester validation verification",
    "review critique proofread edit reviewer editor grammar feedback",
    "book reserve reservation order buy purchase booking ticket",
    "send email mail message notify sms deliver",
    "plan schedule itinerary organize organise calendar planner",
    "create make build generate produce",
    "save store export archive upload",
    "image picture photo illustration photograph",
    "convert conversion transform converter",
    "data dataset table csv spreadsheet excel parquet dataframe database",
    "document pdf paper text markdown manual passage file",
    "answer question reply respond explain explanation",
    "merge combine join concatenate splice stitch",
)

_SUFFIXES = (
    ("izations", "iz"),
    ("isations", "iz"),
    ("ization", "iz"),
    ("isation", "iz"),
    ("izing", "iz"),
    ("ising", "iz"),
    ("ized", "iz"),
    ("ised", "iz"),
    ("izes", "iz"),
    ("ises", "iz"),
    ("izer", "iz"),
    ("ize", "iz"),
    ("ise", "iz"),
    ("ations", "at"),
    ("ation", "at"),
    ("ators", "at"),
    ("ator", "at"),
    ("ating", "at"),
    ("ated", "at"),
    ("ates", "at"),
    ("ate", "at"),
    ("ements", ""),
    ("ement", ""),
    ("ments", ""),
    ("ment", ""),
    ("ings", ""),
    ("ing", ""),
    ("ies", "y"),
    ("ied", "y"),
    ("ers", ""),
    ("ors", ""),
    ("er", ""),
    ("or", ""),
    ("ed", ""),
    ("ions", ""),
    ("ion", ""),
    ("sses", "ss"),
    ("als", ""),
    ("al", ""),
    ("es", ""),
    ("s", ""),
)

_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """Cut a word's inflection so that most forms of one word agree; the rest need not be a word."""
    word = word.lower().replace("’", "'")
    word = word.removesuffix("'s")
    if len(word) > 3 and not word.endswith(("ss", "us", "is")):
        for suffix, kept in _SUFFIXES:
            if word.endswith(suffix) and len(word) - len(suffix) >= (3 if len(suffix) < 4 else 2):
                word = word[: -len(suffix)] + kept
                break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiousl":
        word = word[:-1]
    if len(word) > 3 and word.endswith("e"):
        word = word[:-1]
    return word[:-1] + "i" if len(word) > 3 and word.endswith("y") else word


def stemmed(text: str) -> frozenset[str]:
    """Return the stems of words that are set apart by white space."""
    return frozenset(stem(word) for word in text.split())


SYNONYMS: dict[str, str] = {stem(word): f"~{group.split(maxsplit=1)[0]}" for group in _GROUPS for word in group.split()}
"""The stem of a work word to the name of its group of synonyms; names start with ``~``, stems never do."""


def stems(text: str) -> Iterator[str]:
    """Give the stems of a text's words that carry meaning, in order."""
    for word in content(text):
        yield stem(word)


def content(text: str) -> Iterator[str]:
    """Give a text's words that carry meaning, lower case, in order."""
    for match in _TOKEN.finditer(text):
        word = match.group().lower().replace("’", "'")
        if word not in FUNCTION_WORDS and word.removesuffix("'s") not in FUNCTION_WORDS:
            yield word


def base_of_gerund(word: str) -> str | None:
    """Return the verb of a form in -ing (``"writing"`` gives ``"write"``), None for all other words."""
    word = word.lower()
    if len(word) < 5 or not word.endswith("ing"):
        return None
    root = word[:-3]
    forms = (root, root + "e", root[:-1] if root[-1] == root[-2] else root)
    return next((form for form in forms if form in VERBS), None)

"""Specialists that come with goalgraph and do real work by rules and statistics, with or without a model."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from goalgraph.errors import MissingExtra
from goalgraph.prompts import Prompts
from goalgraph.specialists.builtin.analyst import DataAnalyst
from goalgraph.specialists.builtin.assistant import Assistant
from goalgraph.specialists.builtin.charts import ChartMaker
from goalgraph.specialists.builtin.documents import DocumentResearcher
from goalgraph.specialists.builtin.files import check_files, find_sources
from goalgraph.specialists.builtin.report import ReportWriter
from goalgraph.specialists.specialist import Specialist

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = [
    "Assistant",
    "ChartMaker",
    "DataAnalyst",
    "DocumentResearcher",
    "ReportWriter",
    "builtin_specialists",
    "check_files",
]


def builtin_specialists(
    *,
    files: Sequence[str | Path] = (),
    out: str | Path,
    model: "BaseChatModel | None" = None,
    prompts: Prompts | None = None,
    max_input_tokens: int | None = None,
    summarize: bool = False,
) -> tuple[Specialist, ...]:
    """Return the built-in specialists that have something to work on.

    Tables give ``data_analyst`` and ``chart_maker``, documents ``document_researcher``; ``report_writer`` is always
    there, ``assistant`` only with a model.

    Args:
        files: Tables (CSV, JSON, JSON lines, Parquet), documents (text, Markdown, PDF) and folders of both.
            Nothing else is read.
        out: Folder for what they write; made when the first file is written.
        model: Writes the texts; figures are computed all the same.
        prompts: What the model is told; None: the built-in prompts.
        max_input_tokens: Of a prompt; None: three quarters of the model's window, or of 32,768 tokens where it is not
            known. What is longer is cut, and the result says so.
        summarize: Whether the model may summarise what is too long, in at most 24 further calls a step, before it is
            cut.

    Raises:
        ValueError: ``max_input_tokens`` is not positive, or ``files`` is one path, not a list of them.
        InvalidData: A file cannot be used, see `check_files`.
        MissingExtra: A file needs a package that is not installed.
    """
    if isinstance(files, (str, Path)):
        raise ValueError(f"files are a list of paths, found the path {str(files)!r}; write [{str(files)!r}]")
    sources, folder = find_sources([Path(file) for file in files]), Path(out)
    tables = [(path, sources.name(path)) for path in sources.tables]
    documents = [(path, sources.name(path)) for path in sources.documents]
    offered: list[Specialist] = []
    if tables:
        _need("reading tables", "polars")
        _need("drawing charts", "matplotlib")
        offered += [
            DataAnalyst(tables, model=model, prompts=prompts, max_input_tokens=max_input_tokens, summarize=summarize),
            ChartMaker(tables, out=folder),
        ]
    if documents:
        if any(path.suffix.lower() == ".pdf" for path in sources.documents):
            _need("reading PDF files", "pypdf")
        offered.append(
            DocumentResearcher(
                documents, model=model, prompts=prompts, max_input_tokens=max_input_tokens, summarize=summarize
            )
        )
    offered.append(
        ReportWriter(out=folder, model=model, prompts=prompts, max_input_tokens=max_input_tokens, summarize=summarize)
    )
    if model is not None:
        offered.append(Assistant(model, prompts=prompts, max_input_tokens=max_input_tokens, summarize=summarize))
    return tuple(offered)


def _need(what: str, package: str) -> None:
    if find_spec(package) is None:
        raise MissingExtra(what, "data")

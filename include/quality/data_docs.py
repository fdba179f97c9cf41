"""Great Expectations' Data Docs of a night: one static HTML page with every suite, its checks and what was found.

Great Expectations renders the tables; the page around them is ``templates/night.html``, since its own loads styles and
scripts from other sites. The page looks right where it is served, beside the Marketing page, and links to nothing else.

It holds no rows of the shop: of a result only the numbers are rendered, of a check that could not be computed only
that it could not. The failing rows are in quality_failures and quarantined_rows.
"""

from __future__ import annotations

import html
import logging
import uuid
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

import fsspec

from include.quality.expectations import NUMBERS, Finding, SuiteRun
from include.quality.suites import LARGEST_NUMBER, Suite
from include.settings import Settings

logger = logging.getLogger(__name__)

TEMPLATES = Path(__file__).parent / "templates"
OWN_TITLE = "Expectations of the settings"


def write_data_docs(settings: Settings, business_date: date, runs: list[SuiteRun]) -> None:
    """Replace the page of ``business_date`` and delete the pages beyond the number of nights that are kept.

    The page appears whole or not at all on file systems whose rename is atomic. A page that cannot be made or stored is
    an error in the log and no more: what a night may do is decided by the findings alone.
    """
    url = settings.data_docs_page(business_date)
    try:
        _replace(url, render_data_docs(business_date, runs).encode())
        _delete_beyond(settings.quality.data_docs_nights, url)
    except Exception:
        logger.exception(
            "The data quality report of %s could not be written; %s may be an older one", business_date, url
        )


def _replace(url: str, content: bytes) -> None:
    filesystem, path = fsspec.core.url_to_fs(url)
    filesystem.makedirs(path.rpartition("/")[0], exist_ok=True)
    unfinished = f"{path}.{uuid.uuid4().hex}.part"
    filesystem.pipe_file(unfinished, content)
    filesystem.mv(unfinished, path)
    logger.info("Wrote the data quality report %s: %d bytes", url, len(content))


def _delete_beyond(nights: int, url: str) -> None:
    """The latest dates stay, and the page at ``url``, which a rerun of an old night has just written."""
    filesystem, path = fsspec.core.url_to_fs(url)
    folder = path.rpartition("/")[0]
    filesystem.invalidate_cache(folder)
    pages = sorted(found for found in filesystem.ls(folder, detail=False) if found.endswith(".html"))
    for old in pages[:-nights]:
        if old.rpartition("/")[2] != path.rpartition("/")[2]:
            filesystem.rm_file(old)


def render_data_docs(business_date: date, runs: list[SuiteRun]) -> str:
    """The page as HTML. The same findings give the same page."""
    from great_expectations.render import RenderedDocumentContent, RenderedSectionContent
    from great_expectations.render.view import DefaultJinjaPageView

    titled = [
        (title, [pair for run in together for pair in zip(run.results, run.findings, strict=True)])
        for title, together in groupby(runs, key=lambda run: _title(run.suite))
    ]
    sections = [RenderedSectionContent(section_name=title, content_blocks=_table(pairs)) for title, pairs in titled]
    findings = [finding for run in runs for finding in run.findings]
    failed = [finding for finding in findings if not finding.success]
    stopping = [finding for finding in failed if finding.stops_the_run]
    page: str = DefaultJinjaPageView(custom_views_directory=str(TEMPLATES)).render(
        RenderedDocumentContent(sections=sections, renderer_type="ValidationResultsPageRenderer"),
        template="night.html",
        business_date=business_date.isoformat(),
        checks=len(findings),
        counts=[(len(pairs), sum(not finding.success for _, finding in pairs)) for _, pairs in titled],
        stopping=[said(finding) for finding in stopping],
        reported=[said(finding) for finding in failed if not finding.stops_the_run],
    )
    return page


def _title(suite: Suite) -> str:
    return OWN_TITLE if suite.query else suite.name.replace("_", " ").capitalize()


def said(finding: Finding) -> str:
    """The finding's sentence; an exception's own may quote the data."""
    if not finding.raised:
        return finding.message
    check = finding.check
    return f"{check.table_name}: {check.expectation} on {check.column} could not be computed"


def _table(pairs: list[tuple[Any, Finding]]) -> list[Any]:
    """Great Expectations' table of its results, with each finding and its severity as columns of their own.

    Empty when it returned no result at all; the findings that say so stand above the tables.
    """
    from great_expectations.render.renderer.content_block import ValidationResultsTableContentBlockRenderer

    rows = [(result, finding) for result, finding in pairs if result is not None]
    if not rows:
        return []
    table: Any = ValidationResultsTableContentBlockRenderer.render(
        [_without_data(result, finding) for result, finding in rows], include_column_name=True
    )
    table.header_row += ["Severity", "In words"]
    for cells, (_, finding) in zip(table.table, rows, strict=True):
        cells += [finding.check.severity, html.escape(said(finding))]
    return [table]


def _without_data(result: Any, finding: Finding) -> Any:
    """A copy of Great Expectations' result for the page, which of what was observed keeps numbers alone."""
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    kwargs = {
        name: value
        for name, value in result.expectation_config.kwargs.items()
        if name != "batch_id" and not (name == "max_value" and value == float(LARGEST_NUMBER))
    }
    facts = {} if finding.raised else result.result
    return ExpectationValidationResult(
        success=finding.success,
        expectation_config=ExpectationConfiguration(type=result.expectation_config.type, kwargs=kwargs),
        result={name: value for name, value in facts.items() if isinstance(value, NUMBERS)},
        exception_info={"raised_exception": False, "exception_message": None, "exception_traceback": None},
    )

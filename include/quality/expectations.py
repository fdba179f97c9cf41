"""Great Expectations run over Postgres: one ephemeral context, one SQL data source, one row of facts per suite.

Great Expectations is imported inside the function, since that takes seconds. Nothing is sent anywhere and no file is
written: the context lives in memory and analytics are off.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from decimal import Decimal
from itertools import repeat
from typing import Any

from sqlalchemy import Double, Engine, cast, event, select

from include.db.engine import without_quoted_value
from include.expectation_catalogue import ROWS_WHERE
from include.quality.facts import Fact, Facts
from include.quality.suites import Check, Suite, percent

NUMBERS = int | float | Decimal


@dataclass(frozen=True)
class Finding:
    """The outcome of a check."""

    check: Check
    success: bool
    observed_value: str | None
    unexpected_count: int
    message: str
    raised: bool
    """The check could not be computed at all; a failure whatever its severity."""

    @property
    def stops_the_run(self) -> bool:
        return self.raised or (self.check.severity == "critical" and not self.success)


@dataclass(frozen=True)
class SuiteRun:
    """What came of a suite, in the order of its checks."""

    suite: Suite
    findings: tuple[Finding, ...]
    results: tuple[Any, ...]
    """Great Expectations' own ExpectationValidationResult of each check, None where it returned none."""


def run_suites(engine: Engine, suites: tuple[Suite, ...], facts: Facts) -> list[SuiteRun]:
    """What came of each suite, in their order."""
    import great_expectations
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context: Any = great_expectations.get_context(mode="ephemeral")
    context.enable_analytics(enable=False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    with warnings.catch_warnings():
        # It advises its own Postgres data source, which refuses a URL that names a Unix socket.
        warnings.filterwarnings("ignore", message="You are using a generic SQLDatasource")
        source = context.data_sources.add_sql(
            name="marketing",
            connection_string=engine.url.render_as_string(hide_password=False),
            create_temp_table=False,
            kwargs={
                "hide_parameters": True,
                "connect_args": {
                    "options": "-c timezone=UTC -c default_transaction_read_only=on",
                    "application_name": "lamplighter quality",
                },
            },
        )
    _fetch_no_rows_to_learn_columns(source, {suite.query for suite in suites if suite.query})
    try:
        return [_run(context, source, engine, suite, facts) for suite in suites]
    finally:
        # Both: the source's own engine and that of its metrics hold a connection each.
        source.get_execution_engine().close()
        source.get_engine().dispose()


def _fetch_no_rows_to_learn_columns(source: Any, queries: set[str]) -> None:
    """Great Expectations runs a query alone, and whole, for the names of its columns; let it have them and no rows."""
    alone = {" ".join(query.split()) for query in queries}

    def without_rows(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> tuple[str, Any]:
        return (f"{statement}\nlimit 0" if " ".join(statement.split()) in alone else statement), parameters

    for engine in (source.get_engine(), source.get_execution_engine().engine):
        event.listen(engine, "before_cursor_execute", without_rows, retval=True)


def _run(context: Any, source: Any, engine: Engine, suite: Suite, facts: Facts) -> SuiteRun:
    import great_expectations

    asset = source.add_query_asset(name=suite.name, query=suite.query or _query(engine, suite, facts))
    expectations = [expectation_of(check, {"check": position}) for position, check in enumerate(suite.checks)]
    definition = context.validation_definitions.add(
        great_expectations.ValidationDefinition(
            name=suite.name,
            data=asset.add_batch_definition_whole_table("all rows"),
            suite=context.suites.add(great_expectations.ExpectationSuite(name=suite.name, expectations=expectations)),
        )
    )
    outcome = definition.run(result_format={"result_format": "BASIC", "partial_unexpected_count": 0})
    by_position = {result.expectation_config.meta["check"]: result for result in outcome.results}
    results = tuple(by_position.get(position) for position in range(len(suite.checks)))
    return SuiteRun(suite, tuple(map(_finding, suite.checks, results, repeat(facts))), results)


def expectation_of(check: Check, meta: dict[str, Any]) -> Any:
    """Great Expectations' object for ``check``; raises pydantic.v1's ValidationError on arguments it does not take."""
    import great_expectations

    name, arguments = check.expectation, check.arguments
    if name == ROWS_WHERE:
        name = "UnexpectedRowsExpectation"
    elif check.is_own:
        name = "".join(part.capitalize() for part in name.split("_"))
    else:
        arguments = arguments | {"column": check.column}
    return getattr(great_expectations.expectations, name)(**arguments, severity=check.severity, meta=meta)


def _query(engine: Engine, suite: Suite, facts: Facts) -> str:
    """One row of literals, since Great Expectations binds no values."""
    names = sorted({check.column for check in suite.checks if (check.table_name, check.column) in facts})
    row = select(*(cast(facts[suite.name, name].observed, Double).label(name) for name in names))
    return str(row.compile(dialect=engine.dialect, compile_kwargs={"literal_binds": True}))


def _finding(check: Check, result: Any, facts: Facts) -> Finding:
    problem = "Great Expectations returned no result" if result is None else _exception(result.exception_info)
    if problem is not None:
        message = f"{check.table_name}: {check.expectation} on {check.column} failed: {problem}"
        return Finding(check, False, None, 0, message, raised=True)
    if check.is_own:
        return _own_finding(check, result, facts.get((check.table_name, f"{ROWS_WHERE} {check.column}")))
    fact = facts.get((check.table_name, check.column), Fact(0))
    words = check.says.format(
        rows=f"{fact.rows:,}",
        count=f"{fact.unexpected:,}",
        observed=_shown(fact.observed),
        share=percent(fact.observed),
        detail=fact.detail,
    )
    observed = _shown(fact.observed).replace(",", "")
    return Finding(check, bool(result.success), observed, fact.unexpected, f"{check.table_name}: {words}", raised=False)


def _own_finding(check: Check, result: Any, failing: Fact | None) -> Finding:
    """In the numbers of Great Expectations, or of ``failing`` where the rows themselves were kept."""
    seen = result.result
    observed = seen.get("observed_value")
    rows = int(seen.get("element_count") or 0) - int(seen.get("missing_count") or 0)
    unexpected = failing.unexpected if failing else int(seen.get("unexpected_count") or 0)
    words = check.says.format(rows=f"{rows:,}", count=f"{unexpected:,}", observed=_shown(observed))
    value = f"{Fact.share(unexpected, rows).observed:.4f}" if observed is None else _shown(observed).replace(",", "")
    return Finding(check, bool(result.success), value, unexpected, f"{check.table_name}: {words}", raised=False)


def _exception(information: dict[str, Any] | None) -> str | None:
    """First line of an exception, which Great Expectations reports either for the check or for each of its metrics."""
    if not information:
        return None
    reports = [information] if "raised_exception" in information else list(information.values())
    for report in reports:
        if report.get("raised_exception"):
            said = str(report.get("exception_message") or "unknown error").strip().splitlines()[0]
            return without_quoted_value(said)
    return None


def _shown(value: Any) -> str:
    """A number as people read it; other values may be somebody's, and are not shown."""
    if value is None:
        return "no"
    if isinstance(value, list | tuple | set):
        return f"{len(value):,} values"
    if not isinstance(value, NUMBERS):
        return "a value that is no number"
    number = float(value)
    return f"{number:,.0f}" if number.is_integer() else f"{number:,.4g}"

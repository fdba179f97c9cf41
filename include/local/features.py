"""All features of a date from events alone, with a line per step."""

from __future__ import annotations

from datetime import date

from include.local.layout import Layout
from include.local.progress import Progress
from include.local.stages import stage_surroundings


def rebuild_all_features(layout: Layout, business_date: date | None, progress: Progress) -> None:
    """Build ``business_date`` (None: the date of the last build) anew, with the embedded server up meanwhile.

    Raises StageRefused when there is no date to build, or a setting is wrong.
    """
    from include.features import rebuild_features

    with stage_surroundings(layout, "features", progress) as (engine, settings):
        progress("Features: from all events")
        summary = rebuild_features(engine, settings, business_date=business_date)
        progress(
            f"Features of {summary.business_date}: {summary.customers:,} customers, {summary.items:,} items,"
            f" {summary.interactions:,} interactions"
        )

"""What a night would send, on the terminal; nothing of it is kept."""

from __future__ import annotations

from datetime import date

from include.local.layout import Layout
from include.local.progress import Progress
from include.local.stages import stage_surroundings


def show_plan(layout: Layout, business_date: date, progress: Progress) -> None:
    """Plan the night after ``business_date`` as ``nightly_marketing`` would, print it, and keep its preview alone.

    Raises StageRefused when that night has learned nothing yet, or a campaign cannot be understood.
    """
    from include.scheduling import preview_messages, preview_text, read_plan_previews

    with stage_surroundings(layout, "scheduling", progress) as (engine, settings):
        progress(f"Plan of the night of {business_date}: a dry run")
        summary = preview_messages(engine, settings, business_date=business_date)
        progress.text()
        progress.text(preview_text(read_plan_previews(engine, business_date), settings.currency))
        if summary.gap:
            short = f"at most {summary.gap:.4%} of the value short of the best possible"
            progress.text(f"Where room or money is short, who goes is {short}.")

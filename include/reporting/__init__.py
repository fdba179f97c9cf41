"""What was sent, what came of it, and what it earned: the last stage of the night."""

from include.reporting.compute import ReportSummary, compute_reports

__all__ = ["ReportSummary", "compute_reports"]

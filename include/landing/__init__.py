"""Landing files into tables: each file once, each row either accepted or in quarantine with its reason."""

from include.landing.load import LandingFileError, LandingSummary, load_landing_files
from include.landing.sources import SourceSummary, export_sources

__all__ = ["LandingFileError", "LandingSummary", "SourceSummary", "export_sources", "load_landing_files"]

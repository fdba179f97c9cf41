"""Landing files into tables: each file once, each row either accepted or in quarantine with its reason."""

from include.landing.load import LandingFileError, LandingSummary, load_landing_files

__all__ = ["LandingFileError", "LandingSummary", "load_landing_files"]

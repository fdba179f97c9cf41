"""The gate between landed data and everything that is learned or sent from them."""

from include.quality.gate import QualityGateFailed, QualitySummary, check_data_quality

__all__ = ["QualityGateFailed", "QualitySummary", "check_data_quality"]

"""Customer and item profiles, and weighted interactions."""

from include.features.build import FeatureSummary, build_features, rebuild_features

__all__ = ["FeatureSummary", "build_features", "rebuild_features"]

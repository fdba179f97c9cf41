"""What each customer wants next: a model judged on a time split, and lists that name their strategy and reason.

``train_recommender`` fits, judges and registers; ``generate_recommendations`` writes one shard's lists as drafts;
``publish_recommendations`` makes all drafts of a date the published lists in one transaction.
"""

from include.recommender.generate import GenerationSummary, generate_recommendations
from include.recommender.publish import PublicationSummary, publish_recommendations
from include.recommender.train import TrainingSummary, train_recommender

__all__ = [
    "GenerationSummary",
    "PublicationSummary",
    "TrainingSummary",
    "generate_recommendations",
    "publish_recommendations",
    "train_recommender",
]

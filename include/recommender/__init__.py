"""What each customer wants next: a model judged on a time split, and lists that name their strategy and reason.

``train_recommender`` fits, judges and registers; ``generate_recommendations`` writes one shard's lists as drafts;
``publish_recommendations`` makes all drafts of a date the published lists in one transaction. ``tune_recommender``
searches for a better recipe and puts it before the next night; ``roll_back_model``, by hand, puts an earlier model and
its lists in force again.
"""

from include.recommender.generate import GenerationSummary, generate_recommendations
from include.recommender.propose import TuningSummary, tune_recommender
from include.recommender.publish import PublicationSummary, publish_recommendations
from include.recommender.roll_back import ModelChoice, RollBackRefused, RollBackSummary, choose_model, roll_back_model
from include.recommender.train import TrainingSummary, train_recommender

__all__ = [
    "GenerationSummary",
    "ModelChoice",
    "PublicationSummary",
    "RollBackRefused",
    "RollBackSummary",
    "TrainingSummary",
    "TuningSummary",
    "choose_model",
    "generate_recommendations",
    "publish_recommendations",
    "roll_back_model",
    "train_recommender",
    "tune_recommender",
]

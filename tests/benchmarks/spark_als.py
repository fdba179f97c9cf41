"""Run by a Python with PySpark: fit implicit ALS on pairs in Parquet, list 20 items for all; prints the seconds."""

from __future__ import annotations

import sys
import time

from pyspark.ml.recommendation import ALS
from pyspark.sql import SparkSession

MEMORY = "8g"


def main(pairs: str, rank: str, iterations: str, length: str) -> None:
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", MEMORY)
        # Without it, products of factors are worked out by plain loops.
        .config("spark.driver.extraJavaOptions", "--add-modules=jdk.incubator.vector")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "8")
        .getOrCreate()
    )
    rows = session.read.parquet(pairs).cache()
    rows.count()
    als = ALS(
        rank=int(rank),
        maxIter=int(iterations),
        implicitPrefs=True,
        alpha=4.0,
        regParam=0.1,
        userCol="customer",
        itemCol="item",
        ratingCol="weight",
        seed=1,
    )
    start = time.perf_counter()
    model = als.fit(rows)
    # Factors are worked out when they are first asked for.
    model.userFactors.count()
    fitted = time.perf_counter()
    print(f"{fitted - start:.1f}", flush=True)
    model.recommendForAllUsers(int(length)).write.format("noop").mode("overwrite").save()
    print(f"{time.perf_counter() - fitted:.1f}", flush=True)
    session.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])

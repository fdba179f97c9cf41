"""The Airflow plugin: registration only. The page itself lives in ``include/reporting``."""

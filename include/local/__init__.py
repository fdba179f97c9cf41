"""Airflow and an embedded Postgres on one machine, for the make commands: ``python -m include.local <command>``.

Everything lives in one state directory (``.lamplighter`` unless told otherwise): the server's data, Airflow's home, the
generated secrets, and a record of what runs, so that what one command started is never left behind. Airflow is driven
through its commands, its environment variables and its REST API; nothing here imports it.
"""

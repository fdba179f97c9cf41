"""Parses the DAG folder in a process of its own and prints what it found as JSON; run by test_dag_integrity.py.

argv: the DAG folder. Any attempt to open a network or Unix-socket connection while parsing is reported.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import airflow.sdk  # noqa: F401 - its own import is Airflow's cost, not that of the first file in the folder
from airflow.dag_processing.dagbag import BundleDagBag

connections: list[str] = []
sys.addaudithook(lambda event, arguments: connections.append(str(arguments[1:])) if event == "socket.connect" else None)

folder = Path(sys.argv[1])
bag = BundleDagBag(folder, bundle_path=folder, bundle_name="dags-folder")
print(
    json.dumps(
        {
            "connections": connections,
            "import_errors": bag.import_errors,
            "warnings": bag.captured_warnings,
            "seconds": {Path(stat.file).name: stat.duration.total_seconds() for stat in bag.dagbag_stats},
            "heavy_modules": sorted(
                {"pandas", "numpy", "implicit", "sklearn", "great_expectations", "include", "plotly"} & set(sys.modules)
            ),
            "dags": {
                dag_id: {
                    "doc": dag.doc_md or "",
                    "tags": sorted(dag.tags),
                    "timetable": type(dag.timetable).__name__,
                    "starts_paused": dag.is_paused_upon_creation is not False,
                    "catchup": dag.catchup,
                    "max_active_runs": dag.max_active_runs,
                    "dagrun_timeout": dag.dagrun_timeout is not None,
                    "tasks": {
                        task.task_id: {
                            "owner": task.owner,
                            "retries": task.retries,
                            "timeout": task.execution_timeout is not None,
                            "doc": task.doc_md or task.python_callable.__doc__ or "",
                            "mapped": task.is_mapped,
                            "downstream": sorted(task.downstream_task_ids),
                            "outlets": sorted(asset.name for asset in task.outlets),
                        }
                        for task in dag.tasks
                    },
                }
                for dag_id, dag in bag.dags.items()
            },
        }
    )
)

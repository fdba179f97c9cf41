"""What the plugin costs the processes that only load it."""

from __future__ import annotations

import os
import subprocess
import sys

from include.settings import PROJECT_ROOT

LOAD = """
import sys
import airflow.plugins_manager
before = set(sys.modules)
import lamplighter_plugin
print(sorted({name.split(".")[0] for name in set(sys.modules) - before}))
"""


def test_loading_the_plugin_imports_nothing_else(tmp_path: object) -> None:
    """Schedulers and workers load it too: no FastAPI, no Plotly, no room of the house."""
    environment = os.environ | {
        "PYTHONPATH": f"{PROJECT_ROOT}:{PROJECT_ROOT / 'plugins'}",
        "AIRFLOW_HOME": str(tmp_path),
    }
    completed = subprocess.run(
        [sys.executable, "-c", LOAD], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    assert completed.stdout.strip().splitlines()[-1] == "['lamplighter_plugin']"

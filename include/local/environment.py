"""Which settings a local command works with, and the environment that Airflow's processes get."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from include.local.layout import Layout, read_json, write_json
from include.settings import ENVIRONMENT_PREFIX, PROJECT_ROOT, SETTINGS_FILE_VARIABLE, Settings, load_settings

DATABASE_VARIABLE = f"{ENVIRONMENT_PREFIX}DATABASE_URL"
HOST = "127.0.0.1"
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class LocalSettings:
    """Settings with every folder and the database named, and the settings file they came from."""

    settings: Settings
    settings_file: str | None

    @property
    def database_url(self) -> str:
        url = self.settings.database_url
        if url is None:
            raise ValueError("local settings always name their database")
        return url.get_secret_value()

    def variables(self) -> dict[str, str]:
        """The ``LAMPLIGHTER_`` variables that make another process load the same settings."""
        variables = {name: value for name, value in os.environ.items() if name.startswith(ENVIRONMENT_PREFIX)}
        variables |= {
            DATABASE_VARIABLE: self.database_url,
            f"{ENVIRONMENT_PREFIX}LANDING": self.settings.landing,
            f"{ENVIRONMENT_PREFIX}ARTIFACTS": self.settings.artifacts,
            # The DAG files read their time zone from the environment alone.
            f"{ENVIRONMENT_PREFIX}BUSINESS_TIME_ZONE": self.settings.business_time_zone,
        }
        if self.settings_file:
            variables[SETTINGS_FILE_VARIABLE] = self.settings_file
        return variables


def users_database_url() -> str | None:
    """The database the user names, in the environment or in their settings file; None: the embedded server's."""
    url = load_settings().database_url
    return None if url is None else url.get_secret_value()


def local_settings(layout: Layout, database_url: str, settings_file: Path | None = None) -> LocalSettings:
    """Settings over ``database_url``; folders the user does not name lie in the state directory.

    The settings file is the user's (``LAMPLIGHTER_SETTINGS``), else ``settings_file``, else the one that the data of
    this database were made with (``remember_settings_file``), else none. Raises pydantic's ValidationError.
    """
    chosen = os.environ.get(SETTINGS_FILE_VARIABLE) or (
        str(settings_file) if settings_file else remembered_settings_file(layout)
    )
    chosen = _absolute(chosen) if chosen else None
    loaded = _load(chosen)
    folders = {
        name: _absolute(getattr(loaded, name)) if name in loaded.model_fields_set else str(layout.root / name)
        for name in ("landing", "artifacts")
    }
    return LocalSettings(loaded.model_copy(update={"database_url": SecretStr(database_url), **folders}), chosen)


def _load(settings_file: str | None) -> Settings:
    """Settings of the environment and of ``settings_file``, which only the environment can name."""
    before = os.environ.get(SETTINGS_FILE_VARIABLE)
    if settings_file:
        os.environ[SETTINGS_FILE_VARIABLE] = settings_file
    try:
        return load_settings()
    finally:
        if before is None:
            os.environ.pop(SETTINGS_FILE_VARIABLE, None)


def remember_settings_file(layout: Layout, settings_file: Path) -> None:
    """Later commands over the same database use ``settings_file`` (of the project) unless told otherwise."""
    relative = settings_file.resolve().relative_to(PROJECT_ROOT)
    write_json(layout.settings_choice, {"database": _database_mark(), "settings": str(relative)})


def remembered_settings_file(layout: Layout) -> str | None:
    choice = read_json(layout.settings_choice)
    if choice is None or choice["database"] != _database_mark():
        return None
    return str(PROJECT_ROOT / choice["settings"])


def _absolute(folder: str) -> str:
    """A path as this command's working directory means it, since Airflow's processes work in another; URLs stay."""
    return folder if "://" in folder else str(Path(folder).resolve())


def _database_mark() -> str:
    url = users_database_url()
    return "embedded" if url is None else hashlib.sha256(url.encode()).hexdigest()


def airflow_environment(layout: Layout, local: LocalSettings, metadata_url: str, port: int) -> dict[str, str]:
    """The whole environment of Airflow's processes.

    The user's own ``AIRFLOW`` variables are left out: they speak of another Airflow. Nothing runs by the clock here
    (``USE_JOB_SCHEDULE``): a local Airflow works over past dates, and a delivery at today's hour would let all their
    messages expire.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW", ENVIRONMENT_PREFIX)) and name != "PYTHONPATH"
    }
    options = {
        "CORE": {
            "DAGS_FOLDER": str(PROJECT_ROOT / "dags"),
            "PLUGINS_FOLDER": str(PROJECT_ROOT / "plugins"),
            "LOAD_EXAMPLES": "False",
            "EXECUTOR": "LocalExecutor",
            # Room for two mapped shards beside what else may run; each running task holds 100 to 400 MB.
            "PARALLELISM": "3",
            "DAGS_ARE_PAUSED_AT_CREATION": "False",
            "FERNET_KEY": layout.secret("fernet"),
            "SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
            "SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(layout.passwords),
            "EXECUTION_API_SERVER_URL": f"http://{HOST}:{port}/execution/",
        },
        "DATABASE": {
            "SQL_ALCHEMY_CONN": metadata_url,
            "LOAD_DEFAULT_CONNECTIONS": "False",
        },
        "API": {
            "HOST": HOST,
            "PORT": str(port),
            "WORKERS": "1",
            "BASE_URL": f"http://{HOST}:{port}",
            "SECRET_KEY": layout.secret("session"),
            "EXPOSE_CONFIG": "False",
        },
        "API_AUTH": {"JWT_SECRET": layout.secret("jwt")},
        "SCHEDULER": {
            "USE_JOB_SCHEDULE": "False",
            "SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            "ENABLE_HEALTH_CHECK": "False",
        },
        "DAG_PROCESSOR": {
            # What is edited here is seen within a minute; looking more often takes a core's tenth from the tasks.
            "REFRESH_INTERVAL": "60",
            "MIN_FILE_PROCESS_INTERVAL": "60",
            "PARSING_PROCESSES": "1",
            "PRINT_STATS_INTERVAL": "0",
            "DAG_BUNDLE_STORAGE_PATH": str(layout.airflow_home / "bundles"),
        },
        "LOGGING": {
            "BASE_LOG_FOLDER": str(layout.airflow_home / "logs"),
            "DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(layout.airflow_home / "logs" / "dag_processor"),
        },
        "USAGE_DATA_COLLECTION": {"ENABLED": "False"},
    }
    variables = {
        f"AIRFLOW__{section}__{option}": value
        for section, values in options.items()
        for option, value in values.items()
    }
    variables |= {
        "AIRFLOW_HOME": str(layout.airflow_home),
        "PYTHONPATH": str(PROJECT_ROOT),
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": ",".join(filter(None, [inherited.get("NO_PROXY"), HOST, "localhost"])),
        # Forked tasks each bring their own BLAS: one thread each, or two cores are fought over by many.
        **dict.fromkeys(THREAD_VARIABLES, "1"),
    }
    return inherited | variables | local.variables()


def airflow_command() -> list[str]:
    """How to call Airflow with this very interpreter."""
    return [sys.executable, "-m", "airflow"]

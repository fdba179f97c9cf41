"""The layers of the house, read from the code's own imports."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.settings import PROJECT_ROOT

INCLUDE = PROJECT_ROOT / "include"
GROUND_FLOOR = {"settings", "business_time", "db", "expectation_catalogue"}
STAGES = {
    "landing",
    "quality",
    "features",
    "recommender",
    "scheduling",
    "delivery",
    "tracking",
    "reporting",
    "privacy",
    "simulator",
}
AIRFLOW_GUARD = INCLUDE / "reporting" / "airflow_guard.py"
SOURCES = sorted(path for folder in ("include", "dags", "plugins") for path in (PROJECT_ROOT / folder).rglob("*.py"))


def imported_modules(path: Path, module_level_only: bool = False) -> Iterator[str]:
    """Dotted names of what ``path`` imports; module level excludes function bodies and TYPE_CHECKING blocks."""
    tree = ast.parse(path.read_text(), str(path))
    nodes: list[ast.AST] = list(tree.body) if module_level_only else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the layer; write the whole name"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_imported(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imported_modules(path) if name.startswith("include.")}


def name(path: Path) -> str:
    return str(path.relative_to(PROJECT_ROOT))


@pytest.mark.parametrize("path", [path for path in SOURCES if path.is_relative_to(INCLUDE)], ids=name)
def test_include_does_not_import_airflow(path: Path) -> None:
    if path == AIRFLOW_GUARD:
        return
    assert [found for found in imported_modules(path) if found.split(".")[0] == "airflow"] == []


@pytest.mark.parametrize("path", [path for path in SOURCES if path.is_relative_to(INCLUDE)], ids=name)
def test_each_room_imports_only_itself_and_the_ground_floor(path: Path) -> None:
    room = path.relative_to(INCLUDE).parts[0].removesuffix(".py")
    imported = rooms_imported(path) - {room}
    if room in GROUND_FLOOR:
        assert imported <= GROUND_FLOOR
    elif room in STAGES:
        assert imported <= GROUND_FLOOR, "stages meet in tables, not in each other's code"


@pytest.mark.parametrize("path", sorted((PROJECT_ROOT / "dags").glob("*.py")), ids=name)
def test_dag_files_import_include_only_inside_task_bodies(path: Path) -> None:
    allowed = {"__future__", "datetime", "typing", "airflow", "pendulum", "lamplighter_shared"}
    if path.name == "lamplighter_shared.py":
        allowed |= {"dataclasses", "logging", "os", "collections", "enum"}
    assert {found.split(".")[0] for found in imported_modules(path, module_level_only=True)} <= allowed


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_no_pickles_and_no_clock_in_the_logic(path: Path) -> None:
    modules = set(imported_modules(path))
    assert not modules & {"pickle", "joblib", "dill", "cloudpickle", "sqlalchemy.orm"}
    source = path.read_text()
    room = path.relative_to(PROJECT_ROOT).parts[1].removesuffix(".py")
    if path.is_relative_to(INCLUDE) and room in STAGES | GROUND_FLOOR:
        assert not re.search(r"\b(datetime\.now|datetime\.utcnow|date\.today|time\.time|pendulum\.now)\(", source)


@pytest.mark.parametrize("path", sorted(INCLUDE.rglob("*.sql")), ids=name)
def test_no_clock_in_sql(path: Path) -> None:
    statement = re.sub(r"--.*", "", path.read_text()).lower()
    assert not re.search(r"\b(now\(|current_date|current_timestamp|clock_timestamp|localtimestamp)", statement)


@pytest.mark.parametrize("path", sorted(INCLUDE.rglob("*.sql")), ids=name)
def test_each_sql_file_is_named_by_its_own_room(path: Path) -> None:
    assert path.parent.name == "sql"
    room = path.parent.parent
    sources = "".join(source.read_text() for source in room.glob("*.py"))
    assert re.search(rf'"{path.stem}"|"write_\{{table\.name\}}"', sources)


@pytest.mark.parametrize("path", sorted((*SOURCES, *INCLUDE.rglob("*.sql"))), ids=name)
def test_locks_have_names_and_addresses_are_hashed_in_one_place(path: Path) -> None:
    source = path.read_text()
    if path != INCLUDE / "db" / "locks.py":
        assert not re.search(r"pg_advisory_(xact_)?lock", source), "use include.db.locks"
    if not path.is_relative_to(INCLUDE / "db" / "migrations"):
        assert "sha256(convert_to" not in source, "join marketing.addresses"


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_no_drawer_for_everything(path: Path) -> None:
    assert path.stem not in {"utils", "helpers", "misc"}


def test_there_is_something_to_check() -> None:
    assert len(SOURCES) > 15
    assert any(path.is_relative_to(INCLUDE / "db") for path in SOURCES)

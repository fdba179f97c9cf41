"""The layers of the house, read from the code's own imports."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from include import simulator
from include.db.tables import metadata
from include.settings import PROJECT_ROOT
from include.simulator.reactions import TRUTH_SCHEMA

INCLUDE = PROJECT_ROOT / "include"
GROUND_FLOOR = {"settings", "business_time", "db", "expectation_catalogue", "audience_filter"}
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
SIMULATOR = INCLUDE / "simulator"
TRUE_COLUMNS = {column for column in TRUTH_SCHEMA.names if column.startswith("true_")}
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


@pytest.mark.parametrize("path", [path for path in SOURCES if not path.is_relative_to(SIMULATOR)], ids=name)
def test_the_truth_of_a_made_up_world_stays_in_its_room(path: Path) -> None:
    """Experiments may ask the room's own functions; nobody else opens its folder or knows its columns."""
    asked = {found for found in imported_modules(path) if found.startswith("include.simulator")}
    allowed = {"include.simulator", *(f"include.simulator.{shown}" for shown in simulator.__all__)}
    assert asked <= (allowed if path.is_relative_to(INCLUDE / "closed_loop") else set())
    source = path.read_text()
    assert not [column for column in TRUE_COLUMNS if re.search(rf"\b{column}\b", source)]


def test_no_table_and_no_query_has_a_place_for_the_truth() -> None:
    columns = {column.name for table in metadata.tables.values() for column in table.columns}
    assert not columns & TRUE_COLUMNS
    assert not [table for table in metadata.tables if "truth" in table or "simulat" in table]
    for path in INCLUDE.rglob("*.sql"):
        assert not re.search(r"\btrue_\w+|\btruth\b", re.sub(r"--.*", "", path.read_text())), path


def test_a_made_up_shop_reads_nothing_but_sent_messages() -> None:
    queries = [re.sub(r"--.*", "", path.read_text()) for path in sorted(SIMULATOR.rglob("*.sql"))]
    assert queries
    for query in queries:
        assert set(re.findall(r"marketing\.(\w+)", query)) == {"messages"}
        assert query.count("marketing.messages") == query.count("state = 'sent'")
    written = "".join(path.read_text() for path in SIMULATOR.glob("*.py"))
    assert set(re.findall(r"marketing\.(\w+)", written)) <= {"messages"}
    assert not re.search(r"\bcopy_out\b|\bselect\(|\binsert\(", written)


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_no_drawer_for_everything(path: Path) -> None:
    assert path.stem not in {"utils", "helpers", "misc"}


def test_there_is_something_to_check() -> None:
    assert len(SOURCES) > 15
    assert any(path.is_relative_to(INCLUDE / "db") for path in SOURCES)

"""What an experiment calls its database and folder, both dropped at its start: never what the user's are called."""

from __future__ import annotations

import pytest

from include.closed_loop.__main__ import PREFIX, _arguments


@pytest.mark.parametrize("name", ["landing", "lamplighter", "postgres", "a" * 40])
def test_any_name_is_put_below_a_prefix_that_is_nobodys_else(name: str) -> None:
    own = _arguments(["--name", name]).name
    assert own == f"simulation_{name}"
    assert len(own) <= 63, "Postgres cuts longer names"
    assert _arguments([]).name.startswith(PREFIX)


@pytest.mark.parametrize("name", ["", "../landing", "a/b", "Nights", "a" * 41, "a\n", "spring nights"])
def test_a_name_that_could_lead_elsewhere_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _arguments(["--name", name])
    assert "is not 1 to 40 of the characters a-z, 0-9 and _" in capsys.readouterr().err

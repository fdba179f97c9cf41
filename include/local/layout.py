"""Where the local state lies, and the secrets that are made once and kept there."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Layout:
    """The folders and files of one state directory; ``root`` is absolute."""

    root: Path

    @classmethod
    def at(cls, root: Path) -> Layout:
        """The layout over ``root``, its folders made where missing; the secrets' folder for its owner alone."""
        layout = cls(root.resolve())
        for folder in (layout.root, layout.airflow_home, layout.run, layout.logs):
            folder.mkdir(parents=True, exist_ok=True)
        layout.secrets.mkdir(mode=0o700, exist_ok=True)
        return layout

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def airflow_home(self) -> Path:
        return self.root / "airflow"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Records of what runs."""
        return self.root / "run"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def passwords(self) -> Path:
        """Airflow's simple auth manager reads users' passwords here, as one JSON object."""
        return self.secrets / "passwords.json"

    @property
    def settings_choice(self) -> Path:
        """Which settings file the data of a database were made with."""
        return self.root / "settings-choice.json"

    def secret(self, name: str) -> str:
        """32 random bytes as URL-safe base64 (a valid Fernet key), made on first use and kept."""
        return self._kept(self.secrets / name, lambda: urlsafe_b64encode(secrets.token_bytes(32)).decode())

    def admin_password(self) -> str:
        """Password of the user ``admin`` of the local web UI, made on first use and kept."""
        text = self._kept(self.passwords, lambda: json.dumps({"admin": secrets.token_urlsafe(12)}))
        return str(json.loads(text)["admin"])

    @staticmethod
    def _kept(path: Path, make: Callable[[], str]) -> str:
        if not path.exists():
            # Written beside and renamed: a command killed here leaves no half secret.
            partial = path.with_suffix(f".{os.getpid()}")
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(make())
            partial.rename(path)
        return path.read_text()


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replace ``path`` whole, so that a reader never sees half of it."""
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps(content, indent=1))
    partial.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in ``path``; None where no such file is."""
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return content


class LockHeld(RuntimeError):
    """Another living process holds the lock."""


@contextmanager
def exclusive(path: Path, patience: float = 1.0) -> Iterator[None]:
    """Hold the lock file ``path`` for the block; the kernel frees it however the holder ends.

    Raises LockHeld when another process has it for ``patience`` seconds.
    """
    deadline = time.monotonic() + patience
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise LockHeld(str(path)) from error
                time.sleep(0.05)
        yield


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock file ``path``."""
    try:
        with exclusive(path, patience=0):
            return False
    except LockHeld:
        return True

"""A mail server and a push gateway on this machine that keep what they get and send nothing on.

For the demo and the tests. Both listen on loopback alone. What arrives is below the folder given:

- ``mail/<message id>.eml``; a message that arrives again is kept beside the first as ``<message id>.2.eml``.
- ``pushes.jsonl``: one line per request taken.

They fail on demand, by how the recipient (or push token) begins:

=============  ===================================  ==========================================
begins with    mail                                 push
=============  ===================================  ==========================================
bounce-hard    550, no such mailbox                 410
bounce-soft    451, try later                       503
refuse         554 after the message was received   400
drop           kept, then closed without an answer  kept, then closed without an answer
=============  ===================================  ==========================================
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import logging
import re
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

from aiosmtpd.smtp import SMTP, Envelope, Session

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
PUSH_PATH = "/push"
MESSAGE_ID_HEADER = "X-Lamplighter-Message"
START_SECONDS = 10
LARGEST_PUSH_BYTES = 1_000_000


@dataclass(frozen=True)
class Sinks:
    """Where the running sinks listen, and what they got."""

    folder: Path
    smtp_port: int
    push_url: str

    def mail_files(self) -> list[Path]:
        """The mails received so far, by file name; a second arrival of a message has a file of its own."""
        return sorted((self.folder / "mail").glob("*.eml"))

    def mails(self) -> list[EmailMessage]:
        """The mails received so far, parsed, in the order of ``mail_files``."""
        return [
            cast(EmailMessage, email.message_from_bytes(path.read_bytes(), policy=email.policy.default))
            for path in self.mail_files()
        ]

    def pushes(self) -> list[dict[str, Any]]:
        """The push requests taken so far, in order of arrival: ``idempotency_key`` beside the fields of the body."""
        path = self.folder / "pushes.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]


@contextmanager
def running_sinks(
    folder: Path, *, smtp_port: int = 0, push_port: int = 0, push_token: str | None = None
) -> Iterator[Sinks]:
    """Both sinks, until the block ends.

    Port 0 takes a free one. With ``push_token``, a push without it as bearer token is answered 401.
    """
    (folder / "mail").mkdir(parents=True, exist_ok=True)
    with (
        _running_mail_sink(folder / "mail", smtp_port) as bound,
        _running_push_sink(folder, push_port, push_token) as url,
    ):
        logger.info("Mail sink on port %s, push sink at %s, into %s", bound, url, folder)
        yield Sinks(folder=folder, smtp_port=bound, push_url=url)


def keep_mail(folder: Path, content: bytes) -> Path:
    """Write a mail under its message id, never over one that is there; returns the file."""
    headers = email.message_from_bytes(content, policy=email.policy.default)
    stem = re.sub(r"[^A-Za-z0-9._-]", "_", str(headers[MESSAGE_ID_HEADER] or "")).lstrip(".") or "unnamed"
    arrival = 1
    while True:
        path = folder / (f"{stem}.eml" if arrival == 1 else f"{stem}.{arrival}.eml")
        try:
            with path.open("xb") as file:
                file.write(content)
        except FileExistsError:
            arrival += 1
        else:
            return path


class _MailHandler:
    """The hooks aiosmtpd calls; all on one event loop, so one at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("bounce-hard"):
            return f"550 5.1.1 <{address}>: no such mailbox"
        if address.startswith("bounce-soft"):
            return "451 4.3.0 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        recipient = envelope.rcpt_tos[0]
        if recipient.startswith("refuse"):
            return "554 5.6.0 content refused"
        keep_mail(self._folder, cast(bytes, envelope.content))
        if recipient.startswith("drop") and server.transport is not None:
            server.transport.close()
        return "250 OK"


@contextmanager
def _running_mail_sink(folder: Path, port: int) -> Iterator[int]:
    started: Future[int] = Future()
    stop = asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        try:
            server = await loop.create_server(
                lambda: SMTP(_MailHandler(folder), hostname="localhost", loop=loop, enable_SMTPUTF8=True),
                host=LOOPBACK,
                port=port,
            )
        except OSError as error:
            started.set_exception(error)
            return
        async with server:
            started.set_result(server.sockets[0].getsockname()[1])
            await stop.wait()
        # Sessions that clients still hold open.
        sessions = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in sessions:
            task.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(serve())
        finally:
            loop.close()

    thread = threading.Thread(target=run, name="mail-sink", daemon=True)
    thread.start()
    bound = started.result(timeout=START_SECONDS)
    try:
        yield bound
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


class _PushServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folder: Path, port: int, token: str | None) -> None:
        super().__init__((LOOPBACK, port), _PushHandler)
        self.file = folder / "pushes.jsonl"
        self.lock = threading.Lock()
        self.token = token

    def keep(self, push: dict[str, Any]) -> None:
        with self.lock, self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(push, ensure_ascii=False) + "\n")


class _PushHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave in one piece: in two, the second waits 40 ms for the client's acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True
    # A client's idle connection is given up after so many seconds.
    timeout = 30

    def do_POST(self) -> None:
        server = cast(_PushServer, self.server)
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 < length <= LARGEST_PUSH_BYTES:
            self._answer(HTTPStatus.BAD_REQUEST, error="a JSON body is needed", close=True)
            return
        body = self.rfile.read(length)
        if self.path != PUSH_PATH:
            self._answer(HTTPStatus.NOT_FOUND, error=f"POST to {PUSH_PATH}")
        elif server.token is not None and self.headers.get("Authorization") != f"Bearer {server.token}":
            self._answer(HTTPStatus.UNAUTHORIZED, error="bearer token missing or wrong")
        else:
            self._take(server, body)

    def _take(self, server: _PushServer, body: bytes) -> None:
        try:
            push = json.loads(body)
            token = str(push["token"])
        except (ValueError, TypeError, KeyError):
            self._answer(HTTPStatus.BAD_REQUEST, error="the body must be a JSON object with a token")
            return
        if token.startswith("bounce-hard"):
            self._answer(HTTPStatus.GONE, error="unregistered")
        elif token.startswith("bounce-soft"):
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, error="try again later")
        elif token.startswith("refuse"):
            self._answer(HTTPStatus.BAD_REQUEST, error="refused")
        else:
            server.keep({"idempotency_key": self.headers.get("Idempotency-Key"), **push})
            if token.startswith("drop"):
                self.close_connection = True
            else:
                self._answer(HTTPStatus.OK)

    def _answer(self, status: HTTPStatus, *, error: str | None = None, close: bool = False) -> None:
        payload = json.dumps({"error": error} if error else {"ok": True}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        if close:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: Any) -> None:  # the name is the base class's
        logger.debug(format, *args)


@contextmanager
def _running_push_sink(folder: Path, port: int, token: str | None) -> Iterator[str]:
    server = _PushServer(folder, port, token)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="push-sink", daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_address[1]}{PUSH_PATH}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

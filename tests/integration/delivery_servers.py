"""Mail servers and push gateways that answer as a test says, over real sockets."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWERS = {
    "EHLO": "250 test",
    "HELO": "250 test",
    "MAIL": "250 OK",
    "RCPT": "250 OK",
    "DATA": "354 go on",
    "RSET": "250 OK",
    "QUIT": "221 bye",
}


@contextmanager
def mail_server(heard: list[str], **answers: str) -> Iterator[int]:
    """Port of a server that takes every mail unless ``answers`` say otherwise; commands go to ``heard``.

    answers: by the command's first word, the whole reply; an empty one ends the connection instead.
    """
    replies = ANSWERS | answers

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 test ESMTP")
            while line := self.rfile.readline():
                command = line.decode("utf-8").rstrip("\r\n")
                heard.append(command)
                reply = replies.get(command.split(" ")[0].upper(), "500 what?")
                if not reply:
                    return
                self._say(reply)
                if reply.startswith("354"):
                    while self.rfile.readline() not in {b".\r\n", b""}:
                        pass
                    self._say("250 taken")

        def _say(self, reply: str) -> None:
            self.wfile.write(f"{reply}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server, _serving(server):
        yield server.server_address[1]


@contextmanager
def push_gateway(
    status: int = 200,
    *,
    body: str = "{}",
    headers: Mapping[str, str] | None = None,
    before_answer: Callable[[], None] = lambda: None,
) -> Iterator[str]:
    """URL of a gateway that answers every push with ``status``, after ``before_answer``."""

    class Request(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            before_answer()
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # the name is the base class's
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Request) as server, _serving(server):
        yield f"http://127.0.0.1:{server.server_address[1]}/push"


@contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()

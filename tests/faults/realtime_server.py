"""A server that speaks as much of Realtime's protocol as one subscription needs, and fails.

Written after the messages of Phoenix channels (topic, event, payload, ref) as Supabase's Realtime
sends them. There is no real one to be had: what it does here is what a client must bear.
"""

from __future__ import annotations

import json
import logging
import threading
from http import HTTPStatus
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

CHANGE = {
    "schema": "public",
    "table": "inbox_jobs",
    "commit_timestamp": "2026-01-01T00:00:00Z",
    "type": "UPDATE",
    "errors": None,
    "columns": [],
    "record": {"status": "pending"},
    "old_record": {},
}


class RealtimeServer:
    """A context manager; `behaviour` may be changed at any time.

    Attributes:
        behaviour: `well`; `refuse` connections; `mute`: take them and never answer; `deny` every
            subscription.
        joined: is set when somebody subscribes.
        asked: what the last one subscribed to.
    """

    def __init__(self) -> None:
        self.behaviour = "well"
        self.joined = threading.Event()
        self.asked: dict[str, Any] = {}
        self._open: list[ServerConnection] = []
        self._topic = ""
        quiet = logging.getLogger("realtime-server")
        quiet.disabled = True
        self._server: Server = serve(
            self._talk, "127.0.0.1", 0, process_request=self._let_in, logger=quiet
        )
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self.close_connections()
        self._thread.join()

    @property
    def url(self) -> str:
        """The project's address."""
        return f"http://127.0.0.1:{self._server.socket.getsockname()[1]}"

    def tell(self) -> None:
        """Say to everybody who subscribed that a job waits."""
        message = {
            "event": "postgres_changes",
            "topic": self._topic,
            "payload": {"data": CHANGE, "ids": [1]},
            "ref": None,
        }
        for connection in self._open:
            connection.send(json.dumps(message))

    def babble(self) -> None:
        """Send what is not a message."""
        for connection in self._open:
            connection.send("{not JSON: Zyzzyva")

    def close_connections(self) -> None:
        """End all connections that are open."""
        while self._open:
            self._open.pop().close()
        self.joined.clear()

    def _let_in(self, connection: ServerConnection, request: Request) -> Response | None:
        if self.behaviour == "refuse" or not request.path.startswith("/realtime/v1/websocket?"):
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "")
        return None

    def _talk(self, connection: ServerConnection) -> None:
        try:
            for text in connection:
                message = json.loads(text)
                if self.behaviour != "mute":
                    self._answer(connection, message)
        except ConnectionClosed:
            return

    def _answer(self, connection: ServerConnection, message: dict[str, Any]) -> None:
        denied = self.behaviour == "deny"
        reply: dict[str, Any] = {}
        joins = message["event"] == "phx_join"
        if joins and not denied:
            self.asked = message["payload"]
            wanted = self.asked["config"]["postgres_changes"]
            reply = {"postgres_changes": [{"id": 1, **one} for one in wanted]}
            self._topic = message["topic"]
            self._open.append(connection)  # before the answer, which a test may be waiting for
        if joins or message["event"] == "heartbeat":
            answer = {
                "event": "phx_reply",
                "topic": message["topic"],
                "ref": message["ref"],
                "payload": {"status": "error" if denied else "ok", "response": reply},
            }
            connection.send(json.dumps(answer))
        if joins and not denied:
            self.joined.set()

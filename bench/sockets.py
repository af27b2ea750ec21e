"""A session at the dashboard without a browser: it speaks the browser's protocol and reads what it would show.

Twenty Chromiums need more than two processors for themselves; twenty of these need a tenth of one, so that what is
measured is the server.
"""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

MOST_BYTES = 64 * 2**20


class Answered(NamedTuple):
    """Seconds from a change to the sentence that answers it, and to the end of all that follows."""

    said_s: float
    done_s: float


class Session:
    """One reader."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.fields: dict[str, tuple[str, float]] = {}  # id and value of each number field, by label
        self.failed = False

    @classmethod
    async def open(cls, address: str, timeout_s: float) -> Session:
        """Open the first page, and read it to its end."""
        url = address.replace("http", "ws", 1) + "/_stcore/stream"
        session = cls(await connect(url, subprotocols=[Subprotocol("streamlit")], max_size=MOST_BYTES))
        await session._run(BackMsg(), timeout_s)
        return session

    async def change(self, label: str, value: float, timeout_s: float) -> Answered:
        """Type another number into a field, and wait for the answer."""
        asked = BackMsg()
        id, _ = self.fields[label]
        self.fields[label] = (id, value)
        state = asked.rerun_script.widget_states.widgets.add()
        state.id, state.double_value = id, value
        return await self._run(asked, timeout_s)

    async def close(self) -> None:
        await self.socket.close()

    async def _run(self, asked: BackMsg, timeout_s: float) -> Answered:
        asked.rerun_script.SetInParent()
        start, said = time.perf_counter(), 0.0
        await self.socket.send(asked.SerializeToString())
        async with asyncio.timeout(timeout_s):
            while True:
                message = ForwardMsg.FromString(await self.socket.recv(decode=False))
                if self._read(message) and not said:
                    said = time.perf_counter() - start
                ended = message.WhichOneof("type") == "script_finished"
                if ended and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                    done = time.perf_counter() - start
                    return Answered(said or done, done)

    def _read(self, message: ForwardMsg) -> bool:
        """Take what the page shows; whether this is the sentence that answers."""
        if message.WhichOneof("type") != "delta":
            return False
        element = message.delta.new_element
        if element.WhichOneof("type") == "number_input":
            box = element.number_input
            known = self.fields.get(box.label)
            self.fields[box.label] = (box.id, known[1] if known and known[0] == box.id else box.default)
        self.failed |= element.WhichOneof("type") == "exception"
        return element.WhichOneof("type") == "markdown" and element.markdown.body.startswith("# ")

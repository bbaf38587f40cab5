"""A client that sends exactly the bytes it is given and reads responses without mercy: no repair, no guessing."""

import socket

from fault_server import unread_by_peer
from weir_server import PATIENCE, Reply


class RawConnection:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.unread = b""

    def __enter__(self) -> "RawConnection":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *pieces: bytes) -> None:
        """Each piece is sent once the server has read the one before, so that it sees the cuts."""
        for number, piece in enumerate(pieces):
            if number:
                self.until_read()
            self.socket.sendall(piece)

    def until_read(self) -> None:
        while unread_by_peer(self.socket):
            pass

    def _fill(self) -> None:
        more = self.socket.recv(65536)
        if not more:
            raise EOFError(f"closed after {self.unread!r}")
        self.unread += more

    def take(self, count: int) -> bytes:
        while len(self.unread) < count:
            self._fill()
        taken, self.unread = self.unread[:count], self.unread[count:]
        return taken

    def take_through(self, end: bytes) -> bytes:
        while end not in self.unread:
            self._fill()
        return self.take(self.unread.index(end) + len(end))

    def read_head(self) -> tuple[int, list[tuple[str, str]]]:
        first, *lines = self.take_through(b"\r\n\r\n").decode("latin-1")[:-4].split("\r\n")
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1", first
        fields = []
        for line in lines:
            name, colon, value = line.partition(":")
            assert colon and name and name == name.strip(), line
            fields.append((name, value.strip()))
        return int(status), fields

    def read_reply(self, to_head: bool = False) -> Reply:
        """One response; `to_head`: it answers HEAD and has no body whatever it says."""
        status, fields = self.read_head()
        reply = Reply(status, fields, b"")
        length, coding = reply.header("content-length"), reply.header("transfer-encoding")
        assert not (length and coding), "two framings"
        if to_head or status in (204, 304):
            return reply
        if coding:
            assert coding == "chunked"
            while size := int(self.take_through(b"\r\n"), 16):
                reply.body += self.take(size)
                assert self.take(2) == b"\r\n"
            assert self.take(2) == b"\r\n"
        else:
            assert length is not None, f"no framing in {fields}"
            reply.body = self.take(int(length))
        return reply

    def at_end(self) -> bool:
        """True when the server closes in good order without another byte."""
        try:
            self._fill()
        except EOFError:
            return not self.unread
        except ConnectionResetError:
            return False
        return False


def post(body: bytes, *fields: str, path: str = "/v1/chat/completions", length: bool = True) -> bytes:
    own = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *fields]
    if length:
        own.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*own, "", ""]).encode("latin-1") + body


def get(path: str, *fields: str, method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    return "\r\n".join([f"{method} {path} {version}", "Host: localhost", *fields, "", ""]).encode("latin-1")

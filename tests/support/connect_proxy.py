"""A small HTTP proxy on real TCP: tunnels by CONNECT, and forwards plain requests with an absolute target.

Whatever name a client asks for, it is taken to be this machine: a test names hosts that do not exist, and sees that they
were reached through the proxy.
"""

import base64
import contextlib
import re
import socket
import threading


class ConnectProxy:
    """`credentials`: "user:password" that it wants. `misbehave`: bytes that it answers instead of doing its work."""

    def __init__(self, credentials: str | None = None, misbehave: bytes | None = None) -> None:
        self.wanted = None if credentials is None else "Basic " + base64.b64encode(credentials.encode()).decode()
        self.misbehave = misbehave
        self.heads: list[str] = []

    def __enter__(self) -> "ConnectProxy":
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @property
    def targets(self) -> list[str]:
        return [head.split(" ")[0] + " " + head.split(" ")[1] for head in self.heads]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._guarded, args=(client,), daemon=True).start()

    def _guarded(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            part = client.recv(65536)
            if not part:
                return
            data += part
        head, _, rest = data.partition(b"\r\n\r\n")
        text = head.decode("latin-1")
        self.heads.append(text)
        if self.misbehave is not None:
            client.sendall(self.misbehave)
            return
        given = re.search(r"(?im)^proxy-authorization: *(.*?)\r?$", text)
        if self.wanted is not None and (given is None or given[1] != self.wanted):
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")
            return
        method, target, _ = text.split("\r\n")[0].split(" ")
        if method == "CONNECT":
            server = socket.create_connection(("127.0.0.1", int(target.rpartition(":")[2])), 30)
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            address, path = re.fullmatch(r"http://([^/]+)(/.*)", target).groups()
            server = socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), 30)
            lines = [line for line in text.split("\r\n")[1:] if not line.lower().startswith("proxy-")]
            rest = "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("latin-1") + rest
        with server:
            server.settimeout(None)
            back = threading.Thread(target=splice, args=(server, client), daemon=True)
            back.start()
            server.sendall(rest)
            splice(client, server)
            back.join(30)


def splice(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            sink.sendall(part)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)

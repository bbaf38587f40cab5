"""The commands that ask a running weir, over TLS: whom they believe, what they say, and that nobody else sees the key."""

import contextlib
import socket

import pytest
from test_tls import LISTENING, authority, files, tcp_server

from weir_server import Weir, run_weir

ADMIN_KEY = "sk-the-admin-key"


@pytest.fixture(scope="module")
def secure(files, tmp_path_factory):
    config = LISTENING.format(folder=files, name="localhost", more="") + "store: {url: 'sqlite:./s.db'}\n"
    with Weir(tmp_path_factory.mktemp("commands"), config, WEIR_ADMIN_KEY=ADMIN_KEY) as weir:
        yield weir


def test_every_command_that_asks_a_running_weir_speaks_tls(secure, files, tmp_path):
    trusted = {"WEIR_ADMIN_KEY": ADMIN_KEY, "SSL_CERT_FILE": str(files / "ca.pem")}
    for arguments in (
        ("tenants", "create", "acme"),
        ("tenants", "list"),
        ("keys", "create", "--label", "laptop"),
        ("keys", "list"),
        ("keys", "show", "laptop"),
        ("requests",),
        ("usage",),
        ("usage", "--csv"),
        ("audit",),
        ("breakers",),
        ("reload",),
    ):
        for host in ("localhost", "127.0.0.1"):
            if host == "localhost" or "create" not in arguments:
                url = f"https://{host}:{secure.port}"
                done = run_weir(*arguments, "--url", url, directory=tmp_path, **trusted)
                assert done.returncode == 0, (arguments, done)
    listed = run_weir("keys", "list", directory=tmp_path, WEIR_URL=f"https://localhost:{secure.port}", **trusted)
    assert "laptop" in listed.stdout


def test_a_certificate_of_a_stranger_is_refused_with_what_to_do(secure, files, tmp_path):
    url = f"https://localhost:{secure.port}"
    stranger = run_weir("keys", "list", directory=tmp_path, WEIR_URL=url, WEIR_ADMIN_KEY=ADMIN_KEY)
    assert stranger.returncode == 1 and "SSL_CERT_FILE=" in stranger.stderr and url in stranger.stderr, stranger
    assert "tls.ca_file" not in stranger.stderr and "Is it running?" not in stranger.stderr, stranger
    (tmp_path / "no.pem").write_text("nothing")
    useless = run_weir("keys", "list", directory=tmp_path, WEIR_URL=url, SSL_CERT_FILE="no.pem")
    assert useless.returncode == 1 and "SSL_CERT_FILE: no.pem holds no certificate" in useless.stderr, useless


def test_a_name_that_the_certificate_does_not_have_is_refused(files, tmp_path):
    with Weir(tmp_path, LISTENING.format(folder=files, name="other.test", more="")) as other:
        url = f"https://localhost:{other.port}"
        refused = run_weir("requests", directory=tmp_path, WEIR_URL=url, SSL_CERT_FILE=str(files / "ca.pem"))
        assert refused.returncode == 1 and "not for localhost but for other.test" in refused.stderr, refused


def test_a_plain_listener_never_sees_the_key(files, tmp_path):
    heard = bytearray()

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            heard.extend(connection.recv(65536))
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            while part := connection.recv(65536):
                heard.extend(part)

    with tcp_server(serve) as port:
        for arguments in (("keys", "list"), ("reload",), ("explain", "last"), ("breakers",)):
            asked = run_weir(
                *arguments, directory=tmp_path, WEIR_URL=f"https://127.0.0.1:{port}", WEIR_ADMIN_KEY=ADMIN_KEY,
                SSL_CERT_FILE=str(files / "ca.pem"),
            )  # fmt: skip
            assert asked.returncode == 1 and "plain HTTP" in asked.stderr, asked
    assert heard and ADMIN_KEY.encode() not in heard and b"HTTP/1.1" not in heard, bytes(heard)

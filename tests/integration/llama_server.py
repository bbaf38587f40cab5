"""llama-server, a real model server, with models of half a megabyte made on the spot (tests/support/build_llama_server.sh)."""

import http.client
import json
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from weir_server import PATIENCE, ROOT, clean_environment

BINARY = ROOT / "build/llama/bin/llama-server"
BUILD_SCRIPT = ROOT / "tests/support/build_llama_server.sh"
BUILD_SECONDS_MAX = 3600
GENERATOR = ROOT / "tests/support/make_tiny_gguf.py"


def make_model(path: Path, *arguments: str) -> Path:
    subprocess.run([sys.executable, GENERATOR, *arguments, path], check=True, stdout=subprocess.DEVNULL)
    return path


def build() -> None:
    """Nothing to do when ./dev has done it; a run of selected tests may come without."""
    subprocess.run([BUILD_SCRIPT], check=True, timeout=BUILD_SECONDS_MAX)


class LlamaServer:
    """One process with one model, on a port that the system chose."""

    def __init__(self, name: str, model: Path, *arguments: str) -> None:
        self.name = name
        self.command = [
            BINARY, "--model", model, "--alias", name, "--host", "127.0.0.1", "--port", "0",
            "--threads", "1", "--threads-batch", "1", "--threads-http", "4", "--parallel", "2", "--cache-ram", "0",
            "--offline", "--no-ui", *arguments,
        ]  # fmt: skip
        self.directory = model.parent
        self.output: list[str] = []
        self._printed = threading.Condition()

    def __enter__(self) -> "LlamaServer":
        self.process = subprocess.Popen(
            self.command, env=clean_environment(self.directory, GGML_NO_BACKTRACE="1"), cwd=self.directory,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
        threading.Thread(target=self._read_output, daemon=True).start()
        self.port = int(self.wait_for_output(r"listening on http://127\.0\.0\.1:(\d+)")[1])
        return self

    def __exit__(self, failure: type | None, *_: object) -> None:
        # It waits for requests in flight however long they take; a test has none left, and it has nothing to save.
        self.process.kill()
        self.process.wait(PATIENCE)
        if failure:
            print(f"--- llama-server {self.name} printed:", *self.output[-50:], sep="\n")

    def _read_output(self) -> None:
        for line in self.process.stdout:
            with self._printed:
                self.output.append(line.rstrip("\n"))
                self._printed.notify_all()

    def wait_for_output(self, pattern: str, since: int = 0) -> re.Match[str]:
        def found() -> re.Match[str] | None:
            return next((match for line in self.output[since:] if (match := re.search(pattern, line))), None)

        with self._printed:
            self._printed.wait_for(found, PATIENCE)
            match = found()
        assert match, f"llama-server {self.name} did not print {pattern!r} but:\n" + "\n".join(self.output[since:])
        return match

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def get(self, path: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

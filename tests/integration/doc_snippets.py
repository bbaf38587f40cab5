"""Finds the code blocks of a document, and runs them as a reader would."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from clients import NODE_FOLDER, node_program, node_script
from weir_server import BINARY, PATIENCE, ROOT, Weir, clean_environment

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Snippet:
    document: str
    heading: str
    language: str
    text: str
    output: str | None  # the text block that follows at once

    def __str__(self) -> str:
        return f"{self.heading} ({self.language})"


def snippets(document: str) -> list[Snippet]:
    text = (ROOT / document).read_text()
    blocks = list(FENCE.finditer(text))
    found = []
    for block, after in zip(blocks, [*blocks[1:], None], strict=True):
        headings = re.findall(r"^#+ (.*)$", re.sub(FENCE, "", text[: block.start()]), re.MULTILINE)
        follows = after and text[block.end() : after.start()].strip() == "" and after[1] in {"text", "json"}
        found.append(Snippet(document, headings[-1], block[1], block[2], after[2] if follows else None))
    return found


def run(snippet: Snippet, weir: Weir) -> str:
    """What it prints. The address that documents use becomes that of the running gateway."""
    text = snippet.text.replace("http://127.0.0.1:8000", weir.url)
    if snippet.language == "python":
        command = [sys.executable, "-c", text]
    elif snippet.language == "js":
        name = re.sub(r"\W+", "-", snippet.heading.lower())
        command = [node_program(), node_script(f"snippet-{name}.mjs", text)]
    else:
        assert snippet.language == "sh", f"nobody knows how to run {snippet.language}"
        command = ["bash", "-euc", text]
    environment = clean_environment(weir.directory, WEIR_URL=weir.url)
    environment["PATH"] = f"{BINARY.parent}:{environment['PATH']}"
    finished = subprocess.run(
        command, cwd=NODE_FOLDER, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert finished.returncode == 0, f"{snippet}: exit code {finished.returncode}\n{finished.stdout}{finished.stderr}"
    return finished.stdout

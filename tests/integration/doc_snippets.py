"""Finds the code blocks of a document, and runs them as a reader would."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from clients import node_program, node_script
from weir_server import BINARY, PATIENCE, ROOT, Weir, clean_environment

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


ADDRESS = "http://127.0.0.1:8000"  # what documents say


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
    text = snippet.text.replace(ADDRESS, weir.url)
    if snippet.language == "python":
        command = [sys.executable, "-c", text]
    elif snippet.language == "js":
        name = re.sub(r"\W+", "-", snippet.heading.lower())
        command = [node_program(), node_script(f"snippet-{name}.mjs", text)]
    else:
        assert snippet.language == "sh", f"nobody knows how to run {snippet.language}"
        command = ["bash", "-euc", text]
    finished = execute(command, weir)
    assert finished.returncode == 0, f"{snippet}: exit code {finished.returncode}\n{finished.stdout}"
    return finished.stdout


def execute(command: list, weir: Weir) -> subprocess.CompletedProcess[str]:
    environment = clean_environment(weir.directory, WEIR_URL=weir.url)
    environment["PATH"] = f"{BINARY.parent}:{environment['PATH']}"
    return subprocess.run(
        command, cwd=weir.directory, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip


def replay(session: Snippet, weir: Weir) -> str:
    """The session as it looks today: each line that begins with `$ `, and what it prints."""
    lines = []
    for line in session.text.splitlines():
        if line.startswith("$ "):
            printed = execute(["bash", "-uc", line[2:].replace(ADDRESS, weir.url)], weir).stdout
            lines += [line, *printed.replace(weir.url, ADDRESS).rstrip("\n").splitlines()]
    return "\n".join(lines) + "\n"


def without_chance(text: str) -> str:
    """What differs from run to run becomes the same: ids, times, ports, durations."""
    for pattern, stands_for in (
        (r"req_[0-9a-z]{26}", "req_ID"),
        (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
        (r"127\.0\.0\.1:\d{2,5}", "127.0.0.1:PORT"),
        (r"\+?\b\d+(\.\d+)? (ms|s)\b", "DURATION"),
    ):
        text = re.sub(pattern, stands_for, text)
    return text


def agrees(today: str, documented: str) -> bool:
    """Whether they are the same but for chance. A documented line `...` stands for any lines."""
    parts = re.split(r"^\.\.\.\n", without_chance(documented), flags=re.MULTILINE)
    return re.fullmatch(r"(?:.*\n)*?".join(map(re.escape, parts)), without_chance(today)) is not None


def update(session: Snippet, text: str) -> None:
    page = ROOT / session.document
    page.write_text(page.read_text().replace(f"```console\n{session.text}```", f"```console\n{text}```"))

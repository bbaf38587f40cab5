"""The rules of the tree's shape, as functions from a tree to the places that break them.

Each rule takes the root of a checkout and returns findings that begin with `file:line: `, so that a test can run it on
the real tree and on a planted bad one. The order of the folders of src/ is written once, in src/CMakeLists.txt.
"""

import re
from collections.abc import Iterator
from pathlib import Path

# The two folders that may touch the machine's sockets and timers; everything above them gets an interface.
DOORS_TO_THE_MACHINE = {"platform", "net"}

MACHINE_NAMES = [
    (r"#\s*include\s*[<\"]boost/(asio|beast)", "Asio"),
    (r"\basio::", "Asio"),
    (r"#\s*include\s*<(sys/(socket|epoll|timerfd|eventfd|select|un)|netinet/\w+|arpa/inet|netdb|poll)\.h>", "sockets"),
    (r"(?<![\w.>:])(::)?(getaddrinfo|epoll_wait|epoll_create1|timerfd_create|setsockopt)\s*\(", "sockets"),
    (r"\bthis_thread::sleep_(for|until)\b|(?<![\w.>:])(::)?(usleep|nanosleep|sleep)\s*\(", "sleeping"),
    (r"\b(steady_clock|system_clock|high_resolution_clock)::now\b|\bclock_gettime\s*\(", "the machine's clock"),
    (r"\brandom_device\b|\bgetrandom\s*\(", "the machine's randomness"),
]

# Paths that exist on one machine only. The bracket keeps this file from being its own finding.
PRIVATE_PATHS = re.compile(r"(?<![\w.-])/(wor[k]/(main|shared)|roo[t]/|hom[e]/[a-z])")
TEMPORARY_PATHS = re.compile(r"(?<![\w.-])/tm[p]/")


def folder_order(root: Path) -> list[str]:
    """The folders of src/ from general to specific."""
    text = (root / "src/CMakeLists.txt").read_text()
    return re.findall(r"^\s*add_subdirectory\((\w+)\)", text, re.MULTILINE)


def source_files(root: Path) -> Iterator[Path]:
    for path in sorted((root / "src").rglob("*")):
        if path.suffix in {".hpp", ".cpp", ".h", ".cc"}:
            yield path


def lines_without_comments(text: str) -> Iterator[tuple[int, str]]:
    """Code lines with their numbers. Comments become blanks; a `//` inside a string literal stays."""
    blank = lambda match: re.sub(r"[^\n]", " ", match[0]) if match[0].startswith("/") else match[0]
    code = re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.DOTALL)
    yield from enumerate(code.splitlines(), start=1)


def includes_against_the_order(root: Path) -> list[str]:
    """A folder includes only itself and the folders that stand before it."""
    order = folder_order(root)
    rank = {folder: place for place, folder in enumerate(order)}
    findings = []
    for path in source_files(root):
        where, parts = path.relative_to(root), path.relative_to(root / "src").parts
        if len(parts) < 2 or parts[0] not in rank:
            findings.append(f"{where}:1: stands in no folder of src/CMakeLists.txt")
            continue
        for number, line in lines_without_comments(path.read_text()):
            match = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
            if not match:
                continue
            target = match[2].split("/")[0]
            if match[1] == '"' and target in {".", ".."}:
                findings.append(f"{where}:{number}: includes are written from src/, not relative: {match[2]}")
            elif match[1] == '"' and target not in rank:
                findings.append(f"{where}:{number}: {match[2]} is in no folder of src/CMakeLists.txt")
            elif match[2] != target and target in rank and rank[target] > rank[parts[0]]:  # <limits> is the library's
                findings.append(
                    f"{where}:{number}: {parts[0]}/ may not include {match[2]}: {target}/ stands after it in src/CMakeLists.txt"
                )
    return findings


def machine_outside_its_doors(root: Path) -> list[str]:
    """Sockets, timers, clock and randomness are reached through platform/ and net/ only, or the simulation is blind."""
    findings = []
    for path in source_files(root):
        if path.relative_to(root / "src").parts[0] in DOORS_TO_THE_MACHINE:
            continue
        for number, line in lines_without_comments(path.read_text()):
            for pattern, what in MACHINE_NAMES:
                match = re.search(pattern, line)
                if match:
                    findings.append(
                        f"{path.relative_to(root)}:{number}: {what} outside platform/ and net/: {match[0].strip()}"
                    )
    return findings


def folders_without_readme(root: Path) -> list[str]:
    return [
        f"src/{folder}/README.md:1: is missing; each folder says why it exists and where to start reading"
        for folder in folder_order(root)
        if not (root / "src" / folder / "README.md").is_file()
    ]


def headers_without_pragma_once(root: Path) -> list[str]:
    return [
        f"{path.relative_to(root)}:1: has no #pragma once"
        for path in source_files(root)
        if path.suffix in {".hpp", ".h"} and not re.search(r"^#pragma once$", path.read_text(), re.MULTILINE)
    ]


def project_files(root: Path) -> Iterator[Path]:
    """Every text file of ours: what a checkout holds, without build output."""
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if parts[0] in {".git", "build", "weir-data"} or "__pycache__" in parts or "node_modules" in parts:
            continue
        if path.is_file() and (path.suffix in TEXT_SUFFIXES or path.name in {"dev", "run", "CHANGELOG", "Makefile"}):
            yield path


TEXT_SUFFIXES = {".md", ".cpp", ".hpp", ".py", ".txt", ".cmake", ".json", ".yaml", ".yml", ".conf", ".sh", ".patch", ".in"}


def machine_paths(root: Path) -> list[str]:
    """Nothing speaks of one machine's paths; documents do not speak of temporary files either."""
    findings = []
    for path in project_files(root):
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
            match = PRIVATE_PATHS.search(line) or (path.suffix == ".md" and TEMPORARY_PATHS.search(line))
            if match:
                findings.append(f"{path.relative_to(root)}:{number}: a path of one machine: {match[0]}")
    return findings


def dead_links(root: Path) -> list[str]:
    """Every relative link in a document leads somewhere."""
    findings = []
    for path in project_files(root):
        if path.suffix != ".md":
            continue
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", re.sub(r"`[^`]*`", "", line)):
                if not re.match(r"[a-z]+:", target) and not (path.parent / target).exists():
                    findings.append(f"{path.relative_to(root)}:{number}: the link leads nowhere: {target}")
    return findings


# How the sources write the code of an error: as the last field of an ErrorShape, or beside a message.
ERROR_CODES = [
    r'return \{\d{3}, \w+, "(\w+)"\}',
    r'\.code = "(\w+)"',
    r'"(invalid_\w+|missing_\w+|unsupported_\w+)", (?:std::string\(\w+\)|"\w+")',
]


def error_codes_without_entry(root: Path) -> list[str]:
    """Every code that a caller can get has its row in docs/errors.md."""
    page = root / "docs/errors.md"
    described = set(re.findall(r"^\| `(\w+)` \|", page.read_text(), re.MULTILINE)) if page.is_file() else set()
    findings = []
    for path in source_files(root):
        if path.stem.endswith("_test"):
            continue
        for number, line in lines_without_comments(path.read_text()):
            for pattern in ERROR_CODES:
                for code in re.findall(pattern, line):
                    if code not in described:
                        findings.append(f"{path.relative_to(root)}:{number}: docs/errors.md has no row for `{code}`")
    return findings


def described_error_codes_that_nobody_answers(root: Path) -> list[str]:
    """And a row there describes something that the sources know."""
    page = root / "docs/errors.md"
    if not page.is_file():
        return []
    sources = "".join(path.read_text() for path in source_files(root) if not path.stem.endswith("_test"))
    return [
        f"docs/errors.md:{number}: nothing in src/ answers `{code}`"
        for number, line in enumerate(page.read_text().splitlines(), start=1)
        for code in re.findall(r"^\| `(\w+)` \|", line)
        if f'"{code}"' not in sources
    ]


ALL = [
    includes_against_the_order,
    machine_outside_its_doors,
    folders_without_readme,
    headers_without_pragma_once,
    machine_paths,
    dead_links,
    error_codes_without_entry,
    described_error_codes_that_nobody_answers,
]

"""Runs clang-tidy-19 over every translation unit of ours, as many at once as there are cores. Standard library only.

A file whose text, headers of ours and checks are those of its last clean run is not looked at again.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def ours(build: Path) -> list[Path]:
    entries = json.loads((build / "compile_commands.json").read_text())
    files = {Path(entry["directory"], entry["file"]).resolve() for entry in entries}
    return sorted(path for path in files if path.is_relative_to(ROOT) and not path.is_relative_to(ROOT / "build"))


def fingerprint(path: Path, shared: bytes) -> str:
    return hashlib.sha256(shared + path.read_bytes()).hexdigest()


def shared_state() -> bytes:
    """Everything that a finding in any file may depend on, besides that file: the headers of ours and the checks."""
    digest = hashlib.sha256()
    for path in sorted([*(ROOT / "src").rglob("*.hpp"), *(ROOT / "tests").rglob("*.hpp"), *(ROOT / "bench").rglob("*.hpp"), ROOT / ".clang-tidy"]):
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.digest()


def check(path: Path, build: Path) -> tuple[Path, bool, str]:
    command = ["clang-tidy-19", "-p", str(build), "--quiet", "--warnings-as-errors=*", str(path)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    return path, finished.returncode == 0, finished.stdout + ("" if finished.returncode == 0 else finished.stderr)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--build", type=Path, required=True, help="a build directory with its precompiled headers built")
    build = options.parse_args().build

    clean_file, shared = build / "clang-tidy.clean", shared_state()
    clean = set(clean_file.read_text().split()) if clean_file.exists() else set()
    files = ours(build)
    work = [path for path in files if fingerprint(path, shared) not in clean]
    still_clean = {fingerprint(path, shared) for path in files} & clean
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, good, words in pool.map(lambda path: check(path, build), work):
            if good:
                still_clean.add(fingerprint(path, shared))
            else:
                failed += 1
                print(words.strip())
    clean_file.write_text("\n".join(sorted(still_clean)))
    print(f"clang-tidy: {len(work)} of {len(files)} files looked at, {failed} with findings")
    return 1 if failed or not files else 0


if __name__ == "__main__":
    sys.exit(main())

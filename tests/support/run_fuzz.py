"""Runs the libFuzzer targets of a build for a bounded time each, from their corpus, and says how far each one came.

The target NAME is the program fuzz_NAME of the build (tests/fuzz/CMakeLists.txt); its seeds lie in tests/fuzz/corpus/NAME, and
where a line `// SEEDS: folder` of its source says. Inputs found on the way go into build/corpus/NAME, findings into
build/findings. tests/fuzz/floors.txt says how many edges each target covers at least in 20 seconds: fewer mean that it no
longer reaches the code it is there for, and fail the run. Standard library only.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS_FOR_FLOOR = 20


def targets_in(build: Path) -> dict[str, Path]:
    programs = (path for path in sorted(build.rglob("fuzz_*_fuzz")) if path.is_file() and os.access(path, os.X_OK))
    return {path.name.removeprefix("fuzz_"): path for path in programs}


def floors() -> dict[str, int]:
    lines = (line.split() for line in (ROOT / "tests/fuzz/floors.txt").read_text().splitlines() if not line.startswith("#"))
    return {words[0]: int(words[1]) for words in lines if words}


def seeds_of(name: str) -> list[Path]:
    source = (ROOT / "tests/fuzz" / f"{name}.cpp").read_text()
    named = [ROOT / folder for folder in re.findall(r"^// SEEDS: (\S+)$", source, re.MULTILINE)]
    return [folder for folder in [ROOT / "tests/fuzz/corpus" / name, *named] if folder.is_dir()]


def run(name: str, program: Path, build: Path, seconds: int) -> tuple[bool, str]:
    grown, findings = build / "corpus" / name, build / "findings"
    grown.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    command = [
        str(program), str(grown), *map(str, seeds_of(name)),
        f"-max_total_time={seconds}", f"-artifact_prefix={findings}/{name}-", "-timeout=10", "-rss_limit_mb=1024",
        "-print_final_stats=1",
    ]  # fmt: skip
    finished = subprocess.run(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, errors="replace", check=False)
    edges = re.findall(r"cov: (\d+)", finished.stderr)
    runs = re.search(r"number_of_executed_units: (\d+)", finished.stderr)
    if finished.returncode != 0:
        return False, "\n".join(finished.stderr.splitlines()[-60:])
    covered, floor = int(edges[-1]) if edges else 0, floors().get(name)
    words = f"{covered} edges covered, {runs[1] if runs else '?'} inputs"
    if floor is None:
        return False, f"{words}; tests/fuzz/floors.txt has no floor for it"
    if seconds >= SECONDS_FOR_FLOOR and covered < floor:
        return False, f"{words}; the floor is {floor}"
    return True, f"{words} (floor {floor})"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--build", type=Path, required=True)
    options.add_argument("--seconds", type=int, default=60)
    options.add_argument("targets", nargs="*")
    arguments = options.parse_args()

    known = targets_in(arguments.build)
    unknown = [name for name in arguments.targets if name not in known]
    if unknown or not known:
        print(f"fuzz: no such target: {', '.join(unknown) or '(none was built)'}; there are: {', '.join(known)}", file=sys.stderr)
        return 1
    failed = False
    for name in arguments.targets or known:
        good, words = run(name, known[name], arguments.build, arguments.seconds)
        print(f"fuzz {name:24} {words if good else 'FAILED'}", flush=True)
        if not good:
            print(words, file=sys.stderr)
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Measures weir against nginx on this machine: CPU, latency, memory, start. `--help` lists the options, README.md the ideas.

Needs only Python's standard library, nginx, and a build with WEIR_BENCH (./dev bench makes one).
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import signal
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from runner import processes, rows, servers, table  # noqa: E402
from runner.load import Load, LoadFailed  # noqa: E402

PLAIN_ROWS = ["a", "b", "c", "sse", "single", "single_large", "fixed"]  # take turns on one pair of proxies
FULL_ROWS = ["full", "full_fixed", "models", "refusal"]  # with keys, limits, journal and store
READY_ROWS = ["ready", "full_ready"]
HELD_ROWS = ["held", "held_many", "held_tls"]
ALL_ROWS = [*PLAIN_ROWS, "tls", *FULL_ROWS, *HELD_ROWS, "memory", "full_memory", *READY_ROWS]


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    build = HERE.parent / "build" / "release"
    parser.add_argument("--build", type=pathlib.Path, default=build, help="where weir-load and weir-mock-upstream are")
    parser.add_argument("--weir", help="command that starts weir; FILE stands for its config (default: BUILD/weir serve --config FILE)")
    parser.add_argument("--nginx", default=shutil.which("nginx") or "/usr/sbin/nginx", help="the nginx binary")
    parser.add_argument("--only", choices=["nginx", "weir"], help="measure one of them alone")
    parser.add_argument("--direct", action="store_true", help="the rows a and b without a proxy too: the floor")
    parser.add_argument("--rounds", type=int, help="5 unless --quick, which makes 2")
    parser.add_argument("--quick", action="store_true", help="short runs, to see that all works; no numbers to quote")
    parser.add_argument("--rows", default=",".join(ALL_ROWS), help="which rows: " + ",".join(ALL_ROWS))
    parser.add_argument("--json", type=pathlib.Path, help="write all numbers here (default: BUILD/bench.json)")
    parser.add_argument("--write-docs", type=pathlib.Path, metavar="PAGE", help="put the table into this page, between its marks")
    chosen = parser.parse_args()
    chosen.rows = chosen.rows.split(",")
    unknown = [row for row in chosen.rows if row not in ALL_ROWS]
    if unknown:
        parser.error(f"no row is named {', '.join(unknown)}; there are {', '.join(ALL_ROWS)}")
    chosen.rounds = chosen.rounds or (2 if chosen.quick else 5)
    chosen.weir = chosen.weir or f"{chosen.build / 'weir'} serve --config FILE"
    chosen.json = chosen.json or chosen.build / "bench.json"
    return chosen


class Runner:
    """Owns everything that is started; close() ends it all."""

    def __init__(self, chosen, directory):
        self.chosen = chosen
        self.directory = pathlib.Path(directory)
        self.cores = processes.Cores()
        self.sizes = rows.Sizes(chosen.quick)
        self.started = []
        self.serial = 0
        self.load = Load(chosen.build / "weir-load", self.cores.load)
        self.upstream = servers.Upstream(self.directory / "upstream", self.cores.upstream, chosen.build / "weir-mock-upstream")
        self.started.append(self.upstream)
        self.bench = rows.Bench(self.load, self.upstream, self.sizes)
        self.names = [name for name in ("nginx", "weir") if chosen.only in (None, name)]

    def start(self):
        self.upstream.start()

    def new(self, name, tls=False, full=False):
        """A fresh server of this kind, started."""
        self.serial += 1
        directory = self.directory / f"{name}-{self.serial}"
        if name == "nginx":
            server = servers.Nginx(directory, self.cores.proxy, self.chosen.nginx, self.upstream, tls)
        else:
            kind = servers.FullWeir if full else servers.Weir
            server = kind(directory, self.cores.proxy, self.chosen.weir, self.upstream, self.sizes.models(), tls)
        self.started.append(server)
        return server.start()

    def drop(self, server):
        server.stop()
        self.started.remove(server)
        shutil.rmtree(server.directory, ignore_errors=True)  # its log of a million lines

    def close(self):
        self.load.stop()
        for server in self.started:
            server.stop()

    def round(self, number):
        """All rows once, for one server after the other; every second round starts with the other one."""
        order = self.names if number % 2 == 0 else self.names[::-1]
        result = {}
        self.take_turns([row for row in self.chosen.rows if row in PLAIN_ROWS], order, number, result)
        self.take_turns([row for row in self.chosen.rows if row == "tls"], order, number, result, tls=True)
        self.take_turns([row for row in self.chosen.rows if row in FULL_ROWS], order, number, result, full=True)
        for row in self.chosen.rows:
            if row in HELD_ROWS:
                result[row] = {}
                for name in order:
                    server = self.new(name, tls=row == "held_tls")
                    result[row][name] = self.bench.held(server, rows.HELD_MANY if row == "held_many" else rows.HELD)
                    self.tell(number, row, name, result[row][name])
                    self.drop(server)
        if "memory" in self.chosen.rows:
            result["memory"] = self.memory(order, number)
        if "full_memory" in self.chosen.rows and "weir" in order:
            result["full_memory"] = {"weir": self.full_memory(number)}
        return result

    def take_turns(self, chosen, order, number, result, tls=False, full=False):
        """These rows, each in slices that go around the servers."""
        if not chosen:
            return
        key = rows.WITH_KEY if full else ()
        proxies = [self.new(name, tls, full) for name in order]
        for server in [self.upstream, *proxies]:
            self.bench.warm(server, *key)
        rate = self.half_rate(proxies, *key) if {"fixed", "full_fixed"} & set(chosen) else 0
        for row in chosen:
            with_direct = row in ("sse", "single", "single_large", "fixed", "full_fixed") or (self.chosen.direct and row in ("a", "b"))
            turns = ([self.upstream] if with_direct else []) + proxies
            slices = {server.name: [] for server in turns}
            for _ in range(self.sizes.slices[row]):
                for server in turns:
                    slices[server.name].append(self.measure(row, server, rate))
                turns.reverse()
            result[row] = {name: rows.combined(of_one) for name, of_one in slices.items()}
            for name, numbers in result[row].items():
                self.tell(number, row, name, numbers)
        for server in proxies:
            self.drop(server)

    def measure(self, row, server, rate):
        if row in ("a", "tls"):
            return self.bench.small(server)
        if row == "b":
            return self.bench.large(server)
        if row == "c":
            return self.bench.huge(server)
        if row == "sse":
            return self.bench.stream(server)
        if row == "single":
            return self.bench.single(server)
        if row == "single_large":
            return self.bench.single_large(server)
        if row == "full":
            return self.bench.small(server, *rows.WITH_KEY)
        if row == "models":
            return self.bench.models(server)
        if row == "refusal":
            return self.bench.refusal(server)
        return self.bench.fixed(server, rate, *(rows.WITH_KEY if row == "full_fixed" else ()))

    def half_rate(self, proxies, *key):
        """Half of what the slowest can do, so that all are asked the same and none is swamped."""
        rates = []
        for server in proxies:
            report = self.load.run(server.chat_url(), "--connections", 64, "--requests", 2 * self.sizes.small, *key)
            rates.append(report["requests_per_s"])
        return min(rates) / 2

    def memory(self, order, number):
        result = {}
        running = [self.new(name) for name in order]
        time.sleep(0.5)
        for server in running:
            result[server.name] = {"idle_mib": server.rss_kib() / 1024}
        for server in running:
            result[server.name]["faults"] = self.bench.work(server)
            result[server.name]["loaded_mib"] = server.rss_kib() / 1024
        time.sleep(self.sizes.rest_seconds)
        for server in running:
            result[server.name]["rested_mib"] = server.rss_kib() / 1024
            self.tell(number, "memory", server.name, result[server.name])
            self.drop(server)
        return result

    def full_memory(self, number):
        """nginx has nothing more to switch on: its number is in the row without."""
        server = self.new("weir", full=True)
        time.sleep(0.5)
        result = {"idle_mib": server.rss_kib() / 1024}
        self.tell(number, "full_memory", server.name, result)
        self.drop(server)
        return result

    def ready(self, row):
        """Median of several starts, as one more round of its own."""
        result = {}
        names = self.names if row == "ready" else [name for name in self.names if name == "weir"]
        for _ in range(self.sizes.starts):
            for name in names:
                server = self.new(name, full=row == "full_ready")
                result.setdefault(name, []).append(server.ready_ms)
                self.drop(server)
        return [{row: {name: {"ready_ms": times[i]} for name, times in result.items()}} for i in range(self.sizes.starts)]

    def tell(self, number, row, name, numbers):
        said = " ".join(f"{key}={value:.2f}" if isinstance(value, float) else f"{key}={value}" for key, value in numbers.items())
        print(f"round {number + 1}/{self.chosen.rounds} {row:11} {name:6} {said}", file=sys.stderr, flush=True)


def cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "unknown CPU")


def stolen_ticks():
    with open("/proc/stat", encoding="ascii") as file:
        fields = [int(field) for field in file.readline().split()[1:]]
    return fields[7], sum(fields[:8])


def main():
    chosen = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    servers.allow_many_descriptors()
    warnings = []
    busy = os.getloadavg()[0]
    if busy > 0.5:
        warnings.append(f"the machine was not idle before the run (load average {busy:.1f})")
    if chosen.quick:
        warnings.append("a quick run: too short for numbers to quote")
    stolen = stolen_ticks()
    results = []
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as directory:
        if servers.filesystem_of(directory) == "tmpfs" and {*FULL_ROWS, "full_memory", "full_ready"} & set(chosen.rows):
            warnings.append("the temporary folder is in memory: the journal's sync cost nothing there (TMPDIR names another)")
        os.chmod(directory, 0o755)  # nginx's worker gives up root and still opens its files
        runner = Runner(chosen, directory)
        try:
            runner.start()
            if runner.cores.shared:
                warnings.append("one core for all: the proxy shared it with the load")
            if set(chosen.rows) - set(READY_ROWS):
                for number in range(chosen.rounds):
                    results.append(runner.round(number))
            for row in READY_ROWS:
                if row in chosen.rows:
                    results.extend(runner.ready(row))
        except (LoadFailed, RuntimeError, OSError) as error:
            print(f"bench: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("bench: stopped", file=sys.stderr)
            return 130
        finally:
            runner.close()
        names = runner.names
    after = stolen_ticks()
    share = (after[0] - stolen[0]) / max(after[1] - stolen[1], 1)
    slow = [one[row]["direct"]["p99_us"] for one in results for row in ("fixed", "full_fixed") if row in one]
    if slow and max(slow) > 1000:
        warnings.append("the latency rows were disturbed: even without a proxy one reply in a hundred took "
                        f"{max(slow) / 1000:.1f} ms")
    if share > 0.01:
        warnings.append(f"the host took {share:.1%} of the CPU time away during the run")

    measured = ["direct", *names]
    machine = {
        "rounds": chosen.rounds, "cores": os.cpu_count(), "cpu": cpu_model(), "kernel": platform.release(),
        "nginx": servers.version_of_nginx(chosen.nginx) if "nginx" in names else "not measured",
        "date": datetime.date.today().isoformat(), "warnings": warnings,
    }
    text = table.markdown(results, measured, machine)
    summed = table.summary(results, measured)
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps({"machine": machine, "summary": summed, "rounds": results}, indent=1) + "\n")
    if chosen.write_docs:
        page = chosen.write_docs.read_text(encoding="utf-8")
        chosen.write_docs.write_text(table.written_into(page, text), encoding="utf-8")
    print(text)
    print(f"all numbers: {chosen.json}")
    if any(summed["faults"].values()):
        print("bench: some replies were wrong; see `faults` in the JSON", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

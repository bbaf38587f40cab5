"""Running weir-load and reading what it saw."""
import json
import resource
import subprocess

from runner import processes


class LoadFailed(RuntimeError):
    """The load generator could not run at all. Failed replies are not this: they are counted in the report."""


class Load:
    def __init__(self, binary, cores):
        self.binary = str(binary)
        self.cores = cores
        self.running = set()

    def run(self, url, *options):
        """One whole run; returns its report, with `load_cpu_ns` added."""
        before = cpu_of_ended_loads_ns()
        process = self.start(url, *options)
        output, _ = process.communicate()
        report = self.finish(process, output)
        report["load_cpu_ns"] = cpu_of_ended_loads_ns() - before
        return report

    def hold(self, url, streams, model):
        """Opens `streams` and returns when all have begun: a process that holds them until release()."""
        process = self.start(url, "--stream", "--hold", "--connections", streams, "--seconds", 60, "--model", model,
                             stdin=subprocess.PIPE)
        line = process.stdout.readline()
        if not line.startswith('{"open":'):
            process.stdin.close()
            raise LoadFailed(f"not all of {streams} streams opened at {url}: {(line + process.stdout.read())[:2000]}")
        return process

    def release(self, process):
        process.stdin.close()
        return self.finish(process, process.stdout.read())

    def start(self, url, *options, stdin=subprocess.DEVNULL):
        command = [self.binary, "--url", url] + [str(option) for option in options]
        process = processes.spawn(command, self.cores, stdin=stdin, stdout=subprocess.PIPE, text=True)
        self.running.add(process)
        return process

    def finish(self, process, output):
        process.wait()
        self.running.discard(process)
        lines = output.strip().splitlines()
        if not lines or not lines[-1].startswith("{"):
            raise LoadFailed(f"weir-load ended with status {process.returncode} and without a report")
        return json.loads(lines[-1])

    def stop(self):
        for process in list(self.running):
            processes.stop(process)
        self.running.clear()


def cpu_of_ended_loads_ns():
    """CPU time of the runner's own ended children: between two servers' stops, only load generators."""
    times = resource.getrusage(resource.RUSAGE_CHILDREN)
    return int((times.ru_utime + times.ru_stime) * 1e9)

"""Starting processes on chosen cores, and what the kernel says they cost.

CPU time is read from each process's CPU clock, in nanoseconds, which includes threads that have ended; children that ended and
were waited for are in their parent's cutime and cstime. /proc/PID/stat alone counts in steps of 10 ms.
"""
import os
import signal
import socket
import ssl
import subprocess
import time

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


class Cores:
    """Which core runs what: the proxy under test alone on the first, load and upstream on the others (or sharing one)."""

    def __init__(self):
        allowed = sorted(os.sched_getaffinity(0))
        self.proxy = {allowed[0]}
        self.load = {allowed[-1]}
        self.upstream = {allowed[1]} if len(allowed) > 2 else self.load
        self.shared = len(allowed) < 2
        os.sched_setaffinity(0, self.load)


def spawn(command, cores, **options):
    """Starts `command` on `cores`, in a process group of its own.

    A child inherits the affinity of the thread that forks it, so the runner moves for that moment. That is what taskset does, one
    exec earlier: its own start must not count as the server's.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        return subprocess.Popen(command, start_new_session=True, **options)
    finally:
        os.sched_setaffinity(0, before)


def stop(process, patience=5.0):
    """Ends a process and all of its group: politely first."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            pass
    try:
        os.killpg(process.pid, signal.SIGKILL)  # what the process left behind, or the process itself
    except ProcessLookupError:
        pass
    process.wait()


def tree(pid):
    """The pids of a process and of all its living descendants."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = stat_fields(int(name))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(name))
    found = [pid]
    for parent in found:
        found.extend(children.get(parent, []))
    return found


def stat_fields(pid):
    """The fields of /proc/PID/stat after the command's name: [state, ppid, ...]; None when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def cpu_ns(pid):
    """CPU time of the whole process tree so far."""
    total = 0
    for member in tree(pid):
        fields = stat_fields(member)
        if not fields:
            continue
        try:
            total += time.clock_gettime_ns(((~member) << 3) | 2)  # clock_getcpuclockid(3), which Python does not offer
        except OSError:
            continue
        total += (int(fields[13]) + int(fields[14])) * TICK_NS  # cutime, cstime
    return total


def rss_kib(pid):
    """Resident memory of the whole process tree, in KiB; pages that its members share count for each."""
    total = 0
    for member in tree(pid):
        try:
            with open(f"/proc/{member}/smaps_rollup", encoding="ascii") as file:
                total += next(int(line.split()[1]) for line in file if line.startswith("Rss:"))
        except (OSError, StopIteration):
            continue
    return total


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_ready(process, port, path, tls=False, limit_s=15.0):
    """Polls until `path` answers 200, never sleeping longer than 0.2 ms. Returns the time of the answer (perf_counter)."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    deadline = time.perf_counter() + limit_s
    context = ssl._create_unverified_context() if tls else None  # on this machine, made a moment ago
    while time.perf_counter() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=limit_s) as plain:
                client = context.wrap_socket(plain) if context else plain
                client.sendall(request)
                if client.recv(4096).startswith(b"HTTP/1.1 200"):
                    return time.perf_counter()
        except OSError:
            pass
        if process.poll() is not None:
            raise RuntimeError(f"it ended with status {process.returncode} before it was ready")
        time.sleep(0.0002)
    raise RuntimeError(f"{path} did not answer 200 within {limit_s:.0f} s")

"""The servers of a bench: the mock upstream, nginx and weir, each with a directory of its own."""
import pathlib
import resource
import shlex
import subprocess
import time

from runner import processes

HERE = pathlib.Path(__file__).resolve().parent.parent
# Made by `weir keys generate` for the bench alone: the first is in weir_full.yaml, the second in no configuration.
KEY = "wr-J6XOkST4uxPeFfLWPwIwumGedPgQ6SxjlMrty230wEt1C4sJk"
UNKNOWN_KEY = "wr-rsz5bVTP8tmduVkeqJIqSHpLev10WwtrV93gF1ICfbC1sKHTQ"


def filled(template, values):
    text = (HERE / template).read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", str(value))
    return text


class Server:
    """One process tree on one port. `stop()` may be called at any time, more than once."""

    name = ""
    ready_path = "/healthz"
    stream_prefix = ""  # nginx has a location of its own for streams
    refused_prefix = ""  # and for what it refuses: it knows no keys

    def __init__(self, directory, cores, tls=False):
        self.directory = pathlib.Path(directory)
        self.cores = cores
        self.tls = tls  # towards its clients
        self.port = processes.free_port()
        self.process = None
        self.ready_ms = None

    def command(self):
        raise NotImplementedError

    def start(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        command = self.command()
        with open(self.directory / "output.txt", "ab") as output:
            began = time.perf_counter()
            self.process = processes.spawn(command, self.cores, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            self.ready_ms = (processes.wait_ready(self.process, self.port, self.ready_path, self.tls) - began) * 1000
        except RuntimeError as error:
            self.stop()
            said = (self.directory / "output.txt").read_text(encoding="utf-8", errors="replace")[-2000:]
            raise RuntimeError(f"{self.name}: {error}; command: {shlex.join(command)}; it said:\n{said}") from error
        return self

    def stop(self):
        if self.process is not None:
            processes.stop(self.process)
            self.process = None

    def chat_url(self):
        return f"{self.origin()}/v1/chat/completions"

    def stream_url(self):
        return f"{self.origin()}{self.stream_prefix}/v1/chat/completions"

    def models_url(self):
        return f"{self.origin()}/v1/models"

    def refused_url(self):
        return f"{self.origin()}{self.refused_prefix}/v1/chat/completions"

    def origin(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def cpu_ns(self):
        return processes.cpu_ns(self.process.pid)

    def rss_kib(self):
        return processes.rss_kib(self.process.pid)


class Upstream(Server):
    name = "direct"  # a row without a proxy goes here

    def __init__(self, directory, cores, binary):
        super().__init__(directory, cores)
        self.binary = binary

    def command(self):
        return [str(self.binary), "--port", str(self.port)]


class Nginx(Server):
    name = "nginx"
    stream_prefix = "/stream"
    refused_prefix = "/refused"

    def __init__(self, directory, cores, binary, upstream, tls=False):
        super().__init__(directory, cores, tls)
        self.binary = binary
        self.upstream = upstream

    def command(self):
        config = self.directory / "nginx.conf"
        values = {"DIR": self.directory, "PORT": self.port, "UPSTREAM": self.upstream.port, "SSL": "", "CERTIFICATE": ""}
        if self.tls:
            certificate, key = make_certificate(self.directory)
            values |= {"SSL": " ssl", "CERTIFICATE": f"ssl_certificate {certificate}; ssl_certificate_key {key};"}
        config.write_text(filled("nginx.conf", values))
        return [self.binary, "-p", str(self.directory), "-c", str(config), "-e", str(self.directory / "error.log")]


class Weir(Server):
    name = "weir"
    config = "weir.yaml"

    def __init__(self, directory, cores, command, upstream, models, tls=False):
        super().__init__(directory, cores, tls)
        self.template = command
        self.upstream = upstream
        self.models = models

    def command(self):
        config = self.directory / "weir.yaml"
        models = "\n".join(f"  {model}: up/{model}" for model in self.models)
        values = {"DIR": self.directory, "PORT": self.port, "UPSTREAM": self.upstream.port, "MODELS": models, "TLS": "", "KEY": KEY}
        if self.tls:
            certificate, key = make_certificate(self.directory)
            values["TLS"] = f"tls: {{cert_file: {certificate}, key_file: {key}}}"
        config.write_text(filled(self.config, values))
        return [part.replace("FILE", str(config)) for part in shlex.split(self.template)]


class FullWeir(Weir):
    """With keys, limits, journal and store."""

    config = "weir_full.yaml"


def make_certificate(directory):
    """(certificate, key): files for a server on this machine, of the kind that most have today."""
    certificate, key = directory / "server.crt", directory / "server.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


def allow_many_descriptors():
    """Raises the soft limit for all that is started from here; returns the new one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def filesystem_of(directory):
    """Its kind, in the kernel's words: a journal in memory (tmpfs) is synced for nothing."""
    return subprocess.run(["stat", "-f", "-c", "%T", str(directory)], capture_output=True, text=True, check=True).stdout.strip()


def version_of_nginx(binary):
    done = subprocess.run([binary, "-v"], capture_output=True, text=True, check=True)
    return done.stderr.strip().rpartition("/")[2]


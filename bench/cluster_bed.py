"""A fleet, and the aggregator that asks it, in a network of their own: "unshare --net" has been done."""
import http.client
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAMS = Path(os.environ["DIAG_BENCH_PROGRAMS"])
AGGREGATORD = os.environ["DIAG_AGGREGATORD"]
PORT = 61050
LOOPBACK, OWN = "127.0.0.1", "192.0.2.1"    # TLS is not spoken on loopback addresses
MASTERS, PUBLIC = 3, 2
V1, V2 = "/system/health/v1", "/system/health/v2"
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
FILTER = """table ip fleet {
    set refused { type ipv4_addr; }
    set gone { type ipv4_addr; }
    chain input {
        type filter hook input priority 0;
        ip daddr @refused tcp dport %d reject with tcp reset
        ip daddr @gone drop
        ip saddr @gone drop
    }
}
""" % PORT


def _nft(text):
    subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True)


def set_up_network():
    for command in (["link", "set", "lo", "up"], ["address", "add", f"{OWN}/32", "dev", "lo"],
                    ["route", "add", "local", "10.1.0.0/16", "dev", "lo", "src", OWN]):
        subprocess.run(["ip", *command], check=True)
    _nft(FILTER)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def until(question, timeout, every=0.05):
    """Ask until the answer is true; None if it never was."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        answer = question()
        if answer:
            return answer
        time.sleep(every)
    return None


# --- what can be read off /proc ---------------------------------------------------------------------

def cpu_seconds(pid):
    try:
        return sum(int((task / "schedstat").read_text().split()[0])
                   for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9
    except FileNotFoundError:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def status(directory, key):
    return int(re.search(rf"^{key}:\s+(\d+)", (directory / "status").read_text(), re.M)[1])


def wakeups(pid):
    """How often one of its threads had slept and was woken."""
    return sum(status(task, "voluntary_ctxt_switches") for task in Path(f"/proc/{pid}/task").iterdir())


def mebibytes(pid, key="RssAnon"):
    return status(Path(f"/proc/{pid}"), key) / 1024


def memory(pid):
    return (f"RssAnon {mebibytes(pid):.1f} MiB, VmRSS {mebibytes(pid, 'VmRSS'):.1f} MiB, "
            f"{len(os.listdir(f'/proc/{pid}/fd'))} descriptors")


def forget_peak(pid):
    Path(f"/proc/{pid}/clear_refs").write_text("5")


class Cpu:
    """How much of one core a process took within the block."""

    def __init__(self, pid):
        self._pid = pid

    def __enter__(self):
        self._began, self._before = time.monotonic(), cpu_seconds(self._pid)
        return self

    def __exit__(self, *_):
        self.took = time.monotonic() - self._began
        self.seconds = cpu_seconds(self._pid) - self._before
        self.percent = 100 * self.seconds / self.took


# --- the fleet ---------------------------------------------------------------------------------------

class Fleet:
    """bench/fleet, and the packet filter that takes nodes off the network. Nodes are numbers: masters first."""

    def __init__(self, directory, count, tls, v1=False):
        self.count, self.tls, self.directory = count, tls, directory
        self.net = "10.1" if tls else "127.1"
        self.nodes_file = directory / "nodes"
        options = [*(["--tls", directory] if tls else []), *(["--v1"] if v1 else [])]
        self._process = subprocess.Popen(
            [PROGRAMS / "fleet", str(count), str(PORT), "--masters", str(MASTERS), "--public", str(PUBLIC),
             "--net", self.net, "--nodes-file", self.nodes_file, *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self._process.pid
        self._answer("its start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(timeout=30)
        _nft("flush set ip fleet refused\nflush set ip fleet gone\n")

    def address(self, i):
        return f"{self.net}.{i // 250}.{1 + i % 250}"

    def _answer(self, command):
        words = self._process.stdout.readline().split()
        if not words or words[0] != "ok":
            raise RuntimeError(f"fleet: {command}: {' '.join(words)}")
        return words

    def say(self, *words):
        """When it took effect, by time.monotonic()."""
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        return int(self._answer(words)[1]) / 1e9

    def stats(self):
        self._process.stdin.write("stats\n")
        self._process.stdin.flush()
        return {k: int(v) for k, v in (word.split("=") for word in self._answer("stats")[2:])}

    def _filter(self, verb, name, nodes):
        addresses = ", ".join(map(self.address, nodes))
        _nft(f"{verb} element ip fleet {name} {{ {addresses} }}\n")

    def kill(self, *nodes):
        """The daemon has died, and nobody listens."""
        self._filter("add", "refused", nodes)
        return [self.say("drop", i) for i in nodes]

    def vanish(self, *nodes):
        """The machine is off the network: not a packet from it."""
        began = time.monotonic()
        self._filter("add", "gone", nodes)
        return [began] * len(nodes)

    def freeze(self, *nodes):
        return [self.say("mode", i, "frozen") for i in nodes]

    def revive(self, *nodes):
        """All is as it was, after a boot."""
        for name in "refused", "gone":
            self._filter("add", name, nodes)        # what is not there cannot be deleted
            self._filter("delete", name, nodes)
        for i in nodes:
            self.say("mode", i, "ok")
            self.say("heal", i)
            self.say("boot", i)

    def floor(self, at_once=512):
        """What the same costs who does nothing with it."""
        sys.stdout.flush()
        subprocess.run([PROGRAMS / "cluster_round", *map(str, (self.count, self.net, PORT, at_once, self.pid)),
                        *([self.directory] if self.tls else [])], check=True, timeout=300)


# --- the aggregator ----------------------------------------------------------------------------------

class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Api:
    """One connection to the aggregator, as root; one at a time."""

    def __init__(self, path, timeout=120):
        self._connection = UnixConnection(str(path), timeout)

    def get(self, target, **headers):
        try:
            return self._get(target, headers)
        except ConnectionError:  # idle for too long, it was closed
            self._connection.close()
            return self._get(target, headers)

    def _get(self, target, headers):
        self._connection.request("GET", target, headers={k.replace("_", "-"): v for k, v in headers.items()})
        response = self._connection.getresponse()
        return response.status, response.headers, response.read()

    def json(self, target):
        code, _, body = self.get(target)
        if code != 200:
            raise RuntimeError(f"{target}: {code} {body[:200]!r}")
        return json.loads(body)

    def watch(self, target, holds, deadline):
        """Wait until what is said there holds; when that came, or None. Polls who does not know how to wait."""
        etag = None
        while time.monotonic() < deadline:
            wait = max(1, min(30, int(deadline - time.monotonic())))
            conditional = {"If_None_Match": etag, "Prefer": f"wait={wait}"} if etag else {}
            code, headers, body = self.get(target, **conditional)
            came = time.monotonic()
            if code == 200 and holds(json.loads(body)):
                return came
            etag = headers.get("ETag")
            if (code != 200 and code != 304) or not etag or (conditional and "Preference-Applied" not in headers):
                time.sleep(0.02)
        return None


class Aggregator:
    """diag-aggregatord over a fleet."""

    def __init__(self, fleet):
        self._fleet, directory = fleet, fleet.directory
        self.socket = directory / "aggregatord.sock"
        conf = directory / "aggregatord.conf"
        conf.write_text("[TLS]\nCA={0}/ca.pem\nCertificate={0}/node.pem\nKey={0}/node.key\n".format(directory)
                        if fleet.tls else "")
        self.listens = OWN if fleet.tls else LOOPBACK
        environment = dict(os.environ, STATE_DIRECTORY=str(directory), RUNTIME_DIRECTORY=str(directory))
        self._log = open(directory / "log", "w+", encoding="utf-8", errors="replace")
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            [AGGREGATORD, "--config", conf, "--listen", f"{self.listens}:1050", "--listen", f"unix:{self.socket}",
             "--nodes-file", fleet.nodes_file, "--masters-expected", str(MASTERS)],
            env=environment, stdout=self._log, stderr=self._log)
        self.pid = self._process.pid
        if not until(self._is_there, 20):
            self.__exit__()
            raise RuntimeError("diag-aggregatord does not listen:\n" + (directory / "log").read_text()[-2000:])
        self.api = self.connect()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        else:
            print(f"diag-aggregatord had ended by itself: {self._process.returncode}")
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            print("diag-aggregatord does not stop within 30 s")
            self._process.kill()
        self._log.close()

    def _is_there(self):
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(str(self.socket)) == 0

    def connect(self):
        return Api(self.socket)

    def known(self):
        """How many nodes it has something to say of."""
        roles = self.api.json(V2 + "/cluster")["nodes"].values()
        return sum(role.get("healthy", 0) + role.get("unhealthy", 0) for role in roles)

    def warm_up(self, timeout=120):
        """Every node is known, and a request is parked at each, if it parks requests."""
        if not until(lambda: self.known() == self._fleet.count, timeout, 0.2):
            print(f"NOT all nodes are known after {timeout} s: {self.known()} of {self._fleet.count}")
        if not until(lambda: self._fleet.stats()["parked"] >= self._fleet.count, 60, 0.2):
            print(f"parked: {self._fleet.stats()['parked']} of {self._fleet.count}")


class Bed:
    """with Bed(1000, tls=True) as (fleet, aggregator)"""

    def __init__(self, count, tls, warm=True):
        self._count, self._tls, self._warm = count, tls, warm

    def __enter__(self):
        self._directory = tempfile.TemporaryDirectory(prefix="diag-cluster-")
        self._fleet = Fleet(Path(self._directory.name), self._count, self._tls)
        try:
            self._aggregator = Aggregator(self._fleet)
            if self._warm:
                self._aggregator.warm_up()
        except BaseException:
            self._fleet.__exit__()
            raise
        return self._fleet, self._aggregator

    def __exit__(self, *_):
        self._aggregator.__exit__()
        self._fleet.__exit__()
        self._directory.cleanup()

"""Real systemd nodes for tests: a Python face on ./testnode, with daemons, HTTP and sockets inside them.

    with Node("m1") as node:                    # or: with Testbed() as bed: bed.node("m1"); bed.node("m2")
        node.write_unit("a.service", "[Service]\\nExecStart=/bin/sleep inf\\n")
        node.systemctl("daemon-reload")
        agentd = node.start("diag-agentd", "--listen", "unix:/run/diag/agentd.sock")
        assert node.get("/system/health/v1").status == 200
        node.freeze("a.service"); node.cut("in")        # what else can go wrong: "Faults" below
        node.mend()

Programs come from the tree that DIAG_INSTALL names (usr/sbin/diag-agentd, usr/bin/diag, ...).
"""
import contextlib
import ctypes
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from tap import Skip

TESTNODE = str(Path(__file__).resolve().with_name("testnode"))
AGENTD_SOCKET = "/run/diag/agentd.sock"
_SANITIZER = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:")
_CLONE_NEWNET = 0x40000000


def eventually(question, timeout=10, every=0.02, what=""):
    """Ask until the answer is true and nothing is raised; return it. In the end, what went wrong last."""
    deadline = time.monotonic() + timeout
    while True:
        wrong = None
        try:
            answer = question()
            if answer:
                return answer
        except (AssertionError, OSError, http.client.HTTPException) as e:
            wrong = e
        if time.monotonic() > deadline:
            what = what and what + ": "
            raise AssertionError(f"{what}not within {timeout} s; last: {wrong or answer!r}") from wrong
        time.sleep(every)


class Answer:
    """One HTTP answer, read to its end."""

    def __init__(self, response):
        self.status, self.reason, self.headers = response.status, response.reason, response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:200]!r}>"


class Daemon:
    """A program that runs in the foreground inside a node, or beside it in its network only; our child. Its
    output goes to a file."""

    def __init__(self, peer, argv):
        self.name, self.peer = os.path.basename(argv[0]), peer
        handle, path = tempfile.mkstemp(prefix=self.name + "-", suffix=".log", dir=peer.bed.logs)
        self.log = Path(path)
        self._entering = subprocess.Popen([TESTNODE, *peer.enter, *argv], env=peer.bed.env, start_new_session=True,
                                          stdin=subprocess.DEVNULL, stdout=handle, stderr=handle)
        os.close(handle)

    def _inside(self):
        """What testnode has become, or the child of that; others are what it runs on its way."""
        below = subprocess.run(["pgrep", "-P", str(self._entering.pid)], capture_output=True, text=True).stdout
        for pid in (self._entering.pid, *map(int, below.split())):
            with contextlib.suppress(OSError):
                if self.peer.holds(pid):
                    return pid
        return None

    @property
    def pid(self):
        """The program itself as this machine numbers it."""
        found = eventually(lambda: self._inside() or not self.running)
        assert self.running, f"{self.name} ended with {self._entering.returncode}: {self.output()}"
        return found

    @property
    def running(self):
        return self._entering.poll() is None

    def output(self):
        return self.log.read_text(errors="replace")

    def wait(self, timeout=10):
        """Exit status; what a sanitizer has to say fails the test."""
        status = self._entering.wait(timeout)
        assert not _SANITIZER.search(self.output()), self.output()
        return status

    def signal(self, number):
        os.kill(self.pid, number)

    def stop(self, timeout=10):
        if self.running:
            self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self):
        """For whoever cleans up: never raises, never waits for the program or its children to agree."""
        if self.running:
            os.killpg(self._entering.pid, signal.SIGKILL)
        self._entering.wait(5)


class _Connection(http.client.HTTPConnection):
    def __init__(self, open_socket, timeout):
        super().__init__("localhost", timeout=timeout)
        self._open_socket = open_socket

    def connect(self):
        self.sock = self._open_socket(self.timeout)


class Peer:
    """Somebody with an address on the test network, and nothing behind it but the programs that we start."""

    unix = None             # where requests go that name no port

    def __init__(self, name, address, bed):
        self.name, self.address, self.bed = name, address, bed
        self.daemons = []
        self.faults = {}    # what is wrong with it, by our doing: how that is undone
        self.enter = ("in", name)

    @property
    def net(self):
        return f"/run/netns/{self.bed.name}-{self.name}"

    def holds(self, pid):
        """Does this process run there? It has its number from this machine."""
        return os.stat(f"/proc/{pid}/ns/net").st_ino == os.stat(self.net).st_ino

    def exec(self, *argv, check=True, timeout=30, **more):
        """Run a command there to its end."""
        return subprocess.run([TESTNODE, *self.enter, *argv], env=self.bed.env, check=check,
                              timeout=timeout, capture_output=True, text=True, **more)

    def start(self, *argv):
        daemon = Daemon(self, argv)
        self.daemons.append(daemon)
        return daemon

    def diagnostics(self):
        return "\n".join(f"{d.log.name}: {line}" for d in self.daemons
                         for line in d.output().splitlines()[-30:])

    # Faults, each with what undoes it

    def cut(self, way="both"):
        """Pull the cable; or lose only what comes "in", or only what goes "out"."""
        self.bed.testnode("cut", self.name, way)
        self.faults["cable"] = self.heal

    def heal(self):
        self.bed.testnode("heal", self.name)
        self.faults.pop("cable", None)

    def mend(self):
        """Undo all faults, the last first."""
        for undo in reversed(list(self.faults.values())):
            undo()
        self.faults.clear()

    # Network

    def in_network(self, function):
        """Call it in a thread that has moved into this network; sockets made there stay there."""
        outcome = []

        def visit():
            libc = ctypes.CDLL(None, use_errno=True)
            net = -1
            try:
                net = os.open(self.net, os.O_RDONLY | os.O_CLOEXEC)
                if libc.setns(net, _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
                outcome.append((function(), None))
            except Exception as e:
                outcome.append((None, e))
            finally:
                if net >= 0:
                    os.close(net)

        thread = threading.Thread(target=visit)
        thread.start()
        thread.join()
        result, wrong = outcome[0]
        if wrong:
            raise wrong
        return result

    def tcp_socket(self, port, address="127.0.0.1", timeout=10):
        """A connection as a program would make it that runs there."""
        return self.in_network(lambda: socket.create_connection((address, port), timeout))

    # HTTP: over a Unix socket of the node, or, with a port, over TCP from here; tls is an ssl.SSLContext

    def _opener(self, port, address, unix, tls):
        if not port:
            return lambda timeout: self.unix_socket(unix or self.unix, timeout)
        if not tls:
            return lambda timeout: self.tcp_socket(port, address, timeout)
        return lambda timeout: tls.wrap_socket(self.tcp_socket(port, address, timeout), server_hostname=address)

    def connection(self, port=None, address="127.0.0.1", unix=None, timeout=10, tls=None):
        """An http.client connection, for tests of keep-alive."""
        return _Connection(self._opener(port, address, unix, tls), timeout)

    def request(self, method, url, headers=None, body=None, **where):
        connection = self.connection(**where)
        try:
            connection.request(method, url, body, headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, url, headers=None, **where):
        return self.request("GET", url, headers, **where)

    def raw(self, data, port=None, address="127.0.0.1", unix=None, timeout=10, tls=None):
        """Send these bytes; return all that comes until the other end closes, or for as long as timeout."""
        with self._opener(port, address, unix, tls)(timeout) as s:
            got = b""
            deadline = time.monotonic() + timeout
            try:
                s.sendall(data)
                while (left := deadline - time.monotonic()) > 0:
                    s.settimeout(left)
                    chunk = s.recv(65536)
                    if not chunk:
                        break
                    got += chunk
            except (TimeoutError, ConnectionError):
                pass        # what has come until then is the answer
            return got


class Node(Peer):
    unix = AGENTD_SOCKET

    def __init__(self, name="m1", address=None, bed=None, **boot):
        """boot: install=DIR (os.devnull: nothing), etc=DIR or a list of them, units={name: text},
        links={name: to}, files={path below /etc: text or bytes}, default_target=NAME, settled=True,
        writable_usr=True"""
        self._own_bed = bed is None
        bed = bed or Testbed()
        super().__init__(name, address or bed.next_address(), bed)
        self.enter = ("exec", name)
        self._boot_options = boot

    def __enter__(self):
        if self._own_bed:
            self.bed.__enter__()
        try:
            self.bed.boot(self)
        except BaseException:
            if self._own_bed:
                self.bed.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for daemon in self.daemons:
            daemon.kill()
        if self._own_bed:
            self.bed.__exit__()
        else:
            self.bed.testnode("down", self.name)

    def boot_words(self):
        """What testnode is to be told; what the node is to hold has then been written."""
        return self._boot_words(**self._boot_options)

    def _boot_words(self, install=None, etc=(), units=None, links=None, files=None, default_target=None,
                    settled=False, writable_usr=False):
        words = ["up", self.name, self.address]
        install = install or os.environ.get("DIAG_INSTALL")
        if install and install != os.devnull:
            words += ["--install", install]
        if default_target:
            words += ["--default-target", default_target]
        if settled:
            words += ["--settled"]
        if writable_usr:
            words += ["--writable-usr"]
        extra = self.bed.top / f"{self.name}.etc"
        extra.mkdir(exist_ok=True)
        self._write({f"systemd/system/{name}": text for name, text in (units or {}).items()}, extra)
        self._write({f"systemd/system/{name}": Path(to) for name, to in (links or {}).items()}, extra)
        self._write(files or {}, extra)
        for directory in [*([etc] if isinstance(etc, (str, Path)) else etc), extra]:
            words += ["--etc", str(directory)]
        return words

    def has_booted(self):
        """From now on it can be reached; called again after each boot."""
        self.init = int(self.bed.testnode("pid", self.name).stdout)
        self.root = Path(f"/proc/{self.init}/root")

    # Programs and units

    def systemctl(self, *argv, check=True, timeout=30):
        """The words that it says, stripped; a failure is raised with its reason."""
        done = self.exec("systemctl", "--no-pager", *argv, check=False, timeout=timeout)
        assert done.returncode == 0 or not check, f"systemctl {argv}: {done.stderr}"
        return done.stdout.strip()

    def write(self, files):
        """files: {path below /etc: text, bytes, or where a link is to lead, as a Path}"""
        self._write(files, self.root / "etc")

    def write_unit(self, name, text):
        self.write({f"systemd/system/{name}": text})

    def link_unit(self, name, to):
        """Link a.target.wants/b.service to ../b.service, or c.service to /dev/null, which masks it."""
        self.write({f"systemd/system/{name}": Path(to)})

    @staticmethod
    def _write(files, etc):
        for path, content in files.items():
            to = Path(etc, path)
            to.parent.mkdir(parents=True, exist_ok=True)
            to.unlink(missing_ok=True)
            if isinstance(content, Path):
                to.symlink_to(content)
            else:
                to.write_bytes(content if isinstance(content, bytes) else content.encode())

    # Faults of units, each with what undoes it

    def kill_unit(self, unit, name="KILL"):
        """Send this signal to the main process; systemd starts it again if the unit says so."""
        self.systemctl("kill", "--kill-who=main", f"--signal={name}", unit)

    def stop_unit(self, unit):
        self.faults[unit] = lambda: self.start_unit(unit)
        self.systemctl("stop", unit)

    def start_unit(self, unit):
        self.systemctl("reset-failed", unit, check=False)       # nothing to reset: not loaded, even
        self.systemctl("start", "--no-block", unit)
        self.faults.pop(unit, None)

    def freeze(self, unit):
        """Stop its processes in the midst of what they do; systemd goes on calling it active."""
        self.faults[unit] = lambda: self.thaw(unit)
        self.systemctl("kill", "--signal=STOP", unit)

    def thaw(self, unit):
        self.systemctl("kill", "--signal=CONT", unit, check=False)      # or else it has ended, and that is over
        self.faults.pop(unit, None)

    # Faults of the whole machine

    def pause(self):
        self.faults["paused"] = self.resume
        self.bed.testnode("pause", self.name)

    def resume(self):
        self.bed.testnode("resume", self.name)
        self.faults.pop("paused", None)

    def off(self):
        """The power fails. What is on the disk stays; what is in /run and /tmp is gone."""
        self._has_ended()
        self.bed.testnode("off", self.name)

    def poweroff(self):
        """Shut it down in good order, to the end."""
        self._shut_down("poweroff")

    def reboot(self):
        """In good order; returns once its systemd answers again."""
        self._shut_down("reboot")
        self.on()

    def on(self):
        """Boot it again, as it was, with the files that it had."""
        self.bed.testnode("on", self.name)
        self.has_booted()
        self.faults.pop("power", None)

    def _shut_down(self, verb):
        self.systemctl(verb, check=False)       # it may not live to answer
        eventually(lambda: not Path(f"/proc/{self.init}").exists(), 30, what=f"{self.name} ends by {verb}")
        self.off()

    def _has_ended(self):
        self.faults = {key: undo for key, undo in self.faults.items() if key == "cable"}
        self.faults["power"] = self.on

    def holds(self, pid):
        return os.readlink(f"/proc/{pid}/ns/pid") == os.readlink(f"/proc/{self.init}/ns/pid")

    def unix_socket(self, path=AGENTD_SOCKET, timeout=10):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(timeout)
        try:
            s.connect(f"{self.root}{path}")
        except OSError:
            s.close()
            raise
        return s


class Outside(Peer):
    """Whoever is on the network between the nodes, beside all of them."""

    def __init__(self, bed):
        super().__init__("net", "10.77.0.1", bed)
        self.enter = ("net",)

    @property
    def net(self):
        return f"/run/netns/{self.bed.name}"


class Testbed:
    """Some nodes on one network, and the directory below which all of them live."""

    def __init__(self):
        self._next = 10
        self.outside = Outside(self)
        self._peers = [self.outside]

    def __enter__(self):
        self.top = Path(tempfile.mkdtemp(prefix="diag-e2e-"))
        self.dir, self.logs = self.top / "bed", self.top / "logs"
        self.dir.mkdir()
        self.logs.mkdir()
        self.env = {**os.environ, "DIAG_TESTBED": str(self.dir)}
        return self

    def __exit__(self, *_):
        for daemon in (d for p in self._peers for d in p.daemons):
            daemon.kill()
        # One process that ends its work even if a test runner, out of patience, kills us meanwhile.
        subprocess.run(["bash", "-c", '"$0" cleanup; rm -rf "$1"', TESTNODE, str(self.top)],
                       env=self.env, timeout=60, check=True, start_new_session=True)

    @property
    def name(self):
        """What stands in all names that leave the directory."""
        return (self.dir / ".name").read_text().strip()

    def next_address(self):
        self._next += 1
        return f"10.77.0.{self._next}"

    def node(self, name, **boot):
        """Boot one more; the testbed takes it down."""
        node = Node(name, bed=self, **boot)
        return node.__enter__()

    def boot(self, *nodes):
        """Boot them side by side. If one fails, or we are interrupted, none goes on booting."""
        ups = []
        try:
            for node in nodes:
                self._peers.append(node)
                ups.append(self._begin(*node.boot_words()))
            for node, up in zip(nodes, ups):
                self._end(up)
                node.has_booted()
        except BaseException:
            for up in ups:
                up.terminate()
            for up in ups:
                up.communicate()
            raise

    def stranger(self, address, *argv):
        """Somebody at this address who is no node of ours, and the program that it runs, if any."""
        stranger = Peer("x" + address.removeprefix("10.77.").replace(".", "-"), address, self)
        self.testnode("plug", stranger.name, address)
        self._peers.append(stranger)
        if argv:
            stranger.start(*argv)
        return stranger

    def remove(self, peer):
        """Take it away with all that runs there; its cable is pulled."""
        for daemon in peer.daemons:
            daemon.kill()
        self._peers.remove(peer)
        self.testnode("down", peer.name)

    def testnode(self, *words):
        return self._end(self._begin(*words))

    def _begin(self, *words):
        # In a session of its own, Ctrl-C does not reach it: it ends what it began, or we end it.
        return subprocess.Popen([TESTNODE, *words], env=self.env, text=True, start_new_session=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    @staticmethod
    def _end(running, timeout=90):
        try:
            stdout, stderr = running.communicate(timeout=timeout)
        except BaseException:
            running.terminate()
            raise
        if running.returncode == 77:
            raise Skip(stderr.strip().removeprefix("skipped: "))
        assert running.returncode == 0, f"{' '.join(running.args)}: {stderr}"
        return subprocess.CompletedProcess(running.args, 0, stdout, stderr)

"""Real systemd nodes for tests: a Python face on ./testnode, with daemons, HTTP and sockets inside them.

    with Node("m1") as node:                    # or: with Testbed() as bed: bed.node("m1"); bed.node("m2")
        node.write_unit("a.service", "[Service]\\nExecStart=/bin/sleep inf\\n")
        node.systemctl("daemon-reload")
        agentd = node.start("diag-agentd", "--listen", "unix:/run/diag/agentd.sock")
        assert node.get("/system/health/v1").status == 200

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


def eventually(question, timeout=10, every=0.02):
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
            raise AssertionError(f"not within {timeout} s; last: {wrong or answer!r}") from wrong
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
    """A program that runs in the foreground inside a node, our child; its output goes to a file."""

    def __init__(self, node, argv):
        self.name, self.node = os.path.basename(argv[0]), node
        handle, path = tempfile.mkstemp(prefix=self.name + "-", suffix=".log", dir=node.bed.logs)
        self.log = Path(path)
        self._nsenter = subprocess.Popen([TESTNODE, "exec", node.name, *argv], env=node.bed.env,
                                         stdin=subprocess.DEVNULL, stdout=handle, stderr=handle)
        os.close(handle)

    def _child(self):
        """The child that is inside; others are what testnode runs before it becomes nsenter."""
        pids = subprocess.run(["pgrep", "-P", str(self._nsenter.pid)], capture_output=True, text=True).stdout
        for pid in pids.split():
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/ns/pid") == os.readlink(f"/proc/{self.node.init}/ns/pid"):
                    return int(pid)
        return None

    @property
    def pid(self):
        """The program itself as this machine numbers it: below testnode, which has become nsenter."""
        found = eventually(lambda: self._child() or not self.running)
        assert self.running, f"{self.name} ended with {self._nsenter.returncode}: {self.output()}"
        return found

    @property
    def running(self):
        return self._nsenter.poll() is None

    def output(self):
        return self.log.read_text(errors="replace")

    def wait(self, timeout=10):
        """Exit status; what a sanitizer has to say fails the test."""
        status = self._nsenter.wait(timeout)
        assert not _SANITIZER.search(self.output()), self.output()
        return status

    def signal(self, number):
        os.kill(self.pid, number)

    def stop(self, timeout=10):
        if self.running:
            self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self):
        """For whoever cleans up: never raises, never waits for the program to agree."""
        if child := self.running and self._child():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        try:
            self._nsenter.wait(1)       # it ends with its child, and so leaves us no orphan
        except subprocess.TimeoutExpired:
            self._nsenter.kill()
            self._nsenter.wait(5)


class _Connection(http.client.HTTPConnection):
    def __init__(self, open_socket, timeout):
        super().__init__("localhost", timeout=timeout)
        self._open_socket = open_socket

    def connect(self):
        self.sock = self._open_socket(self.timeout)


class Node:
    def __init__(self, name="m1", address=None, bed=None, **boot):
        """boot: install=DIR (os.devnull: nothing), etc=DIR, units={name: text}, links={name: to},
        default_target=NAME, settled=True, writable_usr=True"""
        self._own_bed = bed is None
        self.bed = bed or Testbed()
        self.name = name
        self.address = address or self.bed.next_address()
        self.daemons = []
        self._boot_options = boot

    def __enter__(self):
        if self._own_bed:
            self.bed.__enter__()
        try:
            self._boot(**self._boot_options)
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

    def _boot(self, install=None, etc=None, units=None, links=None, default_target=None, settled=False,
              writable_usr=False):
        options = []
        install = install or os.environ.get("DIAG_INSTALL")
        if install and install != os.devnull:
            options += ["--install", install]
        if etc:
            options += ["--etc", str(etc)]
        if default_target:
            options += ["--default-target", default_target]
        if settled:
            options += ["--settled"]
        if writable_usr:
            options += ["--writable-usr"]
        with tempfile.TemporaryDirectory(dir=self.bed.dir.parent) as extra:
            self._write(extra, units or {}, links or {})
            self.bed.testnode("up", self.name, self.address, *options, "--etc", extra)
        self.init = int(self.bed.testnode("pid", self.name).stdout)
        self.root = Path(f"/proc/{self.init}/root")

    @staticmethod
    def _write(etc, units, links):
        for name, content in [*units.items(), *links.items()]:
            path = Path(etc, "systemd/system", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            if name in units:
                path.write_text(content)
            else:
                path.symlink_to(content)

    # Programs and units

    def exec(self, *argv, check=True, timeout=30, **more):
        """Run a command inside the node to its end."""
        return subprocess.run([TESTNODE, "exec", self.name, *argv], env=self.bed.env, check=check,
                              timeout=timeout, capture_output=True, text=True, **more)

    def systemctl(self, *argv, check=True, timeout=30):
        """The words that it says, stripped; a failure is raised with its reason."""
        done = self.exec("systemctl", "--no-pager", *argv, check=False, timeout=timeout)
        assert done.returncode == 0 or not check, f"systemctl {argv}: {done.stderr}"
        return done.stdout.strip()

    def write_unit(self, name, text):
        self._write(self.root / "etc", {name: text}, {})

    def link_unit(self, name, to):
        """Link a.target.wants/b.service to ../b.service, or c.service to /dev/null, which masks it."""
        self._write(self.root / "etc", {}, {name: to})

    def start(self, *argv):
        daemon = Daemon(self, argv)
        self.daemons.append(daemon)
        return daemon

    def diagnostics(self):
        return "\n".join(f"{d.log.name}: {line}" for d in self.daemons
                         for line in d.output().splitlines()[-30:])

    # Network

    def cut(self):
        self.bed.testnode("cut", self.name)

    def heal(self):
        self.bed.testnode("heal", self.name)

    def pause(self):
        self.bed.testnode("pause", self.name)

    def resume(self):
        self.bed.testnode("resume", self.name)

    def unix_socket(self, path=AGENTD_SOCKET, timeout=10):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(timeout)
        try:
            s.connect(f"{self.root}{path}")
        except OSError:
            s.close()
            raise
        return s

    def in_network(self, function):
        """Call it in a thread that has moved into the node's network; sockets made there stay there."""
        outcome = []

        def visit():
            libc = ctypes.CDLL(None, use_errno=True)
            net = -1
            try:
                net = os.open(f"/proc/{self.init}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
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
        """A connection as a program of this node would make it."""
        return self.in_network(lambda: socket.create_connection((address, port), timeout))

    # HTTP: over the agent's Unix socket, or, with a port, over TCP from inside the node's network

    def _opener(self, port, address, path):
        if port:
            return lambda timeout: self.tcp_socket(port, address, timeout)
        return lambda timeout: self.unix_socket(path, timeout)

    def connection(self, port=None, address="127.0.0.1", unix=AGENTD_SOCKET, timeout=10):
        """An http.client connection, for tests of keep-alive."""
        return _Connection(self._opener(port, address, unix), timeout)

    def request(self, method, url, headers=None, body=None, **where):
        connection = self.connection(**where)
        try:
            connection.request(method, url, body, headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, url, headers=None, **where):
        return self.request("GET", url, headers, **where)

    def raw(self, data, port=None, address="127.0.0.1", unix=AGENTD_SOCKET, timeout=10):
        """Send these bytes; return all that comes until the other end closes, or for as long as timeout."""
        with self._opener(port, address, unix)(timeout) as s:
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


class Testbed:
    """Some nodes on one network, and the directory below which all of them live."""

    def __init__(self):
        self._next = 10
        self._nodes = []

    def __enter__(self):
        top = Path(tempfile.mkdtemp(prefix="diag-e2e-"))
        self.dir, self.logs = top / "bed", top / "logs"
        self.dir.mkdir()
        self.logs.mkdir()
        self.env = {**os.environ, "DIAG_TESTBED": str(self.dir)}
        return self

    def __exit__(self, *_):
        for daemon in (d for n in self._nodes for d in n.daemons):
            daemon.kill()
        # One process that ends its work even if a test runner, out of patience, kills us meanwhile.
        subprocess.run(["bash", "-c", '"$0" cleanup; rm -rf "$1"', TESTNODE, str(self.dir.parent)],
                       env=self.env, timeout=60, check=True, start_new_session=True)

    def next_address(self):
        self._next += 1
        return f"10.77.0.{self._next}"

    def node(self, name, **boot):
        """Boot one more; the testbed takes it down."""
        node = Node(name, bed=self, **boot)
        self._nodes.append(node)
        return node.__enter__()

    def testnode(self, *argv):
        done = subprocess.run([TESTNODE, *argv], env=self.env, capture_output=True, text=True, timeout=90,
                              start_new_session=True)
        if done.returncode == 77:
            raise Skip(done.stderr.strip().removeprefix("skipped: "))
        assert done.returncode == 0, f"testnode {' '.join(argv)}: {done.stderr}"
        return done

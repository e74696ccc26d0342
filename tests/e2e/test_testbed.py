#!/usr/bin/env python3
"""The testbed itself: what all other tests here stand on."""
import contextlib
import os
import signal
import socketserver
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import tap
from node import TESTNODE, Testbed, eventually
from tap import test

SERVE_ONCE = "import socket; s = socket.create_server(('', 1050)); s.accept()[0].sendall(b'hello')"


@contextlib.contextmanager
def two_nodes():
    with Testbed() as bed:
        # Jobs that take their time must not hold up the boot.
        bed.m1 = bed.node("m1", units={"slow.service": "[Service]\nType=oneshot\nExecStart=/bin/sleep 60\n"},
                          links={"multi-user.target.wants/slow.service": "../slow.service"})
        bed.m2 = bed.node("m2")
        yield bed


def traces(name):
    """Everything on this machine that carries the name of a testbed."""
    left = [p for d in ("/run/netns", "/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified",
                        "/run/systemd/nspawn/propagate") if Path(d).is_dir()
            for p in Path(d).iterdir() if p.name.startswith(name)]
    for proc in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if name.encode() in (proc / "cmdline").read_bytes():
                left.append(proc)
    return left


def states(node):
    """The states of all processes of a node, as ps would print them."""
    inside = os.readlink(f"/proc/{node.init}/ns/pid")
    found = set()
    for proc in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.readlink(proc / "ns/pid") == inside:
                found.add((proc / "stat").read_text().rsplit(")", 1)[1].split()[0])
    return found


def sees(node, address):
    """Nothing listens there: whoever refuses is there to refuse."""
    try:
        node.tcp_socket(1, address, timeout=0.5)
    except ConnectionRefusedError:
        return True
    except TimeoutError:
        return False


@test
def declares_up_early(bed):
    "declares a node up while a slow unit is still starting"
    eventually(lambda: bed.m1.systemctl("is-active", "slow.service", check=False) == "activating")
    assert bed.m1.systemctl("is-system-running", check=False) == "starting"


@test
def runs_systemctl(bed):
    "runs systemctl and new units inside a node"
    bed.m2.write_unit("fine.service", "[Service]\nExecStart=/bin/sleep inf\n")
    bed.m2.systemctl("daemon-reload")
    bed.m2.systemctl("start", "fine.service")
    assert bed.m2.systemctl("is-active", "fine.service") == "active"
    assert bed.m1.systemctl("is-active", "fine.service", check=False) == "inactive"


@test
def keeps_nodes_apart(bed):
    "gives each node its own control groups, so that a unit ends in one when it runs in the other"
    for node in (bed.m1, bed.m2):
        node.write_unit("same.service", "[Service]\nExecStart=/bin/sleep inf\n")
        node.systemctl("daemon-reload")
        node.systemctl("start", "same.service")
    pids = [n.systemctl("show", "-P", "MainPID", "same.service") for n in (bed.m1, bed.m2)]
    bed.m1.systemctl("stop", "same.service", timeout=5)
    assert bed.m1.systemctl("show", "-P", "Result", "same.service") == "success"
    assert bed.m2.systemctl("show", "-P", "MainPID", "same.service") == pids[1]
    assert bed.m2.systemctl("is-active", "same.service") == "active"


@test
def cuts_and_heals(bed):
    "lets nodes see each other, cuts one off and heals it"
    assert sees(bed.m1, bed.m2.address)
    bed.m2.cut()
    assert not sees(bed.m1, bed.m2.address)
    bed.m2.heal()
    eventually(lambda: sees(bed.m1, bed.m2.address))


@test
def pauses_and_resumes(bed):
    "freezes every process of a node and lets them go on"
    bed.m2.pause()
    assert states(bed.m2) == {"T"}
    bed.m2.resume()
    assert bed.m2.systemctl("is-system-running", check=False) in ("running", "degraded", "starting")


@test
def handles_daemons(bed):
    "starts a program inside, reaches it by TCP, reads its output and stops it by SIGTERM"
    server = bed.m1.start("/usr/bin/python3", "-u", "-c", "print('up', flush=True);" + SERVE_ONCE)
    eventually(lambda: "up" in server.output() and bed.m1.raw(b"", port=1050, timeout=2) == b"hello")
    assert server.wait() == 0
    sleeper = bed.m1.start("sleep", "60")
    assert sleeper.running
    assert sleeper.stop() != 0
    assert not sleeper.running


@test
def speaks_http_over_unix(bed):
    "speaks HTTP with a server behind a Unix socket inside the node"
    class Hello(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"path": "%s"}' % self.path.encode())

        def log_message(self, *_):
            pass

    class Server(socketserver.UnixStreamServer):
        def get_request(self):
            return self.socket.accept()[0], ("unix", 0)

    (bed.m1.root / "run/diag").mkdir(exist_ok=True)
    with Server(f"{bed.m1.root}/run/diag/agentd.sock", Hello) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        answer = bed.m1.get("/x")
        server.shutdown()
    assert (answer.status, answer.json()) == (200, {"path": "/x"})


@test
def leaves_nothing_behind(_):
    "leaves nothing behind: no namespace, process, control group, or directory"
    with Testbed() as bed:
        bed.node("m1")
        daemon = bed.node("m2").start("sleep", "60")
        name, pid = (bed.dir / ".name").read_text().strip(), daemon.pid
        assert traces(name)
    eventually(lambda: not traces(name) and not Path(f"/proc/{pid}").exists())
    assert not bed.dir.parent.exists()


@test
def cleans_up_after_a_failed_boot(_):
    "leaves nothing behind when a boot is interrupted"
    for seconds in (0.05, 0.1, 0.15, 0.2):
        with Testbed() as bed:
            up = subprocess.Popen([TESTNODE, "up", "m1", "10.77.0.11"], env=bed.env, start_new_session=True,
                                  stderr=subprocess.DEVNULL)
            time.sleep(seconds)
            os.killpg(up.pid, signal.SIGTERM)
            # It may have been faster than we; then cleanup has something to do.
            if up.wait(10) != 0:
                name = (bed.dir / ".name").read_text().strip()
                assert {p.name for p in traces(name)} <= {name}, traces(name)
                assert not (bed.dir / "m1").exists()
    eventually(lambda: not traces(name))


tap.main(two_nodes)

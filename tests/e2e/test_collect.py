#!/usr/bin/env python3
"""The collector on a real node: a bundle by hand, and over the socket by which the node daemon asks for one."""
import contextlib
import io
import json
import os
import struct
import subprocess
import tarfile
import time
import zipfile
from pathlib import Path

import tap
from node import Node, eventually
from tap import Skip, test

INSTALL = Path(os.environ.get("DIAG_INSTALL", "/"))
COLLECT = "/usr/libexec/diag/diag-collect"
SOCKET = "/run/diag/collect.sock"
PREFIX = "10.9.8.7_agent"
SECRET = "correct-horse-battery"
NOISY = f"""#!/bin/sh
echo early line
echo 'password={SECRET}'
sleep 1.5
echo late line
sleep infinity
"""
UNITS = {
    "dcos.target": "[Unit]\nDescription=What this node is for\nDefaultDependencies=no\n",
    "noisy.service": "[Service]\nExecStart=/etc/noisy\n",
    "broken.service": "[Service]\nExecStart=/nonexistent/program\n",
    "ahead.service": "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo ahead of its time; sleep .1; echo in time'\n",
    "damaged.service": "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'for i in 1 2 3; do echo entry $i; done'\n",
    "other.service": "[Service]\nExecStart=/bin/sleep infinity\n",
    "chatty.service": "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'seq -f \"line %%05.0f\" 2000'\n",
    "growing.service": "[Service]\nExecStart=/bin/sh -c 'while :; do echo grows >>/var/log/app/growing.log; done'\n",
}
HUNG = "sleep 7777 & sleep 7777"
PLAN = {
    "LocalFiles": [
        {"Location": "/var/log/app/*"},
        {"Location": "/var/log/app/fifo"},
        {"Location": "/var/log/planted/*.log"},
        {"Location": "/proc/self/mem"},
        {"Location": "/proc/self/mountinfo"},
        *({"Location": f"/proc/self/fdinfo/{fd}", "Optional": True} for fd in (0, 2)),
        {"Location": "/etc/missing", "Optional": True},
    ],
    "LocalCommands": [
        {"Command": ["sh", "-c", HUNG], "Timeout": "1s", "FileName": "hung.output"},
        {"Command": ["sh", "-c", "echo half a result; exit 3"], "FileName": "failing.output"},
        {"Command": ["no-such-program"], "Optional": True, "FileName": "optional.output"},
        {"Command": ["id", "-un"], "FileName": "who.output"},
        {"Command": ["id", "-un"], "FileName": "root.output", "User": "root"},
        {"Command": ["echo", f"--token={SECRET}"], "FileName": "secret.output"},
        {"Command": ["sh", "-c", f"setsid sh -c 'sleep .2; {HUNG}' & sleep .1"], "FileName": "left.output"},
        {"Command": ["sh", "-c", "sleep .3; pgrep -f 'sleep 777[7]'"], "Optional": True, "FileName": "left2.output"},
        {"Command": ["python3", "-c", "import socket as s; print(s.socket(s.AF_INET, s.SOCK_RAW, s.IPPROTO_RAW).type)"],
         "User": "root", "FileName": "raw.output"},
        {"Command": ["yes"], "MaxBytes": "64K", "FileName": "endless.output"},
    ],
    "HTTPEndpoints": [{"Port": 8099, "Uri": uri, "Optional": True} for uri in ("/plain", "/near", "/cloud")],
    "Journals": [{"Unit": "noisy.service"}, {"Unit": "broken.service"}],
}
CLIENT = """
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect("/run/diag/collect.sock")
out = os.open(sys.argv[2], os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
socket.send_fds(s, [sys.argv[1].encode()], [out])
while packet := s.recv(65536):
    print(packet.decode(), flush=True)
    if len(sys.argv) > 3 and sys.argv[3].encode() in packet:
        break
"""


# On the loopback device: what a cloud answers there, and a component that sends us to it.
WEB = """
import http.server, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        to = {"/near": "/plain", "/cloud": "http://169.254.169.254:8099/plain"}.get(self.path)
        self.send_response(307 if to else 200)
        if to:
            self.send_header("Location", to)
        body = b"" if to else b"said by " + self.server.server_address[0].encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
cloud = http.server.ThreadingHTTPServer(("169.254.169.254", 8099), Handler)
threading.Thread(target=cloud.serve_forever, daemon=True).start()
http.server.ThreadingHTTPServer(("127.0.0.1", 8099), Handler).serve_forever()
"""


def sanitized():
    return b"__asan_init" in (INSTALL / COLLECT[1:]).read_bytes()


@contextlib.contextmanager
def node():
    if not (INSTALL / COLLECT[1:]).exists():
        raise Skip("DIAG_INSTALL names no installed tree with a collector")
    units = dict(UNITS)
    if sanitized():
        units["diag-collect@.service.d/sanitizer.conf"] = "[Service]\nMemoryMax=2G\n"
    links = {f"dcos.target.wants/{u}": f"../{u}" for u in ("noisy.service", "broken.service", "other.service")}
    with Node("collect", units=units, links=links, files={"noisy": NOISY, "client.py": CLIENT, "web.py": WEB}) as n:
        (n.root / "etc/noisy").chmod(0o755)
        (n.root / "run/client").mkdir()
        (n.root / "run/client").chmod(0o777)
        n.diagnostics = lambda: n.exec("journalctl", "-n", "60", "-o", "cat", check=False).stdout
        write_logs(n)
        n.write({"diag/bundle.d/test.json": json.dumps(PLAN)})
        n.systemctl("start", "noisy.service", "growing.service", "chatty.service")
        n.systemctl("start", "broken.service", check=False)
        n.systemctl("enable", "--now", "diag-collect.socket")
        eventually(lambda: "late line" in n.exec("journalctl", "-u", "noisy.service").stdout)
        yield n
        if sanitized():
            said = n.exec("journalctl", "-o", "cat", "-u", "diag-collect@*").stdout
            assert "Sanitizer" not in said and "runtime error" not in said, said


def write_logs(node):
    app, planted = node.root / "var/log/app", node.root / "var/log/planted"
    app.mkdir(parents=True)
    planted.mkdir()
    (app / "plain.log").write_text(f"first\napi_key: {SECRET}\nlast\n")
    (app / "binary").write_bytes(bytes(range(256)))
    (app / "private").write_text("for root alone\n")
    (app / "private").chmod(0o000)
    (app / "odd\x1bname\n").write_text("odd\n")
    with open(app / "sparse", "wb") as f:
        f.truncate(1 << 40)
    os.mkfifo(app / "fifo")
    (app / "link").symlink_to("plain.log")
    (app / "directory").mkdir()
    # Who may write there would have root's files read to him.
    (planted / "own.log").symlink_to("/etc/shadow")
    os.lchown(planted / "own.log", 65534, 65534)
    (node.root / "etc/shadow").write_text("root:$6$verysecret:1:::::\n")


def collect(node, *options, status=4, timeout=60):
    done = node.exec(COLLECT, *options, check=False, timeout=timeout)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done


def local(node, *options, name="bundle.tar.zst", **more):
    """What it said, and what is in the archive, by the programs that people have."""
    done = collect(node, "--local", "--role", "agent", "--address", "10.9.8.7", "--json",
                   "--output", f"/run/{name}", *options, **more)
    return json.loads(done.stdout), unpack(node.root / "run" / name)


def unpack(path):
    data = path.read_bytes()
    if path.name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(data)) as z:
            assert z.testzip() is None
            return {i.filename: z.read(i) for i in z.infolist()}
    tool = ["zstd", "-dc"] if path.name.endswith(".zst") else ["gzip", "-dc"]
    plain = subprocess.run(tool, input=data, stdout=subprocess.PIPE, check=True).stdout
    listed = subprocess.run(["tar", "-tf", "-"], input=plain, stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(plain)) as t:
        entries = {m.name: t.extractfile(m).read() for m in t.getmembers()}
    assert len(listed.splitlines()) == len(entries)
    return entries


def text(entries, name):
    return entries[f"{PREFIX}/{name}"].decode()


def client(node, request, *more, user="diag-agent", check=True):
    """Ask over the socket as the node daemon does; the events that came."""
    done = node.exec("setpriv", f"--reuid={user}", "--regid=nogroup", "--clear-groups", "python3", "/etc/client.py",
                     json.dumps(request), f"/run/client/{user}", *more, check=check, timeout=60)
    return done, [json.loads(line) for line in done.stdout.splitlines()]


def mounts_of_machine(node):
    """The first of them; a sandbox has others, under other numbers."""
    return node.exec("cat", "/proc/1/mountinfo").stdout.splitlines()[0]


def hung(node):
    return node.exec("pgrep", "-fx", "sleep 7777", check=False).stdout.split()


@test
def makes_a_bundle_by_hand(node):
    "makes a bundle without any daemon: what fails costs nothing else, and says why in its place"
    said, got = local(node)
    assert not hung(node)
    assert said["partial"] is False and said["failed"] > 0 and said["truncated"] >= 2, said
    assert text(got, "hung.output.error") == "did not end within 1 s, it was killed\n"
    assert text(got, "failing.output") == "half a result\n"
    assert text(got, "failing.output.error") == "exit status 3\n"
    assert text(got, "optional.output").startswith("exec: \"no-such-program\""), got
    assert text(got, "who.output") == "nobody\n"
    assert text(got, "root.output") == "root\n"
    assert text(got, "left2.output") == "exit status 1", text(got, "left2.output")
    assert len(text(got, "endless.output")) == 65536
    assert {"manifest.json", "report.json", "README.txt", "summaryErrorsReport.txt"} <= set(got)
    assert [*got][-1] == f"{PREFIX}/status.json"
    summary = got["summaryErrorsReport.txt"].decode()
    assert "failing.output" in summary and "optional.output" not in summary, summary


@test
def looks_itself_when_the_daemon_is_silent(node):
    "tells the node's health with and without a daemon, takes role, address and components from it"
    def health(got):
        prefix = [name for name in got if name.endswith("/status.json")][0].rpartition("/")[0]
        v2, v1 = (json.loads(got[f"{prefix}/{name}"]) for name in ("health.json", "dcos-diagnostics-health.json"))
        assert {"noisy.service", "broken.service"} <= {c["name"] for c in v2["components"]}, v2
        assert {"noisy.service", "broken.service"} <= {u["id"] for u in v1["units"]}, v1
        assert f"{prefix}/other.service" in got, [*got]
        return prefix
    collect(node, "--local", "-o", "/run/silent.tar.zst", "--only", "health,journal,systemd", status=0)
    assert health(unpack(node.root / "run/silent.tar.zst")).endswith("_agent")
    daemon = node.start("diag-agentd", "--role", "master", "--listen", "unix:/run/diag/agentd.sock")
    try:
        eventually(lambda: node.get("/system/health/v2/node").json()["phase"] == "running")
        collect(node, "--local", "-o", "/run/loud.tar.zst", "--only", "health,journal,systemd", status=0)
        assert health(unpack(node.root / "run/loud.tar.zst")) == f"{node.address}_master"
    finally:
        daemon.stop()


@test
def reads_files_of_all_kinds(node):
    "reads what is a file, however odd, follows no planted link, and waits for no FIFO"
    _, got = local(node, "--only", "file")
    assert text(got, "var/log/app/plain.log").startswith("first\napi_key: [redacted")
    assert text(got, "var/log/app/link") == text(got, "var/log/app/plain.log")
    assert got[f"{PREFIX}/var/log/app/binary"] == bytes(range(256))
    assert text(got, "var/log/app/private") == "for root alone\n"
    assert text(got, "var/log/app/odd_name_") == "odd\n"
    assert text(got, "etc/missing") == "open /etc/missing: no such file or directory"
    assert set(text(got, "var/log/app/growing.log").split()) == {"grows"}
    assert text(got, "var/log/app/fifo.error") == "open /var/log/app/fifo: not a regular file\n"
    assert text(got, "proc/self/mem.error") == "read /proc/self/mem: input/output error\n"
    assert f"{PREFIX}/var/log/app/directory" not in got
    assert not any("verysecret" in e.decode("latin1") for e in got.values())
    assert mounts_of_machine(node) == text(got, "proc/self/mountinfo").splitlines()[0]
    # One that hangs for ever does not hold the pipe that its caller, or ssh, reads to the end.
    assert text(got, "proc/self/fdinfo/0") == text(got, "proc/self/fdinfo/2")
    status = json.loads(text(got, "status.json"))
    sparse = [e for e in status["entries"] if e["path"] == "var/log/app/sparse"][0]
    assert sparse["truncated"] and sparse["size"] == 64 << 20, sparse


@test
def asks_servers_of_this_machine(node):
    "asks servers, follows them to others, but not to where a cloud keeps its credentials"
    node.exec("ip", "address", "add", "169.254.169.254/32", "dev", "lo")
    web = node.start("python3", "/etc/web.py")
    try:
        eventually(lambda: node.tcp_socket(8099).close() is None)
        _, got = local(node, "--only", "http", status=0)
        assert text(got, "8099-plain.json") == text(got, "8099-near.json") == "said by 127.0.0.1"
        assert text(got, "8099-cloud.json").endswith("sends us where we do not ask"), text(got, "8099-cloud.json")
    finally:
        web.kill()
        node.exec("ip", "address", "del", "169.254.169.254/32", "dev", "lo")


@test
def masks_what_was_planted(node):
    "lets no planted secret out, and counts what it masked"
    said, got = local(node, "--only", "file,command,journal")
    found = [name for name, data in got.items() if SECRET.encode() in data]
    assert not found and said["redactions"] >= 3 and said["redacted"] is True, (found, said)
    masks = {line.split("[redacted:")[1].split("]")[0]
             for name in ("secret.output", "var/log/app/plain.log", "noisy.service")
             for line in text(got, name).splitlines() if "[redacted:" in line}
    assert len(masks) == 1, masks


@test
def reads_the_journal_of_a_unit(node):
    "reads a unit's journal, systemd's own words about it, and of a window only what is in it"
    _, got = local(node, "--only", "journal", status=0)
    lines = text(got, "noisy.service").splitlines()
    assert any(line.endswith("+0000 UTC early line") for line in lines), lines
    assert any("systemd[1]: Started noisy.service" in line for line in lines), lines
    assert "Failed to locate executable" in text(got, "broken.service")
    stamp = [line for line in lines if line.endswith("late line")][0].split(" +0000")[0]
    since = stamp.replace(" ", "T")[:-3] + "Z"
    _, got = local(node, "--only", "journal", "--since", since, status=0)
    assert "late line" in text(got, "noisy.service") and "early line" not in text(got, "noisy.service")
    _, got = local(node, "--only", "journal", "--until", since, status=0)
    assert "late line" not in text(got, "noisy.service") and "early line" in text(got, "noisy.service")


@test
def reads_on_after_a_clock_that_was_ahead(node):
    "reads what was written after a clock that was ahead had been put right"
    node.systemctl("start", "ahead.service")
    words = ("journalctl", "-o", "json", "-u", "ahead.service", "-g", "ahead of")
    entry = json.loads(eventually(lambda: node.exec(*words, check=False).stdout))
    wall, mono = int(entry["__REALTIME_TIMESTAMP"]), int(entry["__MONOTONIC_TIMESTAMP"])
    behind = struct.pack("<Q", mono) + bytes.fromhex(entry["_BOOT_ID"])
    file = [*node.root.glob("run/log/journal/*/system.journal"), *node.root.glob("var/log/journal/*/system.journal")][0]
    node.exec("journalctl", "--sync")
    with open(file, "r+b") as f:
        at = f.read().index(struct.pack("<Q", wall) + behind)
        f.seek(at)
        f.write(struct.pack("<Q", wall + 10**6 * 86400 * 365))
    _, events = client(node, {"op": "one", "role": "agent", "ids": [{"kind": "journal", "id": "ahead.service"}],
                              "units": ["ahead.service"]})
    got = (node.root / "run/client/diag-agent").read_text()
    assert "ahead of its time\n" in got and "in time\n" in got and "Finished ahead.service" in got, (events, got)


@test
def reads_around_damage(node):
    "reads on behind an entry that is damaged, and before it when the newest are looked for"
    node.systemctl("start", "damaged.service")
    eventually(lambda: "entry 3" in node.exec("journalctl", "-u", "damaged.service").stdout)
    node.exec("journalctl", "--rotate")
    for file in [f for f in node.root.glob("*/log/journal/*/*.journal") if b"MESSAGE=entry 2" in f.read_bytes()]:
        data = file.read_bytes()
        at = data.index(b"MESSAGE=entry 2")
        with open(file, "r+b") as f:
            f.seek(next(i for i in (at - 72, at - 64) if data[i] == 1))     # the head of a DATA object
            f.write(b"\xff")
    for limit in {"source_max_bytes": 4096}, {}:
        _, events = client(node, {"op": "one", "role": "agent", "ids": [{"kind": "journal", "id": "damaged.service"}],
                                  "units": ["damaged.service"], **limit})
        got = (node.root / "run/client/diag-agent").read_text()
        assert events[-1]["event"] == "done" and "entry 1\n" in got and "entry 3\n" in got, (limit, events, got)
        assert "entry 2" not in got, got


@test
def reads_a_journal_of_many_files(node):
    "reads a journal that has more files than a process may open at first"
    for _ in range(20):
        node.exec("journalctl", "--rotate")
    node.exec("prlimit", "--nofile=20:4096", COLLECT, "--local", "--role", "agent", "--address", "10.9.8.7",
              "--only", "journal", "-o", "/run/many.tar.zst")
    assert "early line" in text(unpack(node.root / "run/many.tar.zst"), "noisy.service")


@test
def keeps_the_newest_of_a_journal(node):
    "keeps the newest entries, whole ones, of a journal that is too large"
    _, events = client(node, {"op": "one", "role": "agent", "ids": [{"kind": "journal", "id": "chatty.service"}],
                              "units": ["chatty.service"], "source_max_bytes": 4096})
    assert events[-1]["event"] == "done" and events[-1]["truncated"] == 1, events
    data = (node.root / "run/client/diag-agent").read_text()
    lines = [line.split(" UTC ")[1] for line in data.splitlines()]
    assert 3900 < len(data) <= 4096 and data.endswith("\n"), len(data)
    said = [line for line in lines if line.startswith("line ")]
    assert said[-1] == "line 02000" and said == [f"line {n:05}" for n in range(2001 - len(said), 2001)], lines


@test
def writes_all_formats(node):
    "writes tar.gz and zip as well, with the same entries"
    names = None
    for form in "tar.zst", "tar.gz", "zip":
        _, got = local(node, "--only", "command", "--format", form, name=f"bundle.{form}")
        names = names or set(got)
        assert set(got) == names, set(got) ^ names


@test
def leaves_nothing_behind(node):
    "leaves no file and no process when it is interrupted, nor anything half at the place of its result"
    (node.root / "run/here").mkdir()
    daemon = node.start(COLLECT, "--local", "--only", "command", "-o", "/run/here/b.tar.zst", "--verbose")
    eventually(lambda: hung(node))
    daemon.signal(15)
    assert daemon.wait() == 1
    assert not hung(node) and not list((node.root / "run/here").iterdir()), daemon.output()


@test
def works_without_root(node):
    "does what it can for somebody who is not root, and says so"
    done = node.exec("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", COLLECT, "--local",
                     "--only", "file", "-o", "/run/client/mine.tar.zst", check=False)
    assert done.returncode == 4 and "not root" in done.stderr, done
    mine = unpack(node.root / "run/client/mine.tar.zst")
    why = [data for name, data in mine.items() if name.endswith("var/log/app/private.error")]
    assert why == [b"open /var/log/app/private: permission denied\n"], sorted(mine)
    assert any(name.endswith("var/log/app/plain.log") for name in mine)


@test
def says_what_there_would_be(node):
    "lists its sources, and estimates their size in less than a second"
    listed = json.loads(collect(node, "--list", status=0).stdout)["sources"]
    assert ("command", "hung.output") in {(s["kind"], s["name"]) for s in listed}
    started = time.monotonic()
    said = json.loads(collect(node, "--estimate", status=0).stdout)
    assert 0 < said["likely_bytes"] <= said["max_bytes"] and said["sources"] >= 12, said
    assert time.monotonic() - started < (10 if sanitized() else 3)


@test
def refuses_a_wrong_call(node):
    "refuses what it does not understand, and secrets that nobody allowed"
    for wrong in (), ("--local", "--only", "everything"), ("--local", "--format", "rar"), ("--local", "--since", "x"), \
            ("--local", "--list"), ("--local", "more"), ("--nonsense",):
        collect(node, *wrong, status=2)
    done = collect(node, "--local", "--no-redact", "-o", "/run/x.tar.zst", status=1)
    assert "AllowUnredacted=yes" in done.stderr
    assert not (node.root / "run/x.tar.zst").exists()


@test
def believes_root_alone(node):
    "names the file that others may write, and collects nothing then"
    conf = node.root / "etc/diag/collect.conf"
    conf.write_text("[Collect]\nAllowUnredacted=yes\n")
    plan = node.root / "etc/diag/bundle.d/test.json"
    try:
        collect(node, "--check-config", status=0)
        conf.chmod(0o666)
        done = collect(node, "--check-config", status=2)
        assert "/etc/diag/collect.conf: others than root may write it" in done.stderr, done
        _, events = client(node, {"op": "list", "role": "agent", "units": []})
        assert events[-1]["code"] == "bad-configuration" and "/etc/diag/collect.conf" in events[-1]["error"]
        conf.chmod(0o644)
        plan.chmod(0o666)
        _, events = client(node, {"op": "list", "role": "agent", "units": []})
        assert events[-1]["code"] == "bad-configuration" and "test.json" in events[-1]["error"], events
    finally:
        plan.chmod(0o644)
        conf.unlink()


@test
def is_started_for_the_node_daemon(node):
    "is started by PID 1 for the node daemon's user, who gets what he may not read, masked"
    _, events = client(node, {"op": "archive", "role": "agent", "prefix": PREFIX, "fragment": True,
                              "units": ["noisy.service"]})
    assert events[0]["event"] == "started" and events[-1]["event"] == "done", events[-1]
    plain = subprocess.run(["zstd", "-dc"], input=(node.root / "run/client/diag-agent").read_bytes(),
                           stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(plain + bytes(1024))) as t:
        got = {m.name: t.extractfile(m).read() for m in t.getmembers()}
    assert all(name.startswith(PREFIX + "/") for name in got)
    assert text(got, "var/log/app/private") == "for root alone\n"
    assert text(got, "who.output") == "nobody\n" and text(got, "root.output") == "root\n"
    assert text(got, "raw.output") == "3\n"        # as iptables-legacy-save(8) asks
    assert text(got, "mount.output").split() == node.exec(
        "findmnt", "--list", "--tab-file", "/proc/1/mountinfo").stdout.split()
    assert "early line" in text(got, "noisy.service")
    assert SECRET.encode() not in plain
    assert mounts_of_machine(node) == text(got, "proc/self/mountinfo").splitlines()[0]
    eventually(lambda: not node.systemctl("list-units", "--plain", "--no-legend", "--all", "diag-collect@*"))


@test
def has_time_to_end_in_good_order(node):
    "is killed by PID 1 only when its own time has been over for a while, and reaches all devices"
    said = node.systemctl("show", "-p", "RuntimeMaxUSec,DeviceAllow,DevicePolicy", "diag-collect@x.service")
    assert set(said.split("\n")) == {"RuntimeMaxUSec=31min", "DevicePolicy=auto"}, said


@test
def writes_one_source_alone(node):
    "writes one source as it is, and refuses what is not configured"
    def one(kind, name):
        _, events = client(node, {"op": "one", "role": "agent", "ids": [{"kind": kind, "id": name}], "units": []})
        return events[-1], (node.root / "run/client/diag-agent").read_text()
    assert one("command", "who.output")[1] == "nobody\n"
    assert one("file", "/etc/missing")[1] == "open /etc/missing: no such file or directory"
    end, data = one("command", "failing.output")
    assert (end["code"], end["error"], data) == ("failed", "exit status 3", "")
    assert one("file", "/etc/shadow")[0]["code"] == "not-found"


@test
def refuses_somebody_else(node):
    "refuses every other user: by its socket's mode, and if that were open, by itself"
    done, events = client(node, {"op": "list"}, user="nobody", check=False)
    assert done.returncode != 0 and "PermissionError" in done.stderr, done
    (node.root / SOCKET[1:]).chmod(0o666)
    try:
        _, events = client(node, {"op": "list"}, user="nobody")
        assert events == [{**events[0], "event": "error", "code": "not-allowed"}], events
        assert "may not ask here" in events[0]["error"]
    finally:
        (node.root / SOCKET[1:]).chmod(0o600)


@test
def stops_when_who_asked_goes(node):
    "kills what it runs when the connection closes"
    client(node, {"op": "archive", "role": "agent", "prefix": PREFIX, "units": [], "kinds": ["command"]}, "hung.output")
    eventually(lambda: not hung(node))
    eventually(lambda: not node.systemctl("list-units", "--plain", "--no-legend", "--all", "diag-collect@*"))


tap.main(node)

#!/usr/bin/env python3
"""diag-gather against nodes that are honest, slow, silent, hostile, old, busy or gone: what is in the bundle, what is said
of each of them, and what is left of a bundle that did not come to its end."""
import contextlib
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import tap
from gather_nodes import FILES, TYPES, Node, bundle, entry, fragment, honest, packed, program, resummed
from tap import Skip, test

ROOT = {"README.txt", "health.json", "nodes.json", "manifest.json", "report.json"}


@contextlib.contextmanager
def directory():
    if not program():
        raise Skip("there is no diag-gather")
    with tempfile.TemporaryDirectory(prefix="diag-gather-") as top:
        yield Path(top)


def soon(condition, seconds=10):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "not in time"
        time.sleep(0.02)
    return value


def check_whole(b, nodes):
    """Each of them brought its files; all of them stand in the manifest. Returns the entries."""
    entries = b.entries()
    manifest = json.loads(entries["manifest.json"])
    listed = {e["path"]: e for n in manifest["nodes"] for e in n["entries"]}
    for n in nodes:
        for name, data in FILES.items():
            assert entries[f"{n.prefix}/{name}"] == data, name
            assert listed[f"{n.prefix}/{name}"]["sha256"] == hashlib.sha256(data).hexdigest(), listed
    return entries


@test
def joins(top):
    "joins what honest nodes send, in each format, and puts what it knows beside it"
    for form in ("tar.zst", "tar.gz", "zip"):
        nodes = [Node(honest, role=role) for role in ("master", "agent", "agent_public")]
        with bundle(top, nodes, form) as b:
            said = b.run()
            assert said["state"] == "done" and not said["partial"] and not said["error"], said
            assert {n["state"] for n in said["nodes"]} == {"done"} and said["redactions"] == 9, said
            entries = check_whole(b, nodes)
            assert {n for n in entries if "/" not in n} == ROOT, sorted(entries)
            assert entries["health.json"] == b'{"health":"healthy"}\n'
            file = (b.dir / f"file.{form}").read_bytes()
            assert said["size_bytes"] == len(file) and said["sha256"] == hashlib.sha256(file).hexdigest()
            assert b.names() == [f"file.{form}", "state.json"], b.names()
            assert {json.loads(n.requests[0][3])["salt"] for n in nodes}.__len__() == 1
            assert [json.loads(n.requests[0][3])["prefix"] for n in nodes] == [n.prefix for n in nodes]


@test
def nobody(top):
    "makes a bundle of no node at all"
    with bundle(top, []) as b:
        assert b.run()["state"] == "done" and set(b.entries()) == ROOT


def sends_half(node, request):
    data = honest(node.prefix, "tar.zst")
    data = data[:data.rindex(b"\x28\xb5\x2f\xfd") + 40]     # into the last frame, which is that of its status
    request.begin_chunks(TYPES["tar.zst"])
    request.chunk(data)
    request.cut()


def evil(*blocks):
    return lambda prefix, form: fragment(prefix, FILES, form, False) + packed(
        b"".join(x(prefix) if callable(x) else x for x in blocks), form)


def header(path, typeflag):
    return lambda prefix: resummed(entry(path.format(prefix), b"")[:512], typeflag)


@test
def keeps_what_is_good(top):
    "keeps each complete entry of a node that is cut off, or lies, and says what is wrong"
    good = Node(honest)
    bad = {
        "cut after": Node(does=sends_half),
        "ended early": Node(lambda prefix, form: fragment(prefix, FILES, form, False)),
        "faulty": Node(evil(lambda prefix: entry("10.9.9.9_agent/stolen", b"x"))),
        "faulty: ": Node(evil(lambda prefix: entry(prefix + "/../../stolen", b"x"))),
        "faulty:": Node(evil(header("{}/global", b"g"), lambda prefix: entry("10.9.9.9_agent/stolen", b"x"))),
        "is faulty": Node(evil(header("{}/stolen", b"2"))),
        "its fragment": Node(lambda prefix, form: fragment(prefix, FILES, form, False) + b"no frame at all"),
        "it was out of time": Node(lambda prefix, form: fragment(prefix, FILES, form, partial=True,
                                                                partial_reason="it was out of time")),
    }
    for form in ("tar.zst", "zip"):
        with bundle(top, [good, *bad.values()], form) as b:
            said = b.run()
            assert said["state"] == "done" and said["partial"], said
            for words, node in bad.items():
                assert b.of(node)["state"] == "partial" and words in b.of(node)["error"], (words, b.of(node))
            entries = b.entries()
            for node in (good, *bad.values()):
                for name, data in FILES.items():
                    assert entries[f"{node.prefix}/{name}"] == data, (node.prefix, name)
            assert not any("stolen" in name for name in entries), sorted(entries)
            summary = entries["summaryErrorsReport.txt"].decode()
            assert all(node.address in summary for node in bad.values()) and good.prefix not in summary, summary


@test
def without_anything(top):
    "tells for each node that gives nothing why, in one line, and goes on with the others"
    def refuses(status, reason):
        return lambda node, request: request.say(status, json.dumps({"code": status, "error": reason}).encode())
    good = Node(honest)
    bad = {
        "nobody may": Node(does=refuses(403, "nobody may\nhere\x1b[31m")),
        "too old": Node(does=refuses(404, "404 page not found")),
        "(500": Node(does=refuses(500, "broken")),
        "no fragment, but text/html": Node(does=lambda node, r: r.say(200, b"<html>", Content_Type="text/html")),
        "refused": Node(url="http://127.0.0.1:1", address="10.7.7.7"),
        "sent nothing": Node(lambda prefix, form: b""),
        "faulty": Node(lambda prefix, form: b"rubbish" * 1000),
    }
    with bundle(top, [good, *bad.values()]) as b:
        said = b.run()
        assert said["state"] == "done" and said["partial"], said
        for words, node in bad.items():
            told = b.of(node)
            assert told["state"] == "failed" and words in told["error"], (words, told)
            assert "\n" not in told["error"] and "\x1b" not in told["error"]
        assert b.of(good)["state"] == "done"
        check_whole(b, [good])
        report = json.loads(b.entries()["report.json"])["nodes"]
        assert report[good.address]["status"] == "Done" and report["10.7.7.7"]["status"] == "Failed"
    with bundle(top, [Node(does=refuses(500, "broken"))]) as b:
        said = b.run()
        assert said["state"] == "failed" and "broken" in said["error"] and b.names() == ["state.json"], said


@test
def busy(top):
    "asks again whoever collects for somebody else, and when he says"
    asked = []

    def later(node, request):
        asked.append(time.monotonic())
        if len(asked) < 3:
            request.say(429, b"{}", Retry_After=1)
        else:
            request.begin_chunks(TYPES["tar.zst"])
            request.chunk(honest(node.prefix, "tar.zst"))
            request.wfile.write(b"0\r\n\r\n")
    node = Node(does=later)
    with bundle(top, [node]) as b:
        assert b.run()["state"] == "done" and len(asked) == 3
        assert all(b - a > 0.9 for a, b in zip(asked, asked[1:])), asked
        check_whole(b, [node])


@test
def old_nodes(top):
    "takes what the service that we replace collects: masked, below the node's directory, and deleted there"
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("dcos-net.service", "it said password=hunter2-old\n" * 100)
        z.writestr("opt/mesosphere/etc/x.json", '{"a": 1}')
        z.writestr("../../escape", "stolen")
        z.writestr("summaryErrorsReport.txt", "could not collect y: timeout")
    old, broken = Node(data.getvalue(), v1=True), Node(b"PK no zip", v1=True)
    failed = Node(b"", v1=True, does=lambda x: {**x, "status": "Failed", "errors": [{"code": 500, "error": "disk full"}]})
    for form in ("tar.zst", "zip"):
        with bundle(top, [old, broken, failed], form) as b:
            said = b.run()
            assert said["state"] == "done" and said["partial"] and said["redactions"] == 100, said
            assert b.of(old)["state"] == "partial" and b.of(old)["error"], b.of(old)
            assert b.of(broken)["state"] == "failed" and "zip" in b.of(broken)["error"], b.of(broken)
            assert "disk full" in b.of(failed)["error"], b.of(failed)
            entries = b.entries()
            assert b"password=[redacted:" in entries[f"{old.prefix}/dcos-net.service"]
            assert not any(b"hunter2-old" in x for x in entries.values())
            assert entries[f"{old.prefix}/opt/mesosphere/etc/x.json"] == b'{"a": 1}'
            assert not any(n.startswith(("/", "..")) or "/../" in n for n in entries), sorted(entries)
            for n in (old, broken, failed):
                assert [r[0] for r in n.requests][-1] == "DELETE", n.requests
                n.requests.clear()
                n.polls = 0


def hangs(node, request):
    request.begin_chunks(TYPES["tar.zst"])
    request.chunk(fragment(node.prefix, FILES, "tar.zst", False))
    time.sleep(30)


@test
def deadline(top):
    "ends in time whoever hangs, and keeps what he gave"
    good, slow = Node(honest), Node(does=hangs)
    with bundle(top, [good, slow], timeout_usec=2_000_000) as b:
        began = time.monotonic()
        said = b.run()
        assert time.monotonic() - began < 10
        assert said["state"] == "done" and said["partial"] and b.of(slow)["state"] == "partial", said
        check_whole(b, [good])
        assert b.entries()[f"{slow.prefix}/journal.log"] == FILES["journal.log"]


@test
def progress(top):
    "says how far it is while somebody hangs, and that he is asked"
    good, slow = Node(honest), Node(does=hangs)
    with bundle(top, [good, slow], timeout_usec=60_000_000) as b:
        b.start()
        soon(lambda: b.of(good)["state"] == "done" and b.of(slow)["state"] == "running")
        said = soon(lambda: (s := b.state())["progress"]["received_bytes"] > 0 and s)
        assert slow.address in said["progress"]["current"] and said["progress"]["nodes_done"] == 1, said
        b.process.send_signal(signal.SIGTERM)
        assert b.wait(10) == 0
        said = b.state()
        assert said["error"] == "it was stopped", said
        assert said["state"] == "canceled" and said["file"] is None and b.names() == ["state.json"], (said, b.names())
        assert b.of(slow)["state"] == "failed"
        soon(lambda: slow.hung_up or True)


@test
def steps_back(top):
    "lets the daemon that started it go first"
    with bundle(top, [Node(does=hangs)], timeout_usec=60_000_000) as b:
        b.start()
        soon(lambda: b.nodes[0].requests)
        nice = {os.getpriority(os.PRIO_PROCESS, int(t)) for t in os.listdir(f"/proc/{b.process.pid}/task")}
        assert nice == {10}, nice


@test
def orphaned(top):
    "ends with whoever started it, and says so"
    with bundle(top, [Node(does=hangs)], timeout_usec=60_000_000) as b:
        parent = subprocess.Popen([sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])", program(),
                                   b.dir])
        soon(lambda: b.state()["nodes"][0]["state"] == "running")
        parent.kill()
        parent.wait()
        said = soon(lambda: (s := b.state())["state"] == "failed" and s)
        assert "restarted" in said["error"] and b.names() == ["state.json"], (said, b.names())


@test
def killed(top):
    "leaves nothing but one unfinished archive when it is killed"
    with bundle(top, [Node(honest), Node(does=hangs)], timeout_usec=60_000_000) as b:
        b.start()
        soon(lambda: b.state()["progress"]["nodes_done"] == 1)
        b.process.kill()
        b.wait()
        assert set(b.names()) <= {"cluster.json", "file.part", "gather.json", "nodes.json", "state.json",
                                  "state.json.new"}, b.names()


@test
def limits(top):
    "takes no more of a node, nor into a bundle, than it may"
    noise = os.urandom(3 << 20)
    large = Node(lambda prefix, form: fragment(prefix, {"a": b"a" * 1000, "noise": noise}, form))
    bomb = Node(lambda prefix, form: fragment(prefix, {"a": b"a" * 1000, "zeros": bytes(64 << 20)}, form))
    with bundle(top, [large, bomb], node_max_bytes=1 << 20) as b:
        said = b.run()
        assert said["state"] == "done" and said["partial"], said
        assert b.of(large)["state"] == b.of(bomb)["state"] == "partial", said
        names = set(b.entries())
        assert f"{large.prefix}/a" in names and f"{bomb.prefix}/a" in names
        assert not any("noise" in n or "zeros" in n for n in names)
    many = [Node(lambda prefix, form: fragment(prefix, {"noise": noise}, form)) for _ in range(4)]
    with bundle(top, many, bundle_max_bytes=7 << 20, at_once=1) as b:
        said = b.run()
        assert said["state"] == "done" and said["partial"] and "large" in said["error"], said
        assert [n["state"] for n in said["nodes"]] == ["done", "done", "failed", "failed"], said["nodes"]
        assert (b.dir / "file.tar.zst").stat().st_size <= 7 << 20
    free = os.statvfs(top)
    floor = free.f_bavail * free.f_frsize + (1 << 40)
    with bundle(top, many[:1], free_floor=floor) as b:
        said = b.run()
        assert said["state"] == "failed" and "disk" in said["error"] and b.names() == ["state.json"], said


@test
def wrong_orders(top):
    "says what is wrong with what it is told, and which file says so"
    with bundle(top, [Node(honest)]) as b:
        (b.dir / "gather.json").write_text('{"nodes": [], "surprise": 1}')
        said = b.run()
        assert said["state"] == "failed" and "gather.json" in said["error"] and "surprise" in said["error"], said
    with bundle(top, [Node(honest)]) as b:
        (b.dir / "state.json").write_text("{")
        b.start()
        assert b.wait() == 1 and "state.json" in b.said, b.said
    done = subprocess.run([program()], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2 and "diag-gather DIRECTORY" in done.stderr


@test
def relays(top):
    "relays a part of a file from another master, and fails when it does not get it"
    data = os.urandom(3 << 20)

    def serve(node, request):
        first, last = request.headers["Range"].removeprefix("bytes=").split("-")
        part = data[int(first):int(last) + 1]
        request.send_response(206)
        for name, value in (("Content-Length", len(part)), ("Connection", "close")):
            request.send_header(name, str(value))
        request.end_headers()
        request.wfile.write(part)
    server = Node(does=serve)
    server.answer = lambda request, path: serve(server, request)
    gone = Node()
    gone.answer = lambda request, path: request.say(404, b"{}")
    with bundle(top, [server, gone]) as b:
        url = f"http://127.0.0.1:{b.server.server_address[1]}"
        for first, n in ((0, len(data)), (100, 200), (len(data) - 1, 1), (0, 0)):
            done = subprocess.run([program(), "--relay", f"{url}/n0/file", "--from", str(first), "--bytes", str(n)],
                                  stdout=subprocess.PIPE, check=True)
            assert done.stdout == data[first:first + n], (first, n)
        for path, n in (("n1/file", 10), ("n0/file", len(data) + 1)):
            done = subprocess.run([program(), "--relay", f"{url}/{path}", "--from", "0", "--bytes", str(n)],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            assert done.returncode == 1 and url.encode() in done.stderr, done


tap.main(directory)

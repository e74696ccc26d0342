#!/usr/bin/env python3
"""One node that is collected from: a fragment as it is made, one at a time, by whom it may, and /logs of the old API."""
import contextlib
import gzip
import http.client
import io
import json
import os
import subprocess
import tarfile
import time
import zipfile
from pathlib import Path
from urllib.parse import quote

import tap
from node import AGENTD_SOCKET, Node, eventually
from tap import Skip, test

INSTALL = Path(os.environ.get("DIAG_INSTALL", "/"))
V1, V2 = "/system/health/v1", "/system/health/v2/node"
COLLECT, ESTIMATE = V2 + "/collect", V2 + "/collect/estimate"
PREFIX = "10.0.0.9_agent"
JSON = {"Content-Type": "application/json"}
UNIT = "talks.service"
SECRET = "hunter2-planted"
TALK = "[Service]\nExecStart=/bin/sh -c 'echo it talks; exec sleep infinity'\n"
FAILS, OPTIONAL, SLOW, LONG = (["sh", "-c", text] for text in
                               ("echo out; exit 3", "echo some; exit 4 # may", "sleep 300", "seq 1 300000"))
PLAN = {"LocalFiles": [{"Location": "/etc/testbed/secret.conf"}, {"Location": "/etc/none", "Optional": True}],
        "LocalCommands": [{"Command": FAILS}, {"Command": OPTIONAL, "Optional": True}, {"Command": LONG}]}
SLOWLY = {"LocalCommands": [{"Command": SLOW, "Timeout": "5min"}]}


@contextlib.contextmanager
def booted():
    if not (INSTALL / "usr/libexec/diag/diag-collect").exists():
        raise Skip("DIAG_INSTALL names no installed collector")
    files = {"diag/bundle.d/20-test.json": json.dumps(PLAN), "testbed/secret.conf": f"password={SECRET}\n"}
    units = {"dcos.target": "[Unit]\nDefaultDependencies=no\n", UNIT: TALK}
    if b"__asan_init" in (INSTALL / "usr/sbin/diag-agentd").read_bytes():
        # LeakSanitizer traces its own process; in the sandbox it would spin for ever.
        units["diag-agentd.service.d/sanitizer.conf"] = "[Service]\nSystemCallFilter=@debug\nMemoryMax=2G\n"
        units["diag-collect@.service.d/sanitizer.conf"] = "[Service]\nMemoryMax=2G\n"
    with Node("collect", units=units, files=files, links={f"dcos.target.wants/{UNIT}": f"../{UNIT}"}) as node:
        node.exec("mkdir", "-p", "/var/lib/diag/agentd")
        node.exec("chown", "-R", "diag-agent:", "/var/lib/diag/agentd")
        node.systemctl("start", "diag-agentd.socket", "diag-collect.socket", "diag-agentd.service")
        node.systemctl("start", "dcos.target")
        eventually(lambda: UNIT in [c["name"] for c in node.get(V2, unix=AGENTD_SOCKET).json()["components"]])
        node.diagnostics = lambda: node.exec("journalctl", "-n", "60", "-o", "cat", "-u", "diag-*", check=False).stdout
        yield node


def post(node, url, headers=None, **request):
    return node.request("POST", url, {**JSON, **(headers or {})}, json.dumps(request).encode(), unix=AGENTD_SOCKET,
                        timeout=60)


def entries(tar):
    """name: bytes, of a fragment, which has no end."""
    with tarfile.open(fileobj=io.BytesIO(tar + bytes(1024))) as t:
        return {m.name: t.extractfile(m).read() for m in t}


def unzstd(data):
    return subprocess.run(["zstd", "-dcq"], input=data, capture_output=True, check=True).stdout


def collectors(node):
    return node.exec("pgrep", "-x", "diag-collect", check=False).stdout.split()


def command(words):
    return "_".join(words).replace("/", "") + ".output"


@contextlib.contextmanager
def slow(node):
    """While it lasts, a collection does not end by itself."""
    node.write({"diag/bundle.d/30-slow.json": json.dumps(SLOWLY)})
    try:
        yield
    finally:
        node.exec("rm", "/etc/diag/bundle.d/30-slow.json")
        eventually(lambda: not collectors(node), what="the collector has gone")


@contextlib.contextmanager
def collecting(node):
    """A request for the slow one that has begun, its answer not read."""
    connection = node.connection(unix=AGENTD_SOCKET, timeout=60)
    ids = [{"kind": "command", "id": command(SLOW)}]
    connection.request("POST", COLLECT, json.dumps({"prefix": PREFIX, "ids": ids}), JSON)
    with contextlib.closing(connection):
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        yield answer


@test
def fragment(node):
    "streams a fragment, its secrets masked, its status at the end"
    for accept, decode in (("zstd", unzstd), ("gzip", gzip.decompress)):
        kind = "application/vnd.diag.fragment+" + accept
        answer = post(node, COLLECT, {"Accept": kind}, prefix=PREFIX, kinds=["journal", "file", "command"])
        assert answer.status == 200 and answer.headers["Content-Type"] == kind, answer
        assert answer.headers["Transfer-Encoding"] == "chunked", answer.headers.items()
        found = entries(decode(answer.body))
        names = list(found)
        assert all(n.startswith(PREFIX + "/") for n in names) and names[-1] == f"{PREFIX}/status.json", names
        assert b"it talks" in found[f"{PREFIX}/{UNIT}"], names
        masked = found[f"{PREFIX}/etc/testbed/secret.conf"]
        assert SECRET.encode() not in masked and masked.startswith(b"password="), masked
        status = json.loads(found[f"{PREFIX}/status.json"])
        assert status["role"] == "agent", status


@test
def without_length(node):
    "sends it to HTTP/1.0, too"
    body = json.dumps({"prefix": PREFIX, "kinds": ["file"]})
    said = node.raw(f"POST {COLLECT} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                    f"{body}".encode(), unix=AGENTD_SOCKET)
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"chunked" not in head and f"{PREFIX}/status.json" in entries(unzstd(body)), head


@test
def one_at_a_time(node):
    "makes one at a time, and answers other questions meanwhile"
    with slow(node), collecting(node):
        again = post(node, COLLECT, prefix=PREFIX)
        assert again.status == 429 and int(again.headers["Retry-After"]) > 0, again
        assert node.get(V2, unix=AGENTD_SOCKET).status == 200
        assert post(node, ESTIMATE).json()["max_bytes"] > 0
    assert post(node, COLLECT, prefix=PREFIX, kinds=["file"]).status == 200


@test
def hang_up(node):
    "ends the collection of who hangs up, and all that it has started"
    with slow(node):
        with collecting(node):
            eventually(lambda: node.exec("pgrep", "-f", "sleep 300", check=False).stdout, what="the source runs")
        began = time.monotonic()
        eventually(lambda: not collectors(node), 10, what="its collector has gone")
        print(f"# gone after {time.monotonic() - began:.2f} s")
        assert not node.exec("pgrep", "-f", "sleep 300", check=False).stdout


@test
def restart(node):
    "breaks it off when the daemon is stopped, at once, and leaves nothing"
    with slow(node), collecting(node) as answer:
        began = time.monotonic()
        node.systemctl("restart", "diag-agentd.service")
        took = time.monotonic() - began
        assert took < 4, took
        cut = None
        try:
            answer.read()
        except (OSError, http.client.HTTPException) as e:
            cut = e
        assert cut, "a whole answer"
    eventually(lambda: node.get(V2, unix=AGENTD_SOCKET).json()["phase"] == "running")


@test
def refusals(node):
    "says what it refuses, and why"
    for status, reason, request in ((400, "bad-request", {}), (400, "bad-request", {"prefix": "../x"}),
                                    (400, "bad-request", {"prefix": PREFIX, "path": "/etc/shadow"}),
                                    (404, "not-found", {"prefix": PREFIX, "ids": [{"kind": "file", "id": "/etc/shadow"}]}),
                                    (403, "not-allowed", {"prefix": PREFIX, "redact": False})):
        answer = post(node, COLLECT, **request)
        assert (answer.status, answer.json()["reason"]) == (status, reason), (request, answer)


@test
def who_may(node):
    "lets nobody collect who may not operate it"
    for words in (["-X", "POST", "-H", "Content-Type: application/json", "-d", "{}", f"http://localhost{COLLECT}"],
                  [f"http://localhost{V1}/logs"], [f"http://localhost{V1}/logs/units/{UNIT}"]):
        done = node.exec("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "curl", "-s", "-o",
                         "/dev/null", "-w", "%{http_code}", "--unix-socket", AGENTD_SOCKET, *words, check=False)
        assert done.stdout == "403", (words, done)


def log(node, provider, name):
    return node.get(f"{V1}/logs/{provider}/{quote(name, safe='')}", unix=AGENTD_SOCKET, timeout=60)


@test
def logs(node):
    "gives logs by name, of what is listed and nothing else"
    listed = node.get(V1 + "/logs", unix=AGENTD_SOCKET).json()
    assert listed[UNIT]["PortAndPath"].endswith(f"{V1}/logs/units/{UNIT}"), listed
    assert listed["/etc/testbed/secret.conf"]["PortAndPath"].endswith("/logs/files/etc_testbed_secret.conf"), listed
    assert b" +0000 UTC it talks\n" in log(node, "units", UNIT).body
    file = log(node, "files", "etc_testbed_secret.conf")
    assert file.status == 200 and SECRET.encode() not in file.body and file.headers["Content-Type"] == "text/html", file
    for provider, name, status, text in (
            ("units", "dbus-org.service", 503, "Not found dbus-org.service"), ("files", "etc_shadow", 503, "Not found etc_shadow"),
            ("cmds", "id.output", 503, "Not found id.output"), ("http", "x", 503, "Unknown provider http"),
            ("cmds", command(FAILS), 503, "exit status 3")):
        answer = log(node, provider, name)
        assert (answer.status, answer.json()["status"]) == (status, text), (provider, name, answer)
    assert log(node, "files", "etc_none").body.startswith(b"open /etc/none: no such file or directory")
    assert log(node, "cmds", command(OPTIONAL)).body == b"exit status 4\nsome\n"
    long = log(node, "cmds", command(LONG))
    assert long.status == 200 and long.body.endswith(b"300000\n"), long


@test
def zips(node):
    "keeps zips for the old API in its state directory"
    made = f"{V1}/node/diagnostics/e2e"
    assert node.request("PUT", made, JSON, b"{}", unix=AGENTD_SOCKET).status == 200
    eventually(lambda: node.get(made, unix=AGENTD_SOCKET).json()["status"] == "Done", 60, 0.2)
    with zipfile.ZipFile(io.BytesIO(node.get(made + "/file", unix=AGENTD_SOCKET).body)) as z:
        assert z.testzip() is None and UNIT in z.namelist(), z.namelist()
    assert (node.root / "var/lib/diag/agentd/bundles/e2e/file.zip").exists()


@test
def no_collector(node):
    "names the socket when nobody listens there"
    node.systemctl("stop", "diag-collect.socket")
    answer = post(node, COLLECT, prefix=PREFIX)
    assert answer.status == 503 and "diag-collect.socket is not active" in answer.json()["error"], answer
    node.systemctl("start", "diag-collect.socket")
    assert post(node, COLLECT, prefix=PREFIX, kinds=["file"]).status == 200


tap.main(booted)

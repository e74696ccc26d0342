#!/usr/bin/env python3
"""Bundles of the whole cluster: three masters and two agents, TLS between all of them, real collectors, and what goes
wrong while somebody waits for a support ticket."""
import contextlib
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import time
import uuid
import zipfile
from pathlib import Path

# Another python3 may stand before Debian's in PATH; only that one surely has kazoo.
if sys.executable != "/usr/bin/python3":
    os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])

import tap
from cluster import AGENTD_SOCKET, AGGREGATORD, AGGREGATORD_SOCKET, Cluster, installed, test, wait_until
from node import eventually
from tap import Skip

V1, V2 = "/system/health/v1", "/system/health/v2"
STORE = "var/lib/diag/aggregatord/bundles"
SECRETS = Path(__file__).parents[1] / "fixtures/secrets"
NEEDLES = [line for line in (SECRETS / "needles.txt").read_text().splitlines() if line]
ROOT = {"README.txt", "health.json", "nodes.json", "manifest.json", "report.json"}
UNIT = "dcos-net.service"
FINAL = ("done", "failed", "canceled", "deleted")
AT_LEAST = 60       # seconds, for what is seldom late


def files_of(member):
    """Secrets in each form, in a directory that a rule of the test collects."""
    rule = {"LocalFiles": [{"Location": "/etc/testbed/secrets/*"}],
            "LocalCommands": [{"Command": ["printf", "told by a command: password=hunter2-command\\n"]}]}
    planted = {f"testbed/secrets/{p.name}": p.read_bytes() for p in SECRETS.iterdir() if p.name != "needles.txt"}
    return {"diag/bundle.d/20-test.json": json.dumps(rule), **planted}


@contextlib.contextmanager
def booted():
    if not installed(AGGREGATORD):
        raise Skip("DIAG_INSTALL names no installed tree")
    with Cluster(tls=True, files=files_of) as c:
        yield c


# --- words ---

def diag(node, *words, status=0, timeout=120):
    """What `diag bundle` prints; its exit status is as told."""
    done = node.exec("diag", "bundle", *words, check=False, timeout=timeout)
    assert done.returncode == status, f"{words}: {done.returncode}, not {status}\n{done.stdout}{done.stderr}"
    return done.stdout


def of(node, bundle_id):
    return node.get(f"{V2}/bundles/{bundle_id}", unix=AGGREGATORD_SOCKET).json()


def create(node, **request):
    answer = node.request("POST", f"{V2}/bundles", {"Content-Type": "application/json"}, json.dumps(request).encode(),
                          unix=AGGREGATORD_SOCKET)
    assert answer.status == 201, answer
    return answer.json()["id"]


def ended(node, bundle_id, seconds=AT_LEAST):
    return eventually(lambda: (b := of(node, bundle_id))["state"] in FINAL and b, seconds, every=0.1,
                      what=f"{bundle_id} ends")


def stored(node, bundle_id):
    return sorted(p.name for p in (node.root / STORE / bundle_id).iterdir())


def gatherers(node):
    return node.exec("pgrep", "-x", "diag-gather", check=False).stdout.split()


def prefix(member):
    return f"{member.address}_{member.role}"


def entries_of_tar(data):
    """{name: bytes}, as tar and zstd or gzip read it; Python has no zstd."""
    with tarfile.open(fileobj=io.BytesIO(data)) as t:
        return {m.name: t.extractfile(m).read() for m in t}


def decoded(path):
    return subprocess.run(["zstd", "-dcq", path], check=True, stdout=subprocess.PIPE).stdout


def fetched(node, name):
    """A file of the node."""
    return node.root / name.lstrip("/")


def check_manifest(entries):
    manifest = json.loads(entries["manifest.json"])
    listed = {e["path"]: e for n in manifest["nodes"] for e in n["entries"]}
    for path, e in listed.items():
        assert e["size"] == len(entries[path]), path
        assert e["sha256"] == hashlib.sha256(entries[path]).hexdigest(), path
    missing = {p for p in entries if "/" in p and not p.endswith("/status.json")} - set(listed)
    assert not missing, missing
    return manifest


def check_secrets(entries):
    for name, data in entries.items():
        for needle in [*NEEDLES, "hunter2-command"]:
            assert needle.encode() not in data, f"{needle} in {name}"


def settled_after(member, seconds=AT_LEAST):
    wait_until(lambda: member.get(f"{V2}/cluster", unix=AGGREGATORD_SOCKET).json()["health"] == "healthy", seconds,
               "the cluster is seen anew")


# --- the main thing ---

@test
def whole(c):
    "brings what support needs of every node, by one command, and none of its secrets"
    m = c.masters[0]
    began = time.monotonic()
    said = diag(m, "create", "--nodes", "all", "-o", "/tmp/whole.tar.zst")
    print(f"# after {time.monotonic() - began:.1f} s: {said.strip().splitlines()[-1]}")
    file = fetched(m, "/tmp/whole.tar.zst")
    assert oct(file.stat().st_mode & 0o777) == "0o600"
    entries = entries_of_tar(decoded(file))
    print(f"# {len(entries)} entries, {file.stat().st_size} bytes of {sum(map(len, entries.values()))}")
    assert {name for name in entries if "/" not in name} == ROOT
    assert {name.partition("/")[0] for name in entries if "/" in name} == {prefix(n) for n in c.nodes}
    for n in c.nodes:
        own = {name.partition("/")[2]: data for name, data in entries.items() if name.startswith(prefix(n))}
        assert b"systemd[1]: Started" in own[UNIT], f"{n.name}: {own[UNIT][:200]}"
        assert json.loads(own["dcos-diagnostics-health.json"])["ip"] == n.address
        assert json.loads(own["health.json"])["role"] == n.role
        for name in ("proc/cmdline", "proc/meminfo", "df_-hT.output", "ip_addr.output", "timedatectl.output"):
            assert own.get(name), f"{n.name} lacks {name}: {sorted(own)}"
        assert any(k.startswith("etc/testbed/secrets/") for k in own)
        # The machine's, and not what the collector sees from where it is locked up.
        root = n.exec("head", "-n1", "/proc/1/mounts").stdout.encode()
        assert own["proc/mounts"].startswith(root) and b"rw," in own["mount.output"].split(b"\n")[1]
    manifest = check_manifest(entries)
    assert manifest["redacted"] is True and sum(n["redactions"] for n in manifest["nodes"]) >= len(NEEDLES)
    report = json.loads(entries["report.json"])
    assert {a: s["status"] for a, s in report["nodes"].items()} == {n.address: "Done" for n in c.nodes}
    assert json.loads(entries["health.json"])["health"] == "healthy"
    check_secrets(entries)


@test
def masks_correlate(c):
    "masks the same secret in the same way on all nodes, and another one in another way"
    entries = entries_of_tar(decoded(fetched(c.masters[0], "/tmp/whole.tar.zst")))
    name = next(k for k in entries if k.endswith(".output") and b"told by a command" in entries[k]).partition("/")[2]
    told = {entries[f"{prefix(n)}/{name}"] for n in c.nodes}
    assert len(told) == 1 and b"password=[redacted:" in told.pop()


@test
def formats(c):
    "writes archives that tar, zstd, gzip, unzip and Python open"
    m = c.masters[0]
    whole_file = fetched(m, "/tmp/whole.tar.zst")
    subprocess.run(["zstd", "-tq", whole_file], check=True)
    listed = subprocess.run(["tar", "--zstd", "-tf", whole_file], check=True, stdout=subprocess.PIPE, text=True).stdout
    assert len(listed.splitlines()) == len(entries_of_tar(decoded(whole_file)))
    assert subprocess.run(["bsdtar", "-tf", whole_file], check=True, stdout=subprocess.PIPE, text=True).stdout == listed
    diag(m, "create", "--nodes", "all", "--only", "host,file", "--format", "tar.gz", "-o", "/tmp/a.tar.gz")
    packed = fetched(m, "/tmp/a.tar.gz")
    subprocess.run(["gzip", "-t", packed], check=True)
    entries = entries_of_tar(gzip.decompress(packed.read_bytes()))
    assert len(check_manifest(entries)["nodes"]) == 5
    diag(m, "create", "--nodes", "all", "--only", "host,file", "--format", "zip", "-o", "/tmp/a.zip")
    subprocess.run(["unzip", "-tq", fetched(m, "/tmp/a.zip")], check=True, stdout=subprocess.DEVNULL)
    with zipfile.ZipFile(fetched(m, "/tmp/a.zip")) as z:
        assert z.testzip() is None
        assert {n.partition("/")[0] for n in z.namelist() if "/" in n} == {prefix(n) for n in c.nodes}
        check_secrets({n: z.read(n) for n in z.namelist()})


@test
def any_master(c):
    "answers for a bundle on every master, whichever has it: list, state, file with ranges, deletion"
    one, two, three = c.masters
    made = create(one, nodes=["masters"], kinds=["host"], format="tar.zst")
    size = ended(one, made)["size_bytes"]
    assert made in diag(two, "list") and json.loads(diag(three, "list", "--json"))["items"]
    assert of(three, made)["state"] == "done" and of(three, made)["observer"] == one.address
    url = f"{V2}/bundles/{made}/file"
    here, there = (n.get(url, unix=AGGREGATORD_SOCKET, timeout=30) for n in (one, two))
    assert here.body == there.body and len(here.body) == size == int(there.headers["Content-Length"])
    assert hashlib.sha256(there.body).hexdigest() == of(two, made)["sha256"]
    part = three.get(url, {"Range": "bytes=100-299"}, unix=AGGREGATORD_SOCKET)
    assert part.status == 206 and part.body == here.body[100:300], part
    assert part.headers["Content-Range"] == f"bytes 100-299/{size}"
    diag(three, "delete", made)
    assert of(one, made)["state"] == "deleted" and stored(one, made) == ["state.json"]
    assert two.get(url, unix=AGGREGATORD_SOCKET).status in (404, 410)


@test
def estimate(c):
    "says beforehand how big it will be, and whether there is room"
    said = json.loads(diag(c.masters[0], "estimate", "--nodes", "all", "--json"))
    assert said["likely_bytes"] <= said["max_bytes"] and said["fits"] is True and len(said["nodes"]) == 5, said


# --- something is wrong on a node ---

@test
def failing_sources(c):
    "loses nothing but what a failing source did not give, kills what hangs, and tells what went wrong where"
    m, a = c.masters[0], c.agents[0]
    a.write({"diag/bundle.d/30-bad.json": json.dumps({"LocalCommands": [
        {"Command": ["sh", "-c", "echo before it hangs; sleep 600"], "Timeout": "2s"},
        {"Command": ["sh", "-c", "echo what it gave; exit 3"]},
        {"Command": ["/no/such/command"], "Optional": True}]})})
    diag(m, "create", "--nodes", "all", "-o", "/tmp/bad.tar.zst", status=4)
    entries = entries_of_tar(decoded(fetched(m, "/tmp/bad.tar.zst")))
    summary = entries["summaryErrorsReport.txt"].decode()
    lines = summary.splitlines()
    assert len(lines) == 2 and all(a.address in line for line in lines), summary
    assert "exit status 3" in summary and any("sleep" in line for line in lines), summary
    of_a = {name: data for name, data in entries.items() if name.startswith(prefix(a))}
    assert any(data == b"before it hangs\n" for data in of_a.values())
    assert any(data == b"what it gave\n" for data in of_a.values())
    assert f"{prefix(a)}/nosuchcommand.output" in of_a, sorted(of_a)
    assert len([n for n in entries if n.startswith(prefix(c.public[0]))]) > 20
    assert not a.exec("pgrep", "-f", "sleep 600", check=False).stdout
    a.exec("rm", "/etc/diag/bundle.d/30-bad.json")


SLOW = {"LocalCommands": [{"Command": ["sh", "-c", "for i in $(seq 300); do echo $i; sleep 0.1; done"],
                           "Timeout": "40s"}]}


@test
def lost_half_way(c):
    "keeps what a node gave before it was lost, and all of the others"
    m, a = c.masters[0], c.agents[0]
    a.write({"diag/bundle.d/30-slow.json": json.dumps(SLOW)})
    made = create(m, nodes=["all"], format="tar.zst")
    wait_until(lambda: of(m, made)["progress"]["nodes_done"] >= 4, AT_LEAST, "all others are done")
    a.pause()
    a.cut()
    # Whoever serves the bundle need not wait for the end of an agent that is silent: cancel is its way out.
    b = ended(m, made, 150)
    a.heal()
    a.resume()
    a.exec("rm", "/etc/diag/bundle.d/30-slow.json")
    assert b["state"] == "done" and b["partial"], b
    states = {n["address"]: n["state"] for n in b["nodes"]}
    assert states.pop(a.address) in ("partial", "failed") and set(states.values()) == {"done"}, b["nodes"]
    assert next(n["error"] for n in b["nodes"] if n["address"] == a.address)
    data = m.get(f"{V2}/bundles/{made}/file", unix=AGGREGATORD_SOCKET, timeout=30).body
    path = c.top / "lost.tar.zst"
    path.write_bytes(data)
    entries = entries_of_tar(decoded(path))
    assert a.address in entries["summaryErrorsReport.txt"].decode()
    assert json.loads(entries["report.json"])["nodes"][a.address]["error"]


@test
def unreachable(c):
    "lists a node that cannot be reached as failed, and goes on with the others"
    m, a = c.masters[0], c.agents[0]
    a.off()
    said = json.loads(diag(m, "create", "--nodes", f"{a.address},masters", "--only", "host", "--wait", "--json", status=4))
    states = {n["address"]: n["state"] for n in said["nodes"]}
    assert states == {a.address: "failed", **{x.address: "done" for x in c.masters}}, said
    a.on()
    settled_after(m)


# --- the life of a job ---

@test
def cancel(c):
    "stops at once when it is told to, and leaves nothing"
    m, a = c.masters[0], c.agents[0]
    a.write({"diag/bundle.d/30-slow.json": json.dumps(SLOW)})
    made = create(m, nodes=["all"], format="tar.zst")
    wait_until(lambda: of(m, made)["progress"]["nodes_done"] >= 1, AT_LEAST, "it is under way")
    waiting = create(m, nodes=["masters"], kinds=["host"], format="tar.zst")
    assert of(m, waiting)["state"] == "queued"
    began = time.monotonic()
    diag(m, "cancel", made)
    b = ended(m, made, 10)
    print(f"# cancelled after {time.monotonic() - began:.2f} s")
    assert b["state"] == "canceled" and stored(m, made) == ["state.json"], (b, stored(m, made))
    assert ended(m, waiting)["state"] == "done"
    eventually(lambda: not a.exec("pgrep", "-x", "diag-collect", check=False).stdout, 10, what="its collector has gone")
    a.exec("rm", "/etc/diag/bundle.d/30-slow.json")


@test
def killed(c):
    "is failed, with the reason, wherever a kill -9 of the daemon found it; its parts are gone"
    m = c.masters[0]
    found = {}
    for n, delay in enumerate((0, 0.02, 0.1, 0.3, 0.6, 1, 1.5, 2.5)):
        made = create(m, nodes=["all"], format=("tar.zst", "zip")[n % 2])
        time.sleep(delay)
        before = of(m, made)["state"]
        m.kill_unit(AGGREGATORD)
        b = eventually(lambda: of(m, made), 20, every=0.1, what="it is back")
        found[delay] = f"{before} -> {b['state']}"
        if b["state"] != "done":
            assert b["state"] == "failed" and "restart" in b["error"], b
            assert stored(m, made) == ["state.json"], stored(m, made)
        eventually(lambda: not gatherers(m), 10, what="nobody gathers")
    print(f"# {found}")
    assert any("failed" in f for f in found.values())
    settled_after(m)


@test
def gatherer_killed(c):
    "is failed, with the reason, when what makes it dies"
    m = c.masters[0]
    made = create(m, nodes=["all"], format="tar.zst")
    eventually(lambda: gatherers(m), 10, what="it is under way")
    eventually(lambda: m.exec("ps", "-o", "ni=", "-C", "diag-gather").stdout.split() == ["10"], 10,
               what="it steps back for the daemon: the filter of system calls lets it")
    state = m.root / STORE / made / "state.json"
    m.exec("pkill", "-STOP", "-x", "diag-gather")
    state.write_text(state.read_text().replace(made, "another"))     # a disk that is broken, and says so late
    m.exec("pkill", "-KILL", "-x", "diag-gather")
    b = ended(m, made)
    assert b["state"] == "failed" and "signal 9" in b["error"], b
    assert stored(m, made) == ["state.json"]


@test
def full_disk(c):
    "refuses where there is no room, and never takes the last of it"
    m = c.masters[1]
    m.exec("mount", "-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs", f"/{STORE}")
    m.exec("chown", "diag-aggregator:", f"/{STORE}")
    try:
        answer = m.request("POST", f"{V2}/bundles", {"Content-Type": "application/json"}, b"{}", unix=AGGREGATORD_SOCKET)
        assert answer.status == 507 and answer.json()["reason"] == "no-space", answer
        m.write({"diag/aggregatord.conf.d/floor.conf": "[Bundles]\nFreeFloor=24400K\n"})
        m.systemctl("reload", AGGREGATORD)
        made = create(m, nodes=["all"], format="tar.zst")
        b = ended(m, made)
        free = os.statvfs(m.root / STORE)
        print(f"# {b['state']}, partial: {b['partial']}: {b['error']}; {free.f_bavail * free.f_frsize} bytes are free")
        assert b["state"] in ("done", "failed") and (b["partial"] or b["error"]), b
        assert free.f_bavail * free.f_frsize > 23 << 20
    finally:
        m.exec("rm", "-f", "/etc/diag/aggregatord.conf.d/floor.conf")
        m.exec("umount", "-l", f"/{STORE}", check=False)
        m.systemctl("restart", AGGREGATORD)
    settled_after(m)


# --- without a cluster ---

@test
def local(c):
    "makes a bundle of one machine with no daemon and no network"
    a = c.public[0]
    a.systemctl("stop", "diag-agentd.service", "diag-agentd.socket")
    a.cut()
    said = diag(a, "create", "--local", "-o", "/tmp/local.tar.zst")
    a.heal()
    a.systemctl("start", "diag-agentd.socket", "diag-agentd.service")
    entries = entries_of_tar(decoded(fetched(a, "/tmp/local.tar.zst")))
    assert "/tmp/local.tar.zst" in said
    assert {"README.txt", "manifest.json"} <= set(entries) and any(UNIT in name for name in entries)
    check_manifest(entries)
    check_secrets(entries)
    settled_after(c.masters[0])


# --- clients of the service that was there before ---

def v1(node, method, path, body=None, **where):
    return node.request(method, V1 + path, {"Content-Type": "application/json"} if body else {}, body,
                        **(where or {"unix": AGGREGATORD_SOCKET}), timeout=30)


@test
def uuid_api(c):
    "serves the command line of DC/OS: create, wait, list, download from another master, delete"
    m, other = c.masters[:2]
    made = str(uuid.uuid4())
    answer = v1(m, "PUT", f"/diagnostics/{made}?cache=0", b'{"masters":true,"agents":false}')
    assert answer.status == 200 and answer.json()["type"] == "Cluster", answer
    assert answer.json()["status"] in ("Started", "InProgress") and answer.json()["stopped_at"].startswith("0001"), answer
    assert v1(m, "PUT", f"/diagnostics/{made}").status == 409
    b = eventually(lambda: (x := v1(m, "GET", f"/diagnostics/{made}").json())["status"] == "Done" and x, AT_LEAST, 0.2)
    assert b["size"] > 0 and not b["stopped_at"].startswith("0001"), b
    assert made in [x["id"] for x in v1(other, "GET", "/diagnostics").json()]
    file = v1(other, "GET", f"/diagnostics/{made}/file")
    assert file.status == 200 and made + ".zip" in file.headers["Content-Disposition"], file.headers.items()
    with zipfile.ZipFile(io.BytesIO(file.body)) as z:
        names = set(z.namelist())
        assert {x.partition("/")[0] for x in names if "/" in x} == {prefix(x) for x in c.masters}
        assert "summaryErrorsReport.txt" not in names and "report.json" in names
    assert v1(m, "DELETE", f"/diagnostics/{made}").status == 200
    assert {x["id"]: x["status"] for x in v1(m, "GET", "/diagnostics").json()}[made] == "Deleted"
    assert v1(m, "GET", f"/diagnostics/{made}/file").status in (404, 410)


@test
def legacy_api(c):
    "serves the older command line as well"
    m, other = c.masters[:2]
    answer = v1(m, "POST", "/report/diagnostics/create", b'{"nodes":["masters"]}')
    assert answer.status == 200, answer
    said = answer.json()
    name = said["extra"]["bundle_name"]
    assert said["status"] == "Job has been successfully started" and name.startswith("bundle-") and name.endswith(".zip")
    status = eventually(lambda: (s := v1(m, "GET", "/report/diagnostics/status").json())["is_running"] is False and s,
                        AT_LEAST, 0.2)
    assert status["status"] == "Diagnostics job successfully collected all data", status
    every = v1(other, "GET", "/report/diagnostics/status/all").json()
    assert set(every) == {x.address for x in c.masters}, every
    listed = v1(m, "GET", "/report/diagnostics/list").json()
    assert listed and any(x["file_name"].endswith("/serve/" + name) for x in listed), listed
    served = v1(other, "GET", f"/report/diagnostics/serve/{name}")
    assert served.status == 200 and zipfile.ZipFile(io.BytesIO(served.body)).testzip() is None
    assert v1(other, "POST", f"/report/diagnostics/delete/{name}").status == 200
    assert v1(m, "GET", f"/report/diagnostics/serve/{name}").status == 404


@test
def local_api(c):
    "makes a node's own bundle by the old API, as older masters ask for it"
    a = c.agents[0]
    where, made = {"unix": AGENTD_SOCKET}, str(uuid.uuid4())
    assert v1(a, "PUT", f"/node/diagnostics/{made}", b'{"type":"Local"}', **where).json()["type"] == "Local"
    eventually(lambda: v1(a, "GET", f"/node/diagnostics/{made}", **where).json()["status"] == "Done", AT_LEAST, 0.2)
    with zipfile.ZipFile(io.BytesIO(v1(a, "GET", f"/node/diagnostics/{made}/file", **where).body)) as z:
        names = z.namelist()
        assert UNIT in names and "dcos-diagnostics-health.json" in names, names
        assert z.testzip() is None
    assert v1(a, "DELETE", f"/node/diagnostics/{made}", **where).json()["status"] == "Deleted"


@test
def logs(c):
    "serves logs by name, of what is configured and of nothing else"
    a = c.agents[0]
    where = {"unix": AGENTD_SOCKET}
    listed = v1(a, "GET", "/logs", **where).json()
    assert UNIT in listed and listed[UNIT]["PortAndPath"].endswith(f"/logs/units/{UNIT}"), listed
    said = v1(a, "GET", f"/logs/units/{UNIT}", **where)
    assert said.status == 200 and b" +0000 UTC " in said.body, said
    unknown = v1(a, "GET", "/logs/files/etc_shadow", **where)
    assert unknown.status == 503 and "Not found" in unknown.json()["status"], unknown


@test
def who_may(c):
    "gives bundles and logs to root, group diag and masters, and to nobody else"
    a, m = c.agents[0], c.masters[0]
    for peer, path in ((m, f"{V2}/bundles"), (a, f"{V1}/logs"), (m, f"{V1}/diagnostics")):
        done = peer.exec("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "curl", "-s", "-o",
                         "/dev/null", "-w", "%{http_code}", "--unix-socket", peer.unix, f"http://localhost{path}",
                         check=False)
        assert done.stdout == "403", (path, done)


@test
def open_as_before(c):
    "gives them to whoever asks over loopback only where that is said, as open clusters of DC/OS need it"
    m = c.masters[2]
    asked = [(V1 + "/diagnostics", 200), (V2 + "/bundles", 200), (V1 + "/logs", 200)]
    for path, _ in asked:
        assert m.get(path, port=1050).status == 403, (path, m.get(path, port=1050))
    m.write({f"diag/{daemon}.conf.d/open.conf": "[Listen]\nLegacyOpenBundles=yes\n" for daemon in ("agentd", "aggregatord")})
    m.systemctl("reload", AGGREGATORD)
    for path, status in asked:
        assert m.get(path, port=1050).status == status, (path, m.get(path, port=1050))
    m.exec("rm", "/etc/diag/agentd.conf.d/open.conf", "/etc/diag/aggregatord.conf.d/open.conf")
    m.systemctl("reload", AGGREGATORD)
    assert m.get(V1 + "/logs", port=1050).status == 403


@test
def node_of_a_master(c):
    "answers for the logs and the own bundles of its node on the port that older masters ask"
    m, made = c.masters[0], str(uuid.uuid4())
    assert b" +0000 UTC " in v1(m, "GET", f"/logs/units/{UNIT}").body
    assert v1(m, "PUT", f"/node/diagnostics/{made}", b'{"type":"Local"}').json()["type"] == "Local"
    eventually(lambda: v1(m, "GET", f"/node/diagnostics/{made}").json()["status"] == "Done", AT_LEAST, 0.2)
    file = v1(m, "GET", f"/node/diagnostics/{made}/file")
    assert zipfile.ZipFile(io.BytesIO(file.body)).testzip() is None, file
    assert made in [b["id"] for b in v1(m, "GET", "/node/diagnostics").json()]
    assert v1(m, "DELETE", f"/node/diagnostics/{made}").json()["status"] == "Deleted"


tap.main(booted)

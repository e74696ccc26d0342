#!/usr/bin/env python3
"""A real Prometheus that scrapes both daemons of a master: what it takes, what it shows, and what it makes of lies."""
import collections
import contextlib
import os
import re
import subprocess
import sys
from urllib.parse import quote

# Another python3 may stand before Debian's in PATH; only that one surely has the module, as it is here.
if sys.executable != "/usr/bin/python3":
    os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])

from prometheus_client.parser import text_string_to_metric_families

import tap
from fake_nodes import FakeNodes, go_node, go_unit, node, unit
from hang import loop_stands
from node import Node, eventually
from tap import test

PORTS = {"aggregatord": 1050, "agentd": 1051}
GOOD, GO, GONE, *LIARS = (f"10.77.1.{n}" for n in range(1, 9))
NAMES, NAMES_MAX = 1900, 4096   # of a liar; that the cluster's index has, beside "(other)"
UNITS = {
    "dcos.target": "[Unit]\nDescription=What this node is for\n",
    "good.service": "[Service]\nExecStart=/bin/sleep infinity\n",
    "bad.service": "[Service]\nExecStart=/bin/false\n",
}
CONF = """global:
  scrape_interval: 500ms
  scrape_timeout: 500ms
scrape_configs:
""" + "".join(f"""  - job_name: {job}
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
""" for job, port in PORTS.items())


@contextlib.contextmanager
def scraped():
    links = {f"dcos.target.wants/{name}": f"../{name}" for name in UNITS if name.endswith(".service")}
    with Node("m1", units=UNITS, links=links) as m:
        m.systemctl("start", "--no-block", "dcos.target")
        m.fleet = FakeNodes(m.bed, "10.77.1", 8)
        m.fleet.put(GOOD, node(GOOD, [unit("a.service"), unit("good.service")], "master"))
        m.fleet.put(GO, go_node([go_unit("a.service", 1, "no")], GO), go=True)
        m.fleet.put(GONE, status=500)
        for address in LIARS:
            m.fleet.put(address, node(address, [unit("a.service")]))
        (m.root / "run/prometheus.yml").write_text(CONF)
        (m.root / "run/aggregatord.conf").write_text("[Cluster]\nViewMaxAge=5s\n")
        m.agentd = m.start("diag-agentd", "--role", "master")
        words = [w for a in (GO, GONE, *LIARS) for w in ("--node", f"agent={a}:1050")]
        words += ["--node", f"master={GOOD}:1050", "--node", "master=127.0.0.1"]
        m.aggregatord = m.start("diag-aggregatord", "--config", "/run/aggregatord.conf", *words)
        m.prometheus = m.start("prometheus", "--config.file=/run/prometheus.yml", "--storage.tsdb.path=/run/tsdb",
                               "--web.listen-address=127.0.0.1:9090", "--log.level=warn")
        eventually(lambda: m.get("/-/ready", port=9090).status == 200, 20)
        yield m
        for daemon in m.agentd, m.aggregatord:
            assert daemon.stop() == 0, daemon.output()


def api(m, path):
    answer = m.get("/api/v1/" + path, port=9090)
    assert answer.status == 200, answer
    return answer.json()["data"]


def query(m, words):
    """{values of the labels that were not asked for: value}"""
    found = {}
    for of in api(m, f"query?query={quote(words)}")["result"]:
        labels = {k: v for k, v in of["metric"].items() if k not in ("__name__", "instance", "job")}
        found[tuple(sorted(labels.items()))] = float(of["value"][1])
    return found


def metrics(m, port):
    answer = m.get("/metrics", port=port)
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/plain; version=0.0.4"), answer
    return answer.body.decode()


def targets(m):
    return {t["labels"]["job"]: (t["health"], t["lastError"]) for t in api(m, "targets")["activeTargets"]}


@test
def is_taken(m):
    "is taken by Prometheus without a complaint, both daemons"
    eventually(lambda: targets(m) == {job: ("up", "") for job in PORTS}, 15, what=targets(m))
    for job in PORTS:
        n = eventually(lambda: query(m, f'scrape_samples_scraped{{job="{job}"}}'), 5)
        took = query(m, f'scrape_duration_seconds{{job="{job}"}}')
        print(f"# {job}: {list(n.values())[0]:.0f} samples in {1000 * list(took.values())[0]:.1f} ms")
    assert not re.search(r"level=(warn|error)", m.prometheus.output()), m.prometheus.output()


@test
def is_queried(m):
    "is queried there: verdict, masters, nodes, units, this node and its components"
    def masters():
        return query(m, "diag_masters") == {(("state", "expected"),): 2, (("state", "known"),): 2,
                                            (("state", "answering"),): 2, (("state", "healthy"),): 1}
    eventually(masters, 15, every=0.2)
    assert query(m, "diag_cluster_healthy") == {(): 0} and query(m, "diag_node_healthy") == {(): 0}
    assert query(m, "diag_cluster_reasons") == {(("code", "master-unhealthy"),): 1}
    assert query(m, 'diag_component_healthy{component="bad.service"}') == {(("component", "bad.service"),): 0}
    assert query(m, 'sum by (health) (diag_nodes{role="agent"})') == \
        {(("health", "healthy"),): 5, (("health", "unhealthy"),): 1, (("health", "unknown"),): 1}
    assert query(m, 'diag_unit_nodes{unit="a.service"} > 0') == \
        {(("health", "healthy"), ("unit", "a.service")): 6, (("health", "unhealthy"), ("unit", "a.service")): 1}
    unwell = query(m, "diag_node_health")
    assert {dict(k)["address"]: v for k, v in unwell.items()} == {"127.0.0.1": 1, GO: 1, GONE: 3}, unwell
    assert 0 <= list(query(m, "diag_view_age_seconds").values())[0] < 5
    assert query(m, "absent(diag_cluster_healthy)") == {}
    # The names of dcos-diagnostics, with the pattern of the route.
    m.get("/system/health/v1/nodes/10.9.9.9", port=1050)
    eventually(lambda: any(dict(k).get("path") == "/system/health/v1/nodes/{ip}"
                           for k in query(m, "api_request_serve_time_seconds_count")), 5)
    assert query(m, "histogram_quantile(0.99, sum by (le) (diag_poll_duration_seconds_bucket))"), "no durations"
    for name in "process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds":
        assert len(api(m, f"query?query={name}")["result"]) == 2, name


@test
def changes(m):
    "shows a change at the next scrape, and a node that is well again has no series of its own"
    m.systemctl("reset-failed", "bad.service")
    m.write_unit("bad.service", UNITS["good.service"])
    m.systemctl("daemon-reload")
    m.systemctl("start", "bad.service")
    eventually(lambda: query(m, "diag_cluster_healthy") == {(): 1}, 15, every=0.1)
    assert not query(m, 'diag_node_health{address="127.0.0.1"}')
    assert query(m, "diag_cluster_reasons") == {}


@test
def is_lint_clean(m):
    "has nothing that promtool objects to, but for a name of the service that we replace"
    for port in PORTS.values():
        assert objections(metrics(m, port)) == ""


def objections(text):
    """What promtool says, without that of a name which is not ours to choose."""
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    old = "bundle_creation_time_seconds_gauge metric name should not include type 'gauge'\n"
    said = done.stderr.replace(old, "")
    assert done.returncode == (3 if old in done.stderr else 0) or said, done
    return done.stdout + said


def series(text):
    """{family: how many series}; every family is there once, every series, too."""
    count, seen = collections.Counter(), set()
    for family in text_string_to_metric_families(text):
        assert (family.name, family.type) not in count and family.documentation, family.name
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in seen, key
            seen.add(key)
            count[family.name, family.type] += 1
    return count


@test
def survives_liars(m):
    "stays within its limits when nodes name thousands of units, in odd letters, too"
    before = series(metrics(m, 1050))
    for n, address in enumerate(LIARS):
        odd = ['quote".service', "back\\slash.service", "new\nline.service", "ä€.service", "x" * 300]
        names = [f"{n}-{k}.service" for k in range(NAMES)]
        m.fleet.put(address, node(address, [unit("a.service"), *map(unit, names), unit(odd[n], "unhealthy")], seq=2))

    def taken():
        rows = m.get("/system/health/v2/nodes?role=agent", port=1050).json()["items"]
        return [r for r in rows if r["address"] in LIARS and
                (sum(r["counts"].values()) > NAMES or r["reach"] != "ok")]
    rows = eventually(lambda: (t := taken()) and len(t) == len(LIARS) and t, 20, every=0.2)
    print(f"# of {len(LIARS)} liars {sum(r['reach'] == 'ok' for r in rows)} are heard, "
          f"{sum(r['reach'] != 'ok' for r in rows)} refused")
    text = metrics(m, 1050)
    after = series(text)
    print(f"# {sum(before.values())} series before, {sum(after.values())} with their lies, {len(text)} bytes")
    assert NAMES < after["diag_unit_nodes", "gauge"] <= (NAMES_MAX + 1) * 3, after
    # All else hardly grows: routes have been asked for meanwhile, and some nodes are not well.
    grown = {family: after[family] - before[family] for family in after if family[0] != "diag_unit_nodes"}
    assert max(grown.values()) < 100, grown
    eventually(lambda: list(query(m, 'scrape_samples_scraped{job="aggregatord"}').values())[0] > NAMES, 10)
    assert targets(m)["aggregatord"] == ("up", ""), targets(m)
    # The first scrape with lies may have come before the last liar was heard.
    eventually(lambda: query(m, 'diag_unit_nodes{unit="(other)"}'), 10, what="what does not fit has a name")
    assert query(m, 'diag_unit_nodes{unit="a.service",health="healthy"}')[
        (("health", "healthy"), ("unit", "a.service"))] >= 1
    assert objections(text) == ""


@test
def silence_is_seen(m):
    "has no verdict when the view is stale: absent() is true, which an alert can be made of"
    assert query(m, "absent(diag_cluster_healthy)") == {}
    with loop_stands(m.aggregatord):
        eventually(lambda: query(m, "absent(diag_cluster_healthy)") == {(): 1}, 20, every=0.1)
        assert query(m, "diag_cluster_reasons").get((("code", "view-stale"),)) == 1
        assert targets(m)["aggregatord"][0] == "up"
        assert not any(query(m, 'diag_nodes{health="healthy"} > 0')), "a node is healthy that nobody looks at"
        assert query(m, 'diag_masters{state="healthy"}') == {(("state", "healthy"),): 0}
    eventually(lambda: query(m, "absent(diag_cluster_healthy)") == {}, 15)


tap.main(scraped)

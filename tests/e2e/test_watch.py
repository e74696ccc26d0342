#!/usr/bin/env python3
"""From systemd to the wire: every change arrives, by itself and soon, and what cannot be known is unknown."""
import contextlib
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import tap
from node import Node, eventually
from tap import Skip, test

TARGET = "watch.target"     # not dcos.target: this node is to have none
SERVICE = "[Unit]\nDescription={0}\n[Service]\nExecStart=/bin/sleep infinity\n"
STORM = [f"storm-{n}.service" for n in range(100)]
SOON = 2                    # seconds for a change to reach the wire
V1, V2 = "/system/health/v1", "/system/health/v2/node"
STOP_THREAD = Path(os.environ.get("DIAG_FAKES", Path(__file__).parents[2] / "build/tests")) / "stop_thread"
DBUS = ("dbus.socket", "dbus.service")


@contextlib.contextmanager
def node():
    units = {TARGET: "[Unit]\nDescription=What is watched\n",
             "storm@.service": "[Service]\nExecStart=/bin/sleep infinity\n",
             "a.service": SERVICE.format("a"), "b.service": SERVICE.format("b")}
    links = {f"{TARGET}.wants/{name}": f"../{name}" for name in ("a.service", "b.service")}
    with Node("watch", units=units, links=links) as n:
        n.systemctl("start", TARGET)
        yield n


class Agent:
    """A diag-agentd of the test's own, with a socket of its own, and what it says."""

    def __init__(self, node, *options, target=TARGET, runtime="none", wait=True):
        self.node, self.socket = node, f"/run/agent-{len(node.daemons)}.sock"
        options += ("--target", target) if target else ()
        (node.root / "run" / runtime).mkdir(exist_ok=True)
        self.daemon = node.start("env", f"RUNTIME_DIRECTORY=/run/{runtime}", "diag-agentd",
                                 "--listen", f"unix:{self.socket}", *options)
        if wait:
            eventually(lambda: self.v2()["phase"] == "running")

    def __enter__(self):
        return self

    def __exit__(self, failed, *_):
        if not failed:
            assert self.daemon.running, f"it died: {self.daemon.output()}"
        self.daemon.stop()
        self.node.daemons.remove(self.daemon)

    def get(self, url, headers=None, **more):
        return self.node.get(url, headers, unix=self.socket, **more)

    def v1(self):
        return self.get(V1).json()

    def v2(self):
        return self.get(V2).json()

    def codes(self):
        return {c["name"]: c["code"] for c in self.v2()["components"]}

    def units(self):
        return {u["id"]: u["health"] for u in self.v1()["units"]}

    def shows(self, name, code, timeout=SOON):
        eventually(lambda: self.codes().get(name) == code, timeout)

    def all_unknown(self, words):
        """In v1 and v2, every component, with the reason; raises what is not."""
        for u in self.v1()["units"]:
            assert u["health"] == 3 and words in u["output"], u
        report = self.v2()
        assert report["health"] == "unknown", report["health"]
        for c in report["components"]:
            assert c["health"] == "unknown" and words in c["text"], c
        return True

    def all_true(self):
        self.shows("a.service", "ok")
        assert set(self.units().values()) == {0}
        return True


class Poll(threading.Thread):
    """A request that waits for a change, on its way from the moment it is made."""

    def __init__(self, agent, url=V2, wait=30):
        super().__init__()
        self._agent, self._url, self._wait = agent, url, wait
        self._etag = agent.get(url).headers["ETag"]
        self.outcome = None
        self.start()

    def run(self):
        begun = time.monotonic()
        try:
            answer = self._agent.get(self._url, {"If-None-Match": self._etag, "Prefer": f"wait={self._wait}"},
                                     timeout=self._wait + 10)
            self.outcome = answer, time.monotonic() - begun
        except OSError as e:
            self.outcome = e, time.monotonic() - begun

    def ends(self, status, within):
        self.join(within + 1)
        assert self.outcome, f"still waiting after {within} s"
        answer, took = self.outcome
        assert getattr(answer, "status", None) == status and took < within, self.outcome
        return answer


@test
def change_wakes(node):
    "answers those who wait as soon as a unit changes, and shows the change to those who come"
    with Agent(node) as agent:
        polls = [Poll(agent), Poll(agent, V1), Poll(agent, V2 + "?fields=health")]
        begun = time.monotonic()
        node.systemctl("stop", "a.service")
        agent.shows("a.service", "stopped")
        assert polls[0].ends(200, SOON).json()["health"] == "unhealthy"
        assert {u["id"]: u["health"] for u in polls[1].ends(200, SOON).json()["units"]}["a.service"] == 1
        polls[2].ends(200, SOON)
        assert time.monotonic() - begun < SOON
        node.systemctl("start", "a.service")
        agent.shows("a.service", "ok")


@test
def crash_wakes(node):
    "notices a process that somebody kills"
    with Agent(node) as agent:
        poll = Poll(agent)
        os.kill(inner_pid(node, "b.service"), signal.SIGKILL)
        poll.ends(200, SOON)
        agent.shows("b.service", "signal")
        node.systemctl("start", "b.service")
        agent.shows("b.service", "ok")


def inner_pid(node, unit):
    """The main process as this machine numbers it."""
    wanted = node.systemctl("show", "-P", "MainPID", unit)
    inside = os.readlink(f"/proc/{node.init}/ns/pid")
    for proc in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.readlink(proc / "ns/pid") == inside and f"\t{wanted}\n" in nspid(proc):
                return int(proc.name)
    raise AssertionError(f"no process of {unit}")


def nspid(proc):
    return next(line for line in (proc / "status").read_text().splitlines(True) if line.startswith("NSpid:"))


@test
def no_change_waits(node):
    "holds a request for its time when nothing changes, and then answers 304"
    with Agent(node) as agent:
        poll = Poll(agent, wait=2)
        answer = poll.ends(304, 3)
        assert poll.outcome[1] > 1.9, poll.outcome
        assert answer.headers["Preference-Applied"] == "wait=2"


@test
def reload_adds_and_removes(node):
    "follows a daemon-reload: units come, change their description, are masked, and go"
    with Agent(node) as agent:
        poll = Poll(agent)
        node.write_unit("new.service", SERVICE.format("First: words"))
        node.link_unit(f"{TARGET}.wants/new.service", "../new.service")
        node.systemctl("daemon-reload")
        agent.shows("new.service", "stopped")
        poll.ends(200, SOON + 1)
        node.systemctl("start", "new.service")
        agent.shows("new.service", "ok")
        assert title(agent, "new.service") == ("First", "words")

        node.write_unit("new.service", SERVICE.format("Second: thoughts"))
        node.systemctl("daemon-reload")
        eventually(lambda: title(agent, "new.service") == ("Second", "thoughts"), SOON)

        node.systemctl("stop", "new.service")
        node.link_unit("new.service", "/dev/null")
        node.systemctl("daemon-reload")
        agent.shows("new.service", "masked")

        (node.root / f"etc/systemd/system/{TARGET}.wants/new.service").unlink()
        (node.root / "etc/systemd/system/new.service").unlink()
        node.systemctl("daemon-reload")
        agent.shows("new.service", None)
        assert agent.v2()["health"] == "healthy"


def title(agent, name):
    unit = next(u for u in agent.v1()["units"] if u["id"] == name)
    return unit["name"], unit["description"]


@test
def reload_alone_is_silence(node):
    "wakes nobody when a daemon-reload changes nothing"
    with Agent(node) as agent:
        poll = Poll(agent, wait=3)
        node.systemctl("daemon-reload")
        poll.ends(304, 4)


@test
def reload_changes_limits(node):
    "judges by the unit file as it is now, not as it was when the unit was started"
    node.write_unit("typed.service", SERVICE.format("once a daemon"))
    node.link_unit(f"{TARGET}.wants/typed.service", "../typed.service")
    node.systemctl("daemon-reload")
    node.systemctl("start", "typed.service")
    with Agent(node) as agent:
        node.write_unit("typed.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n")
        node.systemctl("daemon-reload")
        agent.shows("typed.service", "ok")
        node.systemctl("restart", "typed.service")
        agent.shows("typed.service", "done")
    (node.root / f"etc/systemd/system/{TARGET}.wants/typed.service").unlink()
    node.systemctl("daemon-reload")


@test
def reload_reaches_all_states(node):
    "notices an edited unit file in whatever state its unit is"
    states = {"edit-up.service": "[Service]\nExecStart=/bin/sleep infinity\n",
              "edit-failed.service": "[Service]\nExecStart=/bin/false\n",
              "edit-done.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
              "edit-stopped.service": "[Service]\nExecStart=/bin/sleep infinity\n"}
    edited = {"edit-up.service": "[Service]\nType=exec\nExecStart=/bin/sleep infinity\n",
              "edit-failed.service": "[Service]\nType=exec\nExecStart=/bin/false\n",
              "edit-done.service": "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n",
              "edit-stopped.timer": "[Timer]\nOnCalendar=yearly\n"}
    with linked(node, "edits.target", states), Agent(node, target="edits.target") as agent:
        node.systemctl("start", "edit-up.service", "edit-done.service")
        node.systemctl("start", "edit-failed.service", check=False)
        codes = {"edit-up.service": "ok", "edit-failed.service": "exit-code", "edit-done.service": "done",
                 "edit-stopped.service": "stopped"}
        eventually(lambda: agent.codes() == codes, SOON)
        for name, text in edited.items():
            node.write_unit(name, text)
        node.systemctl("daemon-reload")
        node.systemctl("start", "edit-stopped.timer")
        codes |= {"edit-done.service": "stopped", "edit-stopped.service": "armed"}
        eventually(lambda: agent.codes() == codes, SOON)
        for name in "edit-up.service", "edit-failed.service":
            eventually(lambda name=name: facts(agent)[name]["type"] == "exec")
        assert facts(agent)["edit-stopped.service"]["triggered_by"] == ["edit-stopped.timer"]
        node.systemctl("stop", "edit-stopped.timer")
        (node.root / "etc/systemd/system/edit-stopped.timer").unlink()


@contextlib.contextmanager
def linked(node, target, units):
    """These, and a target that wants them; what runs of them is stopped in the end."""
    for name, text in {target: "[Unit]\n", **units}.items():
        node.write_unit(name, text)
    for name in units:
        node.link_unit(f"{target}.wants/{name}", f"../{name}")
    node.systemctl("daemon-reload")
    node.systemctl("start", "--no-block", "--job-mode=ignore-dependencies", target)
    yield
    node.systemctl("stop", target, *units)
    node.systemctl("reset-failed")
    for name in units:
        (node.root / f"etc/systemd/system/{target}.wants/{name}").unlink()
    node.systemctl("daemon-reload")


def facts(agent):
    return {c["name"]: c["unit"] for c in agent.v2()["components"]}


@test
def timer_without_a_reload(node):
    "knows that a timer starts a unit though it came without a daemon-reload"
    with linked(node, "timed.target", {"timed.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n"}):
        with Agent(node, target="timed.target") as agent:
            agent.shows("timed.service", "never-ran")
            node.write_unit("timed.timer", "[Timer]\nOnCalendar=yearly\n")
            node.systemctl("start", "timed.timer")
            agent.shows("timed.service", "armed")
            node.systemctl("stop", "timed.timer")
            eventually(lambda: agent.codes()["timed.service"] != "armed", SOON)
            (node.root / "etc/systemd/system/timed.timer").unlink()


@test
def names_the_condition_of_today(node):
    "names the condition that was not met when the unit was started last"
    text = "[Unit]\nConditionPathExists=/run/first\nConditionPathExists=/run/second\n"
    with linked(node, "conditional.target", {"conditional.service": text + "[Service]\nExecStart=/bin/sleep inf\n"}):
        with Agent(node, target="conditional.target") as agent:
            for missing, there in ("/run/second", "/run/first"), ("/run/first", "/run/second"):
                (node.root / missing[1:]).unlink(missing_ok=True)
                (node.root / there[1:]).touch()
                node.systemctl("start", "conditional.service")
                wanted = f"condition not met: ConditionPathExists={missing}"
                eventually(lambda wanted=wanted: [c["text"] for c in agent.v2()["components"]] == [wanted], SOON)


@test
def globs_find_new_units(node):
    "finds units that match a glob when they are started, one after the other"
    node.write_unit("found@.service", "[Service]\nExecStart=/bin/sleep infinity\n")
    node.systemctl("daemon-reload")
    with Agent(node, "--unit", "found@*.service") as agent:
        for name in ("found@1.service", "found@2.service", "found@3.service"):
            node.systemctl("start", name)
            agent.shows(name, "ok", SOON if name == "found@1.service" else 12)
        node.systemctl("stop", "found@1.service")
        agent.shows("found@1.service", "off")
        node.systemctl("kill", "-s", "KILL", "found@2.service")
        agent.shows("found@2.service", "signal")
        node.systemctl("stop", "found@3.service")


@test
def loop_ends_by_hand(node):
    "forgets a crash loop when somebody mends the unit and starts it"
    node.write_unit("looping.service", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/false\n"
                                       "Restart=always\nRestartSec=100ms\n")
    node.systemctl("daemon-reload")
    with Agent(node, "--unit", "looping.service") as agent:
        node.systemctl("start", "looping.service")
        agent.shows("looping.service", "crash-loop", 5)
        node.write_unit("looping.service", SERVICE.format("mended"))
        node.systemctl("daemon-reload")
        node.systemctl("restart", "looping.service")
        agent.shows("looping.service", "ok")
        node.systemctl("stop", "looping.service")


@test
def default_target(node):
    "falls back to the machine's default target where there is no dcos.target"
    node.write_unit("fallback.service", SERVICE.format("fallback"))
    node.link_unit("multi-user.target.wants/fallback.service", "../fallback.service")
    node.systemctl("daemon-reload")
    with Agent(node, target=None) as agent:
        # Linked, so it must be up; what only systemd pulls in need only not fail.
        agent.shows("fallback.service", "stopped")
        node.systemctl("start", "fallback.service")
        agent.shows("fallback.service", "ok")
        components = {c["name"]: c for c in agent.v2()["components"]}
        assert components["dbus.socket"]["code"] == "ok", components.keys()      # of sockets.target, two below
        assert not [n for n in components if n.endswith(".target")], components.keys()
        assert components["systemd-journald.service"]["expect"] == "auto"
        assert "optional" in {c["expect"] for c in components.values()}
        # This testbed masks some units that Debian links; all others are well.
        assert {c["code"] for c in components.values() if c["health"] != "healthy"} <= {"masked"}, components


@test
def reexec(node):
    "lives through a daemon-reexec without ever doubting what it knows"
    with Agent(node) as agent:
        seen = set()
        done = threading.Event()

        def look():
            while not done.wait(0.02):
                seen.add(agent.v2()["health"])

        looker = threading.Thread(target=look)
        looker.start()
        try:
            node.systemctl("daemon-reexec")
            eventually(lambda: node.systemctl("is-active", "a.service", check=False) == "active")
        finally:
            done.set()
            looker.join()
        assert seen == {"healthy"}, seen
        node.systemctl("stop", "a.service")
        agent.shows("a.service", "stopped", 10)
        node.systemctl("start", "a.service")
        agent.shows("a.service", "ok")


@test
def bus_restarts(node):
    "finds its way back when the bus is restarted"
    with Agent(node) as agent:
        node.systemctl("restart", "dbus.service")
        node.systemctl("stop", "a.service")
        agent.shows("a.service", "stopped", 10)
        node.systemctl("start", "a.service")
        agent.shows("a.service", "ok")


@test
def bus_stops(node):
    "says unknown, and why, while there is no bus, and comes back by itself"
    with Agent(node) as agent:
        poll = Poll(agent)
        node.systemctl("stop", *DBUS)
        try:
            eventually(lambda: agent.all_unknown("bus"), 8)
            assert sorted(agent.units()) == ["a.service", "b.service"]
            poll.ends(200, 8)
            node.systemctl("stop", "a.service")
        finally:
            node.systemctl("start", *DBUS)
        agent.shows("a.service", "stopped", 10)
        node.systemctl("start", "a.service")
        eventually(agent.all_true)


@test
def agent_before_the_bus(node):
    "can be started before the bus, and says what it does not know yet"
    node.systemctl("stop", *DBUS)
    try:
        with Agent(node, wait=False) as agent:
            eventually(lambda: agent.all_unknown("bus"))
            assert sorted(agent.units()) == ["a.service", "b.service"]
            node.systemctl("start", *DBUS)
            eventually(agent.all_true)
    finally:
        node.systemctl("start", *DBUS)


@test
def bad_names(node):
    "is not impressed by names that are none"
    odd = ["@x.service", "x@.service", "x y.service", "ü.service", ".service", "x.notatype", "x", "x.service~",
           "a" * 247 + ".service", "x@@.service", "x\\xzz.service", "..service", "-.service", "x@y@z.service"]
    for name in odd:
        node.link_unit(f"{TARGET}.wants/{name}", "../a.service")
    node.systemctl("daemon-reload")
    try:
        with Agent(node) as agent:
            codes = agent.codes()
            assert (codes["a.service"], codes["b.service"]) == ("ok", "ok"), codes
            node.systemctl("stop", "a.service")
            agent.shows("a.service", "stopped")
            node.systemctl("start", "a.service")
            agent.shows("a.service", "ok")
            for c in agent.v2()["components"]:
                assert c["health"] == "healthy" or c["text"], c
            assert "-.service" in codes and "a" * 247 + ".service" in codes, codes
    finally:
        for name in odd:
            (node.root / f"etc/systemd/system/{TARGET}.wants/{name}").unlink()
        node.systemctl("daemon-reload")


@test
def last_runs_survive(node):
    "remembers how a one-shot ended that systemd has forgotten, over reloads and its own restarts"
    node.write_unit("once.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n")
    node.systemctl("daemon-reload")
    with Agent(node, "--unit", "once.service", runtime="last-runs") as agent:
        agent.shows("once.service", "never-ran")
        node.systemctl("start", "once.service")
        agent.shows("once.service", "done")
        assert node.systemctl("show", "-P", "ExecMainExitTimestampMonotonic", "once.service") == "0"
        node.systemctl("daemon-reload")
        stays(agent, "once.service", "done")
    with Agent(node, "--unit", "once.service", runtime="last-runs") as agent:
        agent.shows("once.service", "done")
    with Agent(node, "--unit", "once.service", runtime="elsewhere") as agent:
        agent.shows("once.service", "never-ran")


def stays(agent, name, code, seconds=0.5):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert agent.codes()[name] == code
        time.sleep(0.05)


@test
def nothing_to_watch(node):
    "says unknown when its target wants nothing or is not there"
    node.write_unit("empty.target", "[Unit]\nDescription=Empty\n")
    node.systemctl("daemon-reload")
    for name in ("empty.target", "missing.target"):
        with Agent(node, target=name) as agent:
            [unit] = agent.v1()["units"]
            assert (unit["id"], unit["health"]) == (name, 3) and unit["output"], unit
            report = agent.v2()
            assert report["health"] == "unknown" and report["components"] == []
            assert [r["code"] for r in report["reasons"]] == ["no-components"]


@test
def storm(node):
    "shows the truth after a hundred units were restarted at once"
    for name in STORM:
        node.write_unit(name, SERVICE.format("in a storm"))
        node.link_unit(f"{TARGET}.wants/{name}", f"../{name}")
    node.systemctl("daemon-reload")
    node.systemctl("start", *STORM)
    with Agent(node) as agent:
        assert storm_codes(agent) == {"ok"}, agent.codes()
        for _ in range(3):
            node.systemctl("restart", *STORM)
        node.systemctl("kill", "-s", "KILL", STORM[7])
        eventually(lambda: {n for n, c in agent.codes().items() if c != "ok"} == {STORM[7]}, SOON)
        units = {c["name"]: c["unit"] for c in agent.v2()["components"]}
        pids = node.systemctl("show", "-P", "MainPID", *STORM).split()
        assert [str(units[n]["main_pid"] or 0) for n in STORM] == pids
        assert {units[n]["type"] for n in STORM} == {"simple"}
        node.systemctl("stop", *STORM)
        eventually(lambda: storm_codes(agent) == {"stopped", "signal"}, SOON)
    for name in STORM:
        (node.root / f"etc/systemd/system/{TARGET}.wants/{name}").unlink()
    node.systemctl("daemon-reload")


@test
def bad_day(node):
    "tells of two hundred units what systemd tells, after reloads, crash loops, restarts and kills at once"
    many = [f"many@{n}.service" for n in range(200)]
    loops = [f"many-loop@{n}.service" for n in range(5)]
    node.write_unit("many@.service", SERVICE.format("one of many"))
    node.write_unit("many-loop@.service", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/false\n"
                                          "Restart=always\nRestartSec=100ms\n")
    for name in many + loops:
        node.link_unit(f"many.target.wants/{name}", f"../{name.split('@')[0]}@.service")
    node.write_unit("many.target", "[Unit]\n")
    node.systemctl("daemon-reload")
    node.systemctl("start", *many)
    with Agent(node, target="many.target") as agent:
        assert {agent.codes()[n] for n in many} == {"ok"}
        node.systemctl("start", "--no-block", *loops)
        for n in range(5):
            reload = threading.Thread(target=node.systemctl, args=("daemon-reload",))
            reload.start()
            node.systemctl("restart", "--no-block", *many[n * 20:][:40])
            node.systemctl("kill", "-s", "KILL", *many[n * 40:][:10], check=False)
            reload.join()
        for name in loops:
            agent.shows(name, "crash-loop", 10)
        node.systemctl("stop", *many[150:], *loops)
        eventually(lambda: told(agent, many) == of_systemd(node, many), 10, every=0.2)
        codes = agent.codes()
        up, down = ({codes[n] for n in some} for some in (many[:150], many[150:]))
        assert "ok" in up and "stopped" in down and "ok" not in down, (up, down)
        node.systemctl("stop", *many)
        node.systemctl("reset-failed")


def told(agent, names):
    units = facts(agent)
    return {n: {k: units[n][k] for k in ("active", "sub", "result", "main_pid", "restarts", "type")} for n in names}


def of_systemd(node, names):
    """The same, by systemctl."""
    shown = node.systemctl("show", "-p", "Id,ActiveState,SubState,Result,MainPID,NRestarts,Type", *names)
    units = (dict(line.split("=", 1) for line in block.splitlines()) for block in shown.split("\n\n"))
    return {u["Id"]: {"active": u["ActiveState"], "sub": u["SubState"], "result": u["Result"],
                      "main_pid": int(u["MainPID"]) or None, "restarts": int(u["NRestarts"]), "type": u["Type"]}
            for u in units}


def storm_codes(agent):
    codes = agent.codes()
    return {codes[n] for n in STORM}


@test
def bus_refuses(node):
    "does not stay with what it knew when it may not ask any more"
    with Agent(node) as agent:
        policy = node.root / "etc/dbus-1/system.d/refuse.conf"
        policy.parent.mkdir(parents=True, exist_ok=True)
        policy.write_text('<busconfig><policy context="mandatory">'
                          '<deny send_interface="org.freedesktop.systemd1.Manager" '
                          'send_member="ListUnitsByNames"/></policy>'
                          "</busconfig>")
        node.systemctl("reload", "dbus.service")
        try:
            node.systemctl("stop", "a.service")     # it cannot know what has become of this one
            eventually(lambda: agent.all_unknown("systemd"), 50, every=0.2)
        finally:
            policy.unlink()
            node.systemctl("reload", "dbus.service")
            node.systemctl("start", "a.service")
        eventually(agent.all_true)


@test
def loop_hangs(node):
    "says unknown when its own loop hangs"
    if not STOP_THREAD.exists():
        raise Skip(f"{STOP_THREAD} is not built")
    with Agent(node) as agent:
        etag = agent.get(V1).headers["ETag"]
        poll = Poll(agent, wait=60)
        begun = time.monotonic()
        stopper = subprocess.Popen([STOP_THREAD, str(agent.daemon.pid), "60"], stdout=subprocess.PIPE, text=True)
        try:
            assert stopper.stdout.readline() == "stopped\n"
            eventually(lambda: agent.all_unknown("diag-agentd itself has been stuck"), 25, every=0.2)
            assert time.monotonic() - begun > 10
            assert {r["code"] for r in agent.v2()["reasons"]} == {"facts-stale"}
            for condition in (etag, "*"):
                assert agent.get(V1, {"If-None-Match": condition, "Prefer": "wait=5"}).status == 200
            poll.ends(200, 26)
            node.systemctl("stop", "a.service")
        finally:
            stopper.kill()
            stopper.communicate()
        agent.shows("a.service", "stopped", 10)
        node.systemctl("start", "a.service")
        eventually(agent.all_true)


@test
def systemd_silent(node):
    "says unknown, and never 304, when systemd does not answer, and comes back by itself"
    with Agent(node) as agent, Agent(node) as other:
        etag = agent.get(V1).headers["ETag"]
        poll = Poll(other, wait=60)
        begun = time.monotonic()
        os.kill(node.init, signal.SIGSTOP)
        try:
            eventually(lambda: agent.all_unknown("systemd"), 46, every=0.2)
            took = time.monotonic() - begun
            assert 15 < took < 46, took
            assert agent.get(V1, {"If-None-Match": etag, "Prefer": "wait=5"}).status == 200
            poll.ends(200, 47)
            # Whoever starts now knows nothing, says so, and can be stopped.
            with Agent(node, wait=False) as late:
                eventually(lambda: late.v1()["units"][0]["health"] == 3)
                begun = time.monotonic()
            assert time.monotonic() - begun < 2
        finally:
            os.kill(node.init, signal.SIGCONT)
        eventually(agent.all_true, 20)
        node.systemctl("stop", "a.service")
        agent.shows("a.service", "stopped", 10)
        node.systemctl("start", "a.service")
        agent.shows("a.service", "ok")


tap.main(node)

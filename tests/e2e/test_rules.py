#!/usr/bin/env python3
"""The rule table, driven for real: units of every kind on one node, and what the wire says of each.

Not here, because a node in a container cannot show them: oom-kill and frozen (this kernel), refreshing
and a direct restart (newer systemd), a state that nobody knows; tests/unit has captured facts of those.
"""
import contextlib
import json
import os
import re
import signal
from pathlib import Path
from typing import NamedTuple

import tap
from node import Node, eventually
from tap import test

# The old service's sentences: {u} is the unit, {a} and {s} are its ActiveState and SubState.
NOT_LOADED = "{u} is not loaded. Please check `systemctl show all` to check current Unit status."
BAD_STATE = ("{u} state is not one of the possible states [active inactive activating]. Current state is "
             "[ {a} ]. Please check `systemctl show all {u}` to check current Unit state. ")
BAD_EXIT = "ExecMainStatus return failed status for {u}"
NEVER_ACTIVE = "Unit {u} has never entered `active` state"
FLAPPING = "Unit {u} is flapping. Please check `systemctl status {u}` to check current Unit state."
SUB_STATE = "Unit {u} is {s}"
STATE = "Unit {u} is {a} ({s})"

HEALTH_IN_V1 = {"healthy": 0, "unhealthy": 1, "unknown": 3}


class Case(NamedTuple):
    health: str             # None: must not be listed
    code: str = ""
    text: str = ""
    sentence: str = ""      # first line of the output in v1
    unit: str = None        # None: no unit file
    then: tuple = ()        # systemctl verbs, once the unit has come to rest
    expect: str = None      # [Unit NAME] Expect=
    wanted: bool = True     # linked into dcos.target.wants
    notes: tuple = ()


def ok(unit, **more):
    return Case("healthy", "ok", unit=unit, **more)


def good(code, text, unit, **more):
    return Case("healthy", code, text, "", unit, **more)


def bad(code, text, sentence, unit, **more):
    return Case("unhealthy", code, text, sentence, unit, **more)


def failed(code, text, unit, **more):
    return bad(code, text, BAD_STATE, unit, **more)


def stopped(unit, **more):
    return bad("stopped", "is stopped", SUB_STATE, unit, **more)


def service(*lines, **sections):
    """A unit file; Unit=("Line", ...) and the like are further sections."""
    sections["Service"] = lines
    return "".join(f"[{name}]\n" + "".join(line + "\n" for line in of) for name, of in sections.items())


SLEEP = "ExecStart=/bin/sleep infinity"
ONESHOT = "Type=oneshot"
LONG = "TimeoutStartSec=600"        # a limit of systemd's own, so that ours does not count
EVER = "TimeoutStartSec=infinity"
HOUR = "RestartSec=1h"              # stay in auto-restart
FAILS = "ExecStart=/bin/false"


def sh(script):
    return f"ExecStart=/bin/sh -c '{script}'"


TIMER = "[Timer]\nOnActiveSec=1d\n"
# The first run fails, the second one takes its time.
FAILS_ONCE = sh("mkdir /run/%n && exit 9; exec sleep infinity")

ACTIVE = {
    "ok.service": ok(service(SLEEP)),
    "ok-exited.service": ok(service(ONESHOT, "RemainAfterExit=yes", "ExecStart=/bin/true")),
    "ok-status.service": ok(service(ONESHOT, "RemainAfterExit=yes", "SuccessExitStatus=3", sh("exit 3"))),
    "ok-unsupervised.service": ok(service("Type=forking", "RemainAfterExit=yes", "ExecStart=/bin/true"),
                                  notes=("unsupervised",)),
    "ok-words.service": ok(service("Type=notify", "NotifyAccess=all",
                                   sh('systemd-notify --ready --status="serves 3 tables"; exec sleep infinity')),
                           notes=("status: serves 3 tables",)),
    "ok-reload-failed.service": ok(service(SLEEP, "ExecReload=/bin/false"), then=("reload",),
                                   notes=("last-reload-failed",)),
    "ok.timer": ok("[Timer]\nOnActiveSec=1d\nUnit=armed-by-ok.service\n"),
    "ok.socket": ok("[Socket]\nListenStream=/run/ok.sock\nService=armed-by-ok.service\n"),
    "ok.path": ok("[Path]\nPathExists=/run/never\nUnit=armed-by-ok.service\n"),
    "ok.target": ok("[Unit]\nDescription=A group\n"),
    "ok.slice": ok("[Slice]\n"),
    "mnt-ok.mount": ok("[Mount]\nWhat=tmpfs\nWhere=/mnt/ok\nType=tmpfs\n"),
    "ok-a.b.c.service": ok(service(SLEEP)),
    "ok\\x2descaped.service": ok(service(SLEEP)),
    "ok-loose@one.service": ok(None),
    "ok-bare@dcos.service": ok(None),
    "ok-alias.service": ok(None),
}

LOADING = {
    "masked.service": bad("masked", "masked", NOT_LOADED, None),
    "masked-running.service": bad("masked", "masked, but still running", NOT_LOADED, service(SLEEP)),
    "not-found.service": bad("not-found", "there is no such unit file", NOT_LOADED, None),
    "not-found-running.service": bad("not-found", "its unit file is gone, but it still runs", NOT_LOADED,
                                     service(SLEEP)),
    "bad-setting.service": bad("bad-unit-file", r"its unit file has a bad setting .*",
                               NOT_LOADED, "[Service]\nType=simple\n"),
    "off.service": good("off", "", service(FAILS), expect="off"),
    "off-not-found.service": good("off", "", None, expect="off"),
    "absent.service": Case(None, expect="optional"),
    "absent-masked.service": Case(None, expect="optional"),
}

FAILED = {
    "exit-code.service": failed("exit-code", r"exited with status 3 \(NOTIMPLEMENTED\)", service(sh("exit 3"))),
    "exit-plain.service": failed("exit-code", "exited with status 42", service(sh("exit 42"))),
    "exit-exec.service": failed("exit-code", r"exited with status 203 \(EXEC\)", service("ExecStart=/nowhere")),
    "exit-user.service": failed("exit-code", r"exited with status 217 \(USER\)", service("User=nobody-knows", SLEEP)),
    "helper.service": failed("exit-code", "a helper command failed .*", service("ExecStartPre=/bin/false", SLEEP)),
    "signal.service": failed("signal", "killed by SIGKILL", service(sh("kill -KILL $$$$"))),
    "core-dump.service": failed("core-dump", r"killed by SIGSEGV \(core dumped\)",
                                service("LimitCORE=infinity", "WorkingDirectory=/tmp", sh("kill -SEGV $$$$"))),
    "watchdog.service": failed("watchdog", r"did not report to its watchdog \(WatchdogSec=\)",
                               service("Type=notify", "NotifyAccess=all", "WatchdogSec=200ms", "LimitCORE=0",
                                       sh("systemd-notify --ready; exec sleep infinity"))),
    "timeout-start.service": failed("timeout", "did not start in time",
                                    service("Type=notify", "TimeoutStartSec=200ms", SLEEP)),
    "timeout-run.service": failed("timeout", "took longer than its unit file allows",
                                  service("RuntimeMaxSec=200ms", SLEEP)),
    "timeout-stop.service": failed("timeout", "took longer than its unit file allows",
                                   service("TimeoutStopSec=200ms", SLEEP, "ExecStop=/bin/sleep infinity"),
                                   then=("stop",)),
    "resources.service": failed("resources", "systemd could not start it: a resource was missing",
                                service("EnvironmentFile=/nowhere", SLEEP)),
    "protocol.service": failed("protocol", r"did not say that it is ready \(READY=1\)",
                               service("Type=notify", "ExecStart=/bin/true")),
    "start-limit.service": failed("start-limit-hit", r"was started too often \(StartLimitBurst=\).*",
                                  service("ExecStart=/bin/true", "Restart=always", "RestartSec=0",
                                          Unit=("StartLimitBurst=2", "StartLimitIntervalSec=1h"))),
    "gave-up.service": failed("exit-code", r"exited with status 1 \(FAILURE\); gave up after 2 restarts",
                              service(FAILS, "Restart=always", "RestartSec=0",
                                      Unit=("StartLimitBurst=2", "StartLimitIntervalSec=1h"))),
    "mnt-bad.mount": failed("exit-code", "a helper command failed .*",
                            "[Mount]\nWhat=/nowhere\nWhere=/mnt/bad\nType=ext4\n"),
    "bad.socket": failed("resources", "systemd could not start it.*",
                         "[Socket]\nListenStream=192.0.2.7:1\nService=armed-by-ok.service\n"),
}

CHANGING = {
    "stopping.service": bad("stopping", "is stopping", BAD_STATE,
                            service(SLEEP, "ExecStop=/bin/sleep infinity", "TimeoutStopSec=600"),
                            then=("stop --no-block",)),
    "stuck-stopping.service": bad("stuck-stopping", "has been stopping for too long", BAD_STATE,
                                  service(SLEEP, "ExecStop=/bin/sleep infinity", "TimeoutStopSec=infinity"),
                                  then=("stop --no-block",)),
    "reloading.service": good("reloading", "", service(SLEEP, "ExecReload=/bin/sleep infinity", LONG),
                              then=("reload --no-block",)),
    "stuck-reloading.service": bad("stuck-reloading", "has been reloading for too long", BAD_STATE,
                                   service(SLEEP, "ExecReload=/bin/sleep infinity", EVER),
                                   then=("reload --no-block",)),
    "crash-loop.service": bad("crash-loop", r"keeps restarting: exited with status 1 \(FAILURE\)", FLAPPING,
                              service(sh("sleep 0.1; exit 1"), "Restart=always", "RestartSec=200ms",
                                      Unit=("StartLimitIntervalSec=0",))),
    "after-failure.service": bad("restarting-after-failure",
                                 r"is being restarted after a failure: exited with status 7 \(NOTRUNNING\)",
                                 BAD_EXIT, service(sh("exit 7"), "Restart=on-failure", HOUR)),
    "never-active.service": bad("never-active", "is being restarted and was never up", NEVER_ACTIVE,
                                service("Type=notify", "ExecStart=/bin/true", "Restart=always", HOUR)),
    "restarting.service": bad("restarting", "is being restarted", FLAPPING,
                              service("ExecStart=/bin/true", "Restart=always", HOUR)),
    "starting.service": bad("starting", "is starting", STATE, service("Type=notify", SLEEP, LONG)),
    "stuck-starting.service": bad("stuck-starting", "has been starting for too long", STATE,
                                  service("Type=notify", SLEEP, EVER)),
    "starting-once.service": bad("starting", "is starting", STATE, service(ONESHOT, SLEEP, LONG)),
    "stuck-once.service": bad("stuck-starting", "has been starting for too long", STATE,
                              service(ONESHOT, SLEEP, EVER)),
    "waiting.service": bad("waiting", "its start is queued: it waits for other units", SUB_STATE,
                           service(SLEEP, Unit=("After=starting-once.service",))),
}

# A timer of the same name stands behind each "job": it makes them armed.
JOBS = {
    "job-armed.service": good("armed", "", service(ONESHOT, "ExecStart=/bin/true")),
    "job-runs.service": good("running-job", "", service(ONESHOT, SLEEP, LONG)),
    "job-failed.service": failed("exit-code", r"exited with status 9", service(ONESHOT, sh("exit 9"))),
    "job-failed-last.service": bad("last-run-failed", "runs again after its last run failed", BAD_EXIT,
                                   service(ONESHOT, LONG, FAILS_ONCE), then=("start --no-block",)),
    "job-must-run.service": stopped(service(ONESHOT, "ExecStart=/bin/true"), expect="running"),
}

INACTIVE = {
    "assert.service": bad("assert-failed", "an Assert…= of its unit file does not hold", SUB_STATE,
                          service(SLEEP, Unit=("AssertPathExists=/nowhere",))),
    "condition.service": good("skipped", "condition not met: ConditionPathExists=/nowhere",
                              service(SLEEP, Unit=("ConditionPathExists=/nowhere",))),
    "exec-condition.service": good("skipped", "a condition of its unit file is not met",
                                   service("ExecCondition=/bin/false", SLEEP)),
    "condition-must.service": bad("condition-not-met", "condition not met: ConditionPathExists=!/usr", SUB_STATE,
                                  service(SLEEP, Unit=("ConditionPathExists=!/usr",)), expect="running"),
    "optional.service": good("off", "", service(SLEEP), then=("stop",), expect="optional"),
    "optional-failed.service": failed("exit-code", r"exited with status 1 \(FAILURE\)", service(FAILS),
                                      expect="optional"),
    "armed-by-socket.service": good("armed", "", service(SLEEP), wanted="late"),
    "armed-by-path.service": good("armed", "", service(SLEEP), wanted="late"),
    "no-trigger.timer": stopped(TIMER, then=("stop",)),
    "no-trigger.service": bad("trigger-inactive",
                              r"is stopped, and so is no-trigger\.timer, which would start it", SUB_STATE,
                              service(SLEEP), wanted="late"),
    "idle.slice": good("idle", "", "[Slice]\n", then=("stop",)),
    "must.slice": stopped("[Slice]\n", then=("stop",), expect="running"),
    "done.service": good("done", "", service(ONESHOT, "ExecStart=/bin/true")),
    "done-status.service": good("done", "", service(ONESHOT, "SuccessExitStatus=3", sh("exit 3"))),
    "done-again.service": stopped(service(ONESHOT, "ExecStart=/bin/true"), expect="running"),
    "never-ran.service": bad("never-ran", "did not run since boot", SUB_STATE,
                             service(ONESHOT, "ExecStart=/bin/true"), wanted="late"),
    "dependency.service": bad("dependency-failed", r"was not started because helper\.service failed",
                              SUB_STATE, service(SLEEP, Unit=("Requires=helper.service",
                                                              "After=helper.service"))),
    "dependency-job.service": bad("dependency-failed", r"was not started because helper\.service failed",
                                  SUB_STATE, service(ONESHOT, "ExecStart=/bin/true",
                                                     Unit=("Requires=helper.service",
                                                           "After=helper.service"))),
    "stopped.service": stopped(service(SLEEP), then=("stop",)),
    "stopped-itself.service": stopped(service("ExecStart=/bin/true")),
    "stopped-exited.service": stopped(service(ONESHOT, "RemainAfterExit=yes", "ExecStart=/bin/true"),
                                      then=("stop",)),
    "stopped.socket": stopped("[Socket]\nListenStream=/run/stopped.sock\nService=armed-by-ok.service\n",
                              then=("stop",)),
    "stopped.timer": stopped("[Timer]\nOnActiveSec=1d\nUnit=armed-by-ok.service\n", then=("stop",)),
    "mnt-stopped.mount": stopped("[Mount]\nWhat=tmpfs\nWhere=/mnt/stopped\nType=tmpfs\n", then=("stop",)),
    "stopped.target": stopped("[Unit]\nDescription=A group\n", then=("stop",)),
    "reset.service": stopped(service(FAILS), then=("reset-failed",)),
}

# Matched by Unit=glob-*: only failures count.
GLOB = {
    "glob-ok.service": ok(service(SLEEP), wanted=False, then=("start",)),
    "glob-failed.service": failed("exit-code", r"exited with status 1 \(FAILURE\)", service(FAILS), wanted=False,
                                  then=("start",)),
    "glob-disabled.service": good("off", "", service(FAILS, Install=("WantedBy=multi-user.target",)),
                                  wanted=False, then=("start",)),
    "glob-off.service": good("off", "", service(SLEEP), wanted=False),
    "glob-masked.service": Case(None, wanted=False),
    "glob-not-found.service": Case(None, wanted=False),
}

CASES = {**ACTIVE, **LOADING, **FAILED, **CHANGING, **JOBS, **INACTIVE, **GLOB}

# What the cases need and does not fit into their table.
OTHER_UNITS = {
    "dcos.target": "[Unit]\nDescription=What this node is for\n",
    "multi-user.target.d/glob.conf": "[Unit]\nAfter=" + " ".join(n for n in GLOB) + "\n",
    "ok-loose@.service": service(SLEEP),
    "ok-bare@.service": service(SLEEP),
    "ok-real.service": service(SLEEP),
    "armed-by-ok.service": service(SLEEP),
    "armed-by-socket.socket": "[Socket]\nListenStream=/run/armed.sock\n",
    "armed-by-path.path": "[Path]\nPathExists=/run/never\n",
    **{name.replace(".service", ".timer"): TIMER for name in JOBS},
}
OTHER_LINKS = {
    "masked.service": "/dev/null",
    "absent-masked.service": "/dev/null",
    "glob-masked.service": "/dev/null",
    "ok-alias.service": "ok-real.service",
    "dcos.target.wants/ok-loose@one.service": "../ok-loose@.service",
    "dcos.target.wants/ok-bare@.service": "../ok-bare@.service",
}
STARTED_FIRST = ["armed-by-socket.socket", "armed-by-path.path", *(n.replace(".service", ".timer") for n in JOBS)]


def wants(name, when=True):
    by_hand = name in ("ok-loose@one.service", "ok-bare@dcos.service")
    return {f"dcos.target.wants/{name}": f"../{name}"} if CASES[name].wanted == when and not by_hand else {}


def configuration():
    lines = ["[Agent]", "Unit=glob-*", "[Judge]", "StuckAfter=1s"]
    for name, case in CASES.items():
        if case.expect:
            lines += [f"[Unit {name}]", f"Expect={case.expect}"]
    return "\n".join(lines) + "\n"


def at_rest(node):
    """Whatever a verb is to be applied to has been started, and is not on its way any more."""
    names = [n for n, c in CASES.items() if c.wanted is True and (c.then or n.endswith("-running.service"))]
    states = node.systemctl("show", "-P", "ActiveState", *names).split()
    started = node.systemctl("show", "-P", "InactiveExitTimestampMonotonic", *names).split()
    return len(states) == len(started) == len(names) and "activating" not in states and "0" not in started


def apply_verbs(node):
    by_verb = {}
    for name, case in CASES.items():
        for verb in case.then:
            by_verb.setdefault(verb, []).append(name)
    for verb, names in by_verb.items():
        node.systemctl(*verb.split(), *names, check=False)


def change_unit_files(node):
    node.link_unit("masked-running.service", "/dev/null")
    (node.root / "etc/systemd/system/not-found-running.service").unlink()
    for name in CASES:
        for link, to in wants(name, "late").items():
            node.link_unit(link, to)
    node.systemctl("daemon-reload")


def components(node):
    return {c["name"]: c for c in node.get("/system/health/v2/node").json()["components"]}


def units(node):
    return {u["id"]: u for u in node.get("/system/health/v1").json()["units"]}


@contextlib.contextmanager
def node_with_units():
    files = {**OTHER_UNITS, **{n: c.unit for n, c in CASES.items() if c.unit}}
    links = dict(OTHER_LINKS)
    for name in CASES:
        links.update(wants(name))
    with Node("rules", units=files, links=links) as node:
        (node.root / "etc/diag").mkdir(exist_ok=True)
        (node.root / "etc/diag/agentd.conf").write_text(configuration())
        agentd = node.start("env", "RUNTIME_DIRECTORY=/run/diag", "diag-agentd")
        eventually(lambda: node.get("/system/health/v1").status == 200)
        node.systemctl("start", *STARTED_FIRST)
        node.systemctl("start", "--no-block", "dcos.target")
        eventually(lambda: at_rest(node))
        apply_verbs(node)
        change_unit_files(node)
        node.agentd = agentd
        yield node


def check_v2(c, case):
    assert c, "is not listed"
    got = (c["health"], c["code"])
    assert got == (case.health, case.code), f"{got}, not {(case.health, case.code)}: {c['text']!r}, {c['unit']}"
    assert re.fullmatch(case.text, c["text"]), f"{c['text']!r} is not {case.text!r}"
    assert tuple(c["unit"]["notes"]) == case.notes, c["unit"]["notes"]
    assert c["expect"] == (case.expect or ("auto" if case.wanted else "optional")), c["expect"]


def check_v1(name, u, case, unit):
    assert u, "is not listed"
    assert u["health"] == HEALTH_IN_V1[case.health], u
    sentence = case.sentence.format(u=name, a=unit["active"], s=unit["sub"])
    first, newline, _ = u["output"].partition("\n")
    assert first == sentence, f"{first!r} is not {sentence!r}"
    assert bool(newline) == bool(case.sentence), u["output"]


def check(node, name, case):
    # Both answers of one moment: a unit that restarts all the time changes between two requests.
    c, u = components(node).get(name), units(node).get(name)
    if case.health is None:
        assert not c and not u, f"is listed: {c}"
        return True
    check_v2(c, case)
    check_v1(name, u, case, c["unit"])
    return True


def add_test(name, case):
    def judges(node):
        eventually(lambda: check(node, name, case), every=0.1)

    judges.__name__ = name
    judges.__doc__ = f"judges {name}: " + (f"{case.health}, {case.code}" if case.health else "not listed")
    test(judges)


for case_name, of in CASES.items():
    add_test(case_name, of)


@test
def lists_nothing_else(node):
    "lists every component exactly once, and nothing else"
    expected = sorted(n for n, c in CASES.items() if c.health)
    names = [c["name"] for c in node.get("/system/health/v2/node").json()["components"]]
    assert names == expected, set(names) ^ set(expected)
    assert [u["id"] for u in node.get("/system/health/v1").json()["units"]] == expected


@test
def shows_what_an_alias_means(node):
    "shows an alias under the name of its link, with the unit that it means"
    assert components(node)["ok-alias.service"]["unit"]["id"] == "ok-real.service"


@test
def cleaning_is_unhealthy(node):
    "judges cleaned.service: unhealthy, cleaning"
    node.write_unit("cleaned.service", service(ONESHOT, "RemainAfterExit=no", "StateDirectory=cleaned",
                                               "ExecStart=/bin/true"))
    node.link_unit("dcos.target.wants/cleaned.service", "../cleaned.service")
    node.systemctl("daemon-reload")
    node.systemctl("start", "cleaned.service")
    state = node.root / "var/lib/cleaned"
    for n in range(20000):
        (state / str(n)).touch()
    node.exec("busctl", "call", "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
              "org.freedesktop.systemd1.Manager", "CleanUnit", "sas", "cleaned.service", "1", "state")
    cleaner = eventually(lambda: find_process(node, "(sd-rmrf)"), every=0)
    os.kill(cleaner, signal.SIGSTOP)
    try:
        case = bad("cleaning", r"its directories are being cleaned \(systemctl clean\)", BAD_STATE, None)
        eventually(lambda: check(node, "cleaned.service", case))
    finally:
        os.kill(cleaner, signal.SIGCONT)
    eventually(lambda: check(node, "cleaned.service", good("done", "", None)))


def find_process(node, comm):
    inside = os.readlink(f"/proc/{node.init}/ns/pid")
    for proc in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (proc / "comm").read_text().strip() == comm and os.readlink(proc / "ns/pid") == inside:
                return int(proc.name)
    return None


@test
def says_the_same_at_first_sight(node):
    "judges all of them the same when it sees them for the first time"
    report = json.loads(node.exec("env", "RUNTIME_DIRECTORY=/run/diag", "diag-agentd", "--once").stdout)
    seen = {c["name"]: c for c in report["components"]}
    wrong = []
    for name, case in CASES.items():
        try:
            if case.health:
                check_v2({**seen[name], "unit": {**seen[name]["unit"], "notes": case.notes}}, case)
        except AssertionError as e:
            wrong.append(f"{name}: {e}")
    assert not wrong, "\n".join(wrong)


tap.main(node_with_units)

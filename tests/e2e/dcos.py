"""What a node of a cluster is for: units like those of DC/OS, which all start at once and come up in the order
in which they need each other. Each is a real service that systemd runs; see ./component."""
from pathlib import Path

TARGET = "dcos.target"
BROKEN = 78             # the exit status of a component that is not started again
PROGRAM = Path(__file__).resolve().with_name("component")
_INSIDE = "testbed/component"

# name, title, port, needs
_MASTER = (
    ("exhibitor", "Exhibitor", 8181, ()),
    ("mesos-master", "Mesos Master", 5050, ("zookeeper",)),
    ("mesos-dns", "Mesos DNS", 8123, ("5050",)),
    ("net", "DC/OS Net", 62080, ("8123",)),
    ("marathon", "Marathon", 8080, ("zookeeper", "5050", "8123")),
    ("log-master", "DC/OS Log", None, ()),
    ("bouncer", "Identity and Access Management", 8101, ("zookeeper",)),
    ("adminrouter", "Admin Router", 80, ("8123", "8080", "8101")),
)


def _agent(suffix):
    return (
        ("mesos-slave" + suffix, "Mesos Agent", 5051, ("zookeeper", "master:5050")),
        ("net", "DC/OS Net", 62080, ("master:8123",)),
        ("log-agent", "DC/OS Log", None, ()),
        ("adminrouter-agent", "Admin Router Agent", 61001, ("master:8123",)),
    )


_ROLES = {"master": _MASTER, "agent": _agent(""), "agent_public": _agent("-public")}

_SERVICE = """[Unit]
Description={title}

[Service]
Type=notify
ExecStart=/usr/bin/python3 -I -S /etc/{inside} {name} {words}
Restart=always
RestartSec=1s
RestartPreventExitStatus={broken}
TimeoutStartSec=infinity
StartLimitIntervalSec=0
"""


def _service(name, title, port, needs, masters, zookeeper):
    words = ["--masters", ",".join(masters), "--zookeeper", ",".join(zookeeper)]
    if port:
        words += ["--port", str(port)]
    for need in needs:
        if need != "zookeeper" or zookeeper:
            words += ["--needs", need]
    return _SERVICE.format(name=name, title=title, inside=_INSIDE, words=" ".join(words), broken=BROKEN)


def files(role, masters, zookeeper, more=()):
    """What a node of this role needs below /etc. masters, zookeeper: addresses; more: names of other units
    that it is for."""
    units = {f"dcos-{name}.service": _service(f"dcos-{name}", title, port, needs, masters, zookeeper)
             for name, title, port, needs in _ROLES[role]}
    units["dcos-logrotate.timer"] = "[Unit]\nDescription=Logrotate: when\n[Timer]\nOnActiveSec=1h\n"
    wanted = [*units, *more]
    units["dcos-logrotate.service"] = "[Unit]\nDescription=Logrotate\n[Service]\nType=oneshot\nExecStart=true\n"
    units[TARGET] = "[Unit]\nDescription=Everything that this node is for\n"
    placed = {f"systemd/system/{name}": text for name, text in units.items()}
    placed |= {f"systemd/system/{TARGET}.wants/{name}": Path(f"../{name}") for name in wanted}
    placed[f"systemd/system/multi-user.target.wants/{TARGET}"] = Path(f"../{TARGET}")
    return {**placed, _INSIDE: PROGRAM.read_bytes()}

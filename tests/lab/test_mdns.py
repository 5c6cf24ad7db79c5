"""Names below .local, as Avahi in the gateway's namespace finds them."""

import contextlib
import os
import subprocess
import tempfile
from pathlib import Path

from cluster_support import ClusterTest
from qure_dev.lab import cluster, netns, topology
from qure_dev.paths import ROOT
from qure_dev.process import spawn
from support import SERVICE_V4, Request, until

DBUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={bus}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/>
<allow own="*"/><allow user="*"/></policy></busconfig>
"""
AVAHI = """[server]
host-name=visitor
use-ipv4=yes
use-ipv6=yes
"""
SERVICE = 'ports = "80"'


class Mdns(ClusterTest):
    bus: Path

    @classmethod
    def setUpClass(cls) -> None:
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qure-mdns-")))
        example = (ROOT / "docs/example.toml").read_text()
        assert SERVICE in example
        config = directory / "qure.toml"
        config.write_text(example.replace(SERVICE, f'mdns = "_http._tcp"\ntxt = ["path=/"]\n{SERVICE}', 1))
        cls.request = Request(nodes=3, config=str(config))
        super().setUpClass()
        cls.bus = directory / "bus"
        (directory / "dbus.conf").write_text(DBUS.format(bus=cls.bus))
        (directory / "avahi.conf").write_text(AVAHI)
        gateway = topology.gateway()
        dbus = spawn(["dbus-daemon", f"--config-file={directory}/dbus.conf", "--nofork"], directory / "dbus.log")
        stack.callback(dbus.stop, 5)
        until(cls.bus.exists, 10, "a bus")
        start = f"mount -t tmpfs run /run && exec avahi-daemon -f {directory}/avahi.conf"
        avahi = f"{start} --no-drop-root --no-chroot"
        environment = ["env", f"DBUS_SYSTEM_BUS_ADDRESS=unix:path={cls.bus}"]
        log = directory / "avahi.log"
        daemon = spawn(netns.inside(gateway, *environment, "unshare", "-m", "sh", "-c", avahi), log)
        stack.callback(daemon.stop, 5)
        until(lambda: "startup complete" in log.read_text(), 20, log.read_text)

    def avahi(self, *argv: str) -> str:
        environment = os.environ | {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.bus}"}
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=30, check=False)
        return done.stdout + done.stderr

    def wait_service(self) -> None:
        def found() -> bool:
            lines = self.avahi("avahi-browse", "-rtp", "_http._tcp").splitlines()
            fields = [line.split(";") for line in lines if line.startswith("=")]
            return any(
                (f[3], f[6], f[8], f[9]) == ("home\\032web", "home.local", "80", '"path=/"') and f[7] for f in fields
            )

        until(found, 20, lambda: self.avahi("avahi-browse", "-rtp", "_http._tcp"))

    def wait_name(self, name: str, address: str) -> None:
        until(lambda: address in self.avahi("avahi-resolve", "-4n", name), 20, name)

    def test_nodes_and_cluster_have_names(self) -> None:
        for name in self.names:
            address = topology.node_addresses(int(name.removeprefix("n")))[0].partition("/")[0]
            self.wait_name(f"{name}.local", address)
        self.wait_name("home.local", SERVICE_V4)

    def test_a_service_is_found_under_every_master(self) -> None:
        self.wait_service()
        master = cluster.master(self.before)
        self.lab.node(master).kill()
        self.wait_service()  # what is remembered is still good
        self.whole(*self.others(master))
        self.wait_service()

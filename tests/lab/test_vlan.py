"""A node on a tagged LAN: spoken to frame by frame, because the gateway's kernel may have no VLAN interfaces."""

import socket
import struct
from typing import Any

from qure_dev import frames
from support import GATEWAY_V4, SERVICE_V4, LabTest, Request, until
from wire import Capture, open_raw

VLAN_ID = 7
CLIENT = "02:00:5e:00:53:20"


class Vlan(LabTest):
    request = Request(vlan=VLAN_ID)

    def setUp(self) -> None:
        self.mac = self.node.wait_for(SERVICE_V4, state="held")["mac"]
        self.raw = open_raw("gw", "gw0")
        self.addCleanup(self.raw.close)

    def answer_to(self, frame: bytes, wanted: Any) -> Any:
        with Capture("gw", "gw0") as wire:
            self.raw.send(frame)
            until(
                lambda: any(wanted(seen) for seen in wire.received()), 5, lambda: f"an answer among {wire.received()}"
            )
        return next(seen for seen in wire.received() if wanted(seen))

    def test_arp(self) -> None:
        request = frames.arp(frames.REQUEST, CLIENT, GATEWAY_V4, SERVICE_V4, vlan=VLAN_ID)
        reply = self.answer_to(
            request, lambda seen: seen.is_arp and seen.arp_operation == frames.REPLY and seen.destination == CLIENT
        )
        self.assertEqual((reply.vlan, reply.arp_sender), (VLAN_ID, (self.mac, SERVICE_V4)))

    def test_echo(self) -> None:
        ping = frames.ipv4(GATEWAY_V4, SERVICE_V4, 1, frames.echo_request(9, 9))
        reply = self.answer_to(
            frames.ethernet(self.mac, CLIENT, frames.IPV4, ping, VLAN_ID),
            lambda seen: seen.ethertype == frames.IPV4 and seen.destination == CLIENT,
        )
        self.assertEqual((reply.vlan, reply.source), (VLAN_ID, self.mac))
        self.assertEqual(struct.unpack_from("!B", reply.payload, 20), (0,))
        self.assertEqual(reply.payload[12:16], socket.inet_aton(SERVICE_V4))

    def test_other_tags_are_not_ours(self) -> None:
        for tag in (None, VLAN_ID + 1):
            before = self.counters()
            with Capture("gw", "gw0") as wire:
                self.raw.send(frames.arp(frames.REQUEST, CLIENT, GATEWAY_V4, SERVICE_V4, vlan=tag))
                self.wait_for_counter("vlan_foreign", before["vlan_foreign"])
                self.answer_to(
                    frames.arp(frames.REQUEST, "02:00:5e:00:53:21", GATEWAY_V4, SERVICE_V4, vlan=VLAN_ID),
                    lambda seen: seen.destination == "02:00:5e:00:53:21",
                )
            self.assertEqual([seen for seen in wire.received() if seen.destination == CLIENT], [])

"""What operators type wrong: kinds of bad cluster configurations, each with the line and the key to be named."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support import GATEWAY_V4, SERVICE_V4

MARK = "#!"  # ends the line that is to be named
MOST_BYTES = 262_144  # of what all nodes share
GOOD = f"""[cluster]
name = "home"
gateway = ["{GATEWAY_V4}"]
probe_interval = "150ms"

[[cluster.address]]
address = "{SERVICE_V4}/24"

[[cluster.service]]
name = "web"
protocol = "tcp"
ports = "80"

[[cluster.zone]]
name = "home.example"
ns = ["ns1.home.example"]

[[cluster.zone.record]]
name = "ns1"
type = "A"
value = "{SERVICE_V4}"
"""
_GATEWAY = f'gateway = ["{GATEWAY_V4}"]'
_INTERVAL = 'probe_interval = "150ms"'
_ADDRESS = f'address = "{SERVICE_V4}/24"'
_PORTS = 'ports = "80"'
_PROTOCOL = 'protocol = "tcp"'
_NS = 'ns = ["ns1.home.example"]'
_VALUE = f'value = "{SERVICE_V4}"'
_SERVICE = '[[cluster.service]]\nname = "more"\nprotocol = "tcp"\nports = "81"\n'
_UDP = '[[cluster.service]]\nname = "more"\nprotocol = "udp"\nports = "81"\n'
_RECORD = '[[cluster.zone.record]]\nname = "www"\n'
_REGISTRATION = '[cluster.registration]\nserver = "192.0.2.53"\nzone = "example"\nname = "home1"\n'


@dataclass(frozen=True)
class Kind:
    name: str
    key: str  # that is to be named
    text: bytes

    @property
    def line(self) -> int:
        before, mark, _ = self.text.partition(MARK.encode())
        return before.count(b"\n") + 1 if mark else 1


# Instead of a line of a good configuration, or after the last one: name, key, line, what there is instead.
_INSTEAD = [
    ("quote_left_open", "syntax", _INTERVAL, 'probe_interval = "150ms #!'),
    ("no_equals_sign", "syntax", _INTERVAL, 'probe_interval "150ms" #!'),
    ("value_without_quotes", "syntax", _INTERVAL, "probe_interval = 150ms #!"),
    ("key_twice", "syntax", _INTERVAL, f"{_INTERVAL}\n{_INTERVAL} #!"),
    ("section_as_list_and_plain", "syntax", "", "[cluster.service] #!"),
    ("unknown_key", "cluster.gatway", _GATEWAY, f'gatway = ["{GATEWAY_V4}"] #!'),
    ("no_such_key_mtu", "cluster.mtu", _INTERVAL, "mtu = 9000 #!"),
    ("key_of_the_node", "cluster.weight", _INTERVAL, "weight = 5 #!"),
    ("unknown_section", "clutser", "", '[clutser] #!\ndefault = "drop"'),
    ("unknown_section_below", "cluster.resolvers", "", "[cluster.resolvers] #!\nforward = true"),
    ("word_for_a_boolean", "cluster.preempt", _INTERVAL, 'preempt = "yes" #!'),
    ("string_for_a_list", "cluster.gateway", _GATEWAY, f'gateway = "{GATEWAY_V4}" #!'),
    ("number_in_a_list", "cluster.gateway", _GATEWAY, "gateway = [1] #!"),
    ("value_for_a_section", "cluster.dns", _INTERVAL, "dns = true #!"),
    ("unknown_word", "cluster.default", _INTERVAL, 'default = "reject" #!'),
    ("out_of_range", "cluster.balance.table_size", "", "[cluster.balance]\ntable_size = 100 #!"),
    ("no_prime", "cluster.balance.table_size", "", "[cluster.balance]\ntable_size = 65536 #!"),
    ("time_without_unit", "cluster.probe_interval", _INTERVAL, 'probe_interval = "150" #!'),
    ("time_out_of_range", "cluster.probe_interval", _INTERVAL, 'probe_interval = "5s" #!'),
    ("gateway_no_address", "cluster.gateway", _GATEWAY, 'gateway = ["router.lan"] #!'),
    ("gateway_with_length", "cluster.gateway", _GATEWAY, f'gateway = ["{GATEWAY_V4}/24"] #!'),
    ("gateway_elsewhere", "cluster.gateway", _GATEWAY, 'gateway = ["192.0.2.1"] #!'),
    ("gateway_is_the_service", "cluster.gateway", _GATEWAY, f'gateway = ["{SERVICE_V4}"] #!'),
    ("gateway_is_a_node", "cluster.gateway", _GATEWAY, 'gateway = ["198.51.100.12"] #!'),
    ("two_gateways", "cluster.gateway", _GATEWAY, f'gateway = ["{GATEWAY_V4}", "198.51.100.2"] #!'),
    ("no_address", "cluster.address", f"[[cluster.address]]\n{_ADDRESS}", ""),
    ("address_unsound", "cluster.address.address", _ADDRESS, 'address = "198.51.100.500/24" #!'),
    ("address_without_length", "cluster.address.address", _ADDRESS, f'address = "{SERVICE_V4}" #!'),
    ("address_of_another_length", "cluster.address.address", _ADDRESS, f'address = "{SERVICE_V4}/32" #!'),
    ("address_of_a_wider_length", "cluster.address.address", _ADDRESS, f'address = "{SERVICE_V4}/16" #!'),
    ("address_is_the_network", "cluster.address.address", _ADDRESS, 'address = "198.51.100.0/24" #!'),
    ("address_is_broadcast", "cluster.address.address", _ADDRESS, 'address = "198.51.100.255/24" #!'),
    ("address_is_a_group", "cluster.address.address", _ADDRESS, 'address = "224.0.0.50/24" #!'),
    ("address_of_a_node", "cluster.address.address", _ADDRESS, 'address = "198.51.100.13/24" #!'),
    ("address_twice", "cluster.address.address", "", f"[[cluster.address]]\n{_ADDRESS} #!"),
    ("other_family", "cluster.address.alternatives", _ADDRESS, f'{_ADDRESS}\nalternatives = ["2001:db8::5/64"] #!'),
    ("port_0", "cluster.service.ports", _PORTS, 'ports = "0" #!'),
    ("port_too_high", "cluster.service.ports", _PORTS, 'ports = "65536" #!'),
    ("ports_backwards", "cluster.service.ports", _PORTS, 'ports = "90-80" #!'),
    ("port_as_a_number", "cluster.service.ports", _PORTS, "ports = 80 #!"),
    ("ports_overlap", "cluster.service.ports", "", _SERVICE.replace('"81"', '"79-82" #!')),
    ("port_of_the_names", "cluster.service.ports", "", _UDP.replace('"81"', '"53" #!')),
    ("service_name_twice", "cluster.service.name", "", _SERVICE.replace('"more"', '"web" #!')),
    ("service_name_too_long", "cluster.service.name", "", _SERVICE.replace('"more"', f'"{"x" * 64}" #!')),
    ("service_name_with_blank", "cluster.service.name", "", _SERVICE.replace('"more"', '"my web" #!')),
    ("service_without_name", "cluster.service.name", "", '[[cluster.service]] #!\nprotocol = "tcp"\nports = "81"'),
    ("protocol_unknown", "cluster.service.protocol", _PROTOCOL, 'protocol = "sctp" #!'),
    ("address_not_served", "cluster.service.address", "", f'{_SERVICE}address = "198.51.100.51" #!'),
    ("weight_too_great", "cluster.service.weights.n1", "", f"{_SERVICE}weights = {{ n1 = 256 }} #!"),
    ("weight_of_no_node", "cluster.service.weights.n 1", "", f'{_SERVICE}weights = {{ "n 1" = 2 }} #!'),
    ("check_without_port", "cluster.service.check.port", "", f'{_UDP}check = {{ type = "tcp" }} #!'),
    ("path_of_a_tcp_check", "cluster.service.check.path", "", f'{_SERVICE}check = {{ type = "tcp", path = "/" }} #!'),
    ("check_too_slow", "cluster.service.check.timeout", "", f'{_SERVICE}check = {{ type = "tcp", timeout = "5s" }} #!'),
    ("mdns_of_another_protocol", "cluster.service.mdns", "", f'{_SERVICE}mdns = "_http._udp" #!'),
    ("txt_without_mdns", "cluster.service.txt", "", f'{_SERVICE}txt = ["a=b"] #!'),
    ("txt_too_long", "cluster.service.txt", "", f'{_SERVICE}mdns = "_http._tcp"\ntxt = ["t1={"ä" * 200}"] #!'),
    ("multicast_without_mac", "cluster.service.delivery", _INTERVAL,
     f'service_mac = "interface"\n{_SERVICE}delivery = "multicast" #!'),
    ("zone_without_servers", "cluster.zone.ns", "", '[[cluster.zone]] #!\nname = "b.example"'),
    ("zone_twice", "cluster.zone.name", "", f'[[cluster.zone]]\nname = "home.example" #!\n{_NS}'),
    ("mail_address", "cluster.zone.contact", _NS, f'{_NS}\ncontact = "me@home.example" #!'),
    ("record_type_unknown", "cluster.zone.record.type", "", f'{_RECORD}type = "AAA" #!\n{_VALUE}'),
    ("record_no_address", "cluster.zone.record.value", "", f'{_RECORD}type = "A"\nvalue = "www" #!'),
    ("record_no_data", "cluster.zone.record.value", "", f'{_RECORD}type = "MX"\nvalue = "mail" #!'),
    ("record_outside", "cluster.zone.record.name", "",
     f'{_RECORD}type = "A"\n{_VALUE}'.replace('"www"', '"www.example." #!')),
    ("health_of_no_service", "cluster.zone.record.value", "", f'{_RECORD}type = "CLUSTER"\nvalue = "healthy mail" #!'),
    ("zone_file_missing", "cluster.zone.file", _NS, 'file = "/nowhere/home.zone" #!'),
    ("zone_file_relative", "cluster.zone.file", _NS, 'file = "home.zone" #!'),
    ("zone_file_bad", "cluster.zone.file", _NS, 'file = "{directory}/bad.zone" #!'),
    ("zone_file_without_soa", "cluster.zone.file", _NS, 'file = "{directory}/soa.zone" #!'),
    ("asks_itself", "cluster.resolver.upstreams", "", f'[cluster.resolver]\nupstreams = ["{SERVICE_V4}"] #!'),
    ("open_resolver", "cluster.resolver.clients", "",
     '[cluster.resolver]\nupstreams = ["192.0.2.53"]\nclients = ["0.0.0.0/0"] #!'),
    ("nobody_to_ask", "cluster.resolver.forward", "", "[cluster.resolver]\nforward = true #!"),
    ("key_file_missing", "cluster.registration.key_file", "",
     f'{_REGISTRATION}public = ["203.0.113.5"]\nkey_file = "/nowhere/key" #!'),
    ("key_file_bad", "cluster.registration.key_file", "",
     f'{_REGISTRATION}public = ["203.0.113.5"]\nkey_file = "{{directory}}/bad.key" #!'),
    ("key_left_out", "cluster.registration.key_file", "",
     _REGISTRATION.replace("]", "] #!", 1) + 'public = ["203.0.113.5"]'),
    # How a node finds the others is its own, and left out; typed wrong it is not passed over.
    ("cluster_port_0", "cluster.port", _INTERVAL, "port = 0 #!"),
    ("no_group", "cluster.group", _INTERVAL, 'group = "198.51.100.60" #!'),
    ("key_too_short", "cluster.key", _INTERVAL, 'key = "0123456789abcdef" #!'),
    ("key_and_open", "cluster.key", _INTERVAL, f'security = "open"\nkey = "{"1f" * 32}" #!'),
    ("cluster_name_with_blank", "cluster.name", 'name = "home"', 'name = "my home" #!'),
]  # fmt: skip


def _services(count: int) -> str:
    """The last one is too many."""
    more = [_SERVICE.replace("more", f"s{port}").replace('"81"', f'"{port}"') for port in range(1000, 1000 + count)]
    return "".join([*more[:-1], more[-1].replace("\np", f" {MARK}\np", 1)])


def _addresses(count: int) -> str:
    more = [f'[[cluster.address]]\naddress = "198.51.100.{100 + number}/24"\n' for number in range(count)]
    return "".join([*more[:-1], more[-1].replace("]]", f"]] {MARK}", 1)])


def _instead(directory: Path, old: str, new: str) -> bytes:
    new = new.replace("{directory}", str(directory))
    text = GOOD.replace(old, new, 1) if old else f"{GOOD}{new}\n"
    assert text != GOOD, old
    return text.encode()


def kinds(directory: Path) -> Iterator[Kind]:
    """`directory`: for files that a configuration names."""
    (directory / "bad.zone").write_text(
        "@ 60 IN SOA ns1 hostmaster 1 3600 600 86400 60\n@ 60 IN NS ns1\nwww 60 IN A one\n"
    )
    (directory / "soa.zone").write_text("@ 60 IN NS ns1\n")
    (directory / "bad.key").write_text("hmac-sha256:home1\n")
    for name, key, old, new in _INSTEAD:
        text = _instead(directory, old, new)
        if name == "no_address":  # missed where its section would be
            text = text.replace(b"[cluster]", f"[cluster] {MARK}".encode(), 1)
        yield Kind(name, key, text)
    yield Kind("services_too_many", "cluster.service.name", f"{GOOD}{_services(64)}".encode())
    yield Kind("addresses_too_many", "cluster.address", f"{GOOD}{_addresses(32)}".encode())
    yield Kind("no_utf8", "syntax", f"{GOOD}# caf".encode() + b"\xe9 " + MARK.encode())
    yield Kind("binary", "syntax", b"\x7fELF\x02\x01\x01\0\0\0")
    yield Kind("empty", "cluster.address", b"")
    yield Kind("only_of_the_node", "cluster.address", b'[node]\nname = "n1"\n')
    yield Kind("nothing_but_comments", "cluster.address", b"# nothing\n")
    yield Kind("oversize", "cluster", f"{GOOD}{'#' * MOST_BYTES}\n".encode())
    yield Kind("much_too_long", "cluster", f"{GOOD}{'#' * 8 * MOST_BYTES}\n".encode())
    yield Kind("not_apart", "cluster", b'cluster = { name = "home", default = "drop" }\n')

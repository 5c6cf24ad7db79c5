// Invalid configurations and their errors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "control/base/text.h"
#include "control/config/config_file.h"

namespace qure {
namespace {

// Each line of `toml` with an error ends in "#!", with one more "!" for each further error in it.
struct ErrorCase {
  const char* name;
  const char* toml;
  std::vector<std::string> errors;  // "KEY: FACT … FACT": what the message contains, in this order
};
void PrintTo(const ErrorCase& test, std::ostream* out) {
  *out << test.toml;
}

#define NODE "[node]\nname = \"n1\"\n"
#define LAN "[node.lan]\nport = \"af_packet:eth0\"\n"
#define ADDRESS "[[cluster.address]]\naddress = \"198.51.100.50/24\"\n"
#define ZONE "[[cluster.zone]]\nname = \"a.example\"\nns = [\"ns.a.example\"]\n"
#define RECORD "[[cluster.zone.record]]\nname = \"www\"\n"

std::vector<ErrorCase> NodeCases() {
  return {
      {"UnknownKeyWithSuggestion",
       NODE "log_levl = \"info\" #!\n" LAN ADDRESS,
       {"node.log_levl: unknown key … \"log_level\""}},
      {"UnknownKeyWithoutSuggestion",
       NODE LAN "speed_of_light = 299792458 #!\n" ADDRESS,
       {"node.lan.speed_of_light: unknown key"}},
      {"UnknownSection", NODE LAN ADDRESS "[clutser] #!\n", {"clutser: unknown key … \"cluster\""}},
      {"NameOfWrongType", "[node]\nname = 5 #!\n" LAN ADDRESS, {"node.name: whole number … a string"}},
      {"NameWithSlash",
       "[node]\nname = \"a/b\" #!\n" LAN ADDRESS,
       {"node.name: \"a/b\" … 1 to 63 … \"-\" … \"_\" … \".\""}},
      {"RelativeDirectory",
       NODE "data_directory = \"var\" #!\n" LAN ADDRESS,
       {"node.data_directory: \"var\" … \"/\" … /var/lib/qure"}},
      {"LogLevel",
       NODE "log_level = \"loud\" #!\n" LAN ADDRESS,
       {"node.log_level: \"loud\" … \"debug\" … \"info\" … \"warning\" … \"error\""}},
      {"EmptyLogLevel", NODE "log_level = \"\" #!\n" LAN ADDRESS, {"node.log_level: \"\""}},
      {"MetricsWithoutPort",
       NODE "metrics = \"127.0.0.1\" #!\n" LAN ADDRESS,
       {"node.metrics: \"127.0.0.1\" … 127.0.0.1:9464 … \"\""}},
      {"MetricsWithBarePort", NODE "metrics = \":9464\" #!\n" LAN ADDRESS, {"node.metrics: \":9464\""}},
      {"MetricsPortZero", NODE "metrics = \"127.0.0.1:0\" #!\n" LAN ADDRESS, {"node.metrics: \"127.0.0.1:0\""}},
      {"MetricsWithoutBrackets", NODE "metrics = \"::1:9464\" #!\n" LAN ADDRESS, {"node.metrics: \"::1:9464\""}},
      {"PriorityOutOfRange", NODE "priority = 1001 #!\n" LAN ADDRESS, {"node.priority: 1001 … -1000 to 1000"}},
      {"WeightZero", NODE "weight = 0 #!\n" LAN ADDRESS, {"node.weight: 0 … 1 to 255"}},
      {"WeightTooGreat", NODE "weight = 256 #!\n" LAN ADDRESS, {"node.weight: 256 … 1 to 255"}},
      {"NodeAddressesNotAList",
       NODE "addresses = \"198.51.100.11/24\" #!\n" LAN ADDRESS,
       {"node.addresses: a string … list of strings"}},
  };
}

std::vector<ErrorCase> LanCases() {
  return {
      {"PortMissing", NODE "[node.lan] #!\n" ADDRESS, {"node.lan.port: missing … \"af_packet:eth0\""}},
      {"LanMissing", "[node] #!\nname = \"n1\"\n" ADDRESS, {"node.lan.port: missing"}},
      {"LanNotASection",
       NODE "lan = 1 #!!\n" ADDRESS,
       {"node.lan: whole number … a section … [node.lan]", "node.lan.port: missing"}},
      {"PortKind", NODE "[node.lan]\nport = \"eth0\" #!\n" ADDRESS, {"node.lan.port: "}},
      {"Mode", NODE LAN "mode = \"mixed\" #!\n" ADDRESS, {"node.lan.mode: \"mixed\" … \"dedicated\" … \"shared\""}},
      {"SharedTap",
       NODE "[node.lan]\nport = \"tap:lan0\"\nmode = \"shared\" #!\n" ADDRESS,
       {"node.lan.mode: \"shared\" … af_packet … \"dedicated\""}},
      {"SharedXdp",
       NODE "[node.lan]\nport = \"af_xdp:eth0\"\nmode = \"shared\" #!\n" ADDRESS,
       {"node.lan.mode: \"shared\" … af_xdp … af_packet … \"dedicated\""}},
      {"SharedWithNodeAddresses",
       NODE "addresses = [\"198.51.100.11/24\"] #!\n" LAN "mode = \"shared\"\n" ADDRESS,
       {"node.addresses: \"dedicated\""}},
      {"SharedWithInterfaceMac",
       NODE LAN "mode = \"shared\"\n[cluster]\nservice_mac = \"interface\" #!\n" ADDRESS,
       {"cluster.service_mac: \"interface\" … \"shared\""}},
      {"SharedTakesOver",
       NODE LAN "mode = \"shared\"\ntake_over = true #!\n" ADDRESS,
       {"node.lan.take_over: \"dedicated\""}},
      {"VlanTooHigh", NODE LAN "vlan = 4095 #!\n" ADDRESS, {"node.lan.vlan: 4095 … 0 to 4094"}},
      {"VlanOfWrongType", NODE LAN "vlan = \"7\" #!\n" ADDRESS, {"node.lan.vlan: a string … whole number"}},
      {"HostInterfaceTooLong",
       NODE LAN "host_interface = \"sixteen_letters_\" #!\n" ADDRESS,
       {"node.lan.host_interface: \"sixteen_letters_\""}},
      {"HostInterfaceIsTheLan",
       NODE LAN "host_interface = \"eth0\" #!\n" ADDRESS,
       {"node.lan.host_interface: \"eth0\""}},
  };
}

std::vector<ErrorCase> DpdkCases() {
  return {
      {"NoWorkers", NODE LAN "[node.dpdk]\nworkers = 0 #!\n" ADDRESS, {"node.dpdk.workers: 0 … 1 to 64"}},
      {"CoresForOtherWorkers",
       NODE LAN "[node.dpdk]\nworkers = 2\ncores = [1] #!\n" ADDRESS,
       {"node.dpdk.cores: 1 … 2"}},
      {"CoreNegative", NODE LAN "[node.dpdk]\ncores = [-1] #!\n" ADDRESS, {"node.dpdk.cores: -1 … 0 to 1023"}},
      {"CoreOfWrongType",
       NODE LAN "[node.dpdk]\nworkers = 2\ncores = [0,\n  1,\n \"2\" #!\n]\n" ADDRESS,
       {"node.dpdk.cores: a string … whole number"}},
      {"HugePagesInQuotes",
       NODE LAN "[node.dpdk]\nhuge_pages = \"yes\" #!\n" ADDRESS,
       {"node.dpdk.huge_pages: a string … true or false"}},
  };
}

std::vector<ErrorCase> AddressCases() {
  return {
      {"AddressMissing",
       NODE LAN "[cluster] #!\nname = \"c\"\n",
       {"cluster.address: missing … a section … [[cluster.address]]"}},
      {"AddressAsPlainSection",
       NODE LAN "[cluster.address] #!!\naddress = \"198.51.100.50/24\"\n",
       {"cluster.address: a section … [[cluster.address]]", "cluster.address: missing"}},
      {"AddressWithoutAddress",
       NODE LAN "[[cluster.address]] #!\n",
       {"cluster.address.address: missing … 198.51.100.50/24 … 2001:db8:2::50/64"}},
      {"AddressWithoutLength",
       NODE LAN "[[cluster.address]]\naddress = \"198.51.100.50\" #!\n",
       {"cluster.address.address: \"198.51.100.50\" … 198.51.100.50/24"}},
      {"AddressUnsound",
       NODE LAN "[[cluster.address]]\naddress = \"198.51.100.500/24\" #!\n",
       {"cluster.address.address: \"198.51.100.500/24\""}},
      {"AddressIsNetwork",
       NODE LAN "[[cluster.address]]\naddress = \"198.51.100.0/24\" #!\n",
       {"cluster.address.address: \"198.51.100.0/24\" … network itself"}},
      {"AddressIsBroadcast",
       NODE LAN "[[cluster.address]]\naddress = \"198.51.100.63/26\" #!\n",
       {"cluster.address.address: \"198.51.100.63/26\" … broadcast"}},
      {"AddressIsAnycast",
       NODE LAN "[[cluster.address]]\naddress = \"2001:db8:2::/64\" #!\n",
       {"cluster.address.address: \"2001:db8:2::/64\" … anycast"}},
      {"AddressIsMulticast",
       NODE LAN "[[cluster.address]]\naddress = \"224.0.0.18/24\" #!\n",
       {"cluster.address.address: \"224.0.0.18/24\" … multicast"}},
      {"AddressIsLoopback",
       NODE LAN "[[cluster.address]]\naddress = \"::1/128\" #!\n",
       {"cluster.address.address: \"::1/128\" … loopback"}},
      {"AddressIsLinkLocal",
       NODE LAN "[[cluster.address]]\naddress = \"fe80::1/64\" #!\n",
       {"cluster.address.address: \"fe80::1/64\" … link-local"}},
      {"AddressWithLengthZero",
       NODE LAN "[[cluster.address]]\naddress = \"198.51.100.50/0\" #!\n",
       {"cluster.address.address: \"198.51.100.50/0\" … 0"}},
      {"AddressTwice",
       NODE LAN ADDRESS "[[cluster.address]]\naddress = \"198.51.100.50/25\" #!\n",
       {"cluster.address.address: \"198.51.100.50/25\" … 6"}},
      {"AddressOfTheNode",
       NODE "addresses = [\"198.51.100.50/24\"]\n" LAN "[[cluster.address]]\naddress = \"198.51.100.50/24\" #!\n",
       {"cluster.address.address: \"198.51.100.50/24\" … 3"}},
      {"AlternativeOfOtherFamily",
       NODE LAN ADDRESS "alternatives = [\n\"198.51.100.51/24\",\n\"2001:db8::1/64\" #!\n]\n",
       {"cluster.address.alternatives: \"2001:db8::1/64\" … IPv6 … IPv4"}},
  };
}

std::vector<ErrorCase> ClusterCases() {
  return {
      {"GatewayWithLength",
       NODE LAN "[cluster]\ngateway = [\"198.51.100.1/24\"] #!\n" ADDRESS,
       {"cluster.gateway: \"198.51.100.1/24\" … 198.51.100.1"}},
      {"GatewayElsewhere",
       NODE LAN "[cluster]\ngateway = [\"192.0.2.1\"] #!\n" ADDRESS,
       {"cluster.gateway: 192.0.2.1 … IPv4"}},
      {"GatewayOfOtherFamily",
       NODE LAN "[cluster]\ngateway = [\"2001:db8::1\"] #!\n" ADDRESS,
       {"cluster.gateway: 2001:db8::1 … IPv6"}},
      {"TwoGateways",
       NODE LAN "[cluster]\ngateway = [\"198.51.100.1\", \"198.51.100.2\"] #!\n" ADDRESS,
       {"cluster.gateway: 198.51.100.2 … IPv4 … gateway"}},
      {"GatewayIsOurs",
       NODE LAN "[cluster]\ngateway = [\"198.51.100.50\"] #!\n" ADDRESS,
       {"cluster.gateway: 198.51.100.50 … 8"}},
      {"ServiceMac",
       NODE LAN "[cluster]\nservice_mac = \"mine\" #!\n" ADDRESS,
       {"cluster.service_mac: \"mine\" … \"derived\" … \"interface\""}},
      {"DefaultPolicy",
       NODE LAN "[cluster]\ndefault = true #!\n" ADDRESS,
       {"cluster.default: true or false … a string"}},
      {"ProbeIntervalWithoutUnit",
       NODE LAN "[cluster]\nprobe_interval = \"150\" #!\n" ADDRESS,
       {"cluster.probe_interval: \"150\" … 10ms to 2s … \"150ms\""}},
      {"ProbeIntervalTooLong",
       NODE LAN "[cluster]\nprobe_interval = \"3s\" #!\n" ADDRESS,
       {"cluster.probe_interval: \"3s\" … 10ms to 2s"}},
  };
}

#define KEY15 "00112233445566778899aabbccddee"

std::vector<ErrorCase> NetworkCases() {
  return {
      {"KeyTooShort", NODE LAN "[cluster]\nkey = \"" KEY15 "\" #!\n" ADDRESS, {"cluster.key: 64"}},
      {"KeyTooLong", NODE LAN "[cluster]\nkey = \"" KEY15 KEY15 "001122\" #!\n" ADDRESS, {"cluster.key: 64"}},
      {"KeyWithOtherDigits", NODE LAN "[cluster]\nkey = \"" KEY15 KEY15 "00g1\" #!\n" ADDRESS, {"cluster.key: 64"}},
      {"KeyOfZeros",
       NODE LAN "[cluster]\nkey = \"0000000000000000000000000000000000000000000000000000000000000000\" #!\n" ADDRESS,
       {"cluster.key: 64"}},
      {"KeyOfWrongType", NODE LAN "[cluster]\nkey = 12345 #!\n" ADDRESS, {"cluster.key: whole number … a string"}},
      {"KeyWithoutQuotes", NODE LAN "[cluster]\nkey = 1234567890123456789012345678901234567890 #!\n", {"syntax: "}},
      {"KeyInAnOpenCluster",
       NODE LAN "[cluster]\nsecurity = \"open\"\nkey = \"" KEY15 KEY15 "0011\" #!\n" ADDRESS,
       {"cluster.key: \"open\""}},
      {"JoinIsNoFingerprint",
       NODE LAN "[cluster]\njoin = \"J0NX-34KR\" #!\n" ADDRESS,
       {"cluster.join: \"J0NX-34KR\" … \"any\" … fingerprint"}},
      {"JoinIsNoToken", NODE LAN "[cluster]\njoin = \"Q1-J0NX34KR\" #!\n" ADDRESS, {"cluster.join: no token"}},
      {"JoinBesideAKey",
       NODE LAN "[cluster]\nkey = \"" KEY15 KEY15 "0011\"\njoin = \"any\" #!\n" ADDRESS,
       {"cluster.join: leave out key"}},
      {"JoinInAnOpenCluster",
       NODE LAN "[cluster]\nsecurity = \"open\"\njoin = \"any\" #!\n" ADDRESS,
       {"cluster.join: leave out … security"}},
      {"Security",
       NODE LAN "[cluster]\nsecurity = \"none\" #!\n" ADDRESS,
       {"cluster.security: \"none\" … \"sealed\" … \"open\""}},
      {"ClusterPort", NODE LAN "[cluster]\nport = 0 #!\n" ADDRESS, {"cluster.port: 0 … 1 to 65535"}},
      {"GroupElsewhere",
       NODE LAN "[cluster]\ngroup = \"224.0.0.18\" #!\n" ADDRESS,
       {"cluster.group: \"224.0.0.18\" … 239.0.0.0/8"}},
      {"GroupOfIpv6", NODE LAN "[cluster]\ngroup = \"ff18::1\" #!\n" ADDRESS, {"cluster.group: \"ff18::1\""}},
      {"Preempt", NODE LAN "[cluster]\npreempt = \"yes\" #!\n" ADDRESS, {"cluster.preempt: a string … true or false"}},
  };
}

std::vector<ErrorCase> ServiceCases() {
  return {
      {"ServiceWithoutAnything",
       NODE LAN ADDRESS "[[cluster.service]] #!!!\n",
       {"cluster.service.name: missing", "cluster.service.protocol: missing … \"tcp\" … \"udp\"",
        "cluster.service.ports: missing … \"80\" … \"8000-8010\""}},
      {"ServiceProtocol",
       NODE LAN ADDRESS "[[cluster.service]]\nname = \"a\"\nprotocol = \"sctp\" #!\nports = \"80\"\n",
       {"cluster.service.protocol: \"sctp\" … \"tcp\" … \"udp\""}},
      {"ServicePortsAsNumber",
       NODE LAN ADDRESS "[[cluster.service]]\nname = \"a\"\nprotocol = \"tcp\"\nports = 80 #!\n",
       {"cluster.service.ports: whole number … a string"}},
      {"ServicePortZero",
       NODE LAN ADDRESS "[[cluster.service]]\nname = \"a\"\nprotocol = \"tcp\"\nports = \"0\" #!\n",
       {"cluster.service.ports: \"0\" … 1 to 65535 … \"80\" … \"8000-8010\""}},
      {"ServiceRangeReversed",
       NODE LAN ADDRESS "[[cluster.service]]\nname = \"a\"\nprotocol = \"tcp\"\nports = \"90-80\" #!\n",
       {"cluster.service.ports: \"90-80\""}},
      {"ServicesOverlap",
       NODE LAN ADDRESS "[[cluster.service]]\nname = \"a\"\nprotocol = \"tcp\"\nports = \"80-90\"\n"
                        "[[cluster.service]]\nname = \"b\"\nprotocol = \"udp\"\nports = \"90\"\n"
                        "[[cluster.service]]\nname = \"c\"\nprotocol = \"tcp\"\nports = \"90-91\" #!\n",
       {"cluster.service.ports: overlaps … \"a\""}},
      {"ServiceNameTwice",
       NODE LAN ADDRESS "[[cluster.service]]\nname = \"a\"\nprotocol = \"tcp\"\nports = \"80\"\n"
                        "[[cluster.service]]\nname = \"a\" #!\nprotocol = \"tcp\"\nports = \"81\"\n",
       {"cluster.service.name: \"a\""}},
      {"ServiceAddress",
       NODE LAN ADDRESS
       "[[cluster.service]]\nname = \"a\"\nprotocol = \"tcp\"\nports = \"80\"\naddress = \"198.51.100.77\" #!\n",
       {"cluster.service.address: 198.51.100.77 … [[cluster.address]]"}},
      {"ServiceAddressWithLength",
       NODE LAN ADDRESS
       "[[cluster.service]]\nname = \"a\"\nprotocol = \"tcp\"\nports = \"80\"\naddress = \"198.51.100.50/24\" #!\n",
       {"cluster.service.address: \"198.51.100.50/24\""}},
      {"ServiceCheckWithoutType",
       NODE LAN ADDRESS
       "[[cluster.service]]\nname = \"a\"\nprotocol = \"tcp\"\nports = \"80\"\ncheck = { port = 80 } #!\n",
       {"cluster.service.check.type: missing … \"tcp\" … \"http\""}},
      {"ServiceCheckPath",
       NODE LAN ADDRESS "[[cluster.service]]\nname = \"a\"\nprotocol = \"tcp\"\nports = \"80\"\ncheck = { type = "
                        "\"http\", path = \"up\" } #!\n",
       {"cluster.service.check.path: \"up\""}},
      {"ServiceCheckPathOverTcp",
       NODE LAN ADDRESS "[[cluster.service]]\nname = \"a\"\nprotocol = \"tcp\"\nports = \"80\"\ncheck = { type = "
                        "\"tcp\", path = \"/\" } #!\n",
       {"cluster.service.check.path: \"http\""}},
      {"ServiceCheckTimeout",
       NODE LAN ADDRESS "[[cluster.service]]\nname = \"a\"\nprotocol = \"tcp\"\nports = \"80\"\ncheck = { type = "
                        "\"tcp\", interval = \"1s\", timeout = \"2s\" } #!\n",
       {"cluster.service.check.timeout: interval"}},
      {"ServiceCheckOverUdpWithoutPort",
       NODE LAN ADDRESS
       "[[cluster.service]]\nname = \"a\"\nprotocol = \"udp\"\nports = \"80\"\ncheck = { type = \"tcp\" } #!\n",
       {"cluster.service.check.port: missing"}},
  };
}

std::vector<ErrorCase> ServiceChoiceCases() {
  return {
      {"ServiceAffinity",
       NODE LAN ADDRESS
       "[[cluster.service]]\nname = \"a\"\nprotocol = \"tcp\"\nports = \"80\"\naffinity = \"client\" #!\n",
       {"cluster.service.affinity: \"client\" … \"socket\" … \"address\" … \"adaptive\""}},
      {"ServiceReturn",
       NODE LAN ADDRESS "[[cluster.service]]\nname = \"a\"\nprotocol = \"tcp\"\nports = \"80\"\nreturn = \"nat\" #!\n",
       {"cluster.service.return: \"nat\" … \"direct\" … \"master\""}},
      {"ServiceDelivery",
       NODE LAN ADDRESS
       "[[cluster.service]]\nname = \"a\"\nprotocol = \"tcp\"\nports = \"80\"\ndelivery = \"all\" #!\n",
       {"cluster.service.delivery: \"all\" … \"unicast\" … \"multicast\""}},
      {"ServiceDeliveryShared",
       NODE LAN "mode = \"shared\"\n" ADDRESS
                "[[cluster.service]]\nname = \"a\"\nprotocol = \"tcp\"\nports = \"80\"\ndelivery = \"multicast\" #!\n",
       {"cluster.service.delivery: \"multicast\" … \"shared\" … \"unicast\" … \"dedicated\""}},
      {"ServiceDeliveryInterface",
       NODE LAN "[cluster]\nservice_mac = \"interface\"\n" ADDRESS
                "[[cluster.service]]\nname = \"a\"\nprotocol = \"tcp\"\nports = \"80\"\ndelivery = \"multicast\" #!\n",
       {"cluster.service.delivery: \"multicast\" … \"interface\" … \"unicast\" … \"derived\""}},
      {"ServiceWeight",
       NODE LAN ADDRESS
       "[[cluster.service]]\nname = \"a\"\nprotocol = \"tcp\"\nports = \"80\"\nweights = { n1 = 256 } #!\n",
       {"cluster.service.weights.n1: 256 … 0 to 255"}},
      {"WeightOfNoNode",
       NODE LAN ADDRESS
       "[[cluster.service]]\nname = \"a\"\nprotocol = \"tcp\"\nports = \"80\"\nweights = { \"n 1\" = 2 } #!\n",
       {"cluster.service.weights.n 1: not the name of a node … n1 = 2"}},
  };
}

std::vector<ErrorCase> BalanceCases() {
  return {
      {"BalanceTableSizeNotPrime",
       NODE LAN ADDRESS "[cluster.balance]\ntable_size = 65536 #!\n",
       {"cluster.balance.table_size: 65536 … prime … 65537"}},
      {"BalanceHeavyHitter",
       NODE LAN ADDRESS "[cluster.balance]\nheavy_hitter = 0 #!\n",
       {"cluster.balance.heavy_hitter: 0 … 1 to 1000000"}},
      {"BalanceDrainDeadline",
       NODE LAN ADDRESS "[cluster.balance]\ndrain_deadline = \"500ms\" #!\n",
       {"cluster.balance.drain_deadline: \"500ms\" … 1s to 604800s … \"600s\""}},
  };
}

std::vector<ErrorCase> LiveNameCases() {
  return {
      {"NameForAnUnknownService",
       NODE LAN ADDRESS ZONE RECORD "type = \"CLUSTER\"\nvalue = \"healthy mail\" #!\n",
       {"cluster.zone.record.value: \"mail\" … [[cluster.service]]"}},
      {"NameForNothing",
       NODE LAN ADDRESS ZONE RECORD "type = \"CLUSTER\"\nvalue = \"everything\" #!\n",
       {"cluster.zone.record.value: \"everything\" … \"service\""}},
      {"AliasWithoutTarget",
       NODE LAN ADDRESS ZONE "[[cluster.zone.record]] #!\nname = \"www\"\ntype = \"ALIAS\"\n",
       {"cluster.zone.record.value: missing"}},
      {"AliasBesideCname",
       NODE LAN ADDRESS ZONE RECORD
       "type = \"CNAME\"\nvalue = \"b.example\"\n"
       "[[cluster.zone.record]] #!\nname = \"www\"\ntype = \"ALIAS\"\nvalue = \"b.example\"\n",
       {"cluster.zone.record: \"www.a.example.\" … CNAME"}},
  };
}

std::vector<ErrorCase> ResolverCases() {
  return {
      {"UpstreamIsNone",
       NODE LAN ADDRESS "[cluster.resolver]\nupstreams = [\"dns.example\"] #!\n",
       {"cluster.resolver.upstreams: \"dns.example\" … DNS … \"192.0.2.53\""}},
      {"UpstreamIsOurself",
       NODE LAN ADDRESS "[cluster.resolver]\nupstreams = [\"198.51.100.50:53\"] #!\n",
       {"cluster.resolver.upstreams: \"198.51.100.50:53\""}},
      {"NobodyToForwardTo",
       NODE LAN ADDRESS "[cluster.resolver]\nforward = true #!\n",
       {"cluster.resolver.forward: name server … upstreams"}},
      {"OpenResolver",
       NODE LAN ADDRESS "[cluster.resolver]\nupstreams = [\"192.0.2.53\"]\nclients = [\"0.0.0.0/0\"] #!\n",
       {"cluster.resolver.clients: \"0.0.0.0/0\" … open resolver"}},
      {"ClientsAreNoNetwork",
       NODE LAN ADDRESS "[cluster.resolver]\nclients = [\"lan\"] #!\n",
       {"cluster.resolver.clients: \"lan\" … \"192.168.0.0/16\""}},
  };
}

std::vector<ErrorCase> ZoneCases() {
  return {
      {"ZoneWithoutName",
       NODE LAN ADDRESS "[[cluster.zone]] #!\nns = [\"ns.a.example\"]\n",
       {"cluster.zone.name: missing … \"home.example\""}},
      {"ZoneWithoutServers",
       NODE LAN ADDRESS "[[cluster.zone]] #!\nname = \"a.example\"\n",
       {"cluster.zone.ns: missing … name server"}},
      {"ZoneName",
       NODE LAN ADDRESS "[[cluster.zone]]\nname = \"a..example\" #!\nns = [\"ns.a.example\"]\n",
       {"cluster.zone.name: \"a..example\" … DNS … 1 to 63 … 253"}},
      {"ZoneTwice",
       NODE LAN ADDRESS ZONE "[[cluster.zone]]\nname = \"A.Example.\" #!\nns = [\"ns.a.example\"]\n",
       {"cluster.zone.name: 7"}},
      {"Contact",
       NODE LAN ADDRESS ZONE "contact = \"me@a.example\" #!\n",
       {"cluster.zone.contact: \"me@a.example\" … mail address"}},
      {"Serial",
       NODE LAN ADDRESS ZONE "serial = 4294967296 #!\n",
       {"cluster.zone.serial: 4294967296 … 0 to 4294967295"}},
      {"Ttl", NODE LAN ADDRESS ZONE "ttl = 2147483648 #!\n", {"cluster.zone.ttl: 2147483648 … 0 to 2147483647"}},
      {"RecordTtl",
       NODE LAN ADDRESS ZONE RECORD "type = \"A\"\nvalue = \"198.51.100.50\"\nttl = -1 #!\n",
       {"cluster.zone.record.ttl: -1 … 0 to 2147483647"}},
      {"RecordUnknownKey",
       NODE LAN ADDRESS ZONE RECORD "type = \"A\"\nvalue = \"198.51.100.50\"\ntll = 1 #!\n",
       {"cluster.zone.record.tll: unknown key … \"ttl\""}},
      {"RecordType",
       NODE LAN ADDRESS ZONE RECORD "type = \"ADDRESS\" #!\nvalue = \"198.51.100.50\"\n",
       {"cluster.zone.record.type: \"ADDRESS\" … \"A\" … \"AAAA\" … \"CNAME\""}},
      {"RecordWithoutValue",
       NODE LAN ADDRESS ZONE "[[cluster.zone.record]] #!\nname = \"www\"\ntype = \"A\"\n",
       {"cluster.zone.record.value: missing"}},
      {"RecordValueA",
       NODE LAN ADDRESS ZONE RECORD "type = \"A\"\nvalue = \"2001:db8::1\" #!\n",
       {"cluster.zone.record.value: \"2001:db8::1\" … IPv4 … 198.51.100.50"}},
      {"RecordValueAaaa",
       NODE LAN ADDRESS ZONE RECORD "type = \"AAAA\"\nvalue = \"198.51.100.50\" #!\n",
       {"cluster.zone.record.value: \"198.51.100.50\" … IPv6 … 2001:db8:2::50"}},
      {"RecordOutsideTheZone",
       NODE LAN ADDRESS ZONE
       "[[cluster.zone.record]]\nname = \"www.b.example.\" #!\ntype = \"A\"\nvalue = \"198.51.100.50\"\n",
       {"cluster.zone.record.name: \"www.b.example.\" … outside"}},
      {"RecordOfLookalikeZone",
       NODE LAN ADDRESS ZONE
       "[[cluster.zone.record]]\nname = \"ba.example.\" #!\ntype = \"A\"\nvalue = \"198.51.100.50\"\n",
       {"cluster.zone.record.name: \"ba.example.\" … outside"}},
      {"RecordOfBadData",
       NODE LAN ADDRESS ZONE RECORD "type = \"MX\"\nvalue = \"mail.a.example\" #!\n",
       {"cluster.zone.record.value: \"mail.a.example\""}},
      {"RecordBesideAnAlias",
       NODE LAN ADDRESS ZONE RECORD
       "type = \"A\"\nvalue = \"198.51.100.50\"\n"
       "[[cluster.zone.record]] #!\nname = \"WWW\"\ntype = \"CNAME\"\nvalue = \"a.example\"\n",
       {"cluster.zone.record: \"www.a.example. CNAME\" … CNAME"}},
      {"ZoneFileOfRelativePath",
       NODE LAN ADDRESS "[[cluster.zone]]\nname = \"a.example\"\nfile = \"a.zone\" #!\n",
       {"cluster.zone.file: \"a.zone\""}},
      {"ZoneFileThatIsMissing",
       NODE LAN ADDRESS "[[cluster.zone]]\nname = \"a.example\"\nfile = \"/nowhere/a.zone\" #!\n",
       {"cluster.zone.file: /nowhere/a.zone"}},
      {"ZoneFileAndServers",
       NODE LAN ADDRESS "[[cluster.zone]]\nname = \"a.example\"\nfile = \"/dev/null\" #!\nns = [\"ns.a.example\"] #!\n",
       {"cluster.zone.file: /dev/null … SOA", "cluster.zone.ns: unknown key"}},
  };
}

#define SERVICE "[[cluster.service]]\nname = \"names\"\n"

// A service at the port where the node itself answers would get nothing.
std::vector<ErrorCase> NamePortCases() {
  return {
      {"BesideAZone",
       NODE LAN ADDRESS ZONE SERVICE "protocol = \"udp\"\nports = \"53\" #!\n",
       {"cluster.service.ports: 53 … [[cluster.zone]] … leave 53 out"}},
      {"OverTcpToo",
       NODE LAN ADDRESS ZONE SERVICE "protocol = \"tcp\"\nports = \"53\" #!\n",
       {"cluster.service.ports: 53 … [[cluster.zone]]"}},
      {"InARange",
       NODE LAN ADDRESS SERVICE "protocol = \"udp\"\nports = \"50-60\" #!\n" ZONE,
       {"cluster.service.ports: 53 … [[cluster.zone]]"}},
      {"AtOneAddress",
       NODE LAN ADDRESS ZONE SERVICE "protocol = \"udp\"\nports = \"53\" #!\naddress = \"198.51.100.50\"\n",
       {"cluster.service.ports: 53 … [[cluster.zone]]"}},
      {"BesideAForwarder",
       NODE LAN ADDRESS SERVICE
       "protocol = \"udp\"\nports = \"53\" #!\n[cluster.resolver]\nupstreams = [\"192.0.2.53\"]\nforward = true\n",
       {"cluster.service.ports: 53 … cluster.resolver.forward"}},
      {"BesideLocalNames",
       NODE LAN ADDRESS SERVICE "protocol = \"udp\"\nports = \"53\" #!\n[cluster.dns]\nlocal_names = true\n",
       {"cluster.service.ports: 53 … cluster.dns.local_names"}},
  };
}

std::vector<ErrorCase> OtherCases() {
  return {
      {"Syntax", "[node]\nname = #!\n", {"syntax: "}},
      {"KeyTwice", "[node]\nname = \"a\"\nname = \"b\" #!\n", {"syntax: "}},
      {"SeveralAtOnce",
       NODE "log_level = 3 #!\n[node.lan]\nport = \"af_packet:eth0\"\nvlan = 5000 #!\n" ADDRESS
            "[cluster]\nname = \"\" #!\ngatway = [] #!\n",
       {"node.log_level: whole number", "node.lan.vlan: 5000", "cluster.name: \"\"",
        "cluster.gatway: unknown key … \"gateway\""}},
  };
}

std::vector<std::string> Lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// The numbers of the marked lines, each as often as it has errors.
std::vector<size_t> MarkedLines(std::string_view toml) {
  std::vector<size_t> marked;
  const std::vector<std::string> lines = Lines(toml);
  for (size_t i = 0; i < lines.size(); ++i) {
    const size_t mark = lines[i].find("#!");
    if (mark != std::string::npos) marked.insert(marked.end(), lines[i].size() - mark - 1, i + 1);
  }
  return marked;
}

// Whether the text contains the facts, which "…" separates.
bool HasInOrder(std::string_view text, std::string_view facts) {
  constexpr std::string_view kBetween = " … ";
  while (!facts.empty()) {
    const std::string_view fact = facts.substr(0, facts.find(kBetween));
    facts.remove_prefix(std::min(fact.size() + kBetween.size(), facts.size()));
    const size_t at = text.find(fact);
    if (at == text.npos) return false;
    text.remove_prefix(at + fact.size());
  }
  return true;
}

class ConfigErrorTest : public testing::TestWithParam<ErrorCase> {};
class FieldB6 : public testing::TestWithParam<ErrorCase> {};

void CheckErrors(const ErrorCase& test) {
  const absl::Status status = ParseConfig(test.toml, "qure.toml").status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  const std::vector<std::string> errors = Lines(std::string(status.message()));
  const std::vector<size_t> lines = MarkedLines(test.toml);
  ASSERT_EQ(lines.size(), test.errors.size());
  ASSERT_EQ(errors.size(), test.errors.size()) << status;
  for (size_t i = 0; i < errors.size(); ++i) {
    const size_t key = test.errors[i].find(": ") + 2;
    const std::string begin = "qure.toml:" + std::to_string(lines[i]) + ": " + test.errors[i].substr(0, key);
    EXPECT_THAT(errors[i], testing::StartsWith(begin));
    EXPECT_TRUE(HasInOrder(errors[i], test.errors[i].substr(key))) << errors[i] << "\n" << test.errors[i];
    EXPECT_THAT(errors[i], testing::HasSubstr("; ")) << "no remedy";
  }
}

TEST_P(ConfigErrorTest, NamesFileLineKeyReasonAndRemedy) {
  CheckErrors(GetParam());
}

TEST_P(FieldB6, AServiceAtThePortOfTheNamesIsAnError) {
  CheckErrors(GetParam());
}

std::string NameOfCase(const testing::TestParamInfo<ErrorCase>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Node, ConfigErrorTest, testing::ValuesIn(NodeCases()), NameOfCase);
INSTANTIATE_TEST_SUITE_P(Lan, ConfigErrorTest, testing::ValuesIn(LanCases()), NameOfCase);
INSTANTIATE_TEST_SUITE_P(Dpdk, ConfigErrorTest, testing::ValuesIn(DpdkCases()), NameOfCase);
INSTANTIATE_TEST_SUITE_P(Address, ConfigErrorTest, testing::ValuesIn(AddressCases()), NameOfCase);
INSTANTIATE_TEST_SUITE_P(Cluster, ConfigErrorTest, testing::ValuesIn(ClusterCases()), NameOfCase);
INSTANTIATE_TEST_SUITE_P(Network, ConfigErrorTest, testing::ValuesIn(NetworkCases()), NameOfCase);
INSTANTIATE_TEST_SUITE_P(Balance, ConfigErrorTest, testing::ValuesIn(BalanceCases()), NameOfCase);
INSTANTIATE_TEST_SUITE_P(ServiceChoice, ConfigErrorTest, testing::ValuesIn(ServiceChoiceCases()), NameOfCase);
INSTANTIATE_TEST_SUITE_P(Service, ConfigErrorTest, testing::ValuesIn(ServiceCases()), NameOfCase);
INSTANTIATE_TEST_SUITE_P(Zone, ConfigErrorTest, testing::ValuesIn(ZoneCases()), NameOfCase);
INSTANTIATE_TEST_SUITE_P(Resolver, ConfigErrorTest, testing::ValuesIn(ResolverCases()), NameOfCase);
INSTANTIATE_TEST_SUITE_P(LiveName, ConfigErrorTest, testing::ValuesIn(LiveNameCases()), NameOfCase);
INSTANTIATE_TEST_SUITE_P(NamePort, FieldB6, testing::ValuesIn(NamePortCases()), NameOfCase);
INSTANTIATE_TEST_SUITE_P(Other, ConfigErrorTest, testing::ValuesIn(OtherCases()), NameOfCase);

// Whatever is wrong with it, the log shows no digit of the key.
TEST(ConfigSecretTest, NoErrorShowsAKey) {
  const std::string digits = "1234567890123456789012345678901234567890";
  for (const std::string& key :
       {"\"" + digits + "\"", digits, "[\"" + digits + "\"]", "\"" + digits, digits + "abcd"}) {
    const absl::Status status = ParseConfig(NODE LAN ADDRESS "[cluster]\nkey = " + key + "\n", "qure.toml").status();
    EXPECT_FALSE(status.ok()) << key;
    EXPECT_THAT(std::string(status.message()), testing::Not(testing::HasSubstr("12345678"))) << key;
  }
}

TEST(FieldD9, MetricsOverIpv6AreRefusedWithTheReason) {
  const absl::Status status = ParseConfig(NODE "metrics = \"[::1]:9464\"\n" LAN ADDRESS, "qure.toml").status();
  EXPECT_THAT(std::string(status.message()),
              testing::AllOf(testing::StartsWith("qure.toml:3: node.metrics: \"[::1]:9464\""),
                             testing::HasSubstr("no IPv6"), testing::HasSubstr("127.0.0.1:9464")));
}

std::string WithServiceAddresses(int count) {
  std::string toml = NODE LAN;
  for (int i = 1; i <= count; ++i)
    toml += "[[cluster.address]]\naddress = \"198.51.100." + std::to_string(i) + "/24\"\n";
  return toml;
}

constexpr std::string_view kNodeOfLan = "[node]\nname = \"n1\"\naddresses = [\"198.51.100.11/24\"]\n";

// An operator's habit from other programs: the service address as a host route beside the node's own LAN address.
TEST(FieldA6, AServiceAddressHasTheLengthOfTheLinkThatItIsOn) {
  const auto errors = [](std::string_view node, std::string_view cluster) {
    return std::string(ParseConfig(Concat(node, LAN, cluster), "qure.toml").status().message());
  };
  constexpr std::string_view kAlone = "[[cluster.address]]\naddress = \"198.51.100.50/32\"\n";
  constexpr std::string_view kGateway = "[cluster]\ngateway = [\"198.51.100.1\"]\n";
  const auto names_the_length = [](std::string_view place, std::string_view remedy) {
    return testing::AllOf(testing::StartsWith(place), testing::HasSubstr(remedy),
                          testing::Not(testing::HasSubstr("\n")));
  };
  EXPECT_THAT(errors(kNodeOfLan, kAlone),
              names_the_length("qure.toml:7: cluster.address.address: ", "write 198.51.100.50/24"));
  EXPECT_THAT(errors(kNodeOfLan, Concat(kGateway, kAlone)),
              names_the_length("qure.toml:9: cluster.address.address: ", "write 198.51.100.50/24"));
  EXPECT_THAT(errors(kNodeOfLan, "[[cluster.address]]\naddress = \"198.51.100.50/25\"\n"),
              names_the_length("qure.toml:7: cluster.address.address: ", "write 198.51.100.50/24"));
  EXPECT_THAT(errors("[node]\nname = \"n1\"\naddresses = [\"198.51.100.11/32\"]\n", ADDRESS),
              names_the_length("qure.toml:3: node.addresses: ", "write 198.51.100.11/24"));
  EXPECT_THAT(errors(NODE, ADDRESS "alternatives = [\"198.51.100.51/32\"]\n"),
              names_the_length("qure.toml:7: cluster.address.alternatives: ", "write 198.51.100.51/24"));
  EXPECT_THAT(errors("[node]\naddresses = [\"2001:db8:2::11/64\"]\n",
                     "[[cluster.address]]\naddress = \"2001:db8:2::50/128\"\n"),
              names_the_length("qure.toml:6: cluster.address.address: ", "write 2001:db8:2::50/64"));
  // Shared mode: the node's addresses are the kernel's.
  EXPECT_THAT(errors(NODE, Concat("mode = \"shared\"\n", kAlone)),
              names_the_length("qure.toml:7: cluster.address.address: ", "/24"));
}

TEST(FieldA6, AnAddressOfNoLinkIsRoutedByTheGateway) {
  const auto valid = [](std::string_view text) { return ParseConfig(text, "qure.toml").status(); };
  EXPECT_TRUE(valid(Concat(kNodeOfLan, LAN, "[cluster]\ngateway = [\"198.51.100.1\"]\n",
                           "[[cluster.address]]\naddress = \"203.0.113.5/32\"\n"))
                  .ok());
  EXPECT_TRUE(valid(NODE LAN "[cluster]\ngateway = [\"fe80::1\"]\n"
                             "[[cluster.address]]\naddress = \"2001:db8:2::50/128\"\n")
                  .ok());
}

TEST(ConfigLimitTest, TakesTheMostServiceAddressesAndNoMore) {
  EXPECT_TRUE(ParseConfig(WithServiceAddresses(32), "qure.toml").ok());
  EXPECT_THAT(std::string(ParseConfig(WithServiceAddresses(33), "qure.toml").status().message()),
              testing::AllOf(testing::StartsWith("qure.toml:69: cluster.address: "), testing::HasSubstr("32 IPv4")));
}

TEST(ConfigLimitTest, RefusesATextThatNoAnswerHolds) {
  const std::string toml =
      std::string(NODE LAN ADDRESS ZONE RECORD) + "type = \"TXT\"\nvalue = \"" + std::string(1025, 'x') + "\"\n";
  EXPECT_THAT(
      std::string(ParseConfig(toml, "qure.toml").status().message()),
      testing::AllOf(testing::StartsWith("qure.toml:13: cluster.zone.record.value: "), testing::HasSubstr("1024")));
}

// A text with half a character at its end reaches no other node.
TEST(ConfigLimitTest, ShowsNoPartOfACharacter) {
  std::string umlauts = "n=";
  for (int i = 0; i < 200; ++i) umlauts += "ä";
  const std::string service = "[[cluster.service]]\nname = \"a\"\nprotocol = \"tcp\"\nports = \"80\"\n";
  for (const std::string& text : {umlauts, "x" + umlauts}) {
    const std::string toml =
        absl::StrCat(NODE LAN ADDRESS, service, "mdns = \"_http._tcp\"\ntxt = [\n\"a=b\",\n\"", text, "\"]\n");
    const std::string error(ParseConfig(toml, "qure.toml").status().message());
    EXPECT_THAT(error, testing::StartsWith("qure.toml:14: cluster.service.txt: \"" + text.substr(0, 8)));
    EXPECT_THAT(error, testing::HasSubstr("ä\" is not possible; "));
  }
}

TEST(ConfigLimitTest, RefusesANameThatIsTooLongTogetherWithItsZone) {
  const std::string label(63, 'x');
  const std::string name = label + "." + label + "." + label + "." + std::string(55, 'y');
  const std::string toml = std::string(NODE LAN ADDRESS ZONE "[[cluster.zone.record]]\nname = \"") + name +
                           "\"\ntype = \"A\"\nvalue = \"198.51.100.50\"\n";
  EXPECT_THAT(
      std::string(ParseConfig(toml, "qure.toml").status().message()),
      testing::AllOf(testing::StartsWith("qure.toml:11: cluster.zone.record.name: "), testing::HasSubstr("too long")));
}

}  // namespace
}  // namespace qure

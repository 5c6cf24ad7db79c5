// What the operator wants, parsed and checked: plain values with their defaults. How it is written in a file is
// the business of control/config.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/core/admission/auto_admit.h"
#include "control/core/admission/codes.h"
#include "control/core/cluster/identity.h"
#include "proto/balance.h"
#include "proto/dns/authority.h"
#include "proto/dns/tsig.h"
#include "proto/dns/zone.h"
#include "proto/dns/zone_builder.h"
#include "proto/log_level.h"
#include "proto/net/address.h"
#include "proto/net/endpoint.h"
#include "proto/services.h"
#include "proto/time.h"

namespace qure {

enum class LanMode : uint8_t {
  kDedicated,  // the NIC is ours; the kernel sees the LAN only through the host port
  kShared,     // the kernel keeps the interface; only service addresses are on the host port
};
enum class ServiceMac : uint8_t {
  kDerived,    // from cluster and address: takeover moves a switch entry, not an ARP entry
  kInterface,  // the LAN port's own: for links that refuse other MACs
};
enum class DefaultPolicy : uint8_t { kLocal, kDrop };

// This machine. A change needs a restart, except for log_level.
struct NodeConfig {
  std::string name;  // host name by default
  std::string data_directory = "/var/lib/qure";
  std::string control_socket = "/run/qure/qured.sock";
  std::string metrics = "127.0.0.1:9464";  // HOST:PORT, "" for none
  LogLevel log_level = LogLevel::kInfo;
  int32_t priority = 0;             // rank for mastership: higher first
  uint32_t weight = 1;              // then this, 1 to 255
  std::vector<IpPrefix> addresses;  // of the node itself on the host port (dedicated mode)

  std::string lan_port;  // "af_packet:eth0" …, see proto/port_spec.h
  LanMode lan_mode = LanMode::kDedicated;
  bool take_over = false;  // dedicated mode: the interface's addresses and routes move to the host port
  uint16_t vlan = 0;
  std::string host_interface = "qure0";

  unsigned workers = 1;
  std::vector<unsigned> cores;
  bool huge_pages = false;
  unsigned memory_mib = 128;
  uint32_t flows = 262'144;  // room in each worker's flow table
  std::string file_prefix;   // "qure-NAME" by default

  friend bool operator==(const NodeConfig&, const NodeConfig&) = default;
};

// One service address: the first candidate that is free is taken.
struct AddressConfig {
  std::vector<IpPrefix> candidates;  // never empty, all of one family
  friend bool operator==(const AddressConfig&, const AddressConfig&) = default;
};

enum class ReturnPath : uint8_t {
  kDirect,  // the owner answers the gateway by itself, from its node MAC
  kMaster,  // by way of the master, from the service MAC: for gateways that bind an address to one MAC
};

enum class ServiceDelivery : uint8_t {
  kUnicast,    // the gateway sends to the master, which sends on to the owners
  kMulticast,  // the gateway sends to all nodes, and each takes its share
};

// How a node finds out whether its own part of a service works. A service without a check is taken to work.
struct HealthCheck {
  enum class Kind : uint8_t { kNone, kTcp, kHttp };
  Kind kind = Kind::kNone;
  uint16_t port = 0;  // 0: the first port of the service
  std::string path = "/";
  uint16_t status = 200;
  Duration interval = Seconds(1);
  Duration timeout = Milliseconds(500);
  uint32_t rise = 2;  // successes in a row until it works
  uint32_t fall = 2;  // failures in a row until it does not
  bool reach = true;  // of a service over TCP: looks whether its first port lets in what comes as clients' packets do
  friend bool operator==(const HealthCheck&, const HealthCheck&) = default;
};

struct ServiceConfig {
  std::string name;
  uint8_t protocol = 6;  // TCP or UDP
  uint16_t first_port = 0;
  uint16_t last_port = 0;
  std::optional<IpAddress> address;  // the only service address that it is served at; absent: all of them
  Affinity affinity = Affinity::kSocket;
  ReturnPath return_path = ReturnPath::kDirect;
  ServiceDelivery delivery = ServiceDelivery::kUnicast;
  HealthCheck check;
  std::string mdns;              // DNS-SD type (RFC 6763 §7) like "_http._tcp"; empty: not published by mDNS
  std::vector<std::string> txt;  // strings of its TXT record, KEY=VALUE
  std::map<std::string, uint32_t> weights;  // by node name, 0 to 255; absent: NodeConfig::weight
  friend bool operator==(const ServiceConfig&, const ServiceConfig&) = default;
};
inline constexpr size_t kMaxServices = 64;

// A name whose addresses are not in the configuration but follow from what the node knows.
struct LiveRecord {
  enum class From : uint8_t {
    kServiceAddresses,
    kThisNode,  // who answers
    kHealthy,   // the nodes at which service `argument` works
    kPublic,    // the cluster's public addresses
    kAlias,     // the addresses of the name `argument`, in lower-case wire form
  };
  std::string name;  // lower-case wire form
  uint32_t ttl = 0;  // seconds; at most
  From from = From::kServiceAddresses;
  std::string argument;
  bool rotate = false;  // else sorted
};

// A zone with such names, for building it again and again.
struct LiveZone {
  DnsZoneBuilder base;  // all other records
  std::vector<LiveRecord> live;
};

// What the configuration itself says about the beginning of a zone (RFC 1035 §3.3.13). Names are absolute, as text.
struct ZoneSoa {
  std::string primary;
  std::string contact;
  uint32_t serial = 1;
  uint32_t refresh = 3600;
  uint32_t retry = 600;
  uint32_t expire = 86'400;
  uint32_t minimum = 60;
  std::vector<std::string> ns;
  friend bool operator==(const ZoneSoa&, const ZoneSoa&) = default;
};

// A record in the configuration itself, as it is written.
struct ZoneRecord {
  std::string name;
  std::string type;
  std::string value;
  uint32_t ttl = 0;
  std::optional<bool> rotate;  // of the types that have an order
  friend bool operator==(const ZoneRecord&, const ZoneRecord&) = default;
};

struct ZoneConfig {
  std::string file;                      // empty: its records are in the configuration itself
  std::shared_ptr<const DnsZone> zone;   // live names fail in it
  std::shared_ptr<const LiveZone> live;  // null: it has none
  // As it is written, to be shown.
  uint32_t ttl = 60;
  std::optional<ZoneSoa> soa;                              // absent: it is in the file
  std::shared_ptr<const std::vector<ZoneRecord>> records;  // may be many, so that copies share them; null: none
  friend bool operator==(const ZoneConfig&, const ZoneConfig&) = default;
};

// Names that lead to the cluster at a main DNS server, kept there by UPDATE (RFC 2136). All names: wire form, lower
// case.
struct RegistrationConfig {
  bool enabled = true;  // false: what the cluster has registered is taken away
  Endpoint server;
  std::string zone;
  std::string name;                 // the cluster's own, within the zone
  std::string shared;               // of many clusters, each with its addresses in one set; empty: none
  uint32_t ttl = 60;                // seconds, of all records
  Duration refresh = Seconds(600);  // between two looks whether all is still there
  std::string key_file;
  TsigKey key;
  std::vector<IpAddress> addresses;  // public ones; empty: those that `echo` sees
  std::vector<Endpoint> echo;        // servers that answer a client with its own address
  std::string echo_name;             // the name to ask them for
  friend bool operator==(const RegistrationConfig&, const RegistrationConfig&) = default;
};
inline constexpr size_t kMaxPublicAddresses = 8;

enum class Security : uint8_t {
  kSealed,  // with the cluster's key; without any key the node speaks to no other
  kOpen,    // with a key that everyone knows: anybody on the LAN can join and lead
};

// By which cluster this node may be taken in while it has no key.
struct JoinConfig {
  std::optional<admission::Fingerprint> cluster;  // absent: any whose operator names this node …
  bool any_name = false;                          // … of this name, unless this
  std::optional<admission::Token> token;          // the cluster that opened it takes this node in without a command
  friend bool operator==(const JoinConfig&, const JoinConfig&) = default;
};

// How nodes find and believe each other. A change of port or group needs a restart.
struct ClusterNetwork {
  Security security = Security::kSealed;
  std::optional<std::array<uint8_t, 32>> key;  // the first one; later ones come by `qurectl key`
  std::optional<JoinConfig> join;              // absent: a node without a key is in no cluster, and serves alone
  uint16_t port = 7873;
  std::optional<Ipv4Address> group;  // default: derived from the cluster's name, in 239.192.0.0/14 (RFC 2365 §6.2)
  bool gateway_required = false;     // only a node that reaches the gateway leads
  bool preempt = false;              // a node of higher priority takes over from a healthy master
  friend bool operator==(const ClusterNetwork&, const ClusterNetwork&) = default;
};

// Names that others know: for aliases, and for hosts of the LAN that ask for more than the cluster's own.
struct ResolverConfig {
  std::vector<Endpoint> upstreams;
  bool forward = false;                   // `clients` may ask for names that are not ours
  std::vector<IpPrefix> clients;          // empty: the networks of the service addresses
  uint32_t cache_entries = 10'000;        // at most
  Duration stale = Seconds(3600);         // how long what is known is used when no server answers (RFC 8767)
  Duration timeout = Milliseconds(1000);  // of one upstream
  friend bool operator==(const ResolverConfig&, const ResolverConfig&) = default;
};

// How DNS is answered at the service addresses.
struct DnsConfig {
  // `.localcluster` and reverse names of the cluster's own addresses are answered; absent: if any zone is.
  std::optional<bool> local_names;
  DnsRateLimit limit;      // of each worker
  uint32_t log_every = 0;  // log every Nth query; 0: none
  friend bool operator==(const DnsConfig&, const DnsConfig&) = default;
};

// Whether names below .local are published by Multicast DNS.
struct MdnsConfig {
  bool enabled = true;
  friend bool operator==(const MdnsConfig&, const MdnsConfig&) = default;
};

// What all nodes of the cluster have in common. Reloadable as a whole.
struct ClusterConfig {
  std::string name = "qure";
  std::optional<ClusterId> drawn_id;  // by who began the cluster with `init`; absent: the id follows from the name
  ClusterId id() const { return drawn_id ? *drawn_id : ClusterIdFromName(name); }
  std::vector<IpAddress> gateways;  // at most one per family
  ServiceMac service_mac = ServiceMac::kDerived;
  std::vector<AddressConfig> addresses;
  std::vector<ServiceConfig> services;
  uint32_t table_size = kLookupTableSize;  // of the Maglev lookup tables; prime
  uint32_t heavy_hitter = 250;  // new flows of one remote address in kHeavyHitterWindow that make it a heavy hitter
  std::optional<Duration> drain_deadline;  // of drains that name none; absent: until their flows have ended
  DefaultPolicy default_policy = DefaultPolicy::kLocal;
  std::vector<ZoneConfig> zones;
  DnsConfig dns;
  ResolverConfig resolver;
  std::optional<RegistrationConfig> registration;
  MdnsConfig mdns;
  ClusterNetwork network;
  admission::AutoAdmit auto_admit = admission::AutoAdmit::kOff;
  uint64_t digest = 0;  // of what a file says about the cluster, but for secrets; 0: it is not from a file
  Duration probe_interval = Milliseconds(150);  // between RFC 5227 probes; the RFC's own value is 1 to 2 s
};

struct Config {
  NodeConfig node;
  ClusterConfig cluster;
};

}  // namespace qure

#include "tests/support/harness.h"

#include <algorithm>

#include "proto/dns/zone_builder.h"

namespace qure::testing {

namespace {

std::string Text(const Bytes& bytes) {
  return {bytes.begin(), bytes.end()};
}

std::shared_ptr<const DnsAuthority> SiteZone() {
  const auto name = [](const char* text) { return Text(WireName(text)); };
  DnsZoneBuilder builder(name("home.example"), 0);
  const Bytes soa =
      Concat({WireName("ns1.home.example"), WireName("hostmaster.home.example"), {0,  0, 0, 1,  0,   0, 14, 16, 0, 0, 2,
                                                                                  88, 0, 1, 81, 128, 0, 0,  0,  30}});
  builder.Add({name("home.example"), kDnsTypeSoa, 60, Text(soa)});
  builder.Add({name("home.example"), kDnsTypeNs, 60, name("ns1.home.example")});
  builder.Add({name("ns1.home.example"), kDnsTypeA, 60, Text({198, 51, 100, 50})});
  builder.Add({name("www.home.example"), kDnsTypeA, 60, Text({198, 51, 100, 50})});
  builder.Add(
      {name("www.home.example"), kDnsTypeAaaa, 60, Text(Bytes(kService6.bytes.begin(), kService6.bytes.end()))});
  builder.Add({name("www.home.example"), kDnsTypeTxt, 300, Text({2, 'h', 'i'})});
  builder.Add({name("deep.ent.home.example"), kDnsTypeA, 60, Text({192, 0, 2, 1})});
  builder.Add({name("alias.home.example"), kDnsTypeCname, 60, name("www.home.example")});
  builder.Add({name("lost.home.example"), kDnsTypeCname, 60, name("nowhere.home.example")});
  builder.Add({name("away.home.example"), kDnsTypeCname, 60, name("www.elsewhere.example")});
  builder.Add({name("ring.home.example"), kDnsTypeCname, 60, name("gnir.home.example")});
  builder.Add({name("gnir.home.example"), kDnsTypeCname, 60, name("ring.home.example")});
  builder.Add({name("*.apps.home.example"), kDnsTypeCname, 60, name("alias.home.example")});
  builder.Add({name("branch.home.example"), kDnsTypeNs, 60, name("ns.branch.home.example")});
  builder.Add({name("ns.branch.home.example"), kDnsTypeA, 60, Text({192, 0, 2, 53})});
  for (int i = 0; i < 8; ++i) {
    builder.Add(
        {name("big.home.example"), kDnsTypeTxt, 60, Text(Concat({{250}, Bytes(250, static_cast<uint8_t>('a' + i))}))});
  }
  builder.AddFailing(name("unknown.home.example"));
  builder.Add({name("lame.home.example"), kDnsTypeCname, 60, name("unknown.home.example")});
  for (uint8_t host = 1; host <= 3; ++host) {
    builder.Add({name("turns.home.example"), kDnsTypeA, 60, Text({198, 51, 100, host})});
  }
  builder.Rotate(name("turns.home.example"));
  builder.Add({name("by.home.example"), kDnsTypeCname, 60, name("turns.home.example")});
  builder.AddName(name("address.home.example"));
  DnsZoneBuilder about(name("server"), 0, kDnsClassChaos);
  about.Add({name("server"), kDnsTypeSoa, 0, Text(soa)});
  about.Add({name("id.server"), kDnsTypeTxt, 0, Text({2, 'n', '1'})});
  return std::make_shared<const DnsAuthority>(
      DnsAuthority{.zones = DnsZones({std::make_shared<const DnsZone>(builder.Build())}),
                   .about = DnsZones({std::make_shared<const DnsZone>(about.Build())}),
                   .echo = DnsNameBuffer(std::string_view(name("address.home.example"))),
                   .nsid = "n1",
                   .cookie_secrets = {kCookieSecret}});
}

// `site` may have been changed by hand; `port` has what a port says of the frame.
Outcome ProcessFrame(const Snapshot& site, const WorkerMemory& memory, Direction direction, const Bytes& frame,
                     Frame port) {
  std::vector<uint8_t> buffer(kHeadroom + kRoom);
  std::copy(frame.begin(), frame.end(), buffer.begin() + kHeadroom);
  port.data = buffer.data() + kHeadroom;
  port.length = static_cast<uint16_t>(frame.size());
  port.headroom = kHeadroom;
  port.tailroom = static_cast<uint16_t>(kRoom - frame.size());
  Batch batch;
  batch.count = 1;
  batch.frames[0] = port;
  Snapshot snapshot = site;
  snapshot.IndexMacs();
  if (direction == Direction::kFromLan) {
    ProcessLan(snapshot, memory, &batch);
  } else {
    ProcessHost(snapshot, memory, &batch);
  }
  const Frame& out = batch.frames[0];
  return {batch.reasons[0], Bytes(out.data, out.data + out.length),
          std::vector<Event>(batch.events.begin(), batch.events.begin() + static_cast<ptrdiff_t>(batch.event_count))};
}

}  // namespace

Snapshot SiteSnapshot() {
  Snapshot snapshot;
  snapshot.revision = 1;
  snapshot.unix_at_zero = kUnixTime;
  snapshot.lan_mac = kLanMac;
  snapshot.node_mac = kNodeMac;
  snapshot.node_mac_hop1 = kNodeMacHop1;
  snapshot.own_addresses = {kNode4};
  snapshot.question_mac = kNodeMac;
  snapshot.question_address = kNode4;
  snapshot.addresses_v4 = {{kService4, kServiceMac4, true, 1}, {kIdle4, kIdleMac4, false, 2}};
  snapshot.addresses_v6 = {{kService6, kServiceMac6, true, 3}, {kIdle6, kIdleMac6, false, 4}};
  snapshot.gateways = {kGateway4, kGateway6};
  auto services = std::make_shared<ServiceMap>();
  services->Add({.name = "web", .first_port = 80, .last_port = 80});
  snapshot.services = services;
  snapshot.dns = SiteZone();
  snapshot.IndexMacs();
  return snapshot;
}

std::shared_ptr<const Balance> OneOwner(NodeSlot current, NodeSlot previous, size_t services) {
  auto balance = std::make_shared<Balance>();
  balance->epoch = 2;
  balance->slots = 3;
  balance->nodes[kSelfSlot] = {.present = true, .hop0 = kNodeMac, .hop1 = kNodeMacHop1};
  balance->nodes[kPeer1] = {.present = true, .hop0 = kPeer1Hop0, .hop1 = kPeer1Hop1};
  balance->nodes[kPeer2] = {.present = true, .hop0 = kPeer2Hop0, .hop1 = kPeer2Hop1};
  balance->report_round = 1;
  const auto all = [](NodeSlot node) { return std::make_shared<const LookupTable>(kLookupTableSize, node); };
  balance->current.services.assign(services, all(current));
  balance->previous.services.assign(services, all(previous));
  return balance;
}

Bytes ToKernel(Bytes frame) {
  std::copy(kNodeMac.bytes.begin(), kNodeMac.bytes.end(), frame.begin());
  return frame;
}

Outcome Process(const Snapshot& snapshot, Direction direction, const Bytes& frame, bool checksums_good) {
  FlowTable table(kFlows, kFlowSeed);
  return Process(snapshot, {.flows = {.table = &table}, .now = {}}, direction, frame, checksums_good);
}

Outcome Process(const Snapshot& snapshot, const WorkerMemory& memory, Direction direction, const Bytes& frame,
                bool checksums_good) {
  return ProcessFrame(snapshot, memory, direction, frame,
                      {.ip_checksum_good = checksums_good,
                       .checksum = checksums_good ? SegmentChecksum::kGood : SegmentChecksum::kUnknown});
}

Outcome ProcessPartial(const Snapshot& snapshot, SegmentChecksum checksum, const Bytes& frame) {
  FlowTable table(kFlows, kFlowSeed);
  const WorkerMemory memory = {.flows = {.table = &table}, .now = {}};
  return ProcessFrame(snapshot, memory, Direction::kFromLan, frame, {.checksum = checksum});
}

}  // namespace qure::testing

#include "tests/support/harness.h"

#include <algorithm>

namespace qure::testing {

namespace {

std::string Text(const Bytes& bytes) {
  return {bytes.begin(), bytes.end()};
}

std::shared_ptr<const DnsTable> SiteZone() {
  DnsTableBuilder builder;
  const Bytes soa =
      Concat({WireName("ns1.home.example"), WireName("hostmaster.home.example"), {0,  0, 0, 1,  0,   0, 14, 16, 0, 0, 2,
                                                                                  88, 0, 1, 81, 128, 0, 0,  0,  30}});
  const auto name = [](const char* text) { return Text(WireName(text)); };
  builder.AddZone(name("home.example"), 60, Text(soa));
  builder.AddRecord({name("home.example"), 2, 60, name("ns1.home.example")});
  builder.AddRecord({name("ns1.home.example"), 1, 60, Text({198, 51, 100, 50})});
  builder.AddRecord({name("www.home.example"), 1, 60, Text({198, 51, 100, 50})});
  builder.AddRecord({name("www.home.example"), 28, 60, Text(Bytes(kService6.bytes.begin(), kService6.bytes.end()))});
  builder.AddRecord({name("www.home.example"), 16, 300, Text({2, 'h', 'i'})});
  builder.AddRecord({name("deep.ent.home.example"), 1, 60, Text({192, 0, 2, 1})});
  for (int i = 0; i < 8; ++i) {
    builder.AddRecord(
        {name("big.home.example"), 16, 60, Text(Concat({{250}, Bytes(250, static_cast<uint8_t>('a' + i))}))});
  }
  return std::make_shared<const DnsTable>(builder.Build());
}

}  // namespace

Snapshot SiteSnapshot() {
  Snapshot snapshot;
  snapshot.revision = 1;
  snapshot.lan_mac = kLanMac;
  snapshot.node_mac = kNodeMac;
  snapshot.node_mac_hop1 = kNodeMacHop1;
  snapshot.addresses_v4 = {{kService4, kServiceMac4, true}, {kIdle4, kIdleMac4, false}};
  snapshot.addresses_v6 = {{kService6, kServiceMac6, true}, {kIdle6, kIdleMac6, false}};
  snapshot.gateways = {kGateway4, kGateway6};
  auto ports = std::make_shared<ServicePorts>();
  ports->tcp.set(80);
  snapshot.ports = ports;
  snapshot.dns = SiteZone();
  return snapshot;
}

Bytes ToKernel(Bytes frame) {
  std::copy(kNodeMac.bytes.begin(), kNodeMac.bytes.end(), frame.begin());
  return frame;
}

Outcome Process(const Snapshot& snapshot, Direction direction, const Bytes& frame, bool checksums_good) {
  std::vector<uint8_t> buffer(kHeadroom + kRoom);
  std::copy(frame.begin(), frame.end(), buffer.begin() + kHeadroom);
  Batch batch;
  batch.count = 1;
  batch.frames[0] = {.data = buffer.data() + kHeadroom,
                     .length = static_cast<uint16_t>(frame.size()),
                     .headroom = kHeadroom,
                     .tailroom = static_cast<uint16_t>(kRoom - frame.size()),
                     .ip_checksum_good = checksums_good,
                     .l4_checksum_good = checksums_good};
  if (direction == Direction::kFromLan) {
    ProcessLan(snapshot, &batch);
  } else {
    ProcessHost(snapshot, &batch);
  }
  const Frame& out = batch.frames[0];
  return {batch.reasons[0], Bytes(out.data, out.data + out.length),
          std::vector<Event>(batch.events.begin(), batch.events.begin() + static_cast<ptrdiff_t>(batch.event_count))};
}

}  // namespace qure::testing

#include "tests/sim/clients.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/net/checksum.h"
#include "proto/net/ethernet.h"
#include "proto/net/ip.h"
#include "proto/net/tcp.h"
#include "tests/sim/monitor.h"
#include "tests/sim/node.h"

namespace qure::sim {
namespace {

constexpr Duration kGivenUpWithin = Seconds(1);  // all nodes have heard of it, and of the balance epoch before
constexpr double kEnds = 0.005;                  // chance that a segment is a connection's last

struct Segment {
  EthernetHeader ethernet;
  Ipv4Header ip;
  TcpHeader tcp;
  std::array<uint8_t, 6> padding;  // up to the minimum frame
};
static_assert(sizeof(Segment) == kMinimumFrame);

}  // namespace

void Clients::Turn(MonoTime now) {
  if (connections_.empty()) return;
  NoteDrains(now);
  Connection& connection = Next();
  if (connection.port == 0) {
    last_port_ = last_port_ == UINT16_MAX ? 20'000 : static_cast<uint16_t>(last_port_ + 1);
    connection = {.port = last_port_};
  }
  if (connection.server == nullptr) return Send(now, connection, kTcpSyn);
  if (!random_.Chance(kEnds)) return Send(now, connection, kTcpAck);
  Send(now, connection, kTcpFin | kTcpAck);
  connection = {};
}

void Clients::NoteDrains(MonoTime now) {
  for (Connection& connection : connections_) {
    if (connection.server == nullptr || connection.gone || !connection.server->running()) continue;
    connection.drained |= connection.server->controller()->drained();
    const auto& balance = connection.server->snapshot()->balance;
    const bool given_up = balance != nullptr && balance->nodes[kSelfSlot].given_up;
    connection.given_up = given_up ? std::min(connection.given_up, now) : kNever;
  }
}

// A connection that is accepted is answered at once (RFC 9293 §3.5).
Clients::Connection& Clients::Next() {
  const auto fresh = std::ranges::find(connections_, std::exchange(fresh_, uint16_t{0}), &Connection::port);
  return fresh != connections_.end() ? *fresh : connections_[random_.Below(connections_.size())];
}

void Clients::Send(MonoTime now, const Connection& connection, uint8_t flags) {
  Segment segment{};
  segment.ethernet.ether_type = Be16(kEtherTypeIpv4);
  segment.ip.version_ihl = 0x45;
  segment.ip.total_length = Be16(sizeof(Ipv4Header) + sizeof(TcpHeader));
  segment.ip.time_to_live = 60;
  segment.ip.protocol = kProtocolTcp;
  segment.ip.source = Gateway::kClient;
  segment.ip.destination = gateway_->target();
  segment.ip.checksum = InternetChecksum({reinterpret_cast<const uint8_t*>(&segment.ip), sizeof(segment.ip)});
  segment.tcp.source_port = Be16(connection.port);
  segment.tcp.destination_port = Be16(kPort);
  segment.tcp.data_offset = sizeof(TcpHeader) / 4 << 4;
  segment.tcp.flags = flags;
  gateway_->Forward(now, {reinterpret_cast<uint8_t*>(&segment), sizeof(segment)});
}

uint8_t Clients::OnKernel(MonoTime now, const Node& node, ConstBytes frame) {
  if (frame.size() < sizeof(Segment)) return 0;
  Segment segment;
  std::memcpy(&segment, frame.data(), sizeof(segment));
  if (segment.ip.protocol != kProtocolTcp || segment.tcp.destination_port.value() != kPort) return 0;
  if ((segment.tcp.flags & kTcpFin) != 0) return kTcpFin | kTcpAck;
  const auto found = std::ranges::find(connections_, segment.tcp.source_port.value(), &Connection::port);
  if (found == connections_.end()) return 0;  // it has ended
  if ((segment.tcp.flags & kTcpSyn) != 0) {
    if (found->server != nullptr) return 0;
    found->server = &node;
    fresh_ = found->port;
    ++opened_;
    monitor_->Trace(now, absl::StrCat(node.setup().name, ": accepts port ", found->port));
    return kTcpSyn | kTcpAck;
  }
  if (found->server == &node && !found->gone) {
    ++segments_;
    if (found->given_up < now - kGivenUpWithin) {
      monitor_->Violate(now, Invariant::kNoReset,
                        absl::StrCat("connection from port ", found->port, " is still served by ", node.setup().name,
                                     ", which has given it up"));
    }
    return kTcpAck;
  }
  NoteDrains(now);  // the deadline may have passed since the last turn
  if (found->gone || found->drained) {
    ++resets_;
  } else {
    monitor_->Violate(now, Invariant::kNoReset,
                      absl::StrCat("connection from port ", found->port, ", served by ", found->server->setup().name,
                                   ", is reset by ", node.setup().name));
  }
  *found = {};
  return kTcpRst;
}

size_t Clients::stranded() const {
  return static_cast<size_t>(std::ranges::count(connections_, true, &Connection::gone));
}

void Clients::OnEnd(const Node& node) {
  for (Connection& connection : connections_) connection.gone |= connection.server == &node;
}

}  // namespace qure::sim

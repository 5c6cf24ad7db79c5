// A transport of a node, and what is said between two of them.
#pragma once

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "control/core/cluster/transport.h"
#include "control/core/wire.h"
#include "proto/bytes.h"
#include "proto/net/checksum.h"
#include "proto/net/ethernet.h"
#include "proto/net/ip.h"
#include "proto/net/udp.h"
#include "proto/net/udp_frame.h"

namespace qure::test {

inline constexpr MonoTime kStart{1'000'000'000'000};
inline constexpr Ipv4Address kGroup{{239, 192, 1, 2}};
inline constexpr StoredKey kFirst{.id = 1, .key = {0x11}};
inline constexpr StoredKey kSecond{.id = 2, .key = {0x22}};

inline ClusterId Home() {
  return ClusterIdFromName("home");
}

inline wire::Message Hello(const std::string& name) {
  wire::Message message;
  message.mutable_hello()->set_name(name);
  return message;
}

inline wire::Message Ping(uint64_t nonce) {
  wire::Message message;
  message.mutable_ping()->set_nonce(nonce);
  return message;
}

// The datagram in a frame that the parsers find sound, and how it came.
inline Datagram DatagramOf(const Action& action) {
  const auto& frame = std::get<SendFrame>(action);
  EXPECT_FALSE(frame.answer);
  EthernetView ethernet;
  EXPECT_FALSE(ParseEthernet(frame.bytes, &ethernet));
  const ConstBytes packet = ConstBytes(frame.bytes).subspan(ethernet.length);
  IpView view;
  EXPECT_FALSE(ParseIpv4(packet, false, &view));
  const auto& ip = *HeaderAt<Ipv4Header>(packet, 0);
  EXPECT_EQ(ip.time_to_live, kUnroutedHops);
  EXPECT_EQ(TransportChecksum(ip.source, ip.destination, kProtocolUdp, packet.subspan(view.transport)), Be16(0));
  const auto& udp = *HeaderAt<UdpHeader>(packet, view.transport);
  EXPECT_EQ(udp.destination_port.value(), kDefaultClusterPort);
  const ConstBytes payload = packet.subspan(view.transport + sizeof(UdpHeader));
  Delivery delivery = Delivery::kUnicast;
  if (ip.destination == kGroup) delivery = Delivery::kMulticast;
  if (ip.destination == kLimitedBroadcast) delivery = Delivery::kBroadcast;
  EXPECT_EQ(ethernet.header->destination.is_multicast(), delivery != Delivery::kUnicast);
  return {ethernet.header->source, delivery, {payload.begin(), payload.end()}};
}

// A node's transport, and what it has received.
struct TransportPeer {
  explicit TransportPeer(uint8_t number, uint8_t boot = 1)
      : id{number}, boot_id{number, boot}, random(number * 256u + boot) {
    config.cluster = Home();
    config.keyring = {.keys = {kFirst}, .use = kFirst.id};
    config.group = kGroup;
    config.address = {{192, 0, 2, number}};
    config.mac = NodeMac(id, 0);
    transport.Configure(config);
  }

  Datagram Say(const wire::Message& message) {
    Actions out;
    transport.SendToAll(message, &out);
    EXPECT_EQ(out.size(), 1u);
    return DatagramOf(out.at(0));
  }
  // Frames that it sends in answer.
  std::vector<Datagram> Hear(MonoTime now, const Datagram& datagram) {
    Actions out;
    if (std::optional<Incoming> incoming = transport.Receive(now, datagram, &out)) heard.push_back(*incoming);
    std::vector<Datagram> answers;
    for (const Action& action : out) {
      if (!std::holds_alternative<Log>(action)) answers.push_back(DatagramOf(action));
    }
    return answers;
  }
  uint64_t rejected(Reject reject) const { return transport.rejected()[static_cast<size_t>(reject)]; }
  uint64_t all_rejected() const {
    uint64_t sum = 0;
    for (const uint64_t count : transport.rejected()) sum += count;
    return sum;
  }

  NodeId id;
  BootId boot_id;
  std::mt19937_64 random;
  TransportConfig config;
  Transport transport{id, boot_id, random};
  std::vector<Incoming> heard;
};

// Everything that `a` and `b` send from the first frame on; each frame is heard by the other.
inline std::vector<Datagram> Converse(MonoTime now, TransportPeer* a, TransportPeer* b, const Datagram& from_a) {
  std::vector<Datagram> said;
  std::vector<std::pair<TransportPeer*, Datagram>> queue{{b, from_a}};
  for (size_t i = 0; i < queue.size() && i < 100; ++i) {
    const auto [to, datagram] = queue[i];
    said.push_back(datagram);
    for (const Datagram& answer : to->Hear(now, datagram)) queue.emplace_back(to == a ? b : a, answer);
  }
  EXPECT_LT(queue.size(), 100u) << "they go on for ever";
  return said;
}

// Both have proven to the other that they are active.
inline std::vector<Datagram> Acquaint(MonoTime now, TransportPeer* a, TransportPeer* b) {
  std::vector<Datagram> said = Converse(now, a, b, a->Say(Hello("a")));
  EXPECT_TRUE(b->Hear(now, a->Say(Ping(1))).empty());
  EXPECT_TRUE(a->Hear(now, b->Say(Ping(1))).empty());
  for (const TransportPeer* peer : {a, b}) EXPECT_TRUE(!peer->heard.empty() && peer->heard.back().message.has_ping());
  a->heard.clear();
  b->heard.clear();
  return said;
}

}  // namespace qure::test

// Controllers that hear each other under virtual time, on a LAN without loss.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "control/core/controller.h"
#include "control/core/naming.h"
#include "proto/cluster/datagram.h"
#include "proto/net/ethernet.h"
#include "proto/net/udp_frame.h"
#include "proto/time.h"
#include "tests/support/config_disk.h"
#include "tests/unit/core/support.h"

namespace qure::test {

// One of them, with what it has logged.
struct Peer {
  Peer(uint8_t number, std::string name, const ClusterConfig& config, MonoTime now, std::string revision = "r1")
      : Peer(StoredState{.node_id = {number}, .identity = {{number}}}, number, std::move(name), config, now,
             std::move(revision)) {}
  // `kept`: what its store has.
  Peer(StoredState kept, uint8_t number, std::string name, const ClusterConfig& config, MonoTime now,
       std::string revision = "r1", ConfigDisk disk = {})
      : group(DestinationMac(GroupFor(ClusterIdFromName(config.name)))),
        id(kept.node_id),
        random(number + 256u * kept.age),
        stored(std::move(kept)),
        controller({.node_id = id,
                    .boot_id = {number, static_cast<uint8_t>(stored.age)},
                    .name = std::move(name),
                    .revision = std::move(revision),
                    .lan_mac = {{2, 0, 0, 0, 1, number}},
                    .address = {{198, 51, 100, number}}},
                   stored, random, now),
        config_disk(std::move(disk)) {
    Do(now, controller.OnConfig(now, config));
  }

  void Do(MonoTime now, const Actions& actions) {
    for (const Action& action : actions) {
      if (const auto* frame = std::get_if<SendFrame>(&action)) {
        sent.push_back(*frame);
      } else if (const auto* persist = std::get_if<Persist>(&action)) {
        if (!disk_full) Keep(persist->change);
        Do(now, controller.OnPersisted(now, persist->ticket, !disk_full));
      } else if (std::holds_alternative<BecomeNewBoot>(action)) {
        off = new_boot = true;
      } else if (std::holds_alternative<BeginAnew>(action)) {
        off = begins_anew = true;
      } else if (const auto* validate = std::get_if<clusterconfig::Validate>(&action)) {
        std::optional<clusterconfig::Finding> finding;
        if (*validate->body == bad_body) finding = clusterconfig::Finding{.where = "config:1: key", .reason = "bad"};
        Do(now, controller.OnConfigValidated(now, validate->version, finding));
      } else if (const auto* apply = std::get_if<clusterconfig::Apply>(&action)) {
        std::optional<clusterconfig::Finding> finding;
        if (apply->body && *apply->body == unfit_body) finding = clusterconfig::Finding{.reason = "unfit"};
        if (!finding) applied = apply->body ? *apply->body : "";
        if (const auto meant = meanings.find(applied); !finding && meant != meanings.end()) {
          Do(now, controller.OnConfig(now, meant->second));
        }
        Do(now, controller.OnConfigApplied(now, apply->version, finding));
      } else if (const auto* answered = std::get_if<clusterconfig::Answered>(&action)) {
        answers.push_back(*answered);
      } else if (const auto* log = std::get_if<Log>(&action)) {
        logs.push_back(log->text);
      }
    }
  }
  void Keep(const StoreChange& change) {
    if (change.records) stored.records = *change.records;
    if (change.keyring) stored.keyring = *change.keyring;
    if (change.joined) stored.joined = *change.joined;
    if (change.life) stored.life = *change.life;
    if (change.config) config_disk.Write(*change.config);
  }
  absl::Status Order(MonoTime now, const Command& command) {
    Actions actions;
    absl::Status status = controller.OnCommand(now, command, &actions);
    Do(now, actions);
    return status;
  }

  MacAddress group;  // of its cluster
  NodeId id;
  std::mt19937_64 random;
  StoredState stored;  // records, keys and age of it
  std::vector<SendFrame> sent;
  std::vector<std::string> logs;
  Controller controller;
  bool off = false;          // neither says nor hears anything
  bool deaf = false;         // hears nothing, and is heard
  bool new_boot = false;     // it wants to start again …
  bool begins_anew = false;  // … or as another node, since it has left its cluster
  bool disk_full = false;

  // Of the cluster's configuration.
  ConfigDisk config_disk;
  std::string applied;                            // body that it runs; empty: none
  std::string bad_body;                           // is refused in validation
  std::string unfit_body;                         // passes it, and cannot be applied
  std::map<std::string, ClusterConfig> meanings;  // what the host makes of a body; of others it makes nothing
  std::vector<clusterconfig::Answered> answers;
};

class Peers {
 public:
  Peer& Add(std::string name, const ClusterConfig& config, std::string revision = "r1") {
    const auto number = static_cast<uint8_t>(peers_.size() + 1);
    peers_.push_back(std::make_unique<Peer>(number, std::move(name), config, now_, std::move(revision)));
    return *peers_.back();
  }
  // One whose id follows from its signing key.
  Peer& AddNew(std::string name, const ClusterConfig& config) {
    const admission::Seed seed = {static_cast<uint8_t>(peers_.size() + 1)};
    const NodeId id = admission::NodeIdOf(admission::SigningKeyOf(seed).public_key);
    return AddKept({.node_id = id, .identity = seed}, std::move(name), config);
  }
  Peer& AddKept(StoredState kept, std::string name, const ClusterConfig& config) {
    const auto number = static_cast<uint8_t>(peers_.size() + 1);
    peers_.push_back(std::make_unique<Peer>(std::move(kept), number, std::move(name), config, now_));
    return *peers_.back();
  }
  // The same node, in its next boot.
  Peer& Restart(size_t index, std::string name, const ClusterConfig& config) {
    StoredState kept = peers_.at(index)->stored;
    ConfigDisk disk = peers_.at(index)->config_disk;
    kept.config = disk.Read();
    ++kept.age;
    peers_.at(index) = std::make_unique<Peer>(std::move(kept), static_cast<uint8_t>(index + 1), std::move(name), config,
                                              now_, "r1", std::move(disk));
    return *peers_.at(index);
  }
  Peer& at(size_t index) { return *peers_.at(index); }
  size_t size() const { return peers_.size(); }
  MonoTime now() const { return now_; }

  // A millisecond passes.
  void Step() {
    now_ = now_ + Milliseconds(1);
    for (const auto& peer : peers_) {
      if (!peer->off && now_ >= peer->controller.NextDeadline()) peer->Do(now_, peer->controller.Tick(now_));
    }
    for (const auto& peer : peers_) {
      for (const SendFrame& frame : std::exchange(peer->sent, {})) {
        Deliver(*peer, frame);
        AnswerAsGateway(peer.get(), frame);
      }
    }
  }
  void Run(Duration span) {
    for (const MonoTime end = now_ + span; now_ < end;) Step();
  }
  // False: not within `span`.
  template <typename Condition>
  bool RunUntil(Condition done, Duration span = Seconds(20)) {
    for (const MonoTime end = now_ + span; !done() && now_ < end;) Step();
    return done();
  }
  ControllerStatus status(size_t index) const { return peers_.at(index)->controller.status(now_); }

  std::optional<Ipv4Address> gateway;  // there is one, with this address

 private:
  // The gateway answers a host that asks where it is (RFC 826).
  void AnswerAsGateway(Peer* from, const SendFrame& frame) {
    constexpr size_t kArpSize = 42;
    const std::vector<uint8_t>& bytes = frame.bytes;
    if (!gateway || from->off || bytes.size() < kArpSize || bytes[12] != 8 || bytes[13] != 6 || bytes[21] != 1) return;
    if (!std::equal(gateway->bytes.begin(), gateway->bytes.end(), bytes.begin() + 38)) return;
    MacAddress asks;
    std::copy_n(bytes.begin() + 6, asks.bytes.size(), asks.bytes.begin());
    from->Do(now_, from->controller.OnEvent(
                       now_, {.kind = EventKind::kNeighbor, .mac = GatewayMac(), .to = asks, .ip = *gateway}));
  }
  void Deliver(const Peer& from, const SendFrame& frame) {
    const std::optional<Datagram> datagram = DatagramOf(frame);
    EthernetView ethernet;
    if (from.off || !datagram || ParseEthernet(frame.bytes, &ethernet)) return;
    const MacAddress to = ethernet.header->destination;
    for (const auto& peer : peers_) {
      const bool hears = to == kBroadcastMac || to == peer->group || to == NodeMac(peer->id, 0);
      if (peer.get() != &from && !peer->off && !peer->deaf && hears)
        peer->Do(now_, peer->controller.OnDatagram(now_, *datagram));
    }
  }

  MonoTime now_ = kStart;
  std::vector<std::unique_ptr<Peer>> peers_;
};

}  // namespace qure::test

// TCP clients behind the gateway and, at the other end, the kernels of the nodes: as much of TCP as it takes to see a
// connection reset. A kernel that gets a segment of a connection it does not have resets it: that may only be when the
// machine that had it is gone, or has drained until its deadline (I11).
#pragma once

#include <cstdint>
#include <vector>

#include "proto/bytes.h"
#include "tests/sim/gateway.h"
#include "tests/sim/random.h"

namespace qure::sim {

class Monitor;
class Node;

class Clients {
 public:
  static constexpr uint16_t kPort = 80;

  Clients(Gateway* gateway, Monitor* monitor, uint64_t seed) : gateway_(gateway), monitor_(monitor), random_(seed) {}

  // So many connections at a time, from now on.
  void Open(size_t connections) { connections_.resize(connections); }
  bool any() const { return !connections_.empty(); }

  // One of them, by chance, sends a segment. Called with the gateway's pace.
  void Turn(MonoTime now);
  // A packet path has handed this frame to its kernel. The flags of the TCP segment that answers it; 0: none does.
  uint8_t OnKernel(MonoTime now, const Node& node, ConstBytes frame);
  // A machine has gone, and all its connections.
  void OnEnd(const Node& node);

  // Connections that go on with a server that they have lost, and are not told so.
  size_t stranded() const;

  uint64_t opened() const { return opened_; }
  uint64_t segments() const { return segments_; }  // of connections that the right kernel got
  uint64_t resets() const { return resets_; }      // because a machine had gone, or gave them up

 private:
  struct Connection {
    uint16_t port = 0;             // 0: to be opened anew
    const Node* server = nullptr;  // that has accepted it
    bool gone = false;             // the server was killed since
    bool drained = false;          // … or the deadline of its drain has passed
    MonoTime given_up = kNever;    // since then the server itself reports that its flows are
  };

  void NoteDrains(MonoTime now);
  Connection& Next();
  void Send(MonoTime now, const Connection& connection, uint8_t flags);

  Gateway* const gateway_;
  Monitor* const monitor_;
  Random random_;
  std::vector<Connection> connections_;
  uint16_t last_port_ = 20'000;
  uint16_t fresh_ = 0;  // port of the connection that was accepted last; 0: it has answered
  uint64_t opened_ = 0;
  uint64_t segments_ = 0;
  uint64_t resets_ = 0;
};

}  // namespace qure::sim

// What this node knows of its gateways: at which MAC each one is, and when it answered. Anyone on the LAN can send a
// frame as the gateway, so only an answer to one of our own questions is believed: it comes to the MAC that asked, in
// time, and from where the gateway is known to be, as long as it answers there. A pure state machine.
#pragma once

#include <optional>
#include <vector>

#include "control/core/action.h"
#include "control/core/config.h"
#include "control/core/node_facts.h"
#include "proto/event.h"
#include "proto/net/address.h"
#include "proto/time.h"

namespace qure {

class GatewayWatch {
 public:
  // The gateways of `config`: what is known of others is forgotten.
  void Configure(const NodeFacts& facts, const ClusterConfig& config);

  // The node's own question to each gateway leaves now.
  void Ask(MonoTime now, Actions* out);
  // Another question to `gateway` leaves now, from `sender`, one of our MACs. Returns whom to ask: the MAC at which the
  // gateway is known to be, or all.
  std::optional<MacAddress> Asks(MonoTime now, const IpAddress& gateway, const MacAddress& sender);

  // kNeighbor. True if it answers a question: then the gateway is there, at the event's MAC.
  bool OnAnswer(MonoTime now, const Event& event, Actions* out);
  // kGatewayHint: a frame says that the gateway is elsewhere. Reason to ask, no more.
  void OnHint(MonoTime now, const Event& event, Actions* out);
  std::optional<MacAddress> MacOf(const IpAddress& gateway) const;  // as far as it is known
  // Whether every gateway has answered the node's own last question.
  bool AllAnswer() const;
  void Tick(MonoTime now, Actions* out);
  MonoTime deadline() const;

 private:
  struct Question {
    MacAddress sender;
    MonoTime asked;       // last
    MonoTime open_since;  // the first one that has no answer; kNever: all have
    bool answered() const { return open_since == kNever; }
  };
  struct Gateway {
    IpAddress address;
    std::optional<MacAddress> mac;    // unknown until it answered, and again when it does not any more
    MonoTime answered = kLongAgo;     // last
    std::vector<Question> questions;  // one for each MAC that asks
    MonoTime ask_again = kNever;      // of our own question, after a hint
    MonoTime last_hint = kLongAgo;
    std::optional<MacAddress> rival;  // logged: it answered as well
  };

  Gateway* Find(const IpAddress& address);
  const MacAddress& OwnMacTo(const Gateway& gateway) const;
  void Ask(MonoTime now, Gateway* gateway, Actions* out);
  std::optional<MacAddress> Open(MonoTime now, const MacAddress& sender, Gateway* gateway);

  QuestionSender sender_;
  std::vector<Gateway> gateways_;
};

}  // namespace qure

#include "control/core/address/gateway_watch.h"

#include <algorithm>
#include <utility>

#include "control/core/address/frames.h"
#include "control/core/timers.h"
#include "proto/mutation.h"

namespace qure {

void GatewayWatch::Configure(const NodeFacts& facts, const ClusterConfig& config) {
  sender_ = SenderOf(facts, config.service_mac);
  std::vector<Gateway> previous = std::exchange(gateways_, {});
  for (const IpAddress& address : config.gateways) {
    const auto known = std::ranges::find(previous, address, &Gateway::address);
    gateways_.push_back(known == previous.end() ? Gateway{.address = address} : std::move(*known));
  }
}

GatewayWatch::Gateway* GatewayWatch::Find(const IpAddress& address) {
  const auto found = std::ranges::find(gateways_, address, &Gateway::address);
  return found == gateways_.end() ? nullptr : &*found;
}

std::optional<MacAddress> GatewayWatch::MacOf(const IpAddress& address) const {
  const auto found = std::ranges::find(gateways_, address, &Gateway::address);
  return found == gateways_.end() ? std::nullopt : found->mac;
}

void GatewayWatch::Ask(MonoTime now, Actions* out) {
  for (Gateway& gateway : gateways_) Ask(now, &gateway, out);
}

const MacAddress& GatewayWatch::OwnMacTo(const Gateway& gateway) const {
  return gateway.address.is_v6() ? sender_.mac_v6 : sender_.mac_v4;
}

bool GatewayWatch::AllAnswer() const {
  return std::ranges::all_of(gateways_, [this](const Gateway& gateway) {
    const auto question = std::ranges::find(gateway.questions, OwnMacTo(gateway), &Question::sender);
    return question != gateway.questions.end() && question->answered();
  });
}

void GatewayWatch::Ask(MonoTime now, Gateway* gateway, Actions* out) {
  const std::optional<MacAddress> at = Open(now, OwnMacTo(*gateway), gateway);
  out->push_back(AskWhere(sender_, gateway->address, at));
}

std::optional<MacAddress> GatewayWatch::Asks(MonoTime now, const IpAddress& address, const MacAddress& sender) {
  Gateway* const gateway = Find(address);
  return gateway == nullptr ? std::nullopt : Open(now, sender, gateway);
}

// The gateway may have been replaced: where it does not answer any more, it is not known to be.
std::optional<MacAddress> GatewayWatch::Open(MonoTime now, const MacAddress& sender, Gateway* gateway) {
  auto question = std::ranges::find(gateway->questions, sender, &Question::sender);
  if (question == gateway->questions.end()) {
    question = gateway->questions.insert(question, {.sender = sender, .asked = now, .open_since = kNever});
  }
  const bool unanswered = !question->answered() && now - question->open_since >= kGatewayPatience;
  if (unanswered && gateway->answered < question->open_since) gateway->mac.reset();
  if (question->answered() || now - question->asked > kGatewayAnswer) question->open_since = now;
  question->asked = now;
  return gateway->mac;
}

bool GatewayWatch::OnAnswer(MonoTime now, const Event& event, Actions* out) {
  Gateway* const gateway = Find(event.ip);
  if (gateway == nullptr) return false;
  if (Mutated(Mutation::kBelieveAnyGateway)) return true;
  const auto question = std::ranges::find_if(
      gateway->questions, [&](const Question& q) { return event.to == q.sender || event.to == GroupMac(q.sender); });
  if (question == gateway->questions.end() || now - question->asked > kGatewayAnswer) return false;
  if (gateway->mac && *gateway->mac != event.mac) {
    if (std::exchange(gateway->rival, event.mac) != event.mac) {
      out->push_back(MakeLog(LogLevel::kWarning, "gateway ", ToString(event.ip), " is at ", ToString(*gateway->mac),
                             " and answers there, but ", ToString(event.mac), " answers for it, too: not believed"));
    }
    return false;
  }
  if (question->answered()) return false;
  question->open_since = kNever;
  gateway->ask_again = kNever;
  gateway->answered = now;
  gateway->mac = event.mac;
  return true;
}

void GatewayWatch::OnHint(MonoTime now, const Event& event, Actions* out) {
  Gateway* const gateway = Find(event.ip);
  if (gateway == nullptr || gateway->mac == event.mac || now - gateway->last_hint < kGatewayHintInterval) return;
  gateway->last_hint = now;
  gateway->ask_again = now + kGatewayPatience;
  Ask(now, gateway, out);
}

void GatewayWatch::Tick(MonoTime now, Actions* out) {
  for (Gateway& gateway : gateways_) {
    if (now < gateway.ask_again) continue;
    gateway.ask_again = kNever;
    Ask(now, &gateway, out);
  }
}

MonoTime GatewayWatch::deadline() const {
  MonoTime next = kNever;
  for (const Gateway& gateway : gateways_) next = std::min(next, gateway.ask_again);
  return next;
}

}  // namespace qure

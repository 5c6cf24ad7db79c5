#include "control/core/address/node_addresses.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/random/distributions.h"
#include "control/core/address/frames.h"
#include "control/core/timers.h"

namespace qure {

void NodeAddresses::Configure(MonoTime now, const NodeFacts& facts, const ClusterConfig& config) {
  probe_interval_ = config.probe_interval;
  mac_ = OwnMac(facts, config.service_mac, 0);
  if (std::exchange(configured_, true) || facts.lan_mode != LanMode::kDedicated) return;
  for (const IpPrefix& prefix : facts.addresses) {
    const bool v4 = prefix.address.is_v4();
    own_.push_back({.address = prefix.address, .probes = v4 ? 0 : kProbeCount, .next = now + UpTo(kProbeWaitMax)});
  }
}

void NodeAddresses::OnUsed(MonoTime now, const Event& event, std::string_view who, Actions* out) {
  const auto own = std::ranges::find(own_, event.ip, &Own::address);
  if (own == own_.end()) return;
  if (std::exchange(own->rival, event.mac) != event.mac) {
    out->push_back(MakeLog(LogLevel::kError, "this node's own address ", ToString(event.ip), " is used by ",
                           ToString(event.mac), std::string(who), ", too: give one of the two another"));
  }
  own->probes = own->announcements = 0;
  own->next = now + kRetryTaken;
}

void NodeAddresses::Tick(MonoTime now, Actions* out) {
  for (Own& own : own_) {
    if (now >= own.next) Step(now, &own, out);
  }
}

void NodeAddresses::Step(MonoTime now, Own* own, Actions* out) {
  if (own->probes < kProbeCount) {
    out->push_back(AskWhoHas(mac_, own->address));
    ++own->probes;
    own->next = now + probe_interval_;
    return;
  }
  if (own->rival) {
    out->push_back(MakeLog(LogLevel::kInfo, "this node's own address ", ToString(own->address), " is not used by ",
                           ToString(*own->rival), " any more"));
    own->rival.reset();
  }
  out->push_back(Announcement({.source = mac_, .link = mac_}, own->address, /*answer=*/false));
  own->next = ++own->announcements < kOwnAnnouncements ? now + kOwnAnnounceInterval : kNever;
}

MonoTime NodeAddresses::deadline() const {
  MonoTime next = kNever;
  for (const Own& own : own_) next = std::min(next, own.next);
  return next;
}

std::vector<NodeAddresses::Status> NodeAddresses::conflicts() const {
  std::vector<Status> conflicts;
  for (const Own& own : own_) {
    if (own.rival) conflicts.push_back({.address = own.address, .rival = *own.rival});
  }
  return conflicts;
}

Duration NodeAddresses::UpTo(Duration span) {
  return Duration{absl::Uniform<int64_t>(absl::IntervalClosed, random_, 0, span.ns)};
}

}  // namespace qure

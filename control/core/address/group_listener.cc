#include "control/core/address/group_listener.h"

#include <span>
#include <utility>

#include "absl/random/distributions.h"
#include "control/core/timers.h"
#include "proto/net/igmp.h"
#include "proto/net/mld.h"

namespace qure {
namespace {

// RFC 3376 §6, RFC 3810 §6: that all systems listen to what is for all is not reported.
bool IsReported(const IpAddress& group) {
  return group.is_v4() ? group.v4() != kAllSystems4 : group.v6() != kAllNodes;
}

// In the version before the latest, IGMPv2 or MLDv1, a frame is of one group. `mac` and `address`: sources.
std::vector<uint8_t> OlderFrame(const MacAddress& mac, const Ipv4Address& address, const GroupRecord& record) {
  const bool left = record.change == GroupChange::kLeft;
  const IpAddress& group = record.group;
  if (group.is_v4()) {
    return left ? BuildIgmpV2Leave(mac, address, group.v4()) : BuildIgmpV2Report(mac, address, group.v4());
  }
  const Ipv6Address source = LinkLocalFromMac(mac);
  return left ? BuildMldV1Done(mac, source, group.v6()) : BuildMldV1Report(mac, source, group.v6());
}

}  // namespace

void GroupListener::SetGroups(MonoTime now, const MacAddress& mac, const Ipv4Address& address,
                              std::vector<IpAddress> groups, Actions* out) {
  mac_ = mac;
  address_ = address;
  std::erase_if(groups, [](const IpAddress& group) { return !IsReported(group); });
  for (const Group& known : std::vector<Group>(groups_)) {
    if (!known.left && std::ranges::find(groups, known.address) == groups.end()) Change(now, known.address, true);
  }
  for (const IpAddress& group : groups) {
    const auto known = std::ranges::find(groups_, group, &Group::address);
    if (known == groups_.end() || known->left) Change(now, group, false);
  }
  Tick(now, out);
}

void GroupListener::OnEvent(MonoTime now, const Event& event) {
  if (event.kind != EventKind::kGroupQuery) return;
  const bool v4 = event.ip.is_v4();
  if (event.version < (v4 ? 3 : 2)) (v4 ? older_until_v4_ : older_until_v6_) = now + kOlderQuerier;
  const bool all = event.ip == IpAddress(Ipv4Address{}) || event.ip == IpAddress(Ipv6Address{});
  // One delay for all, so that they go in one report (RFC 3376 §5.2).
  const MonoTime at = now + Within(event.span);
  for (Group& group : groups_) {
    const bool asked = all ? group.address.is_v4() == v4 : group.address == event.ip;
    if (asked && !group.left) group.answer_at = std::min(group.answer_at, at);
  }
}

void GroupListener::Tick(MonoTime now, Actions* out) {
  std::vector<GroupRecord> v4;
  std::vector<GroupRecord> v6;
  for (Group& group : groups_) {
    if (now >= group.due()) (group.address.is_v4() ? v4 : v6).push_back(Report(now, &group));
  }
  std::erase_if(groups_, [](const Group& group) { return group.left && group.reports_left == 0; });
  Send(now, v4, out);
  Send(now, v6, out);
}

MonoTime GroupListener::deadline() const {
  MonoTime deadline = kNever;
  for (const Group& group : groups_) deadline = std::min(deadline, group.due());
  return deadline;
}

// A change that is still being reported gives way to the new one (RFC 3376 §5.1).
void GroupListener::Change(MonoTime now, const IpAddress& address, bool left) {
  std::erase_if(groups_, [&](const Group& group) { return group.address == address; });
  groups_.push_back({.address = address, .left = left, .reports_left = kReports, .next_report = now});
}

// What is to be reported of `group` now. A report of a change answers a query too.
GroupRecord GroupListener::Report(MonoTime now, Group* group) {
  const bool change = now >= group->next_report;
  group->answer_at = kNever;
  if (!change) return {GroupChange::kListening, group->address};
  --group->reports_left;
  group->next_report = group->reports_left > 0 ? now + Within(kReportInterval) : kNever;
  return {group->left ? GroupChange::kLeft : GroupChange::kJoined, group->address};
}

// `records` are of one family.
void GroupListener::Send(MonoTime now, const std::vector<GroupRecord>& records, Actions* out) const {
  if (records.empty()) return;
  const bool v6 = records.front().group.is_v6();
  const std::optional<MonoTime>& older_until = v6 ? older_until_v6_ : older_until_v4_;
  if (older_until && now < *older_until) {
    for (const GroupRecord& record : records) out->push_back(SendFrame{OlderFrame(mac_, address_, record)});
    return;
  }
  for (std::span<const GroupRecord> rest = records; !rest.empty();) {
    const std::span<const GroupRecord> part = rest.first(std::min(rest.size(), kMaxGroupRecords));
    rest = rest.subspan(part.size());
    out->push_back(
        SendFrame{v6 ? BuildMldReport(mac_, LinkLocalFromMac(mac_), part) : BuildIgmpV3Report(mac_, address_, part)});
  }
}

Duration GroupListener::Within(Duration span) {
  return {absl::Uniform<int64_t>(absl::IntervalClosed, random_, 0, std::max<int64_t>(span.ns, 0))};
}

}  // namespace qure

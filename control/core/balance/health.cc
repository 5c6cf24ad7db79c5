#include "control/core/balance/health.h"

#include <algorithm>
#include <tuple>

namespace qure {
namespace {

// Whether a check of either asks the same server for the same.
bool SameCheck(const ServiceConfig& a, const ServiceConfig& b) {
  const auto port = [](const ServiceConfig& s) { return s.check.port != 0 ? s.check.port : s.first_port; };
  return a.check == b.check && a.address == b.address && port(a) == port(b);
}

}  // namespace

uint32_t Health::NeededToRise(MonoTime now) const {
  uint64_t needed = check_.rise;
  uint64_t damping = 1;
  for (const MonoTime fall : falls_) {
    if (now - fall < kFlapMemory) damping = std::min<uint64_t>(damping * 2, uint64_t{2} * kMostDamping);
  }
  // The first fall is no flapping yet.
  return static_cast<uint32_t>(needed * std::max<uint64_t>(damping / 2, 1));
}

void Health::OnResult(MonoTime now, CheckResult result) {
  const bool first = !heard_;
  const bool good = result == CheckResult::kGood;
  heard_ = true;
  unreached_ = result == CheckResult::kUnreached;
  if (good == healthy_) {
    in_a_row_ = 0;
    return;
  }
  ++in_a_row_;
  const bool enough = healthy_ ? in_a_row_ >= check_.fall : first || in_a_row_ >= NeededToRise(now);
  if (!enough) return;
  in_a_row_ = 0;
  healthy_ = good;
  if (good) return;
  std::erase_if(falls_, [&](MonoTime fall) { return now - fall >= kFlapMemory; });
  falls_.push_back(now);
}

void HealthBoard::Configure(const std::vector<ServiceConfig>& services, MonoTime now) {
  std::map<std::string, Entry> next;
  for (const ServiceConfig& service : services) {
    if (service.check.kind == HealthCheck::Kind::kNone) continue;
    const auto before = entries_.find(service.name);
    if (before != entries_.end() && SameCheck(before->second.service, service)) {
      before->second.service = service;
      next.insert(std::move(*before));
    } else {
      next.emplace(service.name, Entry{.service = service, .health = Health(service.check), .next = now});
    }
  }
  entries_ = std::move(next);
  due_.clear();
  for (const auto& [name, entry] : entries_) due_.emplace(entry.next, name);
  changed_ = true;
}

std::vector<const ServiceConfig*> HealthBoard::TakeDue(MonoTime now) {
  std::vector<const ServiceConfig*> due;
  while (!due_.empty() && due_.begin()->first <= now) {
    const std::string name = due_.begin()->second;
    Entry& entry = entries_.at(name);
    due_.erase(due_.begin());
    due.push_back(&entry.service);
    entry.next = now + entry.service.check.interval;
    due_.emplace(entry.next, name);
  }
  return due;
}

void HealthBoard::OnResult(MonoTime now, const std::string& service, CheckResult result) {
  const auto entry = entries_.find(service);
  if (entry == entries_.end()) return;
  Health& health = entry->second.health;
  const std::tuple before(health.healthy(), health.checked(), health.unreached());
  health.OnResult(now, result);
  changed_ |= before != std::tuple(health.healthy(), health.checked(), health.unreached());
}

ServiceHealth HealthBoard::health() const {
  ServiceHealth health;
  for (const auto& [name, entry] : entries_) {
    if (!entry.health.healthy()) health.unhealthy.insert(name);
    if (!entry.health.checked()) health.unchecked.insert(name);
    if (entry.health.unreached()) health.unreached.insert(name);
  }
  return health;
}

std::optional<ServiceHealth> HealthBoard::TakeChange() {
  return std::exchange(changed_, false) ? std::optional(health()) : std::nullopt;
}

}  // namespace qure

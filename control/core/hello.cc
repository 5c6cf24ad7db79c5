#include "control/core/hello.h"

#include <algorithm>

#include "absl/random/distributions.h"
#include "control/core/wire.h"

namespace qure {
namespace {

// A master known by hearsay only is not named: a dead one would live by rumour.
void WriteMaster(const HelloView& view, wire::Hello* hello) {
  const std::optional<NodeId> master = view.election->master();
  if (!master) return;
  const Member* const member = view.members->Find(*master);
  if (*master != view.facts->node_id && (member == nullptr || member->state != MemberState::kAlive)) return;
  hello->set_master(WriteId(*master));
  WriteTerm(view.election->term(), hello->mutable_master_term());
}

}  // namespace

wire::Hello MakeHello(const HelloView& view) {
  const Lifetime& life = *view.life;
  const NodeFacts& facts = *view.facts;
  const StoredState& stored = *view.stored;
  wire::Hello hello;
  hello.set_name(facts.name);
  hello.set_age(stored.age);
  hello.set_revision(facts.revision);
  hello.set_age_at_revision(stored.age_at_revision);
  hello.set_era(life.booting() ? std::max(life.era(), view.highest_era) : life.era());
  hello.set_lineage(life.lineage());
  hello.set_uptime_ms(life.UptimeMs(view.now));
  hello.set_booting(life.booting());
  hello.set_node_uptime_ms(static_cast<uint64_t>(view.uptime.ns / Milliseconds(1).ns));
  WriteTerm(view.election->highest(), hello.mutable_highest_term());
  WriteMaster(view, &hello);
  if (view.election->role() == Role::kMaster) {
    if (const auto deputy = view.election->deputy()) hello.set_deputy(WriteId(*deputy));
    for (const IpPrefix& address : view.held) WriteHeld(address, hello.add_held());
  }
  hello.set_priority(facts.priority);
  hello.set_weight(facts.weight);
  hello.set_maintenance(stored.maintenance);
  hello.set_ready(view.input.has_era && !view.config->addresses.empty());
  hello.set_ineligible(!view.input.eligible && !stored.maintenance);
  hello.set_history_digest(view.history_digest);
  hello.set_config_digest(view.config->digest);
  if (!facts.address6.is_zero()) hello.set_address6(WriteAddress(IpAddress(facts.address6)));
  hello.set_multicast_missing(view.members->MissesMulticast(view.now));
  view.balancing->FillHello(view.now, *view.config, &hello);
  return hello;
}

void HelloTimer::By(MonoTime at) {
  next_ = std::min(next_, at);
}

void HelloTimer::OnSent(MonoTime now, Duration interval) {
  const int64_t span = interval.ns;
  next_ = now + Duration{absl::Uniform<int64_t>(absl::IntervalClosed, random_, span * 9 / 10, span)};
}

}  // namespace qure

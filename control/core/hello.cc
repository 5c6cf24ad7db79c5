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

constexpr size_t kMaxRevision = 64;    // bytes of it in a HELLO
constexpr size_t kCompactService = 6;  // bytes
// Bits of its last byte.
constexpr uint32_t kUnhealthy = 1;
constexpr uint32_t kUnchecked = 2;
constexpr uint32_t kUnreached = 4;
constexpr size_t kMostCompact = kMaxServices * kCompactService;

uint32_t HashOf(const IpPrefix& address) {
  return static_cast<uint32_t>(Fingerprint(WriteAddress(address.address) + static_cast<char>(address.length)));
}

wire::Hello* MutableHelloIn(wire::Message* message) {
  switch (message->body_case()) {
    case wire::Message::kHello:
      return message->mutable_hello();
    case wire::Message::kPong:
      return message->mutable_pong()->mutable_hello();
    case wire::Message::kClaim:
      return message->mutable_claim()->mutable_hello();
    default:
      return nullptr;
  }
}

}  // namespace

void CompactIfLong(wire::Hello* hello) {
  if (hello->ByteSizeLong() <= kMaxHello) return;
  for (const wire::HeldAddress& held : hello->held()) {
    if (const auto prefix = ReadHeld(held)) hello->add_held_compact(HashOf(*prefix));
  }
  hello->clear_held();
  std::string* const services = hello->mutable_services_compact();
  for (const wire::ServiceStatus& status : hello->services()) {
    for (const int shift : {24, 16, 8, 0}) services->push_back(static_cast<char>(status.service() >> shift));
    services->push_back(static_cast<char>(std::min<uint32_t>(status.weight(), UINT8_MAX)));
    services->push_back(static_cast<char>((status.unhealthy() ? kUnhealthy : 0) |
                                          (status.unchecked() ? kUnchecked : 0) |
                                          (status.unreached() ? kUnreached : 0)));
  }
  hello->clear_services();
}

const wire::Hello* UnfoldHello(wire::Message* message) {
  wire::Hello* const hello = MutableHelloIn(message);
  if (hello == nullptr || hello->services_compact().empty()) return hello;
  const std::string& compact = hello->services_compact();
  for (size_t at = 0; at + kCompactService <= std::min(compact.size(), kMostCompact); at += kCompactService) {
    const auto byte = [&](size_t i) { return uint32_t{static_cast<uint8_t>(compact[at + i])}; };
    wire::ServiceStatus* const status = hello->add_services();
    status->set_service(byte(0) << 24 | byte(1) << 16 | byte(2) << 8 | byte(3));
    status->set_weight(byte(4));
    status->set_unhealthy((byte(5) & kUnhealthy) != 0);
    status->set_unchecked((byte(5) & kUnchecked) != 0);
    status->set_unreached((byte(5) & kUnreached) != 0);
  }
  hello->clear_services_compact();
  return hello;
}

std::vector<IpPrefix> HeldBy(const wire::Hello& hello, const ClusterConfig& config) {
  std::vector<IpPrefix> held;
  for (const wire::HeldAddress& address : hello.held()) {
    if (const std::optional<IpPrefix> prefix = ReadHeld(address)) held.push_back(*prefix);
  }
  if (hello.held_compact().empty()) return held;
  for (const AddressConfig& address : config.addresses) {
    for (const IpPrefix& candidate : address.candidates) {
      if (std::ranges::find(hello.held_compact(), HashOf(candidate)) != hello.held_compact().end()) {
        held.push_back(candidate);
      }
    }
  }
  return held;
}

wire::Hello MakeHello(const HelloView& view) {
  const Lifetime& life = *view.life;
  const NodeFacts& facts = *view.facts;
  const StoredState& stored = *view.stored;
  wire::Hello hello;
  hello.set_name(facts.name);
  hello.set_age(stored.age);
  hello.set_revision(facts.revision.substr(0, kMaxRevision));
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
  view.roll->FillHello(&hello);
  hello.set_newest_key(view.newest_key);
  view.shared_config->FillHello(&hello);
  CompactIfLong(&hello);
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

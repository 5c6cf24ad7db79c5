#include "tests/sim/world.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/core/cluster/identity.h"
#include "proto/cluster/heartbeat.h"
#include "proto/net/udp_frame.h"

namespace qure::sim {
namespace {

constexpr Duration kCheckInterval = Milliseconds(10);
constexpr Duration kAnsweredLately = Milliseconds(60);
constexpr size_t kHeartbeatFrame = kUdpFrameHeaders + kEnvelopeOverhead + kHeartbeatSize;
constexpr Duration kPollSettled = Milliseconds(50);

MacAddress LanMac(size_t index) {
  return {{0x00, 0x16, 0x3e, 0, 0, static_cast<uint8_t>(index + 1)}};
}

ClusterConfig DefaultConfig() {
  ClusterConfig config;
  config.name = "sim";
  config.gateways = {Gateway::kAddress};
  config.addresses = {{.candidates = {{Ipv4Address{{198, 51, 100, 50}}, 24}}}};
  config.network.key = ClusterKey{1, 2, 3};
  config.network.gateway_required = true;
  return config;
}

}  // namespace

World::World(uint64_t seed, size_t nodes, bool trace)
    : config(DefaultConfig()),
      seed_(seed),
      random_(seed),
      lan_(&queue_, &pool_, random_.Fork()),
      monitor_(&pool_, &lan_),
      gateway_({.queue = &queue_, .pool = &pool_, .lan = &lan_}, random_.Fork()),
      clients_(&gateway_, &monitor_, seed),
      foreign_({.queue = &queue_, .pool = &pool_, .lan = &lan_}),
      recorder_({.queue = &queue_, .pool = &pool_, .lan = &lan_}, random_.Fork()),
      speaker_({.queue = &queue_, .pool = &pool_, .lan = &lan_}, random_.Fork()) {
  monitor_.trace = trace;
  for (size_t i = 0; i < nodes; ++i) {
    setups.push_back({.name = absl::StrCat("n", i),
                      .lan_mac = LanMac(i),
                      .address = Ipv4Address{{198, 51, 100, static_cast<uint8_t>(101 + i)}},
                      .rate_ppm = random_.Between(-200, 200),
                      .wall_ms = 1'800'000'000'000 + random_.Below(100'000)});
  }
  gateway_.SetTemperament(static_cast<Temperament>(random_.Below(kTemperaments)));
  gateway_.SetInterval(Milliseconds(random_.Between(3, 8)));
}

World::~World() = default;

// Others draw the same as without it.
void World::AddThief() {
  thief_ = std::make_unique<Thief>(LanParts{.queue = &queue_, .pool = &pool_, .lan = &lan_}, ~seed_);
  monitor_.WatchThief(thief_.get());
}

std::unique_ptr<World> World::Twin() const {
  auto twin = std::make_unique<World>(seed_, setups.size(), /*trace=*/false);
  twin->random_ = random_;
  twin->config = config;
  twin->setups = setups;
  twin->boots_itself = boots_itself;
  return twin;
}

void World::Make() {
  if (!nodes_.empty()) return;
  for (size_t i = 0; i < setups.size(); ++i) {
    if (setups[i].config.addresses.empty()) setups[i].config = config;
    nodes_.push_back(std::make_unique<Node>(
        Node::Parts{.queue = &queue_, .pool = &pool_, .lan = &lan_, .monitor = &monitor_, .clients = &clients_}, i,
        setups[i], random_.Id(), random_.Fork()));
    nodes_.back()->PlugIn();
  }
  gateway_.PlugIn();
  monitor_.Watch(&nodes_, gateway_.port());
  std::vector<IpPrefix> addresses;
  for (const AddressConfig& address : config.addresses) {
    addresses.insert(addresses.end(), address.candidates.begin(), address.candidates.end());
  }
  monitor_.SetServiceAddresses(addresses, ClusterIdFromName(config.name), config.service_mac == ServiceMac::kInterface);
  lan_.on_wire = [this](MonoTime at, size_t port, FrameId frame) {
    monitor_.OnWire(at, port, frame);
    const ConstBytes bytes = pool_.bytes(frame);
    if (port == gateway_.port()) return;
    if (recorder_.keeps_all() || bytes.size() != kHeartbeatFrame) recorder_.Hear(at, bytes);
    if (thief_) thief_->Hear(bytes);
  };
  gateway_.on_answer = [this](MonoTime at, size_t port) { monitor_.OnAnswer(at, port); };
  if (clients_.any()) gateway_.on_turn = [this](MonoTime at) { clients_.Turn(at); };
  gateway_.Start(MonoTime{});
}

void World::At(Duration when, std::function<void()> step) {
  const MonoTime at = MonoTime{} + when;
  script_end_ = std::max(script_end_, at);
  steps_.push_back({.act = std::move(step)});
  queue_.Add(at, Happening::kScript, 0, steps_.size() - 1);
}

void World::Quietly(Duration when, std::function<void()> step) {
  At(when, std::move(step));
  steps_.back().disturbs = false;
}

// ------------------------------------------------------------------------------------------------------------- steps

TransportConfig World::TransportOf(const ClusterConfig& cluster) const {
  const ClusterId id = ClusterIdFromName(cluster.name);
  return {.cluster = id,
          .keyring = {.keys = {{.id = 1, .key = *cluster.network.key}}, .use = 1},
          .port = cluster.network.port,
          .group = GroupFor(ClusterIdFromName(config.name))};
}

size_t World::Master() {
  size_t best = nodes_.size();
  Term highest;
  for (const auto& node : nodes_) {
    if (!node->running()) continue;
    const ControllerStatus status = node->Status(now_);
    const bool leads = node->gate().mode() != GateMode::kShut && status.term >= highest;
    if (!leads && best < nodes_.size()) continue;
    if (leads) highest = status.term;
    best = node->index();
  }
  return best < nodes_.size() ? best : 0;
}

size_t World::Deputy() {
  const size_t master = Master();
  if (node(master).running()) {
    const ControllerStatus status = node(master).Status(now_);
    if (status.deputy) {
      const size_t deputy = monitor_.NodeOf(*status.deputy);
      if (deputy < nodes_.size()) return deputy;
    }
  }
  return Other(master, master);
}

size_t World::Other(size_t a, size_t b) {
  for (const auto& node : nodes_) {
    if (node->running() && node->index() != a && node->index() != b) return node->index();
  }
  return a;
}

size_t World::Anyone() {
  const size_t start = random_.Below(nodes_.size());
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const size_t index = (start + i) % nodes_.size();
    if (nodes_[index]->running()) return index;
  }
  return start;
}

void World::Hold(size_t index, Duration span) {
  node(index).HoldWorker(now_, now_ + span);
  node(index).HoldControl(now_, now_ + span);
}

void World::Steal(size_t index, Duration span) {
  const uint64_t which = random_.Below(3);
  if (which != 1) node(index).HoldWorker(now_, now_ + span);
  if (which != 0) node(index).HoldControl(now_, now_ + span);
}

void World::Cut(const std::vector<size_t>& side, bool gateway_too) {
  for (const size_t index : side) lan_.SetGroup(node(index).port(), 1);
  if (gateway_too) lan_.SetGroup(gateway_.port(), 1);
}

void World::Mend() {
  lan_.Heal();
}

// --------------------------------------------------------------------------------------------------------------- run

void World::RunScript() {
  Make();
  if (boots_itself) {
    for (const auto& node : nodes_) {
      Node* const booting = node.get();
      At(random_.Between(Duration{}, Milliseconds(100)), [this, booting] { booting->Boot(now_); });
    }
  }
  RunUntil(script_end_ + settle);
}

void World::RunUntil(MonoTime until) {
  while (true) {
    const MonoTime next = queue_.empty() ? until : queue_.next();
    if (next_check_ <= std::min(next, until)) {
      now_ = next_check_;
      next_check_ = next_check_ + kCheckInterval;
      monitor_.Check(now_, gateway_.up());
      continue;
    }
    if (next > until) break;
    const Appointment appointment = queue_.Take();
    now_ = appointment.at;
    Handle(appointment);
  }
  now_ = until;
}

void World::Handle(const Appointment& a) {
  switch (a.what) {
    case Happening::kSwitchFrame:
      lan_.OnSwitch(now_, a.who, static_cast<FrameId>(a.value));
      return pool_.Drop(static_cast<FrameId>(a.value));
    case Happening::kArrival:
      lan_.device(a.who)->OnFrame(now_, static_cast<FrameId>(a.value));
      return pool_.Drop(static_cast<FrameId>(a.value));
    case Happening::kWorker:
      return nodes_[a.who]->OnWorkerDue(now_, a.value);
    case Happening::kFlush:
      return nodes_[a.who]->OnFlushDue(now_, a.value);
    case Happening::kControl:
      return nodes_[a.who]->OnControlDue(now_, a.value);
    case Happening::kPersist:
      return nodes_[a.who]->OnPersistDue(now_, a.value);
    case Happening::kDevice:
      return lan_.device(a.who)->OnTimer(now_, a.value);
    case Happening::kScript:
      break;
  }
  const std::function<void()> act = steps_[a.value].act;
  const bool disturbs = steps_[a.value].disturbs;
  act();
  if (disturbs) monitor_.Disturbed(now_);
}

// ---------------------------------------------------------------------------------------------------------- liveness

void World::Heal() {
  lan_.Heal();
  foreign_.Vanish();
  if (thief_) thief_->Stop();
  monitor_.EndForeign();
  for (const auto& node : nodes_) {
    node->ReleaseAll(now_);
    node->disk().SetFull(false);
    node->disk().SetDelay(Milliseconds(4));
    node->Boot(now_);
  }
  monitor_.Disturbed(now_);
}

bool World::Converge() {
  const MonoTime by = now_ + converge_within;
  std::string why = WhyNotSettled();
  while (!why.empty() && now_ < by) {
    RunUntil(now_ + kPollSettled);
    why = WhyNotSettled();
  }
  if (why.empty()) return true;
  Invariant invariant = Invariant::kLiveness;
  if (why.starts_with("history") || why.starts_with("records")) invariant = Invariant::kHistory;
  if (why.starts_with("configuration")) invariant = Invariant::kSameConfig;
  monitor_.Violate(now_, invariant,
                   absl::StrCat("not within ", converge_within.ns / Milliseconds(1).ns, " ms of the healing: ", why));
  return false;
}

// What is not as it must be when nothing is broken; empty: all is.
std::string World::WhyNotSettled() {
  size_t masters = 0;
  Term term;
  std::optional<NodeId> master;
  for (const auto& node : nodes_) {
    if (!node->running()) return absl::StrCat(node->setup().name, " does not run");
    const ControllerStatus status = node->Status(now_);
    if (status.role != NodeRole::kMaster) continue;
    ++masters;
    term = status.term;
    master = status.node_id;
  }
  if (masters != 1) return absl::StrCat(masters, " masters");
  for (const Node* node : Belonging()) {
    const ControllerStatus status = node->Status(now_);
    if (status.master != master || status.term != term) return absl::StrCat(node->setup().name, " follows another");
  }
  if (now_ - gateway_.last_answer() > kAnsweredLately) return "clients are not answered";
  if (std::string why = WhyNotAgreed(); !why.empty()) return why;
  return WhyNotConfigured();
}

std::vector<const Node*> World::Belonging() const {
  std::vector<const Node*> belonging;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (!revoked.contains(i)) belonging.push_back(nodes_[i].get());
  }
  return belonging;
}

// Of the history, the records and the key in use.
std::string World::WhyNotAgreed() {
  const std::vector<const Node*> belonging = Belonging();
  const ControllerStatus first = belonging.front()->Status(now_);
  const uint64_t digest = belonging.front()->controller()->history().digest();
  for (const Node* node : belonging) {
    const std::string& name = node->setup().name;
    const ControllerStatus own = node->Status(now_);
    if (node->controller()->history().digest() != digest) return absl::StrCat("history of ", name, " differs");
    if (own.roll.cluster != first.roll.cluster || own.roll.nodes != first.roll.nodes) {
      return absl::StrCat("records of ", name, " differ");
    }
    if (first.roll.cluster && own.key_in_use != first.key_in_use)
      return absl::StrCat("records: ", name, " uses another key");
  }
  for (const size_t index : revoked) {
    const ControllerStatus out = nodes_[index]->Status(now_);
    // It may have another identity by now, if it met a copy of itself.
    const auto is_own = [&](const admission::RollStatus::Row& row) { return row.identity == out.roll.own; };
    const bool outside = out.roll.expelled || std::ranges::none_of(first.roll.nodes, is_own);
    const bool waits = outside && out.adoption.joining && out.role != NodeRole::kMaster;
    if (!waits) return "records: a revoked one goes on";
  }
  return "";
}

// All that belong to the cluster know the same versions, and run the same one. Who cannot does not lead.
std::string World::WhyNotConfigured() {
  const clusterconfig::Holder* first = nullptr;
  for (const auto& node : nodes_) {
    const clusterconfig::SharedConfig& shared = node->controller()->shared_config();
    const clusterconfig::Holder* const holder = shared.holder();
    if (holder == nullptr) continue;
    if (first == nullptr) first = holder;
    const std::string whose = absl::StrCat("configuration of ", node->setup().name);
    if (holder->stages() != first->stages()) return absl::StrCat(whose, " differs");
    const clusterconfig::Version in_effect = holder->InEffect().value_or(clusterconfig::Version{});
    const bool unable = holder->unable().has_value();
    if (holder->on_trial() || (!unable && holder->running() != in_effect)) {
      return absl::StrCat(whose, ": it does not run what is in effect");
    }
    if (unable && node->Status(now_).role == NodeRole::kMaster) return absl::StrCat(whose, ": it leads, and is unable");
  }
  return "";
}

}  // namespace qure::sim

#include "tests/sim/node.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "proto/fresh.h"
#include "proto/mutation.h"
#include "tests/sim/clients.h"
#include "tests/sim/monitor.h"

namespace qure::sim {
namespace {

constexpr Duration kLivenessInterval = Milliseconds(50);  // as control/qured/runtime has it
constexpr Duration kWallInterval = Seconds(1);
constexpr Duration kTimerSlack = Microseconds(60);
constexpr Duration kOverdueNap = Microseconds(50);
constexpr Duration kIdle = Milliseconds(25);  // an idle worker's rounds in between are made up for by CatchUp
constexpr Duration kProcessRestart = Milliseconds(400);
constexpr size_t kInboxRoom = 1024;
constexpr size_t kFewDatagrams = 16;  // cost nothing here
constexpr Duration kDatagramCost = Microseconds(30);
constexpr size_t kOutboxRoom = 512;
constexpr size_t kFlows = 256;
constexpr uint64_t kRestart = 1;                     // OnTimer
constexpr Duration kShortestFlap = Milliseconds(2);  // a control thread that runs has noticed by then

// A node's own part, and the rest as the body has it.
ClusterConfig With(ClusterConfig own, std::string_view body) {
  uint32_t number = 0;
  if (absl::SimpleAtoi(std::string(body.substr(0, body.find(' '))), &number)) own.heavy_hitter = number;
  return own;
}

bool Says(std::string_view body, std::string_view what, std::string_view name) {
  return body.ends_with(absl::StrCat(" ", std::string(what), " ", std::string(name)));
}

}  // namespace

std::string BodyOf(uint32_t number, std::string_view what, std::string_view name) {
  const std::string digits = absl::StrCat(number);
  return what.empty() ? digits : absl::StrCat(digits, " ", std::string(what), " ", std::string(name));
}

Node::Process::Process(Node* owner, const NodeFacts& facts, StoredState state, uint64_t seed, MonoTime now)
    : node(owner),
      boot(facts.boot_id),
      guard(&gate),
      heartbeater(
          &gate, [this](const HeartbeatPlan& plan, ConstBytes datagram) { node->SendHeartbeat(plan, datagram); },
          [this] {
            return std::bit_cast<std::array<uint8_t, 16>>(std::array{random(), random()});
          },
          [this](const Event& event) {
            if (event.kind == EventKind::kMasterSilent) node->parts_.monitor->OnMasterSilent(node->last_round_, *node);
            node->Report(node->last_round_, event);
          }),
      flows({.flows = kFlows,
             .seed = seed,
             .report =
                 [this](const PinnedFlow& flow) {
                   reports.push_back(flow.key);
                   return true;
                 }},
            &counters, &progress),
      dns(seed, &counters),
      controller(facts, std::move(state), random, now) {}

Node::Node(const Parts& parts, size_t index, NodeSetup setup, const NodeId& drawn, uint64_t seed)
    : parts_(parts),
      index_(index),
      setup_(std::move(setup)),
      random_(seed),
      kernel_(random_.Fork()),
      disk_(drawn),
      id_(disk_.node_id()) {}

void Node::PlugIn() {
  port_ = parts_.lan->Plug(this, setup_.lan_mac);
}

// ------------------------------------------------------------------------------------------------------------- power

void Node::Boot(MonoTime now) {
  if (process_) return;
  ++boots_;
  booted_ = now;
  worker_held_until_ = control_held_until_ = now;
  thaw_at_ = kNever;
  last_round_ = control_ran_ = now;
  if (!std::exchange(machine_runs_, false)) {
    clocks_ = MachineClocks(MonoTime{} + Duration{random_.Between(0, 1'000'000'000'000'000)},
                            MonoTime{} + Duration{random_.Between(0, 1'000'000'000'000'000)}, setup_.rate_ppm,
                            setup_.wall_ms);
  }
  StoredState stored = disk_.Boot(setup_.revision, setup_.lan_mac);
  id_ = stored.node_id;
  const NodeFacts facts{.node_id = id_,
                        .boot_id = std::bit_cast<BootId>(std::array{Draw(), Draw()}),
                        .name = setup_.name,
                        .revision = setup_.revision,
                        .lan_mac = setup_.lan_mac,
                        .address = setup_.address,
                        .priority = setup_.priority,
                        .weight = setup_.weight};
  parts_.monitor->OnBoot(now, *this, facts);
  const MonoTime local = clocks_.Monotonic(now);
  const auto in_effect = clusterconfig::InEffectAtStart(stored, setup_.config.id());
  process_ = std::make_unique<Process>(this, facts, std::move(stored), random_.Fork(), local);
  if (in_effect) process_->shared = in_effect->version;
  process_->next_wall = local + kWallInterval;
  process_->controller.SetWallClock(local, clocks_.WallMs(now));
  process_->gate.NoteControlAlive(local);
  process_->next_heartbeat = local + kLivenessInterval;
  Execute(now, process_->controller.OnConfig(local, in_effect ? With(setup_.config, *in_effect->body) : setup_.config));
  if (!process_) return;
  WakeWorker(now + Microseconds(50));
  WakeControl(now);
}

void Node::Kill(MonoTime now) {
  if (!process_) return;
  parts_.monitor->OnEnd(now, *this);
  End(now);
}

Node::Image Node::TakeImage(MonoTime now) {
  Image image{
      .id = id_, .process = std::move(process_), .disk = disk_, .clocks = clocks_, .kernel = kernel_, .taken = now};
  End(now);
  return image;
}

void Node::Restore(MonoTime now, Image image, const Resumption& resumption) {
  Kill(now);
  id_ = image.id;
  process_ = std::move(image.process);
  process_->node = this;
  disk_ = image.disk;
  clocks_ = image.clocks;
  if (resumption.clocks != Clocks::kWentOn) clocks_.Freeze(image.taken);
  if (resumption.clocks == Clocks::kStood) clocks_.FreezeTsc();
  clocks_.Thaw(now);
  clocks_.JumpWall(Duration{} - resumption.wall_behind);
  if (!resumption.new_generation) kernel_ = image.kernel;
  new_generation_ = resumption.new_generation;
  worker_held_until_ = control_held_until_ = last_round_ = control_ran_ = now;
  thaw_at_ = kNever;
  for (size_t i = 0; i < process_->storing.size(); ++i) {
    parts_.queue->Add(now + disk_.delay(), Happening::kPersist, index_, boots_);
  }
  parts_.monitor->OnRestored(now, *this);
  WakeWorker(now + Duration{static_cast<int64_t>(random_.Below(static_cast<uint64_t>(setup_.worker_latency.ns)))});
  WakeControl(now);
}

// What the generator gives is the same again after a restoration without a new generation id.
uint64_t Node::Draw() {
  return Fresh(kernel_(), clocks_.Monotonic(std::max(control_ran_, last_round_)));
}

void Node::End(MonoTime) {
  parts_.clients->OnEnd(*this);
  process_.reset();
  for (const FrameId frame : ring_) parts_.pool->Drop(frame);
  ring_.clear();
  out_.clear();
  out_bytes_.clear();
  trap_.reset();
  sprung_.reset();
  for (Lane* lane : {&worker_wake_, &worker_timer_, &control_wake_, &control_timer_, &flush_}) lane->at = kNever;
}

void Node::Command(MonoTime now, const qure::Command& command) {
  if (!process_) return;
  process_->requests.emplace_back(command);
  WakeControl(now);
}

void Node::Reconfigure(MonoTime now, const ClusterConfig& config) {
  setup_.config = config;
  if (!process_) return;
  process_->requests.emplace_back(config);
  WakeControl(now);
}

void Node::JumpWall(Duration by) {
  setup_.wall_ms = static_cast<uint64_t>(static_cast<int64_t>(setup_.wall_ms) + by.ns / Milliseconds(1).ns);
  clocks_.JumpWall(by);
}

void Node::OnTimer(MonoTime now, uint64_t value) {
  if (value == kRestart) Boot(now);
}

// ----------------------------------------------------------------------------------------------------------- holding

void Node::HoldWorker(MonoTime now, MonoTime until) {
  if (!process_) return;
  if (!WorkerHeld(now)) CatchUp(now);
  worker_held_until_ = std::max(worker_held_until_, until);
  WakeWorker(worker_held_until_);
}

void Node::HoldControl(MonoTime now, MonoTime until) {
  if (!process_) return;
  control_held_until_ = std::max(control_held_until_, until);
  WakeControl(now);
}

void Node::HoldHidden(MonoTime now, MonoTime until) {
  if (!process_) return;
  HoldWorker(now, until);
  HoldControl(now, until);
  clocks_.Freeze(now);
  thaw_at_ = thaw_at_ == kNever ? until : std::max(thaw_at_, until);
}

void Node::HoldUnseen(MonoTime now, MonoTime until) {
  HoldHidden(now, until);
  if (!process_) return;
  clocks_.FreezeTsc();
  unseen_ = true;
}

void Node::SetLink(MonoTime now, bool up) {
  if (link_up_ == up) return;
  if (up && now - link_down_at_ >= kShortestFlap) parts_.monitor->OnLinkBack(now, *this);
  link_up_ = up;
  link_down_at_ = now;
  parts_.lan->up(port_).down = parts_.lan->down(port_).down = !up;
  if (process_) WakeControl(now);
}

void Node::ReleaseAll(MonoTime now) {
  trap_.reset();
  if (!link_up_) SetLink(now, true);
  if (!process_) return;
  worker_held_until_ = std::min(worker_held_until_, now);
  control_held_until_ = std::min(control_held_until_, now);
  if (thaw_at_ != kNever) thaw_at_ = now;
  if (flush_.at != kNever) Appoint(now, Happening::kFlush, &flush_);
  WakeWorker(now);
  WakeControl(now);
}

// ------------------------------------------------------------------------------------------------------ appointments

void Node::Appoint(MonoTime at, Happening what, Lane* lane) {
  lane->at = at;
  // Lanes of one thread share the happening: the ticket separates them, and those of earlier boots too.
  lane->ticket = (lane->ticket & ~uint64_t{1}) + 2;
  if (lane == &worker_timer_ || lane == &control_timer_) lane->ticket |= 1;
  parts_.queue->Add(at, what, index_, lane->ticket);
}

bool Node::Due(Lane* lane, uint64_t value) {
  if (lane->at == kNever || lane->ticket != value) return false;
  lane->at = kNever;
  return true;
}

void Node::WakeWorker(MonoTime at) {
  const MonoTime when = std::max(at, worker_held_until_);
  if (worker_wake_.at <= when) return;
  Appoint(when, Happening::kWorker, &worker_wake_);
}

void Node::WakeControl(MonoTime now) {
  const Duration latency{static_cast<int64_t>(random_.Below(static_cast<uint64_t>(setup_.control_latency.ns)))};
  const MonoTime when = std::max(now, control_held_until_) + latency;
  if (control_wake_.at != kNever && control_wake_.at <= when) return;
  Appoint(when, Happening::kControl, &control_wake_);
}

// The earliest of what a thread waits for by the clock. An appointment that is too early is kept: it looks again.
void Node::PlanRound(MonoTime now) {
  const MonoTime due = clocks_.WorldAt(now, process_->heartbeater.NextDeadline());
  // What has passed waits for the receive queue to be found empty: the next nap will do.
  const Duration slack = due <= now ? kOverdueNap : Duration{static_cast<int64_t>(random_.Below(kTimerSlack.ns))};
  const MonoTime round =
      std::max(std::min(due == kNever ? due : std::max(due, now) + slack, now + kIdle), worker_held_until_);
  if (round < worker_timer_.at) Appoint(round, Happening::kWorker, &worker_timer_);
}

void Node::PlanControl(MonoTime now) {
  const MonoTime due = clocks_.WorldAt(now, std::min(process_->next_heartbeat, process_->controller.NextDeadline()));
  const Duration slack{static_cast<int64_t>(random_.Below(kTimerSlack.ns)) + 1};
  const MonoTime wake = std::max(std::max(due, now) + slack, control_held_until_);
  if (wake < control_timer_.at) Appoint(wake, Happening::kControl, &control_timer_);
}

// ---------------------------------------------------------------------------------------------------- control thread

void Node::OnControlDue(MonoTime now, uint64_t value) {
  if (!Due(&control_wake_, value) && !Due(&control_timer_, value)) return;
  if (now >= thaw_at_) {
    clocks_.Thaw(now);
    thaw_at_ = kNever;
  }
  if (ControlHeld(now)) return WakeControl(now);
  RunControl(now);
  if (process_) PlanControl(now);
}

void Node::RunControl(MonoTime now) {
  control_ran_ = now;
  const MonoTime local = clocks_.Monotonic(now);
  // A thread that comes back hears what happened meanwhile before the gate believes that it is alive.
  if (local - process_->next_heartbeat > kLivenessInterval * 2) {
    Hear(now);
    if (process_) Execute(now, process_->controller.Tick(local));
    if (!process_) return;
  }
  if (local >= process_->next_heartbeat) {
    process_->gate.NoteControlAlive(local);
    process_->next_heartbeat = local + kLivenessInterval;
    const HeartbeatCounters& counters = process_->heartbeater.counters();
    const uint64_t accepted = counters.acks_sent + counters.acks_received;
    if (accepted != std::exchange(process_->accepted_heartbeats, accepted)) process_->controller.OnHeartbeats(local);
    if (std::exchange(new_generation_, false)) Execute(now, process_->controller.OnRestored(local));
    if (!process_) return;
  }
  if (local >= process_->next_wall) {
    process_->controller.SetWallClock(local, clocks_.WallMs(now));
    process_->next_wall = local + kWallInterval;
  }
  LookAtLink(now);
  if (process_) Hear(now);
  if (process_ && local >= process_->controller.NextDeadline()) Execute(now, process_->controller.Tick(local));
  while (process_ && !process_->requests.empty()) {
    const Request request = std::move(process_->requests.front());
    process_->requests.pop_front();
    Answer(now, request);
  }
}

// As control/qured/runtime has it: the gate first.
void Node::LookAtLink(MonoTime now) {
  Process& p = *process_;
  if (p.link_up == link_up_ || Mutated(Mutation::kIgnoreLink)) return;
  p.link_up = link_up_;
  p.gate.SetLink(link_up_);
  if (link_up_) Hear(now);
  if (!process_) return;
  const EventKind kind = link_up_ ? EventKind::kLinkUp : EventKind::kLinkDown;
  Execute(now, p.controller.OnEvent(clocks_.Monotonic(now), {.kind = kind, .stalls = p.gate.stalls()}));
}

// Each costs the thread a while, so that too many of them are too late.
void Node::HearDatagrams(MonoTime now, std::deque<Datagram>* datagrams) {
  const MonoTime local = clocks_.Monotonic(now);
  const size_t count = datagrams->size();
  for (size_t i = 0; i < count; ++i) {
    const Datagram datagram = std::move(datagrams->front());
    datagrams->pop_front();
    Execute(now, process_->controller.OnDatagram(local, datagram));
    if (!process_) return;
  }
  if (count > kFewDatagrams) HoldControl(now, now + kDatagramCost * static_cast<int64_t>(count));
}

// In the order that control/qured/runtime has.
void Node::Hear(MonoTime now) {
  const MonoTime local = clocks_.Monotonic(now);
  const uint64_t backlogs = process_->gate.backlogs();
  HearDatagrams(now, &process_->datagrams);
  if (process_) HearDatagrams(now, &process_->strangers);
  if (process_) HearDatagrams(now, &process_->adoptions);
  while (process_ && !process_->events.empty()) {
    const Event event = process_->events.front();
    process_->events.pop_front();
    Execute(now, process_->controller.OnEvent(local, event));
  }
  while (process_ && !process_->stored.empty()) {
    const Stored stored = process_->stored.front();
    process_->stored.pop_front();
    Execute(now, process_->controller.OnPersisted(local, stored.ticket, stored.ok));
  }
  if (!process_) return;
  process_->gate.NoteMessagesHeard(backlogs);
  HearFlows(now);
}

void Node::HearFlows(MonoTime now) {
  Process& p = *process_;
  const auto round = static_cast<uint8_t>(p.progress.flow_round.value());
  if (p.reports.empty() && round == p.report_round) return;
  p.report_round = round;
  const std::vector<FlowKey> reports = std::exchange(p.reports, {});
  Execute(now, p.controller.OnFlows(clocks_.Monotonic(now), reports, round));
}

void Node::Answer(MonoTime now, const Request& request) {
  Execute(now, std::visit([&](const auto& each) { return Take(now, each); }, request));
}

Actions Node::Take(MonoTime now, const qure::Command& command) {
  Actions actions;
  const absl::Status status = process_->controller.OnCommand(clocks_.Monotonic(now), command, &actions);
  if (!status.ok()) parts_.monitor->OnRefused(now, *this, std::string(status.message()));
  return actions;
}

Actions Node::Take(MonoTime now, const ClusterConfig& config) {
  return process_->controller.OnConfig(clocks_.Monotonic(now), config);
}

Actions Node::Take(MonoTime now, const LookUpFlow& question) {
  const MonoTime local = clocks_.Monotonic(now);
  FlowTable* const table = process_->flows.memory().table;
  const FlowEntry* const entry = table->Find(question.key, table->HashOf(question.key), FlowTimeOf(local));
  const auto found = entry == nullptr ? std::nullopt : std::optional(*entry);
  return process_->controller.OnFlowFound(local, question, found);
}

Actions Node::Take(MonoTime now, const clusterconfig::Validate& question) {
  std::optional<clusterconfig::Finding> finding;
  if (Says(*question.body, "refused", setup_.name)) finding = clusterconfig::Finding{.reason = "not here"};
  return process_->controller.OnConfigValidated(clocks_.Monotonic(now), question.version, finding);
}

Actions Node::Take(MonoTime now, const clusterconfig::Apply& order) {
  const MonoTime local = clocks_.Monotonic(now);
  std::optional<clusterconfig::Finding> finding;
  if (order.body && Says(*order.body, "unfit", setup_.name)) {
    finding = clusterconfig::Finding{.reason = "not here"};
  } else if (order.version != process_->shared) {
    const ClusterConfig config = order.body ? With(setup_.config, *order.body) : setup_.config;
    process_->shared = order.version;
    Execute(now, process_->controller.OnConfig(local, config));
    if (!process_) return {};
  }
  return process_->controller.OnConfigApplied(local, order.version, finding);
}

void Node::Report(MonoTime now, const Event& event) {
  if (process_->events.size() >= kInboxRoom) return;
  process_->events.push_back(event);
  WakeControl(now);
}

void Node::Execute(MonoTime now, const Actions& actions) {
  for (const Action& action : actions) {
    std::visit([this, now](const auto& a) { Do(now, a); }, action);
    if (!process_) return;
  }
}

void Node::Do(MonoTime now, const SendFrame& action) {
  if (process_->outbox.size() >= kOutboxRoom) return;
  process_->outbox.push_back(action);
  WakeWorker(now + Duration{static_cast<int64_t>(random_.Below(static_cast<uint64_t>(setup_.worker_latency.ns)))});
}

void Node::Do(MonoTime now, const PublishSnapshot& action) {
  if (!WorkerHeld(now)) CatchUp(now);  // with the old one
  CheckSnapshot(*action.snapshot, process_->snapshot.get());
  process_->snapshot = action.snapshot;
  parts_.monitor->OnPublish(now, *this);
}

void Node::Do(MonoTime now, const OpenGate& action) {
  if (!WorkerHeld(now)) CatchUp(now);
  process_->gate.OpenSolo(action.stalls_known, action.opening);
  parts_.monitor->OnOpen(now, *this);
}

void Node::Do(MonoTime now, const ShutGate&) {
  process_->gate.Shut();
  parts_.monitor->OnShut(now, *this);
}

void Node::Do(MonoTime, const SetHostAddresses&) {}

void Node::Do(MonoTime now, const Persist& action) {
  process_->storing.push_back({.ticket = action.ticket, .ok = disk_.Apply(action.change)});
  parts_.queue->Add(now + disk_.delay(), Happening::kPersist, index_, boots_);
}

void Node::OnPersistDue(MonoTime now, uint64_t boot) {
  if (!process_ || boot != boots_ || process_->storing.empty()) return;
  process_->stored.push_back(process_->storing.front());
  process_->storing.pop_front();
  WakeControl(now);
}

void Node::Do(MonoTime now, const TakeNewIdentity&) {
  disk_.TakeNewIdentity(random_.Id());
  StartAsAnother(now);
}

void Node::Do(MonoTime now, const BeginAnew&) {
  disk_.BeginAnew(random_.Id());
  StartAsAnother(now);
}

void Node::StartAsAnother(MonoTime now) {
  parts_.monitor->OnNewIdentity(now, *this);
  parts_.monitor->OnEnd(now, *this);
  End(now);
  parts_.queue->Add(now + kProcessRestart, Happening::kDevice, port_, kRestart);
}

void Node::Do(MonoTime now, const BecomeNewBoot&) {
  parts_.monitor->OnEnd(now, *this);
  End(now);
  machine_runs_ = true;
  parts_.queue->Add(now + kProcessRestart, Happening::kDevice, port_, kRestart);
}

void Node::Do(MonoTime now, const LearnFlows& action) {
  for (const LearnFlows::Lesson& lesson : action.flows) {
    process_->flows.Learn(clocks_.Monotonic(now), {.key = lesson.key, .owner = lesson.owner});
  }
}

void Node::Do(MonoTime now, const LookUpFlow& action) {
  process_->requests.emplace_back(action);
  WakeControl(now);
}

void Node::Do(MonoTime, const FlowAnswered&) {}

void Node::Do(MonoTime now, const clusterconfig::Validate& action) {
  process_->requests.emplace_back(action);
  WakeControl(now);
}

void Node::Do(MonoTime now, const clusterconfig::Apply& action) {
  process_->requests.emplace_back(action);
  WakeControl(now);
}

void Node::Do(MonoTime now, const clusterconfig::Answered& action) {
  if (action.refusal) return parts_.monitor->OnRefused(now, *this, action.refusal->reason);
  parts_.monitor->Trace(now, absl::StrCat(setup_.name, ": ", clusterconfig::ToText(action.version), " is taken"));
}

void Node::Do(MonoTime now, const Finished&) {
  parts_.monitor->OnEnd(now, *this);
  End(now);
}

void Node::Do(MonoTime now, const Log& action) {
  parts_.monitor->OnLog(now, *this, action);
}

}  // namespace qure::sim

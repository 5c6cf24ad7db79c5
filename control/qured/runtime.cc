#include "control/qured/runtime.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "control/base/log.h"
#include "control/base/version.h"
#include "control/config/config_file.h"
#include "control/core/timers.h"
#include "control/operator/balance_status.h"
#include "control/operator/cluster_status.h"
#include "control/operator/commands.h"

namespace qure {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

// The gate wants a sign of life every max_control_silence / 4 at the latest.
constexpr Duration kLivenessInterval = Milliseconds(50);
static_assert(kLivenessInterval * 4 <= GateLimits{}.max_control_silence);
constexpr uint64_t kNobody = 0;  // no ticket of a request
constexpr Duration kWallClockInterval = Seconds(1);
constexpr Duration kAwaitWorkers = Milliseconds(5);      // some rounds; well below a lease
constexpr Duration kGiveUp = kStopTimeout + Seconds(1);  // the controller keeps kStopTimeout by itself
constexpr Duration kLastFrames = Milliseconds(10);       // a napping worker sends what is in its ring well within this
constexpr int kHighestPriority = -20;
constexpr unsigned long kTimerSlackNs = 1;  // of ppoll; 50 µs by default

sigset_t HandledSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  return signals;
}

void LogLines(LogLevel level, const std::string& lines) {
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(lines, '\n', absl::SkipEmpty())))
    LogLine(level, line);
}

// Deadlines of a few milliseconds count, and the two heartbeats' threads share cores with whatever the node serves.
void BecomePrompt() {
  prctl(PR_SET_TIMERSLACK, kTimerSlackNs, 0, 0, 0);
  if (setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kHighestPriority) < 0)
    LogLine(LogLevel::kDebug, "the control thread runs with ordinary priority");
}

uint64_t WallMilliseconds() {
  return static_cast<uint64_t>(absl::ToUnixMillis(absl::Now()));
}

std::vector<IpAddress> AddressesOf(const Snapshot& snapshot) {
  std::vector<IpAddress> addresses;
  for (const auto* family : {&snapshot.addresses_v4, &snapshot.addresses_v6}) {
    for (const ServiceAddress& address : *family) addresses.push_back(address.address);
  }
  return addresses;
}

ordered_json Refusal(const absl::Status& status) {
  return {{"error", std::string(status.message())}};
}

}  // namespace

void BlockSignals() {
  const sigset_t signals = HandledSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

Runtime::Runtime(std::string config_path, Config config, const NodeFacts& facts, const Parts& parts)
    : config_path_(std::move(config_path)),
      config_(std::move(config)),
      facts_(facts),
      parts_(parts),
      controller_(facts_, parts_.store->state(), random_, Now()),
      writer_([store = parts_.store](std::span<const StoreChange> changes) { return store->Apply(changes); }),
      loader_(config_path_),
      names_(random_(), parts_.lan_interface),
      started_(Now()) {
  latest_.name = config_.node.name;
  latest_.started = absl::Now();
  latest_.last_reload.time = latest_.started;
  Observe(started_);
}

absl::Status Runtime::Watch() {
  const sigset_t signals = HandledSignals();
  signals_ = Fd(signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!signals_.valid()) return absl::ErrnoToStatus(errno, "cannot watch for signals");
  watched_[kFrames] = {parts_.dataplane->event_fd(), POLLIN, 0};
  watched_[kStored] = {writer_.fd(), POLLIN, 0};
  watched_[kSignals] = {signals_.get(), POLLIN, 0};
  watched_[kProbes] = {prober_.fd(), POLLIN, 0};
  watched_[kNames] = {names_.fd(), POLLIN, 0};
  watched_[kLoaded] = {loader_.fd(), POLLIN, 0};
  watched_[kRequests] = {parts_.server->fd(), POLLIN, 0};
  return absl::OkStatus();
}

absl::StatusOr<Runtime::Ending> Runtime::Run() {
  if (absl::Status watch = Watch(); !watch.ok()) return watch;
  BecomePrompt();
  NoteControlAlive(Now());
  health_.Configure(config_.cluster.services, Now());
  names_.Configure(config_.cluster);
  Execute(controller_.OnConfig(Now(), config_.cluster));  // publishes the first snapshot, which the workers need
  parts_.dataplane->Start();
  LogLine(LogLevel::kInfo,
          absl::StrCat("qured ", FullVersion(), " serves: node ", config_.node.name, ", id ", ToHex(facts_.node_id),
                       ", boot ", parts_.store->state().age, ", LAN port ", config_.node.lan_port, ", node MAC ",
                       ToString(controller_.status(Now()).node_mac)));
  if (!parts_.store->alarm().empty()) LogLine(LogLevel::kError, parts_.store->alarm());
  while (!ending_) Round();
  parts_.dataplane->gate().Shut();
  const timespec last_frames = {.tv_sec = 0, .tv_nsec = kLastFrames.ns};
  ppoll(nullptr, 0, &last_frames, nullptr);
  LogLine(LogLevel::kInfo, "stopped");
  return *ending_;
}

void Runtime::Round() {
  // After we were held: what happened meanwhile is heard before the gate believes that we live.
  if (Now() >= next_heartbeat_ + kLivenessInterval * 2) {
    Hear();
    Execute(controller_.Tick(Now()));
  }
  const MonoTime now = Now();
  if (now >= next_heartbeat_) NoteControlAlive(now);
  HearFlows();
  CheckHealth();
  if (now >= controller_.NextDeadline()) {
    Hear();  // what was heard before the deadline counts before it
    Execute(controller_.Tick(Now()));
  }
  const MonoTime probe = std::min(health_.deadline(), prober_.deadline());
  if (!ending_) Wait(std::min({next_heartbeat_, controller_.NextDeadline(), probe}));
}

void Runtime::Wait(MonoTime until) {
  const int64_t ns = std::clamp<int64_t>((until - Now()).ns, 0, kLivenessInterval.ns);
  const timespec timeout = {.tv_sec = 0, .tv_nsec = ns};
  const int ready = ppoll(watched_.data(), watched_.size(), &timeout, nullptr);
  if (ready <= 0) return;
  if (watched_[kFrames].revents != 0) Hear();
  if (watched_[kStored].revents != 0) OnStored();
  if (watched_[kSignals].revents != 0) OnSignal();
  if (watched_[kNames].revents != 0) OnNames();
  if (watched_[kLoaded].revents != 0) OnLoaded();
  if (watched_[kRequests].revents != 0) {
    parts_.server->Serve([this](const ControlServer::Request& request) { return AnswerRequest(request); });
  }
}

void Runtime::NoteControlAlive(MonoTime now) {
  parts_.dataplane->gate().NoteControlAlive(now);
  parts_.dataplane->Housekeep();
  if (now >= next_wall_clock_) {
    controller_.SetWallClock(now, WallMilliseconds());
    next_wall_clock_ = now + kWallClockInterval;
    if (std::vector<DnsSample> samples = parts_.dataplane->TakeDnsSamples(); !samples.empty()) {
      names_.Log(std::move(samples));
    }
  }
  MakeUpForLostStall();
  if (const auto line = stalls_.Tick(now)) LogLine(LogLevel::kWarning, *line);
  if (now >= give_up_ && !ending_) {
    LogLine(LogLevel::kWarning, "not all could be handed over in time; stopping nevertheless");
    ending_ = Ending::kStopped;
  }
  Observe(now);
  next_heartbeat_ = now + kLivenessInterval;
}

// The event of a stall can be lost in a full ring. The gate would stay shut for ever: it opens only to who knows of
// all stalls. An event that is merely under way comes within a heartbeat.
void Runtime::MakeUpForLostStall() {
  if (stalls_heard_ < stalls_at_heartbeat_) {
    Hear();
    if (stalls_heard_ < stalls_at_heartbeat_) HearEvent({.kind = EventKind::kStalled, .stalls = stalls_at_heartbeat_});
  }
  stalls_at_heartbeat_ = parts_.dataplane->gate().stalls();
}

void Runtime::Hear() {
  // Taken first, handled last: what was received before something happened counts before it.
  const std::vector<Event> events = parts_.dataplane->TakeEvents();
  for (const Datagram& datagram : parts_.dataplane->TakeMessages()) Execute(controller_.OnDatagram(Now(), datagram));
  for (const Event& event : events) HearEvent(event);
  HearFlows();
}

// The round of reports that all workers have finished; 0: they are at different ones.
uint8_t Runtime::FlowRound() const {
  const int64_t round = parts_.dataplane->progress(0).flow_round.value();
  for (unsigned worker = 1; worker < parts_.dataplane->worker_count(); ++worker) {
    if (parts_.dataplane->progress(worker).flow_round.value() != round) return 0;
  }
  return static_cast<uint8_t>(round);
}

void Runtime::HearFlows() {
  const uint8_t round = FlowRound();  // first: what was reported in it is in the ring by then
  std::vector<FlowKey> flows;
  for (const PinnedFlow& report : parts_.dataplane->TakeFlowReports()) flows.push_back(report.key);
  if (flows.empty() && round == flow_round_) return;
  flow_round_ = round;
  Execute(controller_.OnFlows(Now(), flows, round));
}

void Runtime::HearEvent(const Event& event) {
  const MonoTime now = Now();
  if (event.kind == EventKind::kStalled) {
    stalls_heard_ = std::max(stalls_heard_, event.stalls);
    if (const auto line = stalls_.OnStall(now, event.span)) LogLine(LogLevel::kWarning, *line);
  }
  Execute(controller_.OnEvent(now, event));
}

void Runtime::CheckHealth() {
  const MonoTime now = Now();
  for (const ProbeResult& result : prober_.Collect(now)) health_.OnResult(now, result.service, result.good);
  for (const ServiceConfig* service : health_.TakeDue(now)) {
    const std::vector<ClaimStatus> claims = controller_.status(now).claims;
    if (service->address) {
      prober_.Start(now, *service, *service->address);
    } else if (!claims.empty()) {
      prober_.Start(now, *service, claims.front().address.address);
    }
  }
  Execute(controller_.OnHealth(now, health_.unhealthy()));
}

void Runtime::OnStored() {
  for (const StoreWriter::Result& result : writer_.TakeResults()) {
    Execute(controller_.OnPersisted(Now(), result.ticket, result.ok));
  }
}

void Runtime::OnSignal() {
  signalfd_siginfo info{};
  if (read(signals_.get(), &info, sizeof(info)) != sizeof(info)) return;
  if (info.ssi_signo == SIGHUP) {
    loader_.Load(kNobody);  // how it goes is logged and shown by status
    return;
  }
  LogLine(LogLevel::kInfo, info.ssi_signo == SIGTERM ? "SIGTERM: stopping" : "SIGINT: stopping");
  Stop(Now());
}

void Runtime::Stop(MonoTime now) {
  if (give_up_ != kNever) {  // told twice
    ending_ = Ending::kStopped;
    return;
  }
  give_up_ = now + kLeaveTimeout + kGiveUp;
  names_.Leave();
}

void Runtime::Resign(MonoTime now) {
  Actions actions;
  const absl::Status stopping = controller_.OnCommand(now, qure::Stop{}, &actions);
  Execute(actions);
  if (!stopping.ok()) ending_ = Ending::kStopped;
}

void Runtime::OnLoaded() {
  for (ConfigLoader::Result& loaded : loader_.TakeResults()) {
    const absl::Status result = Replace(std::move(loaded.config));
    latest_.last_reload = {absl::Now(), std::string(result.message())};
    if (result.ok()) {
      LogLine(LogLevel::kInfo, absl::StrCat("configuration reloaded from ", config_path_));
    } else {
      LogLine(LogLevel::kError, "configuration not reloaded, the old one goes on serving:");
      LogLines(LogLevel::kError, std::string(result.message()));
    }
    const ordered_json answer = result.ok() ? ordered_json{{"reloaded", config_path_}} : Refusal(result);
    for (const uint64_t ticket : loaded.tickets) {
      if (ticket != kNobody) parts_.server->Answer(ticket, answer);
    }
  }
}

void Runtime::OnNames() {
  NameService::News news = names_.Take();
  if (news.names != nullptr) Execute(controller_.OnNames(Now(), std::move(news.names)));
  for (const auto& [ticket, answer] : news.answers) parts_.server->Answer(ticket, answer);
  if (news.left) Resign(Now());
}

void Runtime::TellNames() {
  ClusterFacts facts = FactsOf(config_.cluster, latest_.controller, WallMilliseconds() / 1000);
  if (told_ == facts) return;
  names_.OnFacts(facts);
  told_ = std::move(facts);
}

absl::Status Runtime::Replace(absl::StatusOr<Config> next) {
  if (!next.ok()) return next.status();
  if (absl::Status possible = CheckReload(config_, *next); !possible.ok()) return possible;
  if (next->cluster.gateways != config_.cluster.gateways) {
    if (absl::Status set = parts_.host->SetGateways(next->cluster.gateways); !set.ok()) return set;
  }
  SetLogLevel(next->node.log_level);
  for (const std::string& warning : ConfigWarnings(config_path_, *next)) LogLine(LogLevel::kWarning, warning);
  if (next->cluster.network.key != config_.cluster.network.key) {
    LogLine(LogLevel::kInfo, "cluster.key is another one now: it is for a first start; this node keeps its keys");
  }
  config_ = *std::move(next);
  health_.Configure(config_.cluster.services, Now());
  names_.Configure(config_.cluster);
  Execute(controller_.OnConfig(Now(), config_.cluster));
  return absl::OkStatus();
}

std::optional<ordered_json> Runtime::AnswerRequest(const ControlServer::Request& request) {
  if (request.command == "explain") return AnswerExplain(request);
  if (request.command == "reload") {
    loader_.Load(request.ticket);
    return std::nullopt;
  }
  if (request.command == "dns") {
    names_.Ask(request.ticket, request.body);
    return std::nullopt;
  }
  return Answer(request.command, request.body);
}

ordered_json Runtime::Answer(std::string_view command, const json& request) {
  const Dataplane& dataplane = *parts_.dataplane;
  const MonoTime now = Now();
  if (command == "status") {
    Observe(now);
    return StatusJson(Completed(latest_));
  }
  if (command == "nodes") return NodesJson(controller_.status(now));
  if (command == "term") return TermAnswer(controller_.status(now));
  if (command == "history") return AnswerHistory(request);
  if (command == "services") return ServicesJson(controller_.status(now));
  if (command == "flows") return AnswerFlows(request);
  if (command == "ports") return PortsJson(dataplane.ports(), workers());
  if (command == "counters") return CountersJson(workers(), dataplane.mbufs_in_use());
  if (command == "config") return ConfigJson(config_);
  if (std::optional<ordered_json> answer = Obey(request)) return *std::move(answer);
  if (command == "key") return KeysJson(controller_.status(now));
  return {{"error", absl::StrCat("unknown command \"", std::string(command),
                                 "\"; there are status, nodes, term, history, ports, counters, config, reload, "
                                 "maintenance, handover, key, services, flows, drain, weight, explain, dns")}};
}

ordered_json Runtime::AnswerFlows(const json& request) {
  const ControllerStatus status = controller_.status(Now());
  ordered_json answer = FlowsJson(status, workers());
  const auto wanted = request.find("top");
  if (wanted == request.end()) return answer;
  if (!wanted->is_number_unsigned() || *wanted == 0 || *wanted > TopRemotes::kMost) {
    return {{"error", absl::StrCat("top is a number of remote addresses from 1 to ", TopRemotes::kMost)}};
  }
  const std::optional<std::vector<TopRemotes>> top = parts_.dataplane->FindTop();
  if (!top) return {{"error", "a worker has not answered in time; ask again"}};
  answer["top"] = TopJson(status, snapshot_->services.get(), *top, wanted->get<size_t>());
  return answer;
}

std::optional<ordered_json> Runtime::AnswerExplain(const ControlServer::Request& request) {
  const absl::StatusOr<ExplainQuestion> question = ReadExplainQuestion(request.body);
  if (!question.ok()) return Refusal(question.status());
  const std::optional<FlowKey> key = FlowOf(*question, *snapshot_);
  if (!key) return Explain(*question, *snapshot_, {}, controller_.status(Now()));
  explaining_.emplace(request.ticket, *question);
  const QueryFlow ask{.id = request.ticket, .whom = DeciderOf(*key, *snapshot_), .key = *key};
  Actions actions;
  const absl::Status asked = controller_.OnCommand(Now(), ask, &actions);
  Execute(actions);
  if (asked.ok()) return std::nullopt;
  explaining_.erase(request.ticket);
  return Refusal(asked);
}

ordered_json Runtime::AnswerHistory(const json& request) {
  size_t limit = kDefaultHistory;
  if (const auto wanted = request.find("limit"); wanted != request.end()) {
    if (!wanted->is_number_unsigned()) return {{"error", "the limit is a number of events"}};
    limit = std::min(wanted->get<size_t>(), kMostHistory);
  }
  return HistoryJson(controller_.history(), controller_.status(Now()), limit, WallMilliseconds());
}

std::optional<ordered_json> Runtime::Obey(const json& request) {
  const std::optional<absl::StatusOr<Command>> command = ReadCommand(request, controller_.status(Now()));
  if (!command) return std::nullopt;
  if (!command->ok()) return Refusal(command->status());
  Actions actions;
  const absl::Status done = controller_.OnCommand(Now(), **command, &actions);
  Execute(actions);
  if (!done.ok()) return Refusal(done);
  const ControllerStatus status = controller_.status(Now());
  if (std::holds_alternative<SetMaintenance>(**command)) return ordered_json{{"maintenance", status.maintenance}};
  if (const auto* drain = std::get_if<SetDraining>(&**command))
    return DoneJson(status, drain->node, drain->on ? "drains" : "takes new flows again");
  if (const auto* weight = std::get_if<SetWeight>(&**command))
    return DoneJson(status, weight->node, "has another weight");
  return std::holds_alternative<HandOver>(**command) ? TermAnswer(status) : KeysJson(status);
}

NodeStatus Runtime::Completed(NodeStatus status) const {
  status.now = Now();
  status.uptime = absl::Nanoseconds((status.now - started_).ns);
  status.gate_open = parts_.dataplane->gate().MayTransmit(status.now);
  status.store_alarm = writer_.alarm();
  status.heartbeater = parts_.dataplane->heartbeat_counters();
  status.lease = parts_.dataplane->heartbeat_status();
  return status;
}

NodeStatus Runtime::status() const {
  NodeStatus status;
  {
    const std::lock_guard lock(mutex_);
    status = observed_;
  }
  return Completed(std::move(status));
}

WorkerList Runtime::workers() const {
  WorkerList workers;
  for (unsigned i = 0; i < parts_.dataplane->worker_count(); ++i) workers.push_back(&parts_.dataplane->counters(i));
  return workers;
}

void Runtime::Observe(MonoTime now) {
  latest_.controller = controller_.status(now);
  TellNames();
  if (const auto& last = latest_.controller.last_takeover; last && last->term != counted_) {
    if (last->cause != Cause::kFirst) latest_.takeovers.Add(last->took);  // there was nothing to take over
    counted_ = last->term;
  }
  // A scrape that is just reading must not hold up the control thread: the next heartbeat will do.
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (lock.owns_lock()) observed_ = latest_;
}

void Runtime::Execute(const Actions& actions) {
  for (const Action& action : actions) {
    std::visit([this](const auto& a) { Do(a); }, action);
  }
  // Not between two of the actions: what the controller then wants comes after all of them.
  for (const LookUpFlow& question : std::exchange(lookups_, {})) {
    const std::optional<FlowEntry> found = parts_.dataplane->FindFlow(question.key);
    Execute(controller_.OnFlowFound(Now(), question, found));
  }
  if (std::exchange(opened_, false)) Observe(Now());  // a takeover: the next one may come before the next heartbeat
}

void Runtime::Do(const SendFrame& action) {
  // A full ring loses the frame as the wire might: the core repeats what matters.
  if (!parts_.dataplane->Send(action.bytes, action.answer))
    LogLine(LogLevel::kDebug, "control ring full: frame not sent");
}

void Runtime::Do(const PublishSnapshot& action) {
  const bool names_concerned = snapshot_ == nullptr || snapshot_->dns != action.snapshot->dns ||
                               AddressesOf(*snapshot_) != AddressesOf(*action.snapshot);
  snapshot_ = action.snapshot;
  if (names_concerned) names_.OnAuthority(snapshot_->dns, AddressesOf(*snapshot_));
  parts_.dataplane->Publish(action.snapshot);
}

void Runtime::Do(const OpenGate& action) {
  parts_.dataplane->gate().OpenSolo(action.stalls_known, action.opening);
  opened_ = true;
  LogLine(LogLevel::kDebug, absl::StrCat("gate opened, opening ", action.opening));
}

void Runtime::Do(const ShutGate& action) {
  if (action.after_workers && !parts_.dataplane->AwaitWorkers(kAwaitWorkers)) {
    LogLine(LogLevel::kWarning, "a worker goes on with an old snapshot: the gate shuts nevertheless");
  }
  parts_.dataplane->gate().Shut();
  LogLine(LogLevel::kDebug, "gate shut");
}

void Runtime::Do(const SetHostAddresses& action) {
  if (const absl::Status set = parts_.host->SetServiceAddresses(action.addresses); !set.ok()) {
    LogLine(LogLevel::kError, absl::StrCat("service addresses not set on the host port: ", set.message()));
  }
}

void Runtime::Do(const Persist& action) {
  writer_.Write(action.ticket, action.change);
}

void Runtime::Do(const TakeNewIdentity&) {
  LogLine(LogLevel::kError, "this node is a copy of another one: it goes on with an identity of its own");
  ending_ = Ending::kNewIdentity;
}

void Runtime::Do(const LearnFlows& action) {
  std::vector<PinnedFlow> flows;
  for (const LearnFlows::Lesson& lesson : action.flows) flows.push_back({.key = lesson.key, .owner = lesson.owner});
  parts_.dataplane->LearnFlows(flows);
}

void Runtime::Do(const LookUpFlow& action) {
  lookups_.push_back(action);
}

void Runtime::Do(const FlowAnswered& action) {
  const auto asked = explaining_.extract(action.id);
  if (asked.empty()) return;
  parts_.server->Answer(action.id, Explain(asked.mapped(), *snapshot_, action, controller_.status(Now())));
}

void Runtime::Do(const Finished&) {
  ending_ = Ending::kStopped;
}

void Runtime::Do(const Log& action) {
  LogLine(action.level, action.text);
}

}  // namespace qure

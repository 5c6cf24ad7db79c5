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
#include "control/base/log.h"
#include "control/base/version.h"
#include "control/config/config_file.h"
#include "control/config/config_json.h"
#include "control/core/node_facts.h"
#include "control/core/timers.h"
#include "control/operator/balance_status.h"
#include "control/operator/cluster_status.h"
#include "control/operator/commands.h"
#include "control/qured/clock_source.h"
#include "control/qured/unknown_weights.h"
#include "proto/check.h"

namespace qure {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

// The gate expects NoteControlAlive every max_control_silence / 4 at the latest.
constexpr Duration kLivenessInterval = Milliseconds(50);
static_assert(kLivenessInterval * 4 <= GateLimits{}.max_control_silence);
constexpr uint64_t kNoTicket = 0;  // no request waits for the answer
constexpr Duration kWallClockInterval = Seconds(1);
constexpr Duration kAwaitWorkers = Milliseconds(5);      // some rounds of a worker; well below a lease
constexpr Duration kGiveUp = kStopTimeout + Seconds(1);  // the controller itself needs kStopTimeout at most
constexpr Duration kLastFrames = Milliseconds(10);       // an idle worker sends the frames in its ring well within this
constexpr Duration kHostInterval = Seconds(1);           // between two looks without cause: sysctls report no change
constexpr Duration kNodesKnown = Seconds(10);            // by then the nodes of the cluster have been heard
constexpr Duration kHostPause = Milliseconds(20);        // between two looks with cause, at least
constexpr int kHostShare = 20;                           // of this thread's time, one part is for looking at most
constexpr int kHighestPriority = -20;
constexpr unsigned long kTimerSlackNs = 1;  // of ppoll; 50 µs by default

sigset_t HandledSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  return signals;
}

// Deadlines of a few milliseconds matter, and this thread shares its cores with the services of the node.
void RaisePriority() {
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

ordered_json UnknownCommand(std::string_view command) {
  std::string known;
  for (const auto& [kind, name] : kRequestKinds) absl::StrAppend(&known, known.empty() ? "" : ", ", std::string(name));
  return {{"error", absl::StrCat("unknown command \"", std::string(command), "\"; known: ", known)}};
}

// The answer after a command: the part of the status that it changes.
struct DoneAnswer {
  ControllerStatus status;

  ordered_json operator()(const SetMaintenance&) const { return {{"maintenance", status.maintenance}}; }
  ordered_json operator()(const SetDraining& drain) const {
    return DoneJson(status, drain.node, drain.on ? "drains" : "takes new flows again");
  }
  ordered_json operator()(const SetWeight& weight) const { return DoneJson(status, weight.node, "has another weight"); }
  ordered_json operator()(const ForgetNode& forget) const { return DoneJson(status, forget.node, "is forgotten"); }
  ordered_json operator()(const HandOver&) const { return TermAnswer(status); }
  ordered_json operator()(const EnrolMembers&) const { return RollJson(status); }
  ordered_json operator()(const RevokeNodes&) const { return RollJson(status); }
  ordered_json operator()(const AdmitNode& admit) const {
    return {{"done", absl::StrCat("the node ", admit.code, " is taken in as soon as it is heard")}};
  }
  ordered_json operator()(const AdmitAll& all) const {
    return {{"done", absl::StrCat("every node without a key that asks is taken in for ",
                                  all.lifetime.ns / Seconds(1).ns, " s, by this node")}};
  }
  ordered_json operator()(const LeaveCluster&) const {
    return {{"done", "this node hands over, leaves the cluster and begins anew, without a key"}};
  }
  // The only time that the token is shown.
  ordered_json operator()(const OpenToken& open) const {
    return {{"token", admission::ToText(admission::MakeToken(*status.roll.cluster, open.id, open.secret))},
            {"id", admission::ToText(open.id)},
            {"uses", open.uses},
            {"expires_in_seconds", open.lifetime.ns / Seconds(1).ns}};
  }
  ordered_json operator()(const CloseToken&) const { return TokensJson(status); }
  // The only time that the code is shown.
  ordered_json operator()(const FoundCluster& founded) const {
    ordered_json answer = RollJson(status);
    answer["recovery_code"] = admission::ToText(founded.code);
    return answer;
  }
  template <typename KeyCommand>
  ordered_json operator()(const KeyCommand&) const {
    return KeysJson(status);
  }
};

}  // namespace

void BlockSignals() {
  const sigset_t signals = HandledSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

Runtime::Runtime(StartConfig start, const NodeFacts& facts, const Parts& parts)
    : config_path_(std::move(start.path)),
      config_(std::move(start.config)),
      own_text_(std::move(start.text)),
      joined_(std::move(start.joined)),
      facts_(facts),
      parts_(parts),
      controller_(facts_, parts_.store->state(), random_, Now()),
      writer_([store = parts_.store](std::span<const StoreChange> changes) { return store->Apply(changes); },
              parts_.store->alarm()),
      prober_(
          OwnMac(facts_, config_.cluster.service_mac, 0),
          [this](ConstBytes frame) { parts_.dataplane->Send(frame, Reason::way_in_question); },
          [this] { return random_(); }),
      loader_(config_path_, own_text_, joined_),
      names_(random_(), parts_.lan_interface),
      started_(Now()) {
  if (start.shared) {
    shared_ = start.shared->version;
    loader_.UseShared(start.shared->body);
  }
  status_.latest().name = config_.node.name;
  status_.latest().started = absl::Now();
  status_.latest().last_reload.time = status_.latest().started;
  UpdateStatus(started_);
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
  watched_[kKernel] = {parts_.kernel->fd(), POLLIN, 0};
  watched_[kRequests] = {parts_.server->fd(), POLLIN, 0};
  return absl::OkStatus();
}

absl::StatusOr<Runtime::Ending> Runtime::Run() {
  if (absl::Status watch = Watch(); !watch.ok()) return watch;
  RaisePriority();
  NoteControlAlive(Now());
  health_.Configure(config_.cluster.services, Now());
  names_.Configure(config_.cluster);
  Execute(controller_.OnConfig(Now(), config_.cluster));  // publishes the first snapshot, which the workers need
  QURE_CHECK(snapshot_ != nullptr);
  CheckLink();
  parts_.dataplane->Start();
  LogLine(LogLevel::kInfo, "qured ", FullVersion(), " started: node ", config_.node.name, ", id ",
          ToHex(facts_.node_id), ", boot ", parts_.store->state().age, ", LAN port ", config_.node.lan_port,
          ", node MAC ", ToString(controller_.status(Now()).node_mac));
  if (!parts_.store->alarm().empty()) LogLine(LogLevel::kError, parts_.store->alarm());
  look_at_weights_ = Now() + kNodesKnown;
  if (parts_.trial) trial_ends_ = Now() + *parts_.trial;
  while (!ending_) Round();
  parts_.dataplane->gate().Shut();
  const timespec last_frames = {.tv_sec = 0, .tv_nsec = kLastFrames.ns};
  ppoll(nullptr, 0, &last_frames, nullptr);
  LogLine(LogLevel::kInfo, "stopped");
  if (host_lost_) return Ending::kHostLost;
  return unconfirmed_ ? Ending::kUnconfirmed : *ending_;
}

void Runtime::Round() {
  // After a pause of this thread: events come first, then the gate is notified that this thread is alive.
  if (Now() >= next_liveness_ + kLivenessInterval * 2) {
    TakeEvents();
    Execute(controller_.Tick(Now()));
  }
  const MonoTime now = Now();
  if (now >= next_liveness_) NoteControlAlive(now);
  TakeFlowReports();
  CheckHealth();
  if (now >= look_at_host_) LookAfterHost(now);
  if (now >= look_at_weights_) WarnOfWeights(now);
  if (now >= controller_.NextDeadline()) {
    TakeEvents();  // events from before the deadline count before it
    Execute(controller_.Tick(Now()));
  }
  const MonoTime probe = std::min(health_.deadline(), prober_.deadline());
  if (!ending_) Wait(std::min({next_liveness_, controller_.NextDeadline(), probe, look_at_host_}));
}

void Runtime::Wait(MonoTime until) {
  const int64_t ns = std::clamp<int64_t>((until - Now()).ns, 0, kLivenessInterval.ns);
  const timespec timeout = {.tv_sec = 0, .tv_nsec = ns};
  const int ready = ppoll(watched_.data(), watched_.size(), &timeout, nullptr);
  if (ready <= 0) return;
  if (watched_[kKernel].revents != 0) {
    parts_.kernel->Take();
    CheckLink();
    look_at_host_ = std::min(look_at_host_, looked_at_host_ + host_pause_);
    RetryUnable();
  }
  if (watched_[kFrames].revents != 0) TakeEvents();
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
    CheckClock();
    if (std::vector<DnsSample> samples = parts_.dataplane->TakeDnsSamples(); !samples.empty()) {
      names_.Log(std::move(samples));
    }
  }
  if (restore_watch_.Look()) Execute(controller_.OnRestored(now));
  CheckLink();  // not all ports are interfaces of the kernel
  const HeartbeatCounters heartbeats = parts_.dataplane->heartbeat_counters();
  if (const uint64_t accepted = heartbeats.acks_sent + heartbeats.acks_received; accepted != accepted_heartbeats_) {
    accepted_heartbeats_ = accepted;
    controller_.OnHeartbeats(now);
  }
  ReplaceLostStall();
  if (const auto line = stall_report_.Tick(now)) LogLine(LogLevel::kWarning, *line);
  if (now >= trial_ends_) EndTrial(now);
  if (now >= give_up_ && !ending_) {
    LogLine(LogLevel::kWarning, "the handover did not end in time: stopping without it");
    ending_ = Ending::kStopped;
  }
  UpdateStatus(now);
  next_liveness_ = now + kLivenessInterval;
}

// An event that is only on its way arrives within a round of liveness.
void Runtime::ReplaceLostStall() {
  if (stalls_.missing()) TakeEvents();
  if (stalls_.missing()) OnEvent({.kind = EventKind::kStalled, .stalls = stalls_.gate_count()});
  stalls_.OnGateCount(parts_.dataplane->gate().stalls());
}

void Runtime::TakeEvents() {
  // Events are taken first and handled last, so that a message received before an event counts before it.
  const uint64_t backlogs = parts_.dataplane->gate().backlogs();  // first: their messages are in the ring by then
  const std::vector<Event> events = parts_.dataplane->TakeEvents();
  for (const Datagram& datagram : parts_.dataplane->TakeMessages()) Execute(controller_.OnDatagram(Now(), datagram));
  for (const Event& event : events) OnEvent(event);
  parts_.dataplane->gate().NoteMessagesHeard(backlogs);
  TakeFlowReports();
}

// The round of reports that all workers have finished; 0 if they are in different rounds.
uint8_t Runtime::FlowRound() const {
  const int64_t round = parts_.dataplane->progress(0).flow_round.value();
  for (unsigned worker = 1; worker < parts_.dataplane->worker_count(); ++worker) {
    if (parts_.dataplane->progress(worker).flow_round.value() != round) return 0;
  }
  return static_cast<uint8_t>(round);
}

void Runtime::TakeFlowReports() {
  const uint8_t round = FlowRound();  // first: all reports of that round are in the ring by then
  std::vector<FlowKey> flows;
  for (const PinnedFlow& report : parts_.dataplane->TakeFlowReports()) flows.push_back(report.key);
  if (flows.empty() && round == flow_round_) return;
  flow_round_ = round;
  Execute(controller_.OnFlows(Now(), flows, round));
}

void Runtime::OnEvent(const Event& event) {
  const MonoTime now = Now();
  if (event.kind == EventKind::kWayInAnswer) return prober_.OnWayIn(event.number, event.open);
  if (event.kind == EventKind::kStalled) {
    stalls_.OnEvent(event.stalls);
    if (const auto line = stall_report_.OnStall(now, event.span)) LogLine(LogLevel::kWarning, *line);
  }
  if (event.kind == EventKind::kLinkUp) stalls_.OnEvent(event.stalls);
  Execute(controller_.OnEvent(now, event));
}

// The gate first: it shuts, or counts a stall, before anybody thinks about it.
void Runtime::CheckLink() {
  const bool up = parts_.dataplane->lan_link_up();
  if (up == link_up_) return;
  link_up_ = up;
  LeaseGate& gate = parts_.dataplane->gate();
  gate.SetLink(up);
  LogLine(LogLevel::kWarning, "the link of LAN port ", config_.node.lan_port, up ? " is up again" : " is down");
  if (up) TakeEvents();  // of before
  OnEvent({.kind = up ? EventKind::kLinkUp : EventKind::kLinkDown, .stalls = gate.stalls()});
}

// The kernel changes its clock source when it no longer trusts the one it has.
void Runtime::CheckClock() {
  const std::string source = ClockSource();
  const bool fit = IsFitClockSource(source);
  if (fit == clock_fit_) return;
  clock_fit_ = fit;
  LogLine(LogLevel::kWarning, "the kernel keeps its clock by ", source,
          fit ? ": this node may be master again" : ": no lease can be kept by it, this node is ineligible");
  OnEvent({.kind = fit ? EventKind::kClockFit : EventKind::kClockUnfit});
}

void Runtime::CheckHealth() {
  if (Now() >= prober_.deadline()) TakeEvents();  // an answer from before the deadline counts before it
  const MonoTime now = Now();
  for (const ProbeResult& probe : prober_.Collect(now)) health_.OnResult(now, probe.service, probe.result);
  for (const ServiceConfig* service : health_.TakeDue(now)) {
    const std::optional<IpAddress> address = service->address ? service->address : controller_.first_address();
    if (address) prober_.Start(now, *service, *address);
  }
  if (std::optional<ServiceHealth> health = health_.TakeChange()) {
    Execute(controller_.OnHealth(now, *std::move(health)));
  }
}

void Runtime::LookAfterHost(MonoTime now) {
  looked_at_host_ = now;
  look_at_host_ = now + kHostInterval;
  if (host_lost_) return;
  std::vector<std::string> put_back;
  const absl::Status status = parts_.host->PutBack(&put_back);
  for (const std::string& what : put_back) LogLine(LogLevel::kWarning, "put back on this machine: ", what);
  status_.latest().host_repairs += put_back.size();
  repairs_.OnLook(now, status.ok() && put_back.empty());
  if (absl::IsNotFound(status)) return LoseHost(now, std::string(status.message()));
  if (repairs_.hopeless()) return LoseHost(now, status.ok() ? "it is taken away again" : std::string(status.message()));
  host_pause_ = std::max(kHostPause, (Now() - now) * kHostShare);
  if (repairs_.troubled()) look_at_host_ = now + host_pause_;
}

void Runtime::WarnOfWeights(MonoTime now) {
  look_at_weights_ = kNever;
  for (const std::string& line : UnknownWeights(config_.cluster, controller_.status(now).nodes)) {
    LogLine(LogLevel::kWarning, line);
  }
}

void Runtime::LoseHost(MonoTime now, std::string_view why) {
  host_lost_ = true;
  LogLine(LogLevel::kError, "the host port or the LAN port does not work: ", why,
          "; handing over and stopping, a new start can mend it");
  if (give_up_ == kNever) Stop(now);
}

void Runtime::OnStored() {
  for (const StoreWriter::Result& result : writer_.TakeResults()) {
    if (result.ticket == StoreWriter::kRecovered) {
      Execute(controller_.OnStoreRecovered(Now()));
      continue;
    }
    Execute(controller_.OnPersisted(Now(), result.ticket, result.ok));
  }
}

void Runtime::OnSignal() {
  signalfd_siginfo info{};
  if (read(signals_.get(), &info, sizeof(info)) != sizeof(info)) return;
  if (info.ssi_signo == SIGHUP) {
    loader_.Load(kNoTicket);  // the log and `qurectl status` show the result
    return;
  }
  LogLine(LogLevel::kInfo, info.ssi_signo == SIGTERM ? "SIGTERM: stopping" : "SIGINT: stopping");
  Stop(Now());
}

void Runtime::Stop(MonoTime now) {
  if (give_up_ != kNever) {  // the second signal
    ending_ = Ending::kStopped;
    return;
  }
  give_up_ = now + kLeaveTimeout + kGiveUp;
  names_.Leave();
}

void Runtime::EndTrial(MonoTime now) {
  trial_ends_ = kNever;
  unconfirmed_ = true;
  LogLine(LogLevel::kError, "no `qurectl confirm` came in the time of --try: stopping, and giving everything back");
  if (give_up_ == kNever) Stop(now);
}

ordered_json Runtime::Confirm() {
  if (trial_ends_ == kNever) return {{"error", "there is nothing to confirm: qured was not started with --try"}};
  trial_ends_ = kNever;
  LogLine(LogLevel::kInfo, "confirmed: the trial is over");
  return {{"confirmed", true}};
}

void Runtime::Resign(MonoTime now) {
  Actions actions;
  const absl::Status stopping = controller_.OnCommand(now, qure::Stop{}, &actions);
  Execute(actions);
  if (!stopping.ok()) ending_ = Ending::kStopped;
}

void Runtime::OnNames() {
  NameService::News news = names_.Take();
  if (news.names != nullptr) Execute(controller_.OnNames(Now(), std::move(news.names)));
  for (const auto& [ticket, answer] : news.answers) parts_.server->Answer(ticket, answer);
  if (news.left) Resign(Now());
}

void Runtime::NotifyNames() {
  ClusterFacts facts = FactsOf(config_.cluster, status_.latest().controller, WallMilliseconds() / 1000);
  if (facts_of_names_ == facts) return;
  names_.OnFacts(facts);
  facts_of_names_ = std::move(facts);
}

std::optional<ordered_json> Runtime::AnswerRequest(const ControlServer::Request& request) {
  const std::optional<RequestKind> kind = RequestKindOf(request.command);
  if (!kind) return UnknownCommand(request.command);
  switch (*kind) {
    case RequestKind::kExplain:
      return AnswerExplain(request);
    case RequestKind::kReload:
      loader_.Load(request.ticket);
      return std::nullopt;
    case RequestKind::kDns:
      names_.Ask(request.ticket, request.body);
      return std::nullopt;
    case RequestKind::kStatus:
      UpdateStatus(Now());
      return StatusJson(Completed(status_.latest()));
    case RequestKind::kNodes:
      return NodesJson(controller_.status(Now()));
    case RequestKind::kTerm:
      return TermAnswer(controller_.status(Now()));
    case RequestKind::kHistory:
      return AnswerHistory(request.body);
    case RequestKind::kServices:
      return ServicesJson(controller_.status(Now()));
    case RequestKind::kFlows:
      return AnswerFlows(request.body);
    case RequestKind::kPorts:
      return PortsJson(parts_.dataplane->ports(), workers());
    case RequestKind::kCounters:
      return CountersJson(workers(), parts_.dataplane->mbufs_in_use());
    case RequestKind::kConfig:
      return ConfigJson(config_);
    case RequestKind::kSharedConfig:
      return AnswerShared(request);
    case RequestKind::kConfirm:
      return Confirm();
    case RequestKind::kBegin:
      return BeginACluster(request.body);
    case RequestKind::kCandidates:
      return CandidatesJson(controller_.status(Now()), Now());
    case RequestKind::kClusters:
      return ClustersJson(controller_.status(Now()), config_.cluster.name, Now());
    case RequestKind::kAdmit:
    case RequestKind::kCluster:
    case RequestKind::kDrain:
    case RequestKind::kForget:
    case RequestKind::kHandover:
    case RequestKind::kInvite:
    case RequestKind::kKey:
    case RequestKind::kLeave:
    case RequestKind::kMaintenance:
    case RequestKind::kRevoke:
    case RequestKind::kWeight:
      break;
  }
  return Obey(*kind, request.body);
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
  if (!top) return {{"error", "a worker did not answer in time; try again"}};
  answer["top"] = TopJson(status, snapshot_->services.get(), *top, wanted->get<size_t>());
  return answer;
}

std::optional<ordered_json> Runtime::AnswerExplain(const ControlServer::Request& request) {
  const absl::StatusOr<ExplainQuestion> question = ReadExplainQuestion(request.body);
  if (!question.ok()) return Refusal(question.status());
  const std::optional<FlowKey> key = FlowOf(*question, *snapshot_);
  if (!key) return Explain(*question, *snapshot_, {}, controller_.status(Now()));
  explaining_.emplace(request.ticket, *question);
  const QueryFlow query{.id = request.ticket, .whom = DeciderOf(*key, *snapshot_), .key = *key};
  Actions actions;
  const absl::Status sent = controller_.OnCommand(Now(), query, &actions);
  Execute(actions);
  if (sent.ok()) return std::nullopt;
  explaining_.erase(request.ticket);
  return Refusal(sent);
}

ordered_json Runtime::AnswerHistory(const json& request) {
  size_t limit = kDefaultHistory;
  if (const auto wanted = request.find("limit"); wanted != request.end()) {
    if (!wanted->is_number_unsigned()) return {{"error", "the limit is a number of events"}};
    limit = std::min(wanted->get<size_t>(), kMostHistory);
  }
  return HistoryJson(controller_.history(), controller_.status(Now()), limit, WallMilliseconds());
}

ordered_json Runtime::Obey(RequestKind kind, const json& request) {
  const std::optional<absl::StatusOr<Command>> command = ReadCommand(kind, request, controller_.status(Now()));
  if (!command) {  // `cluster`, `invite list` and `key list`
    const ControllerStatus status = controller_.status(Now());
    if (kind == RequestKind::kInvite) return TokensJson(status);
    return kind == RequestKind::kCluster ? RollJson(status) : KeysJson(status);
  }
  if (!command->ok()) return Refusal(command->status());
  Actions actions;
  const absl::Status done = controller_.OnCommand(Now(), **command, &actions);
  Execute(actions);
  if (!done.ok()) return Refusal(done);
  return std::visit(DoneAnswer{controller_.status(Now())}, **command);
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
  return Completed(status_.Published());
}

WorkerList Runtime::workers() const {
  WorkerList workers;
  for (unsigned i = 0; i < parts_.dataplane->worker_count(); ++i) workers.push_back(&parts_.dataplane->counters(i));
  return workers;
}

void Runtime::UpdateStatus(MonoTime now) {
  status_.Update(controller_.status(now));
  NotifyNames();
}

void Runtime::Execute(const Actions& actions) {
  for (const Action& action : actions) {
    std::visit([this](const auto& a) { Do(a); }, action);
  }
  // After all actions, never between two of them: what is done here leads to more actions.
  for (const LookUpFlow& question : std::exchange(lookups_, {})) {
    const std::optional<FlowEntry> found = parts_.dataplane->FindFlow(question.key);
    Execute(controller_.OnFlowFound(Now(), question, found));
  }
  for (const ConfigTask& task : std::exchange(config_orders_, {})) {
    std::visit([this](const auto& each) { Carry(each); }, task);
  }
  // A takeover is counted now, because the next one may come before the next round of liveness.
  if (std::exchange(opened_, false)) UpdateStatus(Now());
}

void Runtime::Do(const SendFrame& action) {
  // A full ring loses the frame, as the wire may: the core repeats every frame that matters.
  if (!parts_.dataplane->Send(action.bytes, action.answer ? Reason::control_announce : Reason::control_frame))
    LogLine(LogLevel::kDebug, "control ring full: a frame was not sent");
}

void Runtime::Do(const PublishSnapshot& action) {
  QURE_CHECK(action.snapshot != nullptr);
  const bool names_concerned = snapshot_ == nullptr || snapshot_->dns != action.snapshot->dns ||
                               AddressesOf(*snapshot_) != AddressesOf(*action.snapshot);
  snapshot_ = action.snapshot;
  if (names_concerned) names_.OnAuthority(snapshot_->dns, AddressesOf(*snapshot_));
  parts_.dataplane->Publish(action.snapshot);
}

void Runtime::Do(const OpenGate& action) {
  const uint64_t stalls = parts_.dataplane->gate().stalls();
  QURE_CHECK(action.stalls_known <= stalls, action.stalls_known, stalls);
  QURE_CHECK(action.opening >= last_opening_, action.opening, last_opening_);
  last_opening_ = action.opening;
  parts_.dataplane->gate().OpenSolo(action.stalls_known, action.opening);
  opened_ = true;
  LogLine(LogLevel::kDebug, "gate opened, opening ", action.opening);
}

void Runtime::Do(const ShutGate& action) {
  if (action.after_workers && !parts_.dataplane->AwaitWorkers(kAwaitWorkers)) {
    LogLine(LogLevel::kWarning, "a worker still uses an old snapshot: the gate shuts without waiting for it");
  }
  parts_.dataplane->gate().Shut();
  LogLine(LogLevel::kDebug, "gate shut");
}

void Runtime::Do(const SetHostAddresses& action) {
  looked_at_host_ = Now();  // what the kernel reports now is our own doing: no hurry to look
  repairs_.Expect();
  if (const absl::Status set = parts_.host->SetServiceAddresses(action.addresses); !set.ok()) {
    LogLine(LogLevel::kError, "cannot set the service addresses on the host port: ", set.message());
  }
}

void Runtime::Do(const Persist& action) {
  writer_.Write(action.ticket, action.change);
}

void Runtime::Do(const TakeNewIdentity&) {
  LogLine(LogLevel::kError, "this node is a copy of another one: it continues with a new identity");
  ending_ = Ending::kNewIdentity;
}

void Runtime::Do(const BeginAnew&) {
  if (ending_) return;
  LogLine(LogLevel::kWarning, "this node has left its cluster: it begins anew, as another one, without a key");
  ending_ = give_up_ == kNever ? Ending::kLeft : Ending::kStopped;  // asked to stop: the next start goes on from here
}

void Runtime::Do(const BecomeNewBoot&) {
  parts_.dataplane->gate().Shut();
  if (!ending_) ending_ = give_up_ == kNever ? Ending::kNewBoot : Ending::kStopped;  // asked to stop: no new start
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
  const auto question = explaining_.extract(action.id);
  if (question.empty()) return;
  parts_.server->Answer(action.id, Explain(question.mapped(), *snapshot_, action, controller_.status(Now())));
}

void Runtime::Do(const Finished&) {
  ending_ = Ending::kStopped;
}

void Runtime::Do(const Log& action) {
  LogLine(action.level, action.text);
}

}  // namespace qure

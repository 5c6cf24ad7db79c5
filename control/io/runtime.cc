#include "control/io/runtime.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "control/io/config_file.h"
#include "control/io/log.h"

namespace qure {
namespace {

using nlohmann::ordered_json;

// The gate wants a sign of life every max_control_silence / 4 at the latest.
constexpr Duration kBeatInterval = Milliseconds(50);
static_assert(kBeatInterval * 4 <= LeaseLimits{}.max_control_silence);

sigset_t HandledSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  return signals;
}

NodeFacts FactsOf(const Config& config, const Store& store, const Dataplane& dataplane) {
  NodeFacts facts;
  facts.node_id = store.node_id();
  facts.lan_mac = dataplane.lan_mac();
  facts.lan_mode = config.node.lan_mode;
  facts.vlan = config.node.vlan;
  return facts;
}

void LogLines(LogLevel level, const std::string& lines) {
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(lines, '\n', absl::SkipEmpty())))
    LogLine(level, line);
}

int ToPollTimeout(Duration wait) {
  const int64_t up = (std::max<int64_t>(wait.ns, 0) + Milliseconds(1).ns - 1) / Milliseconds(1).ns;
  return static_cast<int>(std::min<int64_t>(up, kBeatInterval.ns / Milliseconds(1).ns));
}

}  // namespace

void BlockSignals() {
  const sigset_t signals = HandledSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

Runtime::Runtime(std::string config_path, Config config, const Parts& parts)
    : config_path_(std::move(config_path)),
      config_(std::move(config)),
      parts_(parts),
      controller_(FactsOf(config_, *parts.store, *parts.dataplane), random_),
      started_(Now()) {
  observed_.name = config_.node.name;
  observed_.node_id = parts_.store->node_id();
  observed_.age = parts_.store->age();
  observed_.started = absl::Now();
  observed_.last_reload.time = observed_.started;
  observed_.controller = controller_.status();
}

absl::Status Runtime::Watch() {
  const sigset_t signals = HandledSignals();
  signals_ = Fd(signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC));
  poll_ = Fd(epoll_create1(EPOLL_CLOEXEC));
  if (!signals_.valid() || !poll_.valid()) return absl::ErrnoToStatus(errno, "cannot watch for signals");
  for (const int fd : {signals_.get(), parts_.dataplane->event_fd(), parts_.server->fd()}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (epoll_ctl(poll_.get(), EPOLL_CTL_ADD, fd, &event) < 0)
      return absl::ErrnoToStatus(errno, "cannot watch for events");
  }
  return absl::OkStatus();
}

absl::Status Runtime::Run() {
  if (absl::Status watch = Watch(); !watch.ok()) return watch;
  Beat(Now());
  Execute(controller_.OnConfig(Now(), config_.cluster));  // publishes the first snapshot, which the workers need
  parts_.dataplane->Start();
  LogLine(LogLevel::kInfo, absl::StrCat("qured ", std::string(Version()), " serves: node ", config_.node.name, ", id ",
                                        ToHex(parts_.store->node_id()), ", boot ", parts_.store->age(), ", LAN port ",
                                        config_.node.lan_port, ", node MAC ", ToString(controller_.status().node_mac)));
  while (!stopping_) Round();
  parts_.dataplane->gate().Shut();
  LogLine(LogLevel::kInfo, "stopped");
  return absl::OkStatus();
}

void Runtime::Round() {
  const MonoTime now = Now();
  if (now >= next_beat_) Beat(now);
  if (now >= controller_.NextDeadline()) {
    OnEvents();  // what was heard before the deadline counts before it
    Execute(controller_.Tick(Now()));
  }

  std::array<epoll_event, 4> ready;
  const MonoTime wake = std::min(next_beat_, controller_.NextDeadline());
  const int count = epoll_wait(poll_.get(), ready.data(), ready.size(), ToPollTimeout(wake - Now()));
  for (int i = 0; i < count; ++i) {
    const int fd = ready[i].data.fd;
    if (fd == signals_.get()) {
      OnSignal();
    } else if (fd == parts_.dataplane->event_fd()) {
      OnEvents();
    } else {
      parts_.server->Serve([this](std::string_view command) { return Answer(command); });
    }
  }
}

void Runtime::Beat(MonoTime now) {
  parts_.dataplane->gate().Beat(now);
  parts_.dataplane->Housekeep();
  if (const auto line = stalls_.Tick(now)) LogLine(LogLevel::kWarning, *line);
  next_beat_ = now + kBeatInterval;
}

void Runtime::OnSignal() {
  signalfd_siginfo info{};
  if (read(signals_.get(), &info, sizeof(info)) != sizeof(info)) return;
  if (info.ssi_signo == SIGHUP) {
    Reload().IgnoreError();  // logged and shown by status
    return;
  }
  LogLine(LogLevel::kInfo, info.ssi_signo == SIGTERM ? "SIGTERM: stopping" : "SIGINT: stopping");
  stopping_ = true;
}

void Runtime::OnEvents() {
  for (const Event& event : parts_.dataplane->TakeEvents()) {
    const MonoTime now = Now();
    if (event.kind == EventKind::kStalled) {
      if (const auto line = stalls_.OnStall(now, event.span)) LogLine(LogLevel::kWarning, *line);
    }
    Execute(controller_.OnEvent(now, event));
  }
}

absl::Status Runtime::Reload() {
  absl::Status result = Replace();
  {
    const std::lock_guard lock(mutex_);
    observed_.last_reload = {absl::Now(), std::string(result.message())};
  }
  if (result.ok()) {
    LogLine(LogLevel::kInfo, absl::StrCat("configuration reloaded from ", config_path_));
  } else {
    LogLine(LogLevel::kError, "configuration not reloaded, the old one goes on serving:");
    LogLines(LogLevel::kError, std::string(result.message()));
  }
  return result;
}

absl::Status Runtime::Replace() {
  absl::StatusOr<Config> next = LoadConfig(config_path_);
  if (!next.ok()) return next.status();
  if (absl::Status possible = CheckReload(config_, *next); !possible.ok()) return possible;
  if (next->cluster.gateways != config_.cluster.gateways) {
    if (absl::Status set = parts_.host->SetGateways(next->cluster.gateways); !set.ok()) return set;
  }
  SetLogLevel(next->node.log_level);
  config_ = *std::move(next);
  Execute(controller_.OnConfig(Now(), config_.cluster));
  return absl::OkStatus();
}

ordered_json Runtime::Answer(std::string_view command) {
  const Dataplane& dataplane = *parts_.dataplane;
  if (command == "status") return StatusJson(status());
  if (command == "ports") return PortsJson(dataplane.ports(), workers());
  if (command == "counters") return CountersJson(workers(), dataplane.mbufs_in_use());
  if (command == "config") return ConfigJson(config_);
  if (command == "reload") {
    if (const absl::Status result = Reload(); !result.ok()) return {{"error", std::string(result.message())}};
    return {{"reloaded", config_path_}};
  }
  return {{"error", absl::StrCat("unknown command \"", std::string(command),
                                 "\"; there are status, ports, counters, config, reload")}};
}

NodeStatus Runtime::status() const {
  NodeStatus status;
  {
    const std::lock_guard lock(mutex_);
    status = observed_;
  }
  const MonoTime now = Now();
  status.uptime = absl::Nanoseconds((now - started_).ns);
  status.gate_open = parts_.dataplane->gate().MayTransmit(now);
  return status;
}

WorkerList Runtime::workers() const {
  WorkerList workers;
  for (unsigned i = 0; i < parts_.dataplane->worker_count(); ++i) workers.push_back(&parts_.dataplane->counters(i));
  return workers;
}

void Runtime::Execute(const Actions& actions) {
  for (const Action& action : actions) {
    std::visit([this](const auto& a) { Do(a); }, action);
  }
  ControllerStatus status = controller_.status();
  const std::lock_guard lock(mutex_);
  observed_.controller = std::move(status);
}

void Runtime::Do(const SendFrame& action) {
  // A full ring loses the frame as the wire might: the core repeats what matters.
  if (!parts_.dataplane->Send(action.bytes, action.answer))
    LogLine(LogLevel::kDebug, "control ring full: frame not sent");
}

void Runtime::Do(const PublishSnapshot& action) {
  parts_.dataplane->Publish(action.snapshot);
}

void Runtime::Do(const OpenGate&) {
  parts_.dataplane->gate().Open(Now());
  LogLine(LogLevel::kDebug, "gate opened");
}

void Runtime::Do(const ShutGate&) {
  parts_.dataplane->gate().Shut();
  LogLine(LogLevel::kDebug, "gate shut");
}

void Runtime::Do(const SetHostAddresses& action) {
  if (const absl::Status set = parts_.host->SetServiceAddresses(action.addresses); !set.ok()) {
    LogLine(LogLevel::kError, absl::StrCat("service addresses not set on the host port: ", set.message()));
  }
}

void Runtime::Do(const Log& action) {
  LogLine(action.level, action.text);
}

}  // namespace qure

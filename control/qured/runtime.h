// The control thread: drives the Controller with real time and real frames, and carries out its actions.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <poll.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/base/fd.h"
#include "control/base/kernel_random.h"
#include "control/config/config_loader.h"
#include "control/core/balance/health.h"
#include "control/core/cluster_facts.h"
#include "control/core/controller.h"
#include "control/kernel/host_interface.h"
#include "control/kernel/kernel_watch.h"
#include "control/kernel/repair_watch.h"
#include "control/names/name_service.h"
#include "control/operator/control_server.h"
#include "control/operator/explain.h"
#include "control/operator/request_kind.h"
#include "control/operator/shared_config.h"
#include "control/operator/status.h"
#include "control/qured/health_prober.h"
#include "control/qured/restore_watch.h"
#include "control/qured/stall_ledger.h"
#include "control/qured/stall_report.h"
#include "control/qured/start_config.h"
#include "control/qured/status_board.h"
#include "control/store/store.h"
#include "control/store/store_writer.h"
#include "dataplane/dataplane.h"

namespace qure {

// Blocks the signals that Runtime handles, in this thread and in those that it starts. Call it before any other thread
// exists.
void BlockSignals();

class Runtime {
 public:
  // All of these outlive the runtime.
  struct Parts {
    Store* store = nullptr;
    Dataplane* dataplane = nullptr;
    HostInterface* host = nullptr;
    KernelWatch* kernel = nullptr;
    ControlServer* server = nullptr;
    std::string lan_interface;      // the kernel's interface to the LAN
    std::optional<Duration> trial;  // it stops after this time, unless it is confirmed
  };
  enum class Ending : uint8_t {
    kStopped,      // after a signal
    kNewBoot,      // this process was restored from a snapshot: it has to start again
    kNewIdentity,  // this node is a clone: it has to start again as another node
    kLeft,         // likewise, since it has left its cluster, of which it keeps nothing
    kUnconfirmed,  // its trial has ended
    kHostLost,     // what it needs of the kernel is gone, and only a new start can bring it back
  };

  // A reload reads the file of `start` again.
  Runtime(StartConfig start, const NodeFacts& facts, const Parts& parts);

  // Serves until SIGTERM or SIGINT, and then until the node has handed over; a second signal ends it at once. Handles
  // ticks, events, datagrams, SIGHUP (reload) and the control socket. Returns an error only if it could not start.
  absl::StatusOr<Ending> Run();
  // It was started with --try, and that has not been confirmed.
  bool on_trial() const { return trial_ends_ != kNever || unconfirmed_; }

  // Any thread.
  NodeStatus status() const;
  // The status of the DNS thread (NameService::Show).
  nlohmann::ordered_json names() { return names_.Show(); }
  // Each worker's counters, which live as long as the dataplane.
  WorkerList workers() const;

 private:
  enum Watched : size_t { kFrames, kStored, kSignals, kRequests, kProbes, kNames, kLoaded, kKernel, kWatchedCount };

  absl::Status Watch();
  void Round();
  void Wait(MonoTime until);
  void NoteControlAlive(MonoTime now);
  void TakeEvents();
  void OnEvent(const Event& event);
  void CheckLink();
  void CheckClock();
  uint8_t FlowRound() const;
  void TakeFlowReports();
  void ReplaceLostStall();
  void CheckHealth();
  // Looks after the host port and the interface beneath the LAN port.
  void LookAfterHost(MonoTime now);
  void WarnOfWeights(MonoTime now);
  void LoseHost(MonoTime now, std::string_view why);
  void OnStored();
  void OnSignal();
  void EndTrial(MonoTime now);
  nlohmann::ordered_json Confirm();
  // Takes this node's DNS names back while it still holds the addresses; Resign comes after that.
  void Stop(MonoTime now);
  void Resign(MonoTime now);
  // runtime_config.cc: the file was read again, or a body of the cluster's configuration.
  void OnLoaded();
  void OnReloaded(ConfigLoader::Result loaded);
  // After an error nothing has changed, and the old configuration stays in use.
  absl::Status Replace(absl::StatusOr<Config> next);
  void Carry(const clusterconfig::Validate& question);
  void Carry(const clusterconfig::Apply& order);
  void OnChecked(const clusterconfig::Version& version, absl::StatusOr<Config> config);
  void Apply(const clusterconfig::Apply& order, absl::StatusOr<Config> config);
  void RetryUnable();
  // Nothing if the answer comes later.
  std::optional<nlohmann::ordered_json> AnswerShared(const ControlServer::Request& request);
  nlohmann::ordered_json AnswerText(const nlohmann::json& request);
  nlohmann::ordered_json BeginACluster(const nlohmann::json& request);
  std::optional<nlohmann::ordered_json> Adopt(const ControlServer::Request& request);
  std::optional<nlohmann::ordered_json> Propose(const ControlServer::Request& request,
                                                absl::StatusOr<ProposeConfig> proposal);
  std::optional<nlohmann::ordered_json> Order(uint64_t ticket, const Command& command, const ConfigOrder& order);
  void OnNames();
  void NotifyNames();
  std::optional<nlohmann::ordered_json> AnswerRequest(const ControlServer::Request& request);
  nlohmann::ordered_json AnswerFlows(const nlohmann::json& request);
  // Nothing if the answer has to wait for another node.
  std::optional<nlohmann::ordered_json> AnswerExplain(const ControlServer::Request& request);
  nlohmann::ordered_json AnswerHistory(const nlohmann::json& request);
  // Carries out a command to the core. A `key` request without one only lists the keys.
  nlohmann::ordered_json Obey(RequestKind kind, const nlohmann::json& request);

  void Execute(const Actions& actions);
  void Do(const SendFrame& action);
  void Do(const PublishSnapshot& action);
  void Do(const OpenGate& action);
  void Do(const ShutGate& action);
  void Do(const SetHostAddresses& action);
  void Do(const Persist& action);
  void Do(const TakeNewIdentity& action);
  void Do(const BeginAnew& action);
  void Do(const BecomeNewBoot& action);
  void Do(const LearnFlows& action);
  void Do(const LookUpFlow& action);
  void Do(const FlowAnswered& action);
  void Do(const Finished& action);
  void Do(const clusterconfig::Validate& action);
  void Do(const clusterconfig::Apply& action);
  void Do(const clusterconfig::Answered& action);
  void Do(const Log& action);
  void UpdateStatus(MonoTime now);
  // Adds the parts that any thread can read at any time.
  NodeStatus Completed(NodeStatus status) const;

  const std::string config_path_;
  Config config_;
  std::string own_text_;  // of the file, as it was last read and is in use
  const std::optional<JoinedCluster> joined_;
  const NodeFacts facts_;
  const Parts parts_;
  KernelRandom random_;
  Controller controller_;
  StoreWriter writer_;
  std::shared_ptr<const Snapshot> snapshot_;        // the one published last
  uint64_t last_opening_ = 0;                       // of the gate
  std::vector<LookUpFlow> lookups_;                 // from the actions just executed
  std::map<uint64_t, ExplainQuestion> explaining_;  // by the ticket of the request
  HealthBoard health_;
  HealthProber prober_;
  ConfigLoader loader_;
  using ConfigTask = std::variant<clusterconfig::Validate, clusterconfig::Apply>;
  std::vector<ConfigTask> config_orders_;                               // from the actions just executed
  std::optional<clusterconfig::Version> shared_;                        // of the cluster, that config_ is made from
  std::optional<clusterconfig::Apply> applying_;                        // is being read
  std::optional<std::pair<clusterconfig::Version, Config>> validated_;  // the last one that this node would take
  std::map<uint64_t, ConfigOrder> orders_;                              // of operators, by the ticket of the request
  MonoTime next_retry_ = kLongAgo;                                      // of what this node cannot run
  NameService names_;
  bool clock_fit_ = true;
  bool link_up_ = true;                         // the LAN port's, as the gate and the controller were last notified
  std::optional<ClusterFacts> facts_of_names_;  // as names_ was last notified
  RestoreWatch restore_watch_;
  StallLedger stalls_;
  StallReport stall_report_;
  std::array<pollfd, kWatchedCount> watched_{};
  Fd signals_;
  MonoTime next_liveness_ = kLongAgo;  // when the gate is to be notified that this thread is alive
  MonoTime next_wall_clock_ = kLongAgo;
  MonoTime give_up_ = kNever;  // after a signal to stop: ends then, even if the controller still waits for something
  RepairWatch repairs_;
  MonoTime look_at_weights_ = kLongAgo;  // once after each configuration
  MonoTime look_at_host_ = kLongAgo;     // when it is due
  MonoTime looked_at_host_ = kLongAgo;
  Duration host_pause_;  // until the next look with cause: dumps of many routes take long
  bool host_lost_ = false;
  MonoTime trial_ends_ = kNever;  // kNever: it is none, or is confirmed
  bool unconfirmed_ = false;
  std::optional<Ending> ending_;
  uint64_t accepted_heartbeats_ = 0;  // as the controller was last notified
  uint8_t flow_round_ = 0;            // as the controller was last notified
  bool opened_ = false;               // the actions just executed opened the gate
  const MonoTime started_;
  StatusBoard status_;
};

}  // namespace qure

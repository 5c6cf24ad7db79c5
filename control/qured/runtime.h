// Drives the Controller with real time and real frames, and carries out what it asks for. The control thread.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include <poll.h>

#include "absl/random/random.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/base/fd.h"
#include "control/config/config_loader.h"
#include "control/core/balance/health.h"
#include "control/core/cluster_facts.h"
#include "control/core/controller.h"
#include "control/kernel/host_interface.h"
#include "control/names/name_service.h"
#include "control/operator/control_server.h"
#include "control/operator/explain.h"
#include "control/operator/status.h"
#include "control/qured/health_prober.h"
#include "control/qured/stall_report.h"
#include "control/store/store.h"
#include "control/store/store_writer.h"
#include "dataplane/dataplane.h"

namespace qure {

// Blocks the signals that Runtime takes, in this thread and those that it starts. To be called before any other thread
// exists.
void BlockSignals();

class Runtime {
 public:
  // What a runtime works with; all of it outlives the runtime.
  struct Parts {
    Store* store = nullptr;
    Dataplane* dataplane = nullptr;
    HostInterface* host = nullptr;
    ControlServer* server = nullptr;
    std::string lan_interface;  // the kernel's interface to the LAN
  };
  enum class Ending : uint8_t {
    kStopped,      // as told
    kNewIdentity,  // this node is a clone: to go on as another one
  };

  // `config` is what `config_path` holds; the path is read again by a reload.
  Runtime(std::string config_path, Config config, const NodeFacts& facts, const Parts& parts);

  // Starts serving and runs until all is handed over after SIGTERM or SIGINT (a second one ends it at once): ticks,
  // events, datagrams, SIGHUP (reload), the control socket. Returns an error only if it could not start.
  absl::StatusOr<Ending> Run();

  // Any thread.
  NodeStatus status() const;
  // What the names' own thread says of itself (NameService::Show).
  nlohmann::ordered_json names() { return names_.Show(); }
  // Each worker's counters, which live as long as the dataplane.
  WorkerList workers() const;

 private:
  enum Watched : size_t { kFrames, kStored, kSignals, kRequests, kProbes, kNames, kLoaded, kWatchedCount };

  absl::Status Watch();
  void Round();
  void Wait(MonoTime until);
  void NoteControlAlive(MonoTime now);
  void Hear();
  void HearEvent(const Event& event);
  uint8_t FlowRound() const;
  void HearFlows();
  void MakeUpForLostStall();
  void CheckHealth();
  void OnStored();
  void OnSignal();
  // The names first, while this node still holds the addresses; then Resign.
  void Stop(MonoTime now);
  void Resign(MonoTime now);
  // The file was read again. On an error nothing has changed and the old configuration goes on serving.
  void OnLoaded();
  absl::Status Replace(absl::StatusOr<Config> next);
  void OnNames();
  void TellNames();
  std::optional<nlohmann::ordered_json> AnswerRequest(const ControlServer::Request& request);
  nlohmann::ordered_json Answer(std::string_view command, const nlohmann::json& request);
  nlohmann::ordered_json AnswerFlows(const nlohmann::json& request);
  // Nothing: it waits for another node's answer.
  std::optional<nlohmann::ordered_json> AnswerExplain(const ControlServer::Request& request);
  nlohmann::ordered_json AnswerHistory(const nlohmann::json& request);
  // Nothing if the request is no command to the core.
  std::optional<nlohmann::ordered_json> Obey(const nlohmann::json& request);

  void Execute(const Actions& actions);
  void Do(const SendFrame& action);
  void Do(const PublishSnapshot& action);
  void Do(const OpenGate& action);
  void Do(const ShutGate& action);
  void Do(const SetHostAddresses& action);
  void Do(const Persist& action);
  void Do(const TakeNewIdentity& action);
  void Do(const LearnFlows& action);
  void Do(const LookUpFlow& action);
  void Do(const FlowAnswered& action);
  void Do(const Finished& action);
  void Do(const Log& action);
  void Observe(MonoTime now);
  NodeStatus Completed(NodeStatus observed) const;

  const std::string config_path_;
  Config config_;
  const NodeFacts facts_;
  const Parts parts_;
  absl::BitGen random_;
  Controller controller_;
  StoreWriter writer_;
  std::shared_ptr<const Snapshot> snapshot_;        // as last published
  std::vector<LookUpFlow> lookups_;                 // by the actions just executed
  std::map<uint64_t, ExplainQuestion> explaining_;  // by the ticket of the request
  HealthBoard health_;
  HealthProber prober_;
  ConfigLoader loader_;
  NameService names_;
  std::optional<ClusterFacts> told_;  // to the names
  StallReport stalls_;
  std::array<pollfd, kWatchedCount> watched_{};
  Fd signals_;
  MonoTime next_heartbeat_;
  MonoTime next_wall_clock_;
  MonoTime give_up_ = kNever;  // told to stop: ends then, whatever the controller still waits for
  std::optional<Ending> ending_;
  uint64_t stalls_heard_ = 0;         // the greatest number that an event named
  uint64_t stalls_at_heartbeat_ = 0;  // the gate's at the last heartbeat
  uint8_t flow_round_ = 0;            // as the controller was last told
  bool opened_ = false;               // the gate, by the actions just executed
  const MonoTime started_;

  NodeStatus latest_;  // of the control thread alone
  Term counted_;       // of the newest mastership that latest_.takeovers has
  mutable std::mutex mutex_;
  NodeStatus observed_;  // guarded by mutex_; written by the control thread, read by scrapes
};

}  // namespace qure

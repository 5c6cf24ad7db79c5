// Drives the Controller with real time and real frames, and carries out what it asks for. The control thread.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "absl/random/random.h"
#include "absl/status/status.h"
#include "control/core/controller.h"
#include "control/io/control_server.h"
#include "control/io/fd.h"
#include "control/io/host_interface.h"
#include "control/io/stall_report.h"
#include "control/io/status.h"
#include "control/io/store.h"
#include "dataplane/dataplane.h"

namespace qure {

// Blocks the signals that Runtime takes, in this thread and those that it starts. To be called before any other thread
// exists.
void BlockSignals();

class Runtime {
 public:
  // What a runtime works with; all of it outlives the runtime.
  struct Parts {
    const Store* store = nullptr;
    Dataplane* dataplane = nullptr;
    HostInterface* host = nullptr;
    ControlServer* server = nullptr;
  };

  // `config` is what `config_path` holds; the path is read again by a reload.
  Runtime(std::string config_path, Config config, const Parts& parts);

  // Starts serving and runs until SIGTERM or SIGINT: ticks, events, SIGHUP (reload), the control socket. Returns an
  // error only if it could not start.
  absl::Status Run();

  // Any thread.
  NodeStatus status() const;
  // Each worker's counters, which live as long as the dataplane.
  WorkerList workers() const;

 private:
  absl::Status Watch();
  void Round();
  void Beat(MonoTime now);
  void OnSignal();
  void OnEvents();
  // Loads and applies the file again. On an error nothing has changed and the old configuration goes on serving.
  absl::Status Reload();
  absl::Status Replace();
  nlohmann::ordered_json Answer(std::string_view command);

  void Execute(const Actions& actions);
  void Do(const SendFrame& action);
  void Do(const PublishSnapshot& action);
  void Do(const OpenGate& action);
  void Do(const ShutGate& action);
  void Do(const SetHostAddresses& action);
  void Do(const Log& action);

  const std::string config_path_;
  Config config_;
  const Parts parts_;
  absl::BitGen random_;
  Controller controller_;
  StallReport stalls_;
  Fd poll_;
  Fd signals_;
  MonoTime next_beat_;
  bool stopping_ = false;
  const MonoTime started_;

  mutable std::mutex mutex_;
  NodeStatus observed_;  // guarded by mutex_; written by the control thread, read by scrapes
};

}  // namespace qure

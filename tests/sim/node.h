// One machine of the cluster: the production control core, gate, heartbeater and packet path, driven with this
// machine's clocks. What is modelled here is what control/qured/runtime and dataplane/worker do around them: threads
// that wake late or not at all, a bounded receive ring, a disk.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "control/core/controller.h"
#include "dataplane/lease/heartbeater.h"
#include "dataplane/lease/lease_gate.h"
#include "dataplane/pipeline/dns_keeper.h"
#include "dataplane/pipeline/event_budget.h"
#include "dataplane/pipeline/flow_keeper.h"
#include "dataplane/pipeline/pipeline.h"
#include "dataplane/pipeline/snapshot_check.h"
#include "tests/sim/clocks.h"
#include "tests/sim/disk.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/frame_pool.h"
#include "tests/sim/lan.h"
#include "tests/sim/random.h"

namespace qure::sim {

class Clients;
class Monitor;

// A body of the cluster's configuration as nodes here read it: a number, which is ClusterConfig::heavy_hitter; then
// perhaps "refused NAME" (the node of that name votes no), or "unfit NAME" (it votes yes, and cannot apply it).
std::string BodyOf(uint32_t number, std::string_view what = "", std::string_view name = "");

struct NodeSetup {
  std::string name;
  std::string revision = "1.0";
  MacAddress lan_mac;
  Ipv4Address address;
  int32_t priority = 0;
  uint32_t weight = 1;
  int64_t rate_ppm = 0;
  uint64_t wall_ms = 1'800'000'000'000;
  Duration control_latency = Microseconds(500);  // at most, of a thread that is woken
  Duration worker_latency = Microseconds(400);   // at most, of a worker in a nap
  Duration busy_round = Microseconds(20);        // of a worker that has more to do
  ClusterConfig config;
};

class Node : public Device {
  struct Process;

 public:
  struct Parts {
    EventQueue* queue = nullptr;
    FramePool* pool = nullptr;
    Lan* lan = nullptr;
    Monitor* monitor = nullptr;
    Clients* clients = nullptr;
  };
  Node(const Parts& parts, size_t index, NodeSetup setup, const NodeId& drawn, uint64_t seed);
  void PlugIn();

  void Boot(MonoTime now);
  void Kill(MonoTime now);
  // A machine at one instant: the memory of its process, its disk, its clocks and its kernel's generator.
  struct Image {
    NodeId id{};
    std::unique_ptr<Process> process;
    Disk disk;
    MachineClocks clocks;
    Random kernel;
    MonoTime taken;
  };
  // Takes it out of this machine, which is off then. It must run.
  Image TakeImage(MonoTime now);
  // How a hypervisor goes on with a snapshot.
  enum class Clocks : uint8_t { kStood, kMonotonicStood, kWentOn };
  struct Resumption {
    Clocks clocks = Clocks::kStood;  // meanwhile: of both, of CLOCK_MONOTONIC alone, of none
    Duration wall_behind;            // the wall clock stood
    bool new_generation = false;     // the VM generation id changes, so the kernel draws anew
  };
  // This machine goes on as that one.
  void Restore(MonoTime now, Image image, const Resumption& resumption);
  void Command(MonoTime now, const qure::Command& command);
  void Reconfigure(MonoTime now, const ClusterConfig& config);
  void JumpWall(Duration by);
  void SetRound(Duration busy) { setup_.busy_round = busy; }
  // The link of its port, both ways.
  void SetLink(MonoTime now, bool up);
  void KeepRing(bool keep) { keep_ring_ = keep; }  // what arrives while the worker is held waits for it, or is lost
  void SetJoin(const JoinConfig& join) { setup_.config.network.join = join; }
  void SetRevision(std::string revision) { setup_.revision = std::move(revision); }

  // Threads that do not run until then. Frames queue in the receive ring, as far as it has room.
  void HoldWorker(MonoTime now, MonoTime until);
  void HoldControl(MonoTime now, MonoTime until);
  // All of the machine; CLOCK_MONOTONIC does not see it.
  void HoldHidden(MonoTime now, MonoTime until);
  // All of the machine; none of its clocks sees it (a hypervisor's stop and cont).
  void HoldUnseen(MonoTime now, MonoTime until);
  // The next time that something waits to be sent from a service MAC, the process is held for so long just before or
  // just after the gate was asked.
  enum class Where : uint8_t { kBeforeGate, kBehindGate };
  void HoldAtGate(Where where, Duration span) { trap_ = Trap{where, span}; }
  void ReleaseAll(MonoTime now);  // threads that are held go on now

  void OnFrame(MonoTime now, FrameId frame) override;
  void OnTimer(MonoTime now, uint64_t value) override;
  void OnWorkerDue(MonoTime now, uint64_t value);
  void OnControlDue(MonoTime now, uint64_t value);
  void OnFlushDue(MonoTime now, uint64_t value);
  void OnPersistDue(MonoTime now, uint64_t boot);

  Disk& disk() { return disk_; }
  const Disk& disk() const { return disk_; }
  const MachineClocks& clocks() const { return clocks_; }
  size_t index() const { return index_; }
  size_t port() const { return port_; }
  const NodeSetup& setup() const { return setup_; }
  const NodeId& id() const { return id_; }
  const BootId& boot() const { return process_->boot; }
  uint64_t boots() const { return boots_; }
  bool running() const { return process_ != nullptr; }
  MonoTime booted() const { return booted_; }
  // The pause that ends with this round was HoldUnseen's.
  bool PausedUnseen() const { return unseen_; }
  bool WorkerHeld(MonoTime now) const { return now < worker_held_until_; }
  bool ControlHeld(MonoTime now) const { return now < control_held_until_; }
  MonoTime control_ran() const { return control_ran_; }
  // Runs, and none of its threads is held.
  bool Healthy(MonoTime now) const { return running() && !WorkerHeld(now) && !ControlHeld(now); }

  const Controller* controller() const { return process_ ? &process_->controller : nullptr; }
  ControllerStatus Status(MonoTime now) const { return process_->controller.status(clocks_.Monotonic(now)); }
  const LeaseGate& gate() const { return process_->gate; }
  const Heartbeater& heartbeater() const { return process_->heartbeater; }
  const Snapshot* snapshot() const { return process_ ? process_->snapshot.get() : nullptr; }
  // Whether a frame from the service MAC could leave at this instant.
  bool MayAnswer(MonoTime now) const;
  const std::array<uint64_t, kReasonCount>& reasons() const { return reasons_; }

 private:
  using Request = std::variant<qure::Command, ClusterConfig, LookUpFlow, clusterconfig::Validate, clusterconfig::Apply>;
  struct Stored {
    uint64_t ticket = 0;
    bool ok = false;
  };

  // What a process draws from the kernel of the machine that it runs on now.
  struct KernelRandom {
    using result_type = uint64_t;
    static constexpr uint64_t min() { return 0; }
    static constexpr uint64_t max() { return UINT64_MAX; }
    uint64_t operator()() const { return process->node->Draw(); }
    const Process* process;
  };
  struct Process {
    Process(Node* owner, const NodeFacts& facts, StoredState state, uint64_t seed, MonoTime now);
    WorkerMemory memory(MonoTime local) {
      return {.flows = flows.memory(), .dns = dns.memory(), .cluster = &admission, .now = FlowTimeOf(local)};
    }
    Node* node;  // another one after a restoration
    const BootId boot;
    KernelRandom random{this};
    LeaseGate gate;
    StallGuard guard;
    Heartbeater heartbeater;
    std::vector<FlowKey> reports;  // of the flow keeper to the control thread …
    uint8_t report_round = 0;      // … and what that heard last
    WorkerCounters counters;
    WorkerProgress progress;
    FlowKeeper flows;
    DnsKeeper dns;
    ClusterAdmission admission;
    Controller controller;
    std::shared_ptr<const Snapshot> snapshot;
    std::deque<Event> events;        // to the control thread …
    std::deque<Datagram> datagrams;  // of known boots …
    std::deque<Datagram> strangers;  // … and of others …
    std::deque<Datagram> adoptions;  // … and of nodes without keys
    std::deque<Stored> stored;
    std::deque<Request> requests;
    std::deque<Stored> storing;        // by the disk, in order
    std::deque<SendFrame> outbox;      // to the worker
    uint64_t accepted_heartbeats = 0;  // as the controller was last notified
    MonoTime next_heartbeat;
    MonoTime next_wall;
    EventBudget event_budget;
    bool link_up = true;            // as its control thread knows
    clusterconfig::Version shared;  // of the cluster's configuration, that it runs; zero: its own alone
  };
  struct Trap {
    Where where;
    Duration span;
  };
  // Frames that a round has made, in one buffer.
  struct Outgoing {
    uint32_t begin = 0;
    uint32_t end = 0;
    bool answer = false;
  };
  // A thread's next appointment; older ones in the queue are void.
  struct Lane {
    MonoTime at = kNever;
    uint64_t ticket = 0;
  };

  void Appoint(MonoTime at, Happening what, Lane* lane);
  bool Due(Lane* lane, uint64_t value);
  void WakeWorker(MonoTime at);
  void WakeControl(MonoTime now);
  void PlanRound(MonoTime now);
  void PlanControl(MonoTime now);
  void End(MonoTime now);
  uint64_t Draw();

  // Worker.
  void CatchUp(MonoTime now);
  void Round(MonoTime now);
  size_t Receive(MonoTime now, const Snapshot& snapshot);
  void Load(size_t count);
  void LookForBacklog(MonoTime now, const Snapshot& snapshot, size_t received);
  void Dispatch(MonoTime now, size_t index);
  void AnswerFromKernel(MonoTime now, size_t index, uint8_t flags);
  void QueueControlFrames(const Snapshot& snapshot);
  void Queue(ConstBytes bytes, bool answer);
  void Flush(MonoTime now);
  bool Trapped(MonoTime now, Where where);
  void Transmit(MonoTime now, bool open, bool held);
  void ReportEvents(MonoTime now);
  void Report(MonoTime now, const Event& event);
  void SendHeartbeat(const HeartbeatPlan& plan, ConstBytes datagram);

  // Control thread.
  void RunControl(MonoTime now);
  void Hear(MonoTime now);
  void LookAtLink(MonoTime now);
  void HearDatagrams(MonoTime now, std::deque<Datagram>* datagrams);
  void HearFlows(MonoTime now);
  void Answer(MonoTime now, const Request& request);
  Actions Take(MonoTime now, const qure::Command& command);
  Actions Take(MonoTime now, const ClusterConfig& config);
  Actions Take(MonoTime now, const LookUpFlow& question);
  Actions Take(MonoTime now, const clusterconfig::Validate& question);
  Actions Take(MonoTime now, const clusterconfig::Apply& order);
  void Execute(MonoTime now, const Actions& actions);
  void Do(MonoTime now, const SendFrame& action);
  void Do(MonoTime now, const PublishSnapshot& action);
  void Do(MonoTime now, const OpenGate& action);
  void Do(MonoTime now, const ShutGate& action);
  void Do(MonoTime now, const SetHostAddresses& action);
  void Do(MonoTime now, const Persist& action);
  void Do(MonoTime now, const TakeNewIdentity& action);
  void Do(MonoTime now, const BeginAnew& action);
  void StartAsAnother(MonoTime now);
  void Do(MonoTime now, const BecomeNewBoot& action);
  void Do(MonoTime now, const LearnFlows& action);
  void Do(MonoTime now, const LookUpFlow& action);
  void Do(MonoTime now, const FlowAnswered& action);
  void Do(MonoTime now, const clusterconfig::Validate& action);
  void Do(MonoTime now, const clusterconfig::Apply& action);
  void Do(MonoTime now, const clusterconfig::Answered& action);
  void Do(MonoTime now, const Finished& action);
  void Do(MonoTime now, const Log& action);

  const Parts parts_;
  const size_t index_;
  NodeSetup setup_;
  size_t port_ = 0;
  Random random_;
  Random kernel_;  // its kernel's generator
  Disk disk_;
  NodeId id_;
  MachineClocks clocks_;
  uint64_t boots_ = 0;
  MonoTime booted_;
  bool machine_runs_ = false;    // though its process does not
  bool new_generation_ = false;  // the VM generation id is another one than it was

  std::unique_ptr<Process> process_;
  bool keep_ring_ = true;
  bool link_up_ = true;
  MonoTime link_down_at_;
  bool unseen_ = false;
  std::deque<FrameId> ring_;  // received, not yet taken by the worker
  MonoTime worker_held_until_;
  MonoTime control_held_until_;
  MonoTime thaw_at_ = kNever;
  MonoTime last_round_;
  MonoTime control_ran_;
  std::optional<Trap> trap_;
  std::optional<Trap> sprung_;

  Lane worker_wake_;   // because of frames
  Lane worker_timer_;  // because of a deadline
  Lane control_wake_;
  Lane control_timer_;
  Lane flush_;

  Batch batch_;
  std::vector<uint8_t> rooms_;  // one per frame of a burst, with the room that an mbuf has
  std::vector<uint8_t> out_bytes_;
  std::vector<Outgoing> out_;
  std::array<uint64_t, kReasonCount> reasons_{};
};

}  // namespace qure::sim

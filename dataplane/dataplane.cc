#include "dataplane/dataplane.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <random>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "dataplane/cluster_worker.h"
#include "dataplane/environment.h"
#include "dataplane/heartbeat_report.h"
#include "dataplane/packet_memory.h"
#include "dataplane/publisher.h"
#include "dataplane/telemetry.h"
#include "dataplane/worker.h"

namespace qure {
namespace {

constexpr unsigned kControlFrames = 256;
constexpr unsigned kEvents = 1024;
constexpr unsigned kMessages = 512;    // of the cluster, to the control thread, in each of ControlRings
constexpr unsigned kHeartbeats = 128;  // from the other workers to worker 0
constexpr unsigned kMbufCache = 256;   // per lcore
constexpr unsigned kFlowReports = 8192;
constexpr unsigned kFlowLessons = 8192;  // per worker
constexpr Duration kAwaitPause = Microseconds(50);
constexpr Duration kAwaitAnswer = Milliseconds(5);
constexpr uint16_t kEthernetOverhead = 14 + 4;  // header and VLAN tag

static_assert(std::is_trivially_copyable_v<Event> && sizeof(Event) % 4 == 0, "elements of an rte_ring");

static_assert(kMbufBytes == RTE_MBUF_DEFAULT_BUF_SIZE + sizeof(rte_mbuf) + 64);

constexpr unsigned MbufsNeeded(unsigned workers) {
  return workers * (kMbufsPerQueue + kMbufCache) + kMbufCache + kControlFrames + 3 * kMessages + kHeartbeats;
}

absl::Status NoMemory(const char* what) {
  return absl::ResourceExhaustedError(
      absl::StrCat("no memory for the ", what, ": ", rte_strerror(rte_errno), "; raise memory_mib"));
}

// What rte_pktmbuf_pool_create does, but in ordinary memory, where pages are small and no device does DMA, mbufs may
// cross pages: otherwise each would take a whole one.
rte_mempool* MakePool(unsigned mbufs, bool huge_pages) {
  rte_pktmbuf_pool_private sizes = {};
  sizes.mbuf_data_room_size = RTE_MBUF_DEFAULT_BUF_SIZE;
  rte_mempool* const pool =
      rte_mempool_create_empty("qure_mbufs", mbufs, sizeof(rte_mbuf) + RTE_MBUF_DEFAULT_BUF_SIZE, kMbufCache,
                               sizeof(sizes), SOCKET_ID_ANY, huge_pages ? 0 : RTE_MEMPOOL_F_NO_IOVA_CONTIG);
  if (pool == nullptr) return nullptr;
  rte_pktmbuf_pool_init(pool, &sizes);
  if (rte_mempool_populate_default(pool) < 0) {
    rte_mempool_free(pool);
    return nullptr;
  }
  rte_mempool_obj_iter(pool, rte_pktmbuf_init, nullptr);
  return pool;
}

}  // namespace

MonoTime Now() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return {now.tv_sec * 1'000'000'000 + now.tv_nsec};
}

// Members are destroyed from the last to the first: workers, ports, rings, pool.
struct Dataplane::Impl {
  struct Free {
    void operator()(rte_mempool* pool) const { rte_mempool_free(pool); }
    void operator()(rte_ring* ring) const { rte_ring_free(ring); }
  };

  explicit Impl(unsigned worker_count)
      : publisher(worker_count),
        counters(std::make_unique<WorkerCounters[]>(worker_count)),
        progress(std::make_unique<WorkerProgress[]>(worker_count)),
        questions(std::make_unique<FlowLookup[]>(worker_count)) {}
  ~Impl();

  absl::Status Open(const DataplaneOptions& options);
  absl::Status OpenRings(unsigned worker_count);
  void MakeWorkers(const DataplaneOptions& options);
  ControlRings control_rings() const { return {messages.get(), strangers.get(), adoptions.get()}; }
  static void Empty(rte_ring* ring);
  static bool Ask(FlowLookup::State what, const FlowKey& key, FlowLookup* question);

  std::unique_ptr<rte_mempool, Free> pool;
  std::unique_ptr<rte_ring, Free> control;
  std::unique_ptr<rte_ring, Free> events;
  std::unique_ptr<rte_ring, Free> messages;
  std::unique_ptr<rte_ring, Free> strangers;
  std::unique_ptr<rte_ring, Free> adoptions;
  std::unique_ptr<rte_ring, Free> heartbeats;
  std::unique_ptr<rte_ring, Free> flow_reports;
  std::vector<std::unique_ptr<rte_ring, Free>> flow_lessons;  // one per worker
  int event_fd = -1;
  std::unique_ptr<Port> lan;
  std::unique_ptr<Port> host;

  Publisher publisher;
  LeaseGate gate;
  HeartbeatReport heartbeater;
  std::unique_ptr<WorkerCounters[]> counters;
  std::unique_ptr<WorkerProgress[]> progress;
  std::unique_ptr<FlowLookup[]> questions;  // one per worker
  std::vector<std::unique_ptr<Worker>> workers;
  std::atomic<bool> stop = false;  // written by the control thread, read by the workers
  bool running = false;
};

absl::Status Dataplane::Impl::Open(const DataplaneOptions& options) {
  const unsigned mbufs = MbufCount(options.memory_mib);
  if (mbufs < MbufsNeeded(options.workers)) {
    return absl::InvalidArgumentError(absl::StrCat("memory_mib = ", options.memory_mib,
                                                   " is too little for workers = ", options.workers, "; at least ",
                                                   MbufsNeeded(options.workers) / MbufCount(1) + 1, " are needed"));
  }
  pool.reset(MakePool(mbufs, options.huge_pages));
  if (pool == nullptr) return NoMemory("mbuf pool");
  if (absl::Status status = OpenRings(options.workers); !status.ok()) return status;

  if (absl::Status status = Port::AwaitHostInterface(options.host_interface); !status.ok()) return status;
  const auto queues = static_cast<uint16_t>(options.workers);
  absl::StatusOr<std::unique_ptr<Port>> port = Port::OpenLan(options.lan, queues, pool.get());
  if (!port.ok()) return port.status();
  lan = *std::move(port);
  const MacAddress host_mac = options.host_mac.is_zero() ? lan->mac() : options.host_mac;
  port = Port::OpenHost(options.host_interface, host_mac, lan->mtu(), queues, pool.get());
  if (!port.ok()) return port.status();
  host = *std::move(port);
  MakeWorkers(options);
  return absl::OkStatus();
}

absl::Status Dataplane::Impl::OpenRings(unsigned worker_count) {
  control.reset(rte_ring_create("qure_control", kControlFrames, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ));
  if (control == nullptr) return NoMemory("control ring");
  events.reset(rte_ring_create_elem("qure_events", sizeof(Event), kEvents, SOCKET_ID_ANY, RING_F_SC_DEQ));
  if (events == nullptr) return NoMemory("event ring");
  messages.reset(rte_ring_create("qure_messages", kMessages, SOCKET_ID_ANY, RING_F_SC_DEQ));
  if (messages == nullptr) return NoMemory("message ring");
  strangers.reset(rte_ring_create("qure_strangers", kMessages, SOCKET_ID_ANY, RING_F_SC_DEQ));
  if (strangers == nullptr) return NoMemory("stranger ring");
  adoptions.reset(rte_ring_create("qure_adoptions", kMessages, SOCKET_ID_ANY, RING_F_SC_DEQ));
  if (adoptions == nullptr) return NoMemory("adoption ring");
  heartbeats.reset(rte_ring_create("qure_heartbeats", kHeartbeats, SOCKET_ID_ANY, RING_F_SC_DEQ));
  if (heartbeats == nullptr) return NoMemory("heartbeat ring");
  flow_reports.reset(
      rte_ring_create_elem("qure_flow_reports", sizeof(PinnedFlow), kFlowReports, SOCKET_ID_ANY, RING_F_SC_DEQ));
  if (flow_reports == nullptr) return NoMemory("flow report ring");
  for (unsigned id = 0; id < worker_count; ++id) {
    flow_lessons.emplace_back(rte_ring_create_elem(absl::StrCat("qure_flow_lessons_", id).c_str(), sizeof(PinnedFlow),
                                                   kFlowLessons, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ));
    if (flow_lessons.back() == nullptr) return NoMemory("flow lesson ring");
  }
  event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (event_fd < 0) return absl::ErrnoToStatus(errno, "no eventfd");
  return absl::OkStatus();
}

void Dataplane::Impl::MakeWorkers(const DataplaneOptions& plan) {
  const unsigned count = plan.workers;
  std::random_device random;  // the seeds of the flow tables must be unknown to others
  for (unsigned id = 0; id < count; ++id) {
    const WorkerOptions options = {.id = id,
                                   .lan_port = lan->id(),
                                   .host_port = host->id(),
                                   .queue = static_cast<uint16_t>(id),
                                   .max_frame = static_cast<uint16_t>(host->mtu() + kEthernetOverhead),
                                   .checksum = lan->checksums(),
                                   .interrupts = lan->interrupts() && host->interrupts(),
                                   .control = id == 0 ? control.get() : nullptr,
                                   .events = events.get(),
                                   .event_fd = event_fd,
                                   .cluster = {.pool = pool.get(),
                                               .control = control_rings(),
                                               .heartbeats = heartbeats.get(),
                                               .heartbeater = id == 0 ? &heartbeater : nullptr,
                                               .workers = {progress.get(), count}},
                                   .flows = {.flows = plan.flows,
                                             .seed = uint64_t{random()} << 32 | random(),
                                             .workers = static_cast<uint32_t>(count),
                                             .question = &questions[id]},
                                   .flow_reports = flow_reports.get(),
                                   .flow_lessons = flow_lessons[id].get()};
    workers.push_back(std::make_unique<Worker>(options, &publisher, &gate, &counters[id], &progress[id]));
  }
}

void Dataplane::Impl::Empty(rte_ring* ring) {
  void* mbuf = nullptr;
  while (ring != nullptr && rte_ring_dequeue(ring, &mbuf) == 0) rte_pktmbuf_free(static_cast<rte_mbuf*>(mbuf));
}

// Asks a worker and waits for its answer, some rounds at most.
bool Dataplane::Impl::Ask(FlowLookup::State what, const FlowKey& key, FlowLookup* question) {
  if (question->asked()) return false;  // an answer that came too late for the last question is not one to this
  const MonoTime end = Now() + kAwaitAnswer;
  question->key = key;
  question->state = what;
  while (question->asked() && Now() < end) {
    const timespec pause = {.tv_sec = 0, .tv_nsec = kAwaitPause.ns};
    nanosleep(&pause, nullptr);
  }
  return question->state == FlowLookup::State::kKnown;
}

Dataplane::Impl::~Impl() {
  stop.store(true);
  if (running) rte_eal_mp_wait_lcore();
  host.reset();
  lan.reset();
  for (rte_ring* const ring : {control.get(), messages.get(), strangers.get(), adoptions.get(), heartbeats.get()}) {
    Empty(ring);
  }
  if (event_fd >= 0) close(event_fd);
}

Dataplane::Dataplane(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {
  StartTelemetry(this);
}

Dataplane::~Dataplane() {
  StopTelemetry();
  impl_.reset();
  rte_eal_cleanup();
}

absl::StatusOr<std::unique_ptr<Dataplane>> Dataplane::Create(const DataplaneOptions& options) {
  if (absl::Status status = StartEnvironment(options); !status.ok()) return status;
  auto impl = std::make_unique<Impl>(options.workers);
  if (absl::Status status = impl->Open(options); !status.ok()) {
    impl.reset();
    rte_eal_cleanup();
    return status;
  }
  return std::unique_ptr<Dataplane>(new Dataplane(std::move(impl)));
}

MacAddress Dataplane::lan_mac() const {
  return impl_->lan->mac();
}
uint16_t Dataplane::lan_mtu() const {
  return impl_->lan->mtu();
}
uint16_t Dataplane::mtu() const {
  return impl_->host->mtu();
}

bool Dataplane::lan_link_up() const {
  return impl_->lan->LinkUp();
}

void Dataplane::Start() {
  impl_->running = true;
  struct Task {
    Worker* worker;
    const std::atomic<bool>* stop;
  };
  for (unsigned id = 0; id < worker_count(); ++id) {
    auto* const task = new Task{impl_->workers[id].get(), &impl_->stop};
    rte_eal_remote_launch(
        [](void* argument) {
          const std::unique_ptr<Task> own(static_cast<Task*>(argument));
          AcceptTapSignal();
          own->worker->Run(*own->stop);
          return 0;
        },
        task, id + 1);
  }
}

void Dataplane::Publish(std::shared_ptr<const Snapshot> snapshot) {
  impl_->publisher.Publish(std::move(snapshot));
}
bool Dataplane::AwaitWorkers(Duration at_most) {
  const MonoTime end = Now() + at_most;
  for (;;) {
    impl_->publisher.Reclaim();
    if (impl_->publisher.retired() == 0) return true;
    if (Now() >= end) return false;
    const timespec pause = {.tv_sec = 0, .tv_nsec = kAwaitPause.ns};
    nanosleep(&pause, nullptr);
  }
}
void Dataplane::Housekeep() {
  impl_->publisher.Reclaim();
}
LeaseGate& Dataplane::gate() {
  return impl_->gate;
}

bool Dataplane::Send(ConstBytes frame, Reason reason) {
  rte_mbuf* const mbuf = rte_pktmbuf_alloc(impl_->pool.get());
  if (mbuf == nullptr) return false;
  char* const room =
      frame.size() > UINT16_MAX ? nullptr : rte_pktmbuf_append(mbuf, static_cast<uint16_t>(frame.size()));
  if (room != nullptr) {
    std::memcpy(room, frame.data(), frame.size());
    MarkControlFrame(mbuf, reason);
    if (rte_ring_enqueue(impl_->control.get(), mbuf) == 0) return true;
  }
  rte_pktmbuf_free(mbuf);
  return false;
}

int Dataplane::event_fd() const {
  return impl_->event_fd;
}

std::vector<Event> Dataplane::TakeEvents() {
  // The counter first: what comes in between makes the descriptor readable again.
  eventfd_t woken = 0;
  eventfd_read(impl_->event_fd, &woken);
  std::vector<Event> taken(rte_ring_count(impl_->events.get()));
  taken.resize(rte_ring_dequeue_burst_elem(impl_->events.get(), taken.data(), sizeof(Event),
                                           static_cast<unsigned>(taken.size()), nullptr));
  return taken;
}

std::vector<Datagram> Dataplane::TakeMessages() {
  return qure::TakeMessages(impl_->control_rings());
}

std::vector<PinnedFlow> Dataplane::TakeFlowReports() {
  std::vector<PinnedFlow> taken(rte_ring_count(impl_->flow_reports.get()));
  taken.resize(rte_ring_dequeue_burst_elem(impl_->flow_reports.get(), taken.data(), sizeof(PinnedFlow),
                                           static_cast<unsigned>(taken.size()), nullptr));
  return taken;
}
std::optional<FlowEntry> Dataplane::FindFlow(const FlowKey& key) {
  for (unsigned id = 0; id < worker_count(); ++id) {
    FlowLookup& question = impl_->questions[id];
    if (Impl::Ask(FlowLookup::State::kAsked, key, &question)) return question.entry;
  }
  return std::nullopt;
}
std::optional<std::vector<TopRemotes>> Dataplane::FindTop() {
  std::vector<TopRemotes> found;
  for (unsigned id = 0; id < worker_count(); ++id) {
    FlowLookup& question = impl_->questions[id];
    if (!Impl::Ask(FlowLookup::State::kAskedTop, {}, &question)) return std::nullopt;
    found.push_back(question.top);
  }
  return found;
}
void Dataplane::LearnFlows(const std::vector<PinnedFlow>& flows) {
  for (const auto& ring : impl_->flow_lessons) {
    rte_ring_enqueue_burst_elem(ring.get(), flows.data(), sizeof(PinnedFlow), static_cast<unsigned>(flows.size()),
                                nullptr);
  }
}

std::vector<DnsSample> Dataplane::TakeDnsSamples() {
  std::vector<DnsSample> samples;
  for (unsigned worker = 0; worker < impl_->workers.size(); ++worker) {
    const std::vector<DnsSample> taken = impl_->counters[worker].dns.Take();
    samples.insert(samples.end(), taken.begin(), taken.end());
  }
  return samples;
}

HeartbeatCounters Dataplane::heartbeat_counters() const {
  return impl_->heartbeater.counters();
}
HeartbeatStatus Dataplane::heartbeat_status() const {
  return impl_->heartbeater.status();
}

unsigned Dataplane::worker_count() const {
  return static_cast<unsigned>(impl_->workers.size());
}
const WorkerCounters& Dataplane::counters(unsigned worker) const {
  return impl_->counters[worker];
}
const WorkerProgress& Dataplane::progress(unsigned worker) const {
  return impl_->progress[worker];
}
std::vector<PortStatus> Dataplane::ports() const {
  return {impl_->lan->Status(), impl_->host->Status()};
}
unsigned Dataplane::mbufs_in_use() const {
  return rte_mempool_in_use_count(impl_->pool.get());
}

}  // namespace qure

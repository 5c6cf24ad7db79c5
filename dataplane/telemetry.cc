#include "dataplane/telemetry.h"

#include <rte_telemetry.h>

#include <cerrno>
#include <mutex>

#include "absl/strings/numbers.h"

namespace qure {
namespace {

// Commands run in DPDK's telemetry thread and have no argument of their own to find the dataplane by.
std::mutex mutex;
const Dataplane* dataplane = nullptr;  // guarded by mutex

int Reasons(const char* /*command*/, const char* /*parameters*/, rte_tel_data* out) {
  const std::lock_guard lock(mutex);
  if (dataplane == nullptr) return -ENODEV;
  rte_tel_data_start_dict(out);
  for (size_t i = 0; i < kReasonCount; ++i) {
    uint64_t total = 0;
    for (unsigned worker = 0; worker < dataplane->worker_count(); ++worker) {
      const WorkerCounters& counters = dataplane->counters(worker);
      total += counters.lan_reasons[i].value() + counters.host_reasons[i].value();
    }
    rte_tel_data_add_dict_u64(out, kReasons[i].name.data(), total);
  }
  return 0;
}

int Worker(const char* /*command*/, const char* parameters, rte_tel_data* out) {
  const std::lock_guard lock(mutex);
  unsigned worker = 0;
  if (dataplane == nullptr) return -ENODEV;
  if (parameters == nullptr || !absl::SimpleAtoi(parameters, &worker) || worker >= dataplane->worker_count())
    return -EINVAL;
  const WorkerCounters& counters = dataplane->counters(worker);
  const uint64_t rounds = counters.rounds.value();
  rte_tel_data_start_dict(out);
  rte_tel_data_add_dict_u64(out, "rounds", rounds);
  rte_tel_data_add_dict_u64(out, "busy_rounds", counters.busy_rounds.value());
  rte_tel_data_add_dict_u64(out, "busy_percent", rounds == 0 ? 0 : counters.busy_rounds.value() * 100 / rounds);
  rte_tel_data_add_dict_u64(out, "sleeps", counters.sleeps.value());
  rte_tel_data_add_dict_u64(out, "sleep_ns", counters.sleep_ns.value());
  rte_tel_data_add_dict_u64(out, "stalls", counters.stalls.value());
  rte_tel_data_add_dict_u64(out, "events_lost", counters.events_lost.value());
  return 0;
}

int Ports(const char* /*command*/, const char* /*parameters*/, rte_tel_data* out) {
  const std::lock_guard lock(mutex);
  if (dataplane == nullptr) return -ENODEV;
  rte_tel_data_start_dict(out);
  for (const PortStatus& status : dataplane->ports()) {
    rte_tel_data* const port = rte_tel_data_alloc();
    if (port == nullptr) return -ENOMEM;
    rte_tel_data_start_dict(port);
    rte_tel_data_add_dict_string(port, "device", status.device.c_str());
    rte_tel_data_add_dict_string(port, "driver", status.driver.c_str());
    rte_tel_data_add_dict_string(port, "mac", ToString(status.mac).c_str());
    rte_tel_data_add_dict_u64(port, "mtu", status.mtu);
    rte_tel_data_add_dict_u64(port, "queues", status.queues);
    rte_tel_data_add_dict_u64(port, "link_up", status.link_up ? 1 : 0);
    rte_tel_data_add_dict_u64(port, "interrupts", status.interrupts ? 1 : 0);
    rte_tel_data_add_dict_container(out, status.name.c_str(), port, /*keep=*/0);
  }
  return 0;
}

}  // namespace

void StartTelemetry(const Dataplane* source) {
  {
    const std::lock_guard lock(mutex);
    dataplane = source;
  }
  rte_telemetry_register_cmd("/qure/reasons", Reasons, "Frames by reason, over all workers. No parameters.");
  rte_telemetry_register_cmd("/qure/worker", Worker, "Rounds and sleeps of a worker. Parameter: its number from 0.");
  rte_telemetry_register_cmd("/qure/ports", Ports, "LAN and host port. No parameters.");
}

void StopTelemetry() {
  const std::lock_guard lock(mutex);
  dataplane = nullptr;
}

}  // namespace qure

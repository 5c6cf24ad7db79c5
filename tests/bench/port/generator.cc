// port_generator: sends frames to the device under test at the other end of a port and counts what comes back.
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_launch.h>

#include <cstdio>
#include <cstdlib>
#include <future>
#include <optional>
#include <string>

#include "tests/bench/port/traffic.h"

namespace qure::testing {
namespace {

struct Job {
  Generator generator;
  double seconds;
  std::promise<std::optional<Figures>> figures;
};

int Main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: port_generator FILE_PREFIX CPU VDEV ARGUMENTS SECONDS\n");
    return 2;
  }
  const std::string vdev = argv[3];
  rte_mempool* const pool = StartBench(argv[1], {static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10))});
  if (pool == nullptr) return 1;
  uint16_t port = 0;
  if (rte_eal_hotplug_add("vdev", vdev.c_str(), argv[4]) != 0 ||
      rte_eth_dev_get_port_by_name(vdev.c_str(), &port) != 0 || !StartPort(port, pool)) {
    std::fprintf(stderr, "the generator's port %s does not start\n", vdev.c_str());
    return 1;
  }
  Job job = {.generator = Generator(port, pool), .seconds = std::strtod(argv[5], nullptr), .figures = {}};
  std::future<std::optional<Figures>> measured = job.figures.get_future();
  rte_eal_remote_launch(
      [](void* argument) {
        auto* const mine = static_cast<Job*>(argument);
        const bool answered = mine->generator.AwaitAnswer();
        mine->figures.set_value(answered ? std::optional(mine->generator.Run(mine->seconds)) : std::nullopt);
        return 0;
      },
      &job, 1);
  const std::optional<Figures> figures = measured.get();  // asleep, where rte_eal_mp_wait_lcore would spin
  rte_eal_mp_wait_lcore();
  rte_eth_dev_stop(port);
  rte_eth_dev_close(port);
  rte_eal_cleanup();
  if (!figures) {
    std::fprintf(stderr, "nothing came back\n");
    return kNothingCameBack;
  }
  std::printf("%s\n", ToJson(*figures).dump().c_str());
  return 0;
}

}  // namespace
}  // namespace qure::testing

int main(int argc, char** argv) {
  return qure::testing::Main(argc, argv);
}

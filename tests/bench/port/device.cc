// port_device: QuRe's dataplane as it is in production, environment, ports, worker and all, as the master of a site
// that does not change. Prints "ready" and, when its standard input ends, what became of the frames.
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "dataplane/dataplane.h"
#include "tests/bench/port/traffic.h"

namespace qure::testing {
namespace {

constexpr int kLivenessMs = 100;

int Main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: port_device FILE_PREFIX CPU PORT\n");
    return 2;
  }
  const absl::StatusOr<PortSpec> port = ParsePortSpec(argv[3]);
  if (!port.ok()) {
    std::fprintf(stderr, "%s\n", port.status().ToString().c_str());
    return 2;
  }
  DataplaneOptions options;
  options.lan = *port;
  options.cores = {static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10))};
  options.huge_pages = false;
  options.file_prefix = argv[1];
  const auto dataplane = Dataplane::Create(options);
  if (!dataplane.ok()) {
    std::fprintf(stderr, "%s\n", dataplane.status().ToString().c_str());
    return 1;
  }
  (*dataplane)->Publish(PeerSite());
  KeepOpen(&(*dataplane)->gate());
  (*dataplane)->Start();
  std::printf("ready\n");
  std::fflush(stdout);
  for (pollfd input = {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0}; poll(&input, 1, kLivenessMs) == 0;) {
    KeepOpen(&(*dataplane)->gate());
    (*dataplane)->TakeEvents();
  }
  std::printf("%s\n", ReasonsOf((*dataplane)->counters(0)).dump().c_str());
  return 0;
}

}  // namespace
}  // namespace qure::testing

int main(int argc, char** argv) {
  return qure::testing::Main(argc, argv);
}

// The appliance: reads its configuration, builds the parts, joins them, runs.

#include <getopt.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/base/log.h"
#include "control/base/ownership.h"
#include "control/base/text.h"
#include "control/base/version.h"
#include "control/config/config_file.h"
#include "control/core/cluster/identity.h"
#include "control/kernel/host_interface.h"
#include "control/kernel/journal.h"
#include "control/kernel/kernel_watch.h"
#include "control/operator/control_server.h"
#include "control/operator/metrics.h"
#include "control/qured/bare.h"
#include "control/qured/machine.h"
#include "control/qured/node_facts.h"
#include "control/qured/privileges.h"
#include "control/qured/runtime.h"
#include "control/qured/start_again.h"
#include "control/qured/start_config.h"
#include "control/qured/syscall_filter.h"
#include "control/qured/trial.h"
#include "control/store/store.h"
#include "dataplane/dataplane.h"
#include "proto/check.h"
#include "proto/port_spec.h"

namespace qure {
namespace {

constexpr int kFailed = 1;
constexpr int kBadConfig = 2;  // bad usage too
constexpr rlim_t kMostFiles = 4096;

constexpr char kUsage[] =
    R"(usage: qured [--config FILE | --interface NAME --join TOKEN] [--check | --restore | --try DURATION]
       qured --help | --version

Holds the service addresses that FILE names and answers for them. Without --config, FILE is /etc/qure/qure.toml. Without
that file it waits to be taken in by a cluster (`qurectl admit` there) or to begin one (`qurectl init` here), and takes
nothing of the machine meanwhile.

  -c, --config FILE   the node's configuration (TOML; docs/configuration.md lists every key)
      --interface NAME
                      without a file: the interface to the LAN, if the machine has more than one
      --join TOKEN    without a file: be taken in, without a command, by the cluster that has printed TOKEN (`qurectl
                      invite`), and by no other; or TOKEN is a cluster's fingerprint, for that cluster to admit it
      --check         check FILE, print what qured would change on this machine, and exit
      --restore       give back what a qured that was killed has left changed in the kernel, and exit
      --try DURATION  stop after DURATION (60s, 5m) and give everything back, unless `qurectl confirm` comes before,
                      and give it back as well if qured is killed
  -h, --help          print this text
  -V, --version       print the version

SIGHUP or `qurectl reload` reads FILE again. SIGTERM or SIGINT hands over and stops; a second one stops at once.
Exit status: 0 stopped by a signal or FILE is valid, 1 failed, 2 wrong usage or invalid FILE.
)";

DataplaneOptions DataplaneOptionsOf(const Config& config, PortSpec lan, const NodeId& node_id) {
  const NodeConfig& node = config.node;
  DataplaneOptions options;
  options.lan = std::move(lan);
  options.workers = node.workers;
  options.cores = node.cores;
  options.huge_pages = node.huge_pages;
  options.memory_mib = node.memory_mib;
  options.flows = node.flows;
  options.file_prefix = node.file_prefix;
  options.host_interface = node.host_interface;
  if (FILE* const log = LogStream(LogLevel::kWarning); log != nullptr) options.log = log;
  if (config.cluster.service_mac == ServiceMac::kDerived) options.host_mac = NodeMac(node_id, /*hop=*/0);
  return options;
}

// A failed check must end the process at once, even if nobody reads standard error.
void LogFailedCheck(const CheckFailure& failure) {
  constexpr Duration kPatience = Milliseconds(20);
  LogLine(LogLevel::kError, ToString(failure));
  FlushLog(kPatience);
}

// The resolver needs a socket for each query under way, which may be more than a login allows by default.
void AllowManyFiles() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = std::min(files.rlim_max, std::max(files.rlim_cur, kMostFiles));
  setrlimit(RLIMIT_NOFILE, &files);
}

// Once all parts are made. A node that cannot is better than none.
void GiveUpPrivileges(PortKind lan) {
  constexpr char kWarning[] = "goes on with more privileges than it needs: ";
  if (absl::Status dropped = DropPrivileges(NeededCapabilities(lan)); !dropped.ok()) {
    LogLine(LogLevel::kWarning, kWarning, std::string(dropped.message()));
  }
  if (!kSystemCallsAreFiltered) return;
  if (absl::Status filtered = FilterSystemCalls(lan); !filtered.ok()) {
    LogLine(LogLevel::kWarning, kWarning, std::string(filtered.message()));
  }
}

using Ending = Runtime::Ending;

// `trial` is none any more when it was confirmed.
absl::StatusOr<Ending> Run(const StartConfig& start, const NodeFacts& facts, PortKind lan, const Runtime::Parts& parts,
                           std::optional<Duration>* trial) {
  Runtime runtime(start, facts, parts);
  std::optional<MetricsKeeper> metrics;
  if (!start.config.node.metrics.empty()) {
    const MetricsSource source = {.node = [&runtime] { return runtime.status(); },
                                  .mbufs_in_use = [&parts] { return parts.dataplane->mbufs_in_use(); },
                                  .workers = runtime.workers(),
                                  .names = [&runtime] { return runtime.names(); }};
    metrics.emplace(start.config.node.metrics, source);
  }
  GiveUpPrivileges(lan);
  absl::StatusOr<Ending> ending = runtime.Run();
  if (!runtime.on_trial()) trial->reset();
  return ending;
}

// Builds all parts in the order in which they need each other. They end in the reverse order.
absl::StatusOr<Ending> Serve(const StartConfig& own, std::optional<Duration>* trial) {
  const NodeConfig& node = own.config.node;
  const absl::StatusOr<PortSpec> lan = ParsePortSpec(node.lan_port);
  if (!lan.ok()) return lan.status();
  if (absl::Status rights = CheckRights(); !rights.ok()) return rights;
  const absl::StatusOr<std::unique_ptr<ControlServer>> server = ControlServer::Listen(node.control_socket);
  if (!server.ok()) return server.status();
  const absl::StatusOr<Fd> data_directory = OwnDirectory(node.data_directory);
  if (!data_directory.ok()) return data_directory.status();
  const absl::StatusOr<Fd> network = OwnNetworkNamespace();
  if (!network.ok()) return network.status();
  const absl::StatusOr<std::unique_ptr<Store>> store = Store::Open(node.data_directory, Revision());
  if (!store.ok()) return store.status();
  const StartConfig start = WithStored(own, (*store)->state());
  const Config& config = start.config;
  // Undoes, at last, what the parts below it have changed in the kernel.
  const std::unique_ptr<KernelJournal> journal = OpenJournal(config.node.data_directory);
  const absl::StatusOr<TakenOver> taken = TakeOver(config, *lan);
  if (!taken.ok()) return taken.status();
  if (absl::Status prepared = PrepareLan(*lan, config.node.workers, journal.get()); !prepared.ok()) return prepared;
  const absl::StatusOr<std::unique_ptr<Dataplane>> dataplane =
      Dataplane::Create(DataplaneOptionsOf(config, *lan, (*store)->state().node_id));
  if (!dataplane.ok()) return dataplane.status();
  if ((*dataplane)->mtu() < (*dataplane)->lan_mtu()) {
    LogLine(LogLevel::kWarning, "the LAN port has MTU ", (*dataplane)->lan_mtu(), ", of which ", (*dataplane)->mtu(),
            " are used: longer frames are dropped as no_room; give the hosts of the LAN MTU ", (*dataplane)->mtu());
  }
  (*store)->SetHardware((*dataplane)->lan_mac());
  const NodeFacts facts = GatherFacts(taken->config.node, (*store)->state(), (*dataplane)->lan_mac(), lan->interface());
  const absl::StatusOr<std::unique_ptr<HostInterface>> host =
      HostInterface::Create(HostOptionsOf(*taken, *lan, (*dataplane)->mtu(), journal.get()));
  if (!host.ok()) return host.status();

  const absl::StatusOr<std::unique_ptr<KernelWatch>> kernel = KernelWatch::Open();
  if (!kernel.ok()) return kernel.status();

  const bool shared = config.node.lan_mode == LanMode::kShared;
  const std::string lan_interface = shared ? lan->interface() : config.node.host_interface;
  const Runtime::Parts parts = {store->get(),  dataplane->get(), host->get(), kernel->get(),
                                server->get(), lan_interface,    *trial};
  absl::StatusOr<Ending> ending = Run(start, facts, lan->kind, parts, trial);
  absl::Status renewed;
  if (ending.ok() && *ending == Ending::kNewIdentity) renewed = (*store)->TakeNewIdentity();
  if (ending.ok() && *ending == Ending::kLeft) renewed = (*store)->BeginAnew();
  if (!renewed.ok()) return renewed;
  return ending;
}

// All that is logged is written, if somebody reads it, when this returns.
absl::StatusOr<Ending> ServeAndLog(const StartConfig& own, const std::vector<std::string>& warnings,
                                   std::optional<Duration>* trial) {
  BlockSignals();  // before the writer and the environment start their threads
  const LogWriter writer;
  SetCheckHandler(LogFailedCheck);
  SetLogLevel(own.config.node.log_level);
  AllowManyFiles();
  for (const std::string& warning : warnings) LogLine(LogLevel::kWarning, warning);
  absl::StatusOr<Ending> ending = Serve(own, trial);
  if (!ending.ok()) LogLine(LogLevel::kError, std::string(ending.status().message()));
  return ending;
}

struct Arguments {
  std::string config;     // empty: none was named
  std::string interface;  // the same
  std::string join;       // the same
  bool check = false;
  bool restore = false;
  std::optional<Duration> trial;
};

// Starts this program again in this process, on what is left of its arguments. Returns only if that fails.
int StartAgain(char* program, const Arguments& arguments) {
  std::vector<std::string> words = {program};
  const auto add = [&words](const char* option, const std::string& value) {
    if (!value.empty()) words.insert(words.end(), {option, value});
  };
  add("--config", arguments.config);
  add("--interface", arguments.interface);
  add("--join", arguments.join);
  add("--try", arguments.trial ? Concat(arguments.trial->ns / Seconds(1).ns, "s") : "");
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ExecuteItself(argv.data());
  LogLine(LogLevel::kError, std::string("cannot start again: ") + std::strerror(errno));
  return kFailed;
}

// The exit status if the arguments leave nothing to run.
std::optional<int> ParseArguments(int argc, char** argv, Arguments* out) {
  static constexpr std::array<option, 9> kOptions = {{{"config", required_argument, nullptr, 'c'},
                                                      {"interface", required_argument, nullptr, 'i'},
                                                      {"join", required_argument, nullptr, 'j'},
                                                      {"check", no_argument, nullptr, 'k'},
                                                      {"restore", no_argument, nullptr, 'r'},
                                                      {"try", required_argument, nullptr, 't'},
                                                      {"help", no_argument, nullptr, 'h'},
                                                      {"version", no_argument, nullptr, 'V'},
                                                      {nullptr, 0, nullptr, 0}}};
  int option = 0;
  while ((option = getopt_long(argc, argv, "c:hV", kOptions.data(), nullptr)) != -1) {
    switch (option) {
      case 'c':
        out->config = optarg;
        break;
      case 'i':
        out->interface = optarg;
        break;
      case 'j':
        out->join = optarg;
        break;
      case 'k':
        out->check = true;
        break;
      case 'r':
        out->restore = true;
        break;
      case 't':
        out->trial = ParseTrial(optarg);
        if (out->trial) break;
        std::fprintf(stderr, "--try %s: give a time from 1s to 24 hours, such as 60s or 5m\n", optarg);
        return kBadConfig;
      case 'h':
        std::fputs(kUsage, stdout);
        return EXIT_SUCCESS;
      case 'V':
        std::printf("qured %s\n", FullVersion().c_str());
        return EXIT_SUCCESS;
      default:
        std::fputs(kUsage, stderr);
        return kBadConfig;
    }
  }
  const bool both = !out->config.empty() && (!out->interface.empty() || !out->join.empty());
  if (!both && optind == argc) return std::nullopt;
  std::fputs(kUsage, stderr);
  return kBadConfig;
}

int Check(const std::string& path, const Config& config) {
  const absl::StatusOr<std::vector<std::string>> plan = PlanOf(config);
  if (!plan.ok()) {
    std::fprintf(stderr, "%s: %s\n", path.c_str(), std::string(plan.status().message()).c_str());
    return kBadConfig;
  }
  std::printf("%s: valid\nwhile qured runs on this machine:\n", path.c_str());
  for (const std::string& line : *plan) std::printf("  %s\n", line.c_str());
  return EXIT_SUCCESS;
}

int Restore(const Config& config) {
  const absl::StatusOr<std::vector<std::string>> lines = RestoreMachine(config);
  if (!lines.ok()) {
    std::fprintf(stderr, "%s\n", std::string(lines.status().message()).c_str());
    return kFailed;
  }
  for (const std::string& line : *lines) std::printf("%s\n", line.c_str());
  if (lines->empty()) std::printf("nothing to give back\n");
  return EXIT_SUCCESS;
}

struct OwnText {
  std::string path;
  std::string text;
  bool bare = false;  // there is no file
};
absl::StatusOr<OwnText> ReadOwnText(const Arguments& arguments) {
  OwnText own = {.path = arguments.config.empty() ? kDefaultConfigFile : arguments.config, .text = "", .bare = false};
  std::error_code error;
  own.bare = arguments.config.empty() && !std::filesystem::exists(own.path, error);
  if (!own.bare && (!arguments.interface.empty() || !arguments.join.empty())) {
    return absl::InvalidArgumentError(
        Concat(own.path, " says which interface leads to the LAN, and whom to join: leave --interface and --join out"));
  }
  if (!own.bare) {
    absl::StatusOr<std::string> text = ReadConfigFile(own.path);
    if (!text.ok()) return text.status();
    own.text = *std::move(text);
    return own;
  }
  const absl::StatusOr<std::string> interface =
      arguments.interface.empty() ? FindLanInterface() : absl::StatusOr<std::string>(arguments.interface);
  if (!interface.ok()) return interface.status();
  own.text = BareConfig(*interface, arguments.join);
  return own;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  if (const std::optional<int> done = ParseArguments(argc, argv, &arguments)) return *done;
  const absl::StatusOr<OwnText> text = ReadOwnText(arguments);
  const absl::StatusOr<Config> config = text.ok() ? ParseConfig(text->text, text->path) : text.status();
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", std::string(config.status().message()).c_str());
    return kBadConfig;
  }
  if (arguments.restore) return Restore(*config);
  const std::vector<std::string> warnings = ConfigWarnings(text->path, *config);
  if (arguments.check) {
    for (const std::string& warning : warnings) std::fprintf(stderr, "warning: %s\n", warning.c_str());
    return Check(text->bare ? "without a file" : text->path, *config);
  }
  if (arguments.trial) {
    if (absl::Status watched = WatchTrial(*config); !watched.ok()) {
      LogLine(LogLevel::kError, std::string(watched.message()));
      return kFailed;
    }
  }
  const StartConfig own = {
      .path = text->path, .text = text->text, .config = *config, .joined = std::nullopt, .shared = std::nullopt};
  const absl::StatusOr<Ending> ending = ServeAndLog(own, warnings, &arguments.trial);
  if (!ending.ok() || *ending == Ending::kUnconfirmed || *ending == Ending::kHostLost) return kFailed;
  return *ending == Ending::kStopped ? EXIT_SUCCESS : StartAgain(argv[0], arguments);
}

}  // namespace
}  // namespace qure

int main(int argc, char** argv) {
  return qure::Main(argc, argv);
}

// The operator's command line.

#include <getopt.h>
#include <poll.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/text.h"
#include "control/base/version.h"
#include "control/config/cluster_key.h"
#include "control/config/config_file.h"
#include "control/operator/balance_status.h"
#include "control/qurectl/balance_tables.h"
#include "control/qurectl/client.h"
#include "control/qurectl/cluster_tables.h"
#include "control/qurectl/dns_tables.h"
#include "control/qurectl/plot.h"
#include "control/qurectl/request.h"
#include "control/qurectl/tables.h"

namespace qure {
namespace {

constexpr int kRefused = 1;
constexpr int kUsageError = 2;  // an invalid configuration too
constexpr int kNotReachable = 3;

constexpr size_t kPlotWidth = 72;
constexpr int kHandoverPatienceMs = 3000;
constexpr int kHandoverAskMs = 20;

constexpr char kUsage[] = R"(usage: qurectl [--socket PATH] [--json] COMMAND

  status             who this node is, its role, which service addresses it holds
  nodes              the cluster's nodes: roles, states, boots
  term               who leads, under which term
  history [--limit N] [--plot] [--svg FILE]
                     what has happened; --plot, --svg: nodes online over time, by era
  handover [NODE]    this node leads: hand over, to NODE (a name, or the beginning of an id) or the best
  maintenance on|off on: this node hands over and does not lead until off
  services           the services, who serves them and with what share
  flows [--top [N]]  how many flows each node owns, as this node knows it; --top: the N (10) remote addresses with the
                     most flows in this node's tables
  explain SRC:PORT DST:PORT [tcp|udp]
                     what would become of such a packet from the gateway, step by step
  dns zones          the zones that are answered for
  dns lookup NAME [TYPE]
                     what this node answers to such a query (type A)
  dns server         what was answered over TCP and beside the packet path
  dns cache|upstreams|aliases
                     what other servers said, how they are, and where the aliases lead
  dns mdns           what is published by Multicast DNS
  dns registration   the cluster's addresses at the main server: what is there, and what has failed
  dns reload         the same as reload: zone files are read again too
  drain [NODE] [--deadline SECONDS|none]
                     give NODE (this one) no new flows; it keeps those that it has until they end, or until the
                     deadline: then they are broken
  undrain [NODE]     give it new flows again
  weight NODE SERVICE W|default
                     give NODE a share of SERVICE by weight W, 0 to 255
  key list           the ids of the cluster's keys; no key is ever shown
  key new            a fresh key, for the configuration or a file; needs no running qured
  key add ID KEY     accept another key (64 hexadecimal digits, or a file that holds them)
  key use ID         send under it, once all nodes have it
  key remove ID      accept it no more, once all nodes use another
  ports              the LAN and the host port, with their traffic
  counters [--all]   what became of the frames; --all: also what never happened
  config show        the configuration in force
  config check FILE  whether FILE is valid; needs no running qured
  reload             make qured read its configuration again
  help               this text

  --socket PATH      qured's control socket (default: $QURE_SOCKET or /run/qure/qured.sock)
  --json             the answer as JSON

Exit status: 0 fine, 1 refused or failed, 2 wrong usage or invalid configuration, 3 qured is not reachable.
)";

struct Arguments {
  std::string socket = NodeConfig{}.control_socket;
  bool json = false;
  bool all = false;
  bool help = false;
  bool plot = false;
  bool top = false;
  uint32_t top_count = kDefaultTop;
  std::string svg;
  std::optional<uint32_t> limit;
  std::optional<nlohmann::json> deadline;  // seconds; null: none
  std::vector<std::string_view> words;

  bool HasMisplacedOption() const {
    const std::string_view command = words[0];
    const bool of_history = plot || !svg.empty() || limit;
    return (all && command != "counters") || (top && command != "flows") || (of_history && command != "history") ||
           (deadline && command != "drain");
  }
};

std::optional<nlohmann::json> ParseDeadline(std::string_view text) {
  if (text == "none") return nlohmann::json(nullptr);
  const std::optional<uint32_t> seconds = ParseUnsigned(text);
  return seconds ? std::optional<nlohmann::json>(*seconds) : std::nullopt;
}

// False: wrong usage.
bool TakeOption(int option, Arguments* out) {
  switch (option) {
    case 's':
      out->socket = optarg;
      return true;
    case 'j':
      return out->json = true;
    case 'a':
      return out->all = true;
    case 'h':
      return out->help = true;
    case 'p':
      return out->plot = true;
    case 'g':
      out->svg = optarg;
      return !out->svg.empty();
    case 'd':
      out->deadline = ParseDeadline(optarg);
      return out->deadline.has_value();
    case 't':
      return out->top = true;
    case 'l':
      out->limit = ParseUnsigned(optarg);
      return out->limit.has_value();
    default:
      return false;
  }
}

bool ParseArguments(int argc, char** argv, Arguments* out) {
  static constexpr std::array<option, 11> kOptions = {{{"socket", required_argument, nullptr, 's'},
                                                       {"json", no_argument, nullptr, 'j'},
                                                       {"all", no_argument, nullptr, 'a'},
                                                       {"plot", no_argument, nullptr, 'p'},
                                                       {"svg", required_argument, nullptr, 'g'},
                                                       {"limit", required_argument, nullptr, 'l'},
                                                       {"top", no_argument, nullptr, 't'},
                                                       {"deadline", required_argument, nullptr, 'd'},
                                                       {"help", no_argument, nullptr, 'h'},
                                                       {"version", no_argument, nullptr, 'V'},
                                                       {nullptr, 0, nullptr, 0}}};
  if (const char* socket = std::getenv("QURE_SOCKET"); socket != nullptr && *socket != '\0') out->socket = socket;
  int option = 0;
  while ((option = getopt_long(argc, argv, "s:jahV", kOptions.data(), nullptr)) != -1) {
    if (option == 'V') {
      std::cout << "qurectl " << FullVersion() << "\n";
      std::exit(EXIT_SUCCESS);
    }
    if (!TakeOption(option, out)) return false;
  }
  out->words.assign(argv + optind, argv + argc);
  out->help = out->help || (out->words.size() == 1 && out->words[0] == "help");
  return out->help || !out->words.empty();
}

// The N of --top is a word. False: wrong usage.
bool TakeTop(Arguments* out) {
  if (!out->top || out->words.size() != 2 || out->words[0] != "flows") return true;
  const std::optional<uint32_t> count = ParseUnsigned(out->words[1]);
  out->words.pop_back();
  out->top_count = count.value_or(0);
  return count.has_value();
}

int UsageError() {
  std::cerr << kUsage;
  return kUsageError;
}

int CheckConfig(const std::string& path) {
  const absl::StatusOr<Config> config = LoadConfig(path);
  if (!config.ok()) {
    std::cerr << config.status().message() << "\n";
    return kUsageError;
  }
  for (const std::string& warning : ConfigWarnings(path, *config)) std::cerr << "warning: " << warning << "\n";
  std::cout << path << ": valid\n";
  return EXIT_SUCCESS;
}

std::string TextOf(const Arguments& arguments, std::string_view command, const nlohmann::ordered_json& answer) {
  if (command == "status") return StatusText(answer);
  if (command == "nodes") return NodesText(answer);
  if (command == "term" || command == "handover") return LeadText(answer);
  if (command == "history" && arguments.plot) return PlotText(ReadSeries(answer), kPlotWidth);
  if (command == "history") return arguments.svg.empty() ? HistoryText(answer) : "";
  if (command == "key") return KeysText(answer);
  if (command == "maintenance")
    return answer.at("maintenance").get<bool>() ? "this node does not lead\n" : "this node may lead\n";
  if (command == "services") return ServicesText(answer);
  if (command == "flows") return arguments.top ? TopText(answer.at("top")) : FlowsText(answer);
  if (command == "explain") return ExplainText(answer);
  if (command == "dns") return DnsText(answer);
  if (command == "drain" || command == "weight") return answer.at("done").get<std::string>() + "\n";
  if (command == "ports") return PortsText(answer);
  if (command == "counters") return CountersText(answer, arguments.all);
  if (command == "reload") return "reloaded " + answer.at("reloaded").get<std::string>() + "\n";
  return answer.dump(2) + "\n";
}

// The answer; or, with what is wrong said, the exit status.
std::optional<int> AskOrExplain(const Arguments& arguments, const nlohmann::json& request,
                                nlohmann::ordered_json* out) {
  absl::StatusOr<nlohmann::ordered_json> answer = Ask(arguments.socket, request);
  if (!answer.ok()) {
    std::cerr << "qurectl: " << answer.status().message() << "\n";
    return answer.status().code() == absl::StatusCode::kUnavailable ? kNotReachable : kRefused;
  }
  *out = *std::move(answer);
  const auto error = out->find("error");
  if (error == out->end()) return std::nullopt;
  if (arguments.json) {
    std::cout << out->dump(2) << "\n";
  } else {
    std::cerr << "qurectl: " << request.at("command").get<std::string>() << " refused:\n"
              << error->get<std::string>() << "\n";
  }
  return kRefused;
}

bool WriteSvg(const std::string& path, const nlohmann::ordered_json& history) {
  std::ofstream file(path, std::ios::trunc);
  file << PlotSvg(ReadSeries(history));
  file.flush();
  if (!file) std::cerr << "qurectl: " << path << " cannot be written\n";
  return file.good();
}

// A handover takes some milliseconds: waits until another node than `master` leads, whose term is then in `answer`.
std::optional<int> AwaitHandover(const Arguments& arguments, const nlohmann::ordered_json& master,
                                 nlohmann::ordered_json* answer) {
  for (int waited = 0; waited < kHandoverPatienceMs; waited += kHandoverAskMs) {
    if (const auto done = AskOrExplain(arguments, {{"command", "term"}}, answer)) return done;
    const nlohmann::ordered_json& leads = answer->at("master");
    if (!leads.is_null() && leads.at("node") != master.at("node")) return std::nullopt;
    poll(nullptr, 0, kHandoverAskMs);
  }
  std::cerr << "qurectl: handover: nobody took over; qured's log says why\n";
  return kRefused;
}

int AskAndShow(const Arguments& arguments, const nlohmann::json& request) {
  const auto command = request.at("command").get<std::string>();
  nlohmann::ordered_json before;
  nlohmann::ordered_json answer;
  if (command == "handover") {
    if (const auto done = AskOrExplain(arguments, {{"command", "term"}}, &before)) return *done;
  }
  if (const auto done = AskOrExplain(arguments, request, &answer)) return *done;
  if (command == "handover") {
    if (const auto done = AwaitHandover(arguments, before.at("master"), &answer)) return *done;
  }
  if (!arguments.svg.empty() && !WriteSvg(arguments.svg, answer)) return kRefused;
  std::cout << (arguments.json ? answer.dump(2) + "\n" : TextOf(arguments, command, answer));
  return EXIT_SUCCESS;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  if (!ParseArguments(argc, argv, &arguments) || !TakeTop(&arguments)) return UsageError();
  if (arguments.help) {
    std::cout << kUsage;
    return EXIT_SUCCESS;
  }
  const std::vector<std::string_view>& words = arguments.words;
  if (words.size() == 3 && words[0] == "config" && words[1] == "check") return CheckConfig(std::string(words[2]));
  if (words.size() == 2 && words[0] == "key" && words[1] == "new") {
    std::cout << ClusterKeyText(DrawClusterKey()) << "\n";
    return EXIT_SUCCESS;
  }
  std::optional<absl::StatusOr<nlohmann::json>> request = RequestFor(words);
  if (!request || arguments.HasMisplacedOption()) return UsageError();
  if (!request->ok()) {
    std::cerr << "qurectl: " << request->status().message() << "\n";
    return kRefused;
  }
  if (arguments.limit) (**request)["limit"] = *arguments.limit;
  if (arguments.deadline) (**request)["deadline"] = *arguments.deadline;
  if (arguments.top) (**request)["top"] = arguments.top_count;
  try {
    return AskAndShow(arguments, **request);
  } catch (const nlohmann::json::exception& error) {
    std::cerr << "qurectl: qured's answer is not understood; do their versions match? " << error.what() << "\n";
    return kRefused;
  }
}

}  // namespace
}  // namespace qure

int main(int argc, char** argv) {
  try {
    return qure::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "qurectl: %s\n", error.what());
    return 1;
  }
}

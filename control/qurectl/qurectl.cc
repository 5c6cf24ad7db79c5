// The operator's command line.

#include <getopt.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "control/base/text.h"
#include "control/base/version.h"
#include "control/config/cluster_key.h"
#include "control/config/config_file.h"
#include "control/operator/balance_status.h"
#include "control/operator/shared_config.h"
#include "control/qurectl/balance_tables.h"
#include "control/qurectl/client.h"
#include "control/qurectl/cluster_tables.h"
#include "control/qurectl/command_table.h"
#include "control/qurectl/config_diff.h"
#include "control/qurectl/config_edit.h"
#include "control/qurectl/config_tables.h"
#include "control/qurectl/dns_tables.h"
#include "control/qurectl/init.h"
#include "control/qurectl/plot.h"
#include "control/qurectl/request.h"
#include "control/qurectl/tables.h"

namespace qure {
namespace {

constexpr int kRefused = 1;
constexpr int kUsageError = 2;  // an invalid configuration too
constexpr int kNotReachable = 3;

// As diff has them.
constexpr int kDiffers = 1;
constexpr int kDiffFailed = 2;

constexpr size_t kPlotWidth = 72;
constexpr int kHandoverPatienceMs = 3000;
constexpr int kHandoverAskMs = 20;

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
  std::optional<uint32_t> confirm;         // seconds; 0: none
  bool canary = true;
  bool dry_run = false;
  FirstCluster first;
  std::optional<uint32_t> uses;      // of a token
  std::optional<uint32_t> lifetime;  // of a token, or of `admit --all`, seconds
  bool last = false;                 // leave
  std::vector<std::string_view> words;

  std::vector<std::string_view> options;  // of single commands
};

// Whether each option that was given is one of this command.
bool TakesItsOptions(const OperatorCommand& command, const Arguments& arguments) {
  const std::vector<std::string_view> known = SyntaxOf(command.usage).options;
  return std::ranges::all_of(arguments.options,
                             [&](std::string_view option) { return std::ranges::find(known, option) != known.end(); });
}

std::optional<nlohmann::json> ParseDeadline(std::string_view text) {
  if (text == "none") return nlohmann::json(nullptr);
  const std::optional<uint32_t> seconds = ParseUnsigned(text);
  return seconds ? std::optional<nlohmann::json>(*seconds) : std::nullopt;
}

constexpr uint32_t kConfirmWithin = 600;  // seconds, unless the operator says otherwise

// "90s", "10m", "1h" or "0" in seconds.
std::optional<uint32_t> ParseTime(std::string_view text) {
  constexpr std::pair<char, uint32_t> kUnits[] = {{'s', 1}, {'m', 60}, {'h', 3600}};
  if (text == "0") return 0;
  for (const auto& [unit, seconds] : kUnits) {
    if (!text.ends_with(unit)) continue;
    const std::optional<uint32_t> count = ParseUnsigned(text.substr(0, text.size() - 1));
    if (!count || *count == 0 || *count > UINT32_MAX / seconds) return std::nullopt;
    return *count * seconds;
  }
  return std::nullopt;
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
      out->options.push_back("--all");
      return out->all = true;
    case 'h':
      return out->help = true;
    case 'p':
      out->options.push_back("--plot");
      return out->plot = true;
    case 'g':
      out->options.push_back("--svg");
      out->svg = optarg;
      return !out->svg.empty();
    case 'd':
      out->options.push_back("--deadline");
      out->deadline = ParseDeadline(optarg);
      return out->deadline.has_value();
    case 'c':
      out->options.push_back("--confirm");
      out->confirm = ParseTime(optarg);
      return out->confirm.has_value();
    case 'n':
      out->options.push_back("--no-canary");
      out->canary = false;
      return true;
    case 'r':
      out->options.push_back("--dry-run");
      return out->dry_run = true;
    case 'N':
      out->options.push_back("--name");
      out->first.name = optarg;
      return true;
    case 'A':
      out->options.push_back("--address");
      out->first.addresses.emplace_back(optarg);
      return true;
    case 'G':
      out->options.push_back("--gateway");
      out->first.gateways.emplace_back(optarg);
      return true;
    case 'u':
      out->options.push_back("--uses");
      out->uses = ParseUnsigned(optarg);
      return out->uses.has_value();
    case 'f':
      out->options.push_back("--for");
      out->lifetime = ParseTime(optarg);
      return out->lifetime.has_value();
    case 'L':
      out->options.push_back("--last");
      return out->last = true;
    case 't':
      out->options.push_back("--top");
      return out->top = true;
    case 'l':
      out->options.push_back("--limit");
      out->limit = ParseUnsigned(optarg);
      return out->limit.has_value();
    default:
      return false;
  }
}

bool ParseArguments(int argc, char** argv, Arguments* out) {
  static constexpr std::array<option, 20> kOptions = {
      {{"socket", required_argument, nullptr, 's'},  {"json", no_argument, nullptr, 'j'},
       {"all", no_argument, nullptr, 'a'},           {"plot", no_argument, nullptr, 'p'},
       {"svg", required_argument, nullptr, 'g'},     {"limit", required_argument, nullptr, 'l'},
       {"top", no_argument, nullptr, 't'},           {"deadline", required_argument, nullptr, 'd'},
       {"confirm", required_argument, nullptr, 'c'}, {"no-canary", no_argument, nullptr, 'n'},
       {"dry-run", no_argument, nullptr, 'r'},       {"name", required_argument, nullptr, 'N'},
       {"address", required_argument, nullptr, 'A'}, {"gateway", required_argument, nullptr, 'G'},
       {"uses", required_argument, nullptr, 'u'},    {"for", required_argument, nullptr, 'f'},
       {"last", no_argument, nullptr, 'L'},          {"help", no_argument, nullptr, 'h'},
       {"version", no_argument, nullptr, 'V'},       {nullptr, 0, nullptr, 0}}};
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

std::string TextOf(const Arguments& arguments, RequestKind kind, const nlohmann::ordered_json& answer) {
  switch (kind) {
    case RequestKind::kStatus:
      return StatusText(answer);
    case RequestKind::kNodes:
      return NodesText(answer);
    case RequestKind::kTerm:
    case RequestKind::kHandover:
      return LeadText(answer);
    case RequestKind::kHistory:
      if (arguments.plot) return PlotText(ReadSeries(answer), kPlotWidth);
      return arguments.svg.empty() ? HistoryText(answer) : "";
    case RequestKind::kKey:
      return KeysText(answer);
    case RequestKind::kCluster:
    case RequestKind::kRevoke:
      return RollText(answer);
    case RequestKind::kInvite:
      return TokensText(answer);
    case RequestKind::kCandidates:
      return CandidatesText(answer);
    case RequestKind::kClusters:
      return ClustersText(answer);
    case RequestKind::kMaintenance:
      return answer.at("maintenance").get<bool>() ? "this node does not lead\n" : "this node may lead\n";
    case RequestKind::kServices:
      return ServicesText(answer);
    case RequestKind::kFlows:
      return arguments.top ? TopText(answer.at("top")) : FlowsText(answer);
    case RequestKind::kExplain:
      return ExplainText(answer);
    case RequestKind::kDns:
      return DnsText(answer);
    case RequestKind::kAdmit:
    case RequestKind::kDrain:
    case RequestKind::kForget:
    case RequestKind::kLeave:
    case RequestKind::kWeight:
      return answer.at("done").get<std::string>() + "\n";
    case RequestKind::kPorts:
      return PortsText(answer);
    case RequestKind::kCounters:
      return CountersText(answer, arguments.all);
    case RequestKind::kBegin:
      return answer.at("begun").get<std::string>() + "\n";
    case RequestKind::kReload:
      return "reloaded " + answer.at("reloaded").get<std::string>() + "\n";
    case RequestKind::kConfirm:
      return "confirmed: qured goes on\n";
    case RequestKind::kSharedConfig:
      return SharedConfigText(answer);
    case RequestKind::kConfig:
      break;
  }
  return answer.dump(2) + "\n";
}

// The answer; or, after an error is printed, the exit status.
std::optional<int> AskOrReport(const Arguments& arguments, RequestKind kind, nlohmann::json request,
                               nlohmann::ordered_json* out) {
  request["command"] = NameOf(kind);
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
    std::cerr << "qurectl: " << NameOf(kind) << " refused:\n" << error->get<std::string>() << "\n";
  }
  return kRefused;
}

// What is refused here already is told as what qured refuses.
int ReportRefusal(const Arguments& arguments, const absl::Status& refusal) {
  if (arguments.json) {
    std::cout << RefusalJson(refusal).dump(2, ' ', /*ensure_ascii=*/false, nlohmann::json::error_handler_t::replace)
              << "\n";
  } else {
    std::cerr << "qurectl: " << refusal.message() << "\n";
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
    if (const auto done = AskOrReport(arguments, RequestKind::kTerm, {}, answer)) return done;
    const nlohmann::ordered_json& leads = answer->at("master");
    if (!leads.is_null() && leads.at("node") != master.at("node")) return std::nullopt;
    poll(nullptr, 0, kHandoverAskMs);
  }
  std::cerr << "qurectl: handover: no node took over; the log of qured has the reason\n";
  return kRefused;
}

nlohmann::ordered_json KeyInUse(const nlohmann::ordered_json& keys) {
  for (const nlohmann::ordered_json& key : keys.at("keys")) {
    if (key.at("in_use").get<bool>()) return key.at("id");
  }
  return nullptr;
}

// The others come for a new key in some milliseconds: waits until it is in use. `answer`: the keys as they were.
std::optional<int> AwaitKey(const Arguments& arguments, nlohmann::ordered_json* answer) {
  const nlohmann::ordered_json before = KeyInUse(*answer);
  for (int waited = 0; waited < kHandoverPatienceMs; waited += kHandoverAskMs) {
    if (const auto done = AskOrReport(arguments, RequestKind::kKey, {{"action", "list"}}, answer)) return done;
    if (KeyInUse(*answer) != before) return std::nullopt;
    poll(nullptr, 0, kHandoverAskMs);
  }
  std::cerr << "qurectl: key rotate: the new key is not in use yet; `qurectl key list` shows it\n";
  return kRefused;
}

int AskAndShow(const Arguments& arguments, RequestKind kind, const nlohmann::json& request) {
  nlohmann::ordered_json before;
  nlohmann::ordered_json answer;
  if (kind == RequestKind::kHandover) {
    if (const auto done = AskOrReport(arguments, RequestKind::kTerm, {}, &before)) return *done;
  }
  if (const auto done = AskOrReport(arguments, kind, request, &answer)) return *done;
  if (kind == RequestKind::kHandover) {
    if (const auto done = AwaitHandover(arguments, before.at("master"), &answer)) return *done;
  }
  if (kind == RequestKind::kKey && request.at("action") == "rotate") {
    if (const auto done = AwaitKey(arguments, &answer)) return *done;
  }
  if (!arguments.svg.empty() && !WriteSvg(arguments.svg, answer)) return kRefused;
  std::cout << (arguments.json ? answer.dump(2) + "\n" : TextOf(arguments, kind, answer));
  return kind == RequestKind::kStatus ? StatusExit(answer) : EXIT_SUCCESS;
}

int BeginCluster(const Arguments& arguments) {
  const absl::StatusOr<nlohmann::ordered_json> done = Init(arguments.socket, arguments.first);
  if (!done.ok()) {
    std::cerr << "qurectl: " << done.status().message() << "\n";
    return done.status().code() == absl::StatusCode::kUnavailable ? kNotReachable : kRefused;
  }
  std::cout << (arguments.json ? done->dump(2) + "\n" : InitText(*done));
  return done->at("problem").is_null() ? EXIT_SUCCESS : kRefused;
}

int ReportError(const absl::Status& error, int refused) {
  std::cerr << "qurectl: " << error.message() << "\n";
  return error.code() == absl::StatusCode::kUnavailable ? kNotReachable : refused;
}

int DiffConfig(const Arguments& arguments, const std::string& what) {
  const absl::StatusOr<std::string> diff = ConfigDiff(arguments.socket, what);
  if (!diff.ok()) return ReportError(diff.status(), kDiffFailed);
  std::cout << (arguments.json ? nlohmann::ordered_json{{"differs", !diff->empty()}, {"diff", *diff}}.dump(2) + "\n"
                               : *diff);
  return diff->empty() ? EXIT_SUCCESS : kDiffers;
}

int EditConfig(const Arguments& arguments, const nlohmann::json& proposal) {
  const absl::StatusOr<nlohmann::ordered_json> done = ConfigEdit(arguments.socket, proposal);
  if (!done.ok()) return ReportError(done.status(), kRefused);
  std::cout << (arguments.json ? done->dump(2) + "\n" : ConfigEditText(*done));
  return EXIT_SUCCESS;
}

int DoLocally(const Arguments& arguments, LocalAction action, const nlohmann::json& members) {
  switch (action) {
    case LocalAction::kInit:
      return BeginCluster(arguments);
    case LocalAction::kHelp:
      std::cout << kUsage;
      break;
    case LocalAction::kCheckConfig:
      return CheckConfig(members.at("file").get<std::string>());
    case LocalAction::kDiffConfig:
      return DiffConfig(arguments, members.value("what", std::string()));
    case LocalAction::kEditConfig:
      return EditConfig(arguments, members);
    case LocalAction::kNewKey:
      std::cout << ClusterKeyText(DrawClusterKey()) << "\n";
      break;
  }
  return EXIT_SUCCESS;
}

// The operator's paper alone has it.
void AddRecoveryCode(nlohmann::json* request) {
  if (isatty(STDIN_FILENO) != 0) std::cerr << "recovery code: " << std::flush;
  std::string code;
  std::getline(std::cin, code);
  (*request)["code"] = code;
}

// How a change of the cluster's configuration is to be made.
void AddProposal(const Arguments& arguments, const OperatorCommand& command, nlohmann::json* request) {
  const std::vector<std::string_view> options = SyntaxOf(command.usage).options;
  if (std::ranges::find(options, "--confirm") == options.end()) return;
  (*request)["confirm"] = arguments.confirm.value_or(kConfirmWithin);
  (*request)["canary"] = arguments.canary;
  (*request)["dry_run"] = arguments.dry_run;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  if (!ParseArguments(argc, argv, &arguments) || !TakeTop(&arguments)) return UsageError();
  if (arguments.help) return DoLocally(arguments, LocalAction::kHelp, {});
  const OperatorCommand* const command = FindCommand(arguments.words);
  if (command == nullptr || !TakesItsOptions(*command, arguments)) return UsageError();
  std::optional<absl::StatusOr<nlohmann::json>> request = RequestFor(*command, arguments.words);
  if (!request) return UsageError();
  if (!request->ok()) return ReportRefusal(arguments, request->status());
  const auto* const kind = std::get_if<RequestKind>(&command->action);
  if (kind != nullptr && *kind == RequestKind::kAdmit && arguments.all) (**request)["all"] = true;
  if (arguments.last) (**request)["last"] = true;
  if (arguments.uses) (**request)["uses"] = *arguments.uses;
  if (arguments.lifetime) (**request)["lifetime"] = *arguments.lifetime;
  if (arguments.limit) (**request)["limit"] = *arguments.limit;
  if (arguments.deadline) (**request)["deadline"] = *arguments.deadline;
  if (arguments.top) (**request)["top"] = arguments.top_count;
  AddProposal(arguments, *command, &**request);
  try {
    if (const auto* const local = std::get_if<LocalAction>(&command->action)) {
      return DoLocally(arguments, *local, **request);
    }
    if (*kind == RequestKind::kRevoke) AddRecoveryCode(&**request);
    return AskAndShow(arguments, *kind, **request);
  } catch (const nlohmann::json::exception& error) {
    std::cerr << "qurectl: cannot read the answer of qured; do the versions match? " << error.what() << "\n";
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

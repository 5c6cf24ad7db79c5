// The operator's command line.

#include <getopt.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "control/io/config_file.h"
#include "control/io/status.h"
#include "control/qurectl/client.h"
#include "control/qurectl/tables.h"

namespace qure {
namespace {

constexpr int kRefused = 1;
constexpr int kUsageError = 2;  // an invalid configuration too
constexpr int kNotReachable = 3;

constexpr char kUsage[] = R"(usage: qurectl [--socket PATH] [--json] COMMAND

  status             who this node is, which service addresses it holds
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
  std::vector<std::string_view> words;
};

bool ParseArguments(int argc, char** argv, Arguments* out) {
  static constexpr std::array<option, 6> kOptions = {{{"socket", required_argument, nullptr, 's'},
                                                      {"json", no_argument, nullptr, 'j'},
                                                      {"all", no_argument, nullptr, 'a'},
                                                      {"help", no_argument, nullptr, 'h'},
                                                      {"version", no_argument, nullptr, 'V'},
                                                      {nullptr, 0, nullptr, 0}}};
  if (const char* socket = std::getenv("QURE_SOCKET"); socket != nullptr && *socket != '\0') out->socket = socket;
  int option = 0;
  while ((option = getopt_long(argc, argv, "s:jahV", kOptions.data(), nullptr)) != -1) {
    if (option == 's') out->socket = optarg;
    if (option == 'j') out->json = true;
    if (option == 'a') out->all = true;
    if (option == 'h') out->help = true;
    if (option == 'V') {
      std::cout << "qurectl " << Version() << "\n";
      std::exit(EXIT_SUCCESS);
    }
    if (option == '?') return false;
  }
  out->words.assign(argv + optind, argv + argc);
  out->help = out->help || (out->words.size() == 1 && out->words[0] == "help");
  return out->help || !out->words.empty();
}

int UsageError() {
  std::cerr << kUsage;
  return kUsageError;
}

int CheckConfig(const std::string& path) {
  const absl::StatusOr<Config> config = LoadConfig(path);
  if (config.ok()) {
    std::cout << path << ": valid\n";
    return EXIT_SUCCESS;
  }
  std::cerr << config.status().message() << "\n";
  return kUsageError;
}

std::string TextOf(std::string_view command, const nlohmann::ordered_json& answer, bool all) {
  if (command == "status") return StatusText(answer);
  if (command == "ports") return PortsText(answer);
  if (command == "counters") return CountersText(answer, all);
  if (command == "reload") return "reloaded " + answer.at("reloaded").get<std::string>() + "\n";
  return answer.dump(2) + "\n";
}

int AskAndShow(const Arguments& arguments, std::string_view command) {
  const absl::StatusOr<nlohmann::ordered_json> answer = Ask(arguments.socket, command);
  if (!answer.ok()) {
    std::cerr << "qurectl: " << answer.status().message() << "\n";
    return answer.status().code() == absl::StatusCode::kUnavailable ? kNotReachable : kRefused;
  }
  if (arguments.json) std::cout << answer->dump(2) << "\n";
  if (const auto error = answer->find("error"); error != answer->end()) {
    if (!arguments.json) std::cerr << "qurectl: " << command << " refused:\n" << error->get<std::string>() << "\n";
    return kRefused;
  }
  if (!arguments.json) std::cout << TextOf(command, *answer, arguments.all);
  return EXIT_SUCCESS;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  if (!ParseArguments(argc, argv, &arguments)) return UsageError();
  if (arguments.help) {
    std::cout << kUsage;
    return EXIT_SUCCESS;
  }
  const std::vector<std::string_view>& words = arguments.words;
  if (words[0] == "config") {
    if (words.size() == 3 && words[1] == "check") return CheckConfig(std::string(words[2]));
    if (words.size() == 2 && words[1] == "show") return AskAndShow(arguments, "config");
    return UsageError();
  }
  static constexpr std::array<std::string_view, 4> kCommands = {"status", "ports", "counters", "reload"};
  const bool known = std::find(kCommands.begin(), kCommands.end(), words[0]) != kCommands.end();
  if (!known || words.size() != 1 || (arguments.all && words[0] != "counters")) return UsageError();
  try {
    return AskAndShow(arguments, words[0]);
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

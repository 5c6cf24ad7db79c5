#include "control/qurectl/init.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <iostream>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "control/base/default_route.h"
#include "control/base/text.h"
#include "control/qurectl/client.h"
#include "proto/net/address.h"

namespace qure {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr int kAskMs = 50;
constexpr int kPatienceMs = 30'000;  // until qured has started again, and leads

// Asks again until the answer is as wanted. qured is away for a moment when it starts again.
absl::Status Await(const std::string& socket, const json& request,
                   const std::function<bool(const ordered_json&)>& wanted, std::string_view what) {
  absl::Status last = absl::OkStatus();
  for (int waited = 0; waited < kPatienceMs; waited += kAskMs) {
    const absl::StatusOr<ordered_json> answer = AskForAnswer(socket, request);
    if (answer.ok() && wanted(*answer)) return absl::OkStatus();
    last = answer.status();
    poll(nullptr, 0, kAskMs);
  }
  return absl::UnavailableError(Concat(what, " within ", kPatienceMs / 1000, " s", last.ok() ? "" : ": ",
                                       last.message(),
                                       "; the log of qured has the reason, and `qurectl init` goes on from here"));
}

std::optional<std::string> Prompt(std::string_view question, const std::string& otherwise) {
  std::cout << question << (otherwise.empty() ? "" : " [") << otherwise << (otherwise.empty() ? ": " : "]: ")
            << std::flush;
  std::string line;
  if (!std::getline(std::cin, line)) return std::nullopt;
  const absl::string_view stripped = absl::StripAsciiWhitespace(line);
  return stripped.empty() ? otherwise : std::string(stripped);
}

// Empty: there is no default route.
std::string GatewayOfThisMachine() {
  const std::optional<DefaultRoute> route = FindDefaultRoute();
  return !route || route->gateway.is_zero() ? "" : ToString(IpAddress(route->gateway));
}

// TOML: a list of strings. A quotation mark in one is no address, and is said to be none.
std::string ListOf(const std::vector<std::string>& values) {
  return Concat("[\"", absl::StrJoin(values, "\", \""), "\"]");
}

}  // namespace

absl::Status Complete(FirstCluster* first) {
  if (!first->addresses.empty()) {
    if (const std::string gateway = GatewayOfThisMachine(); first->gateways.empty() && !gateway.empty()) {
      first->gateways = {gateway};
    }
    return absl::OkStatus();
  }
  if (isatty(STDIN_FILENO) == 0) {
    return absl::InvalidArgumentError(
        "init: give the address that the gateway forwards to, with its prefix length, like --address 192.168.1.50/24, "
        "and --gateway where the machine has no default route");
  }
  const auto name = Prompt("Name of the cluster", first->name);
  const auto address = Prompt("The address that the gateway forwards to, like 192.168.1.50/24", "");
  const auto gateway =
      Prompt("The gateway", first->gateways.empty() ? GatewayOfThisMachine() : first->gateways.front());
  if (!name || !address || address->empty() || !gateway) return absl::CancelledError("init: nothing was changed");
  first->name = *name;
  first->addresses = {*address};
  first->gateways.clear();
  if (!gateway->empty()) first->gateways = {*gateway};
  return absl::OkStatus();
}

std::string TextOf(const FirstCluster& first) {
  std::string text = "[cluster]\n";
  if (!first.gateways.empty()) text += Concat("gateway = ", ListOf(first.gateways), "\n");
  for (const std::string& address : first.addresses) {
    text += Concat("\n[[cluster.address]]\naddress = \"", address, "\"\n");
  }
  return text;
}

namespace {

const json kShowRoll = {{"command", "cluster"}, {"action", "show"}};
const json kShowShared = {{"command", "shared_config"}, {"action", "show"}};

// This node leads a cluster: one that it begins, or one that it is in.
absl::Status Lead(const std::string& socket, FirstCluster first) {
  const auto candidates = AskForAnswer(socket, {{"command", "candidates"}});
  if (!candidates.ok()) return candidates.status();
  const auto term = AskForAnswer(socket, {{"command", "term"}});
  if (!term.ok()) return term.status();
  if (!candidates->at("joining").is_null()) {
    if (absl::Status complete = Complete(&first); !complete.ok()) return complete;
    const auto begun = AskForAnswer(socket, {{"command", "begin"}, {"name", first.name}, {"text", TextOf(first)}});
    if (!begun.ok()) return begun.status();
  } else if (const ordered_json& master = term->at("master"); !master.is_null() && term->at("role") != "master") {
    return absl::FailedPreconditionError(Concat(
        "init: this node is in a cluster, and does not lead it; give it on the master, ",
        master.at("name").is_null() ? master.at("node").get<std::string>() : master.at("name").get<std::string>()));
  }
  const auto leads = [](const ordered_json& status) { return status.at("role") == "master"; };
  return Await(socket, {{"command", "status"}}, leads, "this node does not lead");
}

// What this node's file says of the cluster is the configuration of all nodes, from now on.
absl::Status AdoptOwn(const std::string& socket) {
  const auto agreed = [](const ordered_json& roll) { return roll.at("behind").empty(); };
  if (absl::Status all = Await(socket, kShowRoll, agreed, "not all nodes have the records"); !all.ok()) return all;
  const auto kept = [](const ordered_json& shared) { return shared.at("possible") == true; };
  if (absl::Status status = Await(socket, kShowShared, kept, "the cluster keeps no configuration"); !status.ok()) {
    return status;
  }
  const auto shared = AskForAnswer(socket, kShowShared);
  if (!shared.ok()) return shared.status();
  if (shared->at("in_effect").is_null()) {
    const auto adopted = AskForAnswer(
        socket,
        {{"command", "shared_config"}, {"action", "adopt"}, {"confirm", 0}, {"canary", true}, {"dry_run", false}});
    if (!adopted.ok()) return adopted.status();
  }
  const auto runs = [](const ordered_json& now) { return !now.at("in_effect").is_null(); };
  return Await(socket, kShowShared, runs, "the configuration is not in effect");
}

}  // namespace

absl::StatusOr<ordered_json> Init(const std::string& socket, FirstCluster first) {
  if (absl::Status led = Lead(socket, std::move(first)); !led.ok()) return led;
  auto roll = AskForAnswer(socket, kShowRoll);
  if (!roll.ok()) return roll.status();
  ordered_json code = nullptr;
  if (roll->at("cluster").is_null()) {
    roll = AskForAnswer(socket, {{"command", "cluster"}, {"action", "found"}});
    if (!roll.ok()) return roll.status();
    code = roll->at("recovery_code");
  }
  // The code is shown this once: from here on it is in each answer.
  ordered_json done = {{"fingerprint", roll->at("cluster")}, {"recovery_code", code}, {"outside", roll->at("outside")}};
  const absl::Status status = AdoptOwn(socket);
  done["problem"] = status.ok() ? ordered_json(nullptr) : ordered_json(std::string(status.message()));
  return done;
}

std::string InitText(const ordered_json& done) {
  std::string text = Concat("the cluster ", done.at("fingerprint").get<std::string>(), " has begun\n");
  if (!done.at("recovery_code").is_null()) {
    text += Concat("recovery code, shown this once: ", done.at("recovery_code").get<std::string>(),
                   "\nKeep it on paper, away from the machines: it alone signs who stays when a node was stolen.\n");
  }
  for (const ordered_json& node : done.at("outside")) {
    text += Concat("does not belong to it: ", node.at("node").get<std::string>(), "; `qurectl cluster enrol`\n");
  }
  if (!done.at("problem").is_null()) return text + "not done yet: " + done.at("problem").get<std::string>() + "\n";
  return text +
         "next: switch on the other machines, and take each in with `qurectl admit CODE`; `qurectl candidates` "
         "lists them\n";
}

}  // namespace qure

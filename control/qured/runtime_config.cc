// The configuration of a node that serves: from its file, and from the cluster.
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/base/log.h"
#include "control/base/request.h"
#include "control/config/config_file.h"
#include "control/config/config_json.h"
#include "control/config/shared_part.h"
#include "control/operator/shared_config.h"
#include "control/qured/runtime.h"

namespace qure {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr uint64_t kNoTicket = 0;              // no request waits for the answer
constexpr Duration kNodesKnown = Seconds(10);  // by then the nodes of the cluster have been heard
constexpr Duration kRetryUnable = Seconds(1);  // at most so often because the kernel reports something

std::optional<clusterconfig::Finding> FindingIfAny(const absl::Status& status) {
  return status.ok() ? std::nullopt : std::optional(FindingOf(status));
}

}  // namespace

void Runtime::OnLoaded() {
  for (ConfigLoader::Result& loaded : loader_.TakeResults()) {
    if (loaded.version) {
      OnChecked(*loaded.version, std::move(loaded.config));
    } else {
      OnReloaded(std::move(loaded));
    }
  }
}

void Runtime::OnReloaded(ConfigLoader::Result loaded) {
  if (shared_ && loaded.config.ok() && loaded.config->cluster.name != config_.cluster.name) {
    loaded.config = absl::FailedPreconditionError(
        "cluster.name: the cluster of another name has none of this one's configuration; put it back, or restart");
  }
  const absl::Status result = Replace(std::move(loaded.config));
  status_.latest().last_reload = {absl::Now(), std::string(result.message())};
  if (result.ok()) {
    LogLine(LogLevel::kInfo, "configuration reloaded from ", config_path_);
    if (shared_) WarnOfIgnored(config_path_, loaded.text);
    own_text_ = loaded.text;
    loader_.UseText(std::move(loaded.text));
    validated_.reset();
  } else {
    LogLine(LogLevel::kError, "configuration not reloaded, the old one stays in use:\n", result.message());
  }
  const ordered_json answer = result.ok() ? ordered_json{{"reloaded", config_path_}} : RefusalJson(result);
  for (const uint64_t ticket : loaded.tickets) {
    if (ticket != kNoTicket) parts_.server->Answer(ticket, answer);
  }
}

absl::Status Runtime::Replace(absl::StatusOr<Config> next) {
  if (!next.ok()) return next.status();
  if (absl::Status possible = CheckReload(config_, *next); !possible.ok()) return possible;
  if (next->cluster.gateways != config_.cluster.gateways) {
    if (absl::Status set = parts_.host->SetGateways(next->cluster.gateways); !set.ok()) return set;
  }
  SetLogLevel(next->node.log_level);
  for (const std::string& warning : ConfigWarnings(config_path_, *next)) LogLine(LogLevel::kWarning, warning);
  if (next->cluster.network.key != config_.cluster.network.key) {
    LogLine(LogLevel::kInfo, "cluster.key has changed: it is only for a first start, this node keeps its keys");
  }
  config_ = *std::move(next);
  health_.Configure(config_.cluster.services, Now());
  names_.Configure(config_.cluster);
  Execute(controller_.OnConfig(Now(), config_.cluster));
  look_at_weights_ = Now() + kNodesKnown;
  return absl::OkStatus();
}

// ---------------------------------------------------------------------------------------------- of the cluster

void Runtime::Carry(const clusterconfig::Validate& question) {
  loader_.Check(question.version, question.body);
}

void Runtime::Carry(const clusterconfig::Apply& order) {
  const bool none = order.body == nullptr;
  if (none ? !shared_ : shared_ == order.version) {
    Execute(controller_.OnConfigApplied(Now(), order.version, std::nullopt));
  } else if (validated_ && validated_->first == order.version) {
    Apply(order, validated_->second);
  } else {
    applying_ = order;
    loader_.Check(order.version, order.body);
  }
}

// What was asked for with a body: to vote on it, or to run it.
void Runtime::OnChecked(const clusterconfig::Version& version, absl::StatusOr<Config> config) {
  if (applying_ && applying_->version == version) {
    const clusterconfig::Apply order = *std::exchange(applying_, std::nullopt);
    return Apply(order, std::move(config));
  }
  const absl::Status status = config.ok() ? CheckReload(config_, *config) : config.status();
  if (status.ok()) validated_ = {version, *std::move(config)};
  Execute(controller_.OnConfigValidated(Now(), version, FindingIfAny(status)));
}

void Runtime::Apply(const clusterconfig::Apply& order, absl::StatusOr<Config> config) {
  const bool first = !shared_ && order.body != nullptr;
  const absl::Status status = Replace(std::move(config));
  if (status.ok()) {
    shared_ = order.body == nullptr ? std::nullopt : std::optional(order.version);
    loader_.UseShared(order.body);
    LogLine(LogLevel::kInfo, "configuration of the cluster: this node ", order.trial ? "tries " : "runs ",
            shared_ ? clusterconfig::ToText(*shared_) : "its own file, as before");
    if (first && !order.trial) WarnOfIgnored(config_path_, own_text_);
  }
  Execute(controller_.OnConfigApplied(Now(), order.version, FindingIfAny(status)));
}

// An interface or an address is there now, which may have been missing.
void Runtime::RetryUnable() {
  const clusterconfig::Holder* const holder = controller_.shared_config().holder();
  if (holder == nullptr || !holder->unable() || Now() < next_retry_) return;
  next_retry_ = Now() + kRetryUnable;
  Execute(controller_.OnConfigRetry(Now()));
}

// --------------------------------------------------------------------------------------------------- operators

std::optional<ordered_json> Runtime::AnswerShared(const ControlServer::Request& request) {
  const std::string action = TextIn(request.body, "action", "show");
  if (action == "show") return SharedConfigJson(controller_.status(Now()));
  if (action == "text") return AnswerText(request.body);
  if (action == "history") return ConfigHistoryJson(controller_.shared_config().History(Now()));
  if (action == "apply") {
    const ConfigHistory history = controller_.shared_config().History(Now());
    return Propose(request, ReadProposal(request.body, TextIn(request.body, "text", ""), history));
  }
  if (action == "rollback") {
    return Propose(request, ReadRollback(request.body, controller_.shared_config().History(Now())));
  }
  if (action == "adopt") return Adopt(request);
  if (action == "confirm") {
    return Order(request.ticket, ConfirmConfig{.id = request.ticket}, {});
  }
  if (action == "abort") return Order(kNoTicket, AbortConfig{}, {});
  if (action == "acknowledge") return Order(kNoTicket, AcknowledgeConfig{}, {});
  return ordered_json{
      {"error", "shared_config: show, text, history, apply, rollback, adopt, confirm, abort or acknowledge"}};
}

// Without a number or a version, of what runs.
ordered_json Runtime::AnswerText(const json& request) {
  const clusterconfig::SharedConfig& shared = controller_.shared_config();
  if (request.contains("number") || request.contains("version")) {
    const absl::StatusOr<clusterconfig::PastVersion> past = FindText(request, shared.History(Now()));
    return past.ok() ? ConfigTextJson(past->version, past->body) : RefusalJson(past.status());
  }
  const clusterconfig::Body text = shared.Text();
  if (text == nullptr) return {{"error", "this node runs its own file: the cluster has no configuration yet"}};
  return ConfigTextJson(shared.holder()->running(), text);
}

// What the new cluster serves is checked before anything changes.
ordered_json Runtime::BeginACluster(const json& request) {
  JoinedCluster begun = {.name = TextIn(request, "name", config_.cluster.name),
                         .port = config_.cluster.network.port,
                         .group = GroupFor(ClusterIdFromName(TextIn(request, "name", config_.cluster.name))),
                         .first = TextIn(request, "text", "")};
  const absl::StatusOr<Config> config = ParseConfig(own_text_, config_path_, {.joined = begun, .shared = nullptr});
  if (!config.ok()) return RefusalJson(config.status());
  ordered_json answer = Order(kNoTicket, BeginCluster{.name = begun.name, .first = begun.first}, {}).value();
  if (!answer.contains("error")) answer = {{"begun", begun.name}};
  return answer;
}

// What this node's file says of the cluster becomes its first configuration.
std::optional<ordered_json> Runtime::Adopt(const ControlServer::Request& request) {
  const ControllerStatus status = controller_.status(Now());
  if (status.config.in_effect) {
    return ordered_json{{"error", "the cluster has a configuration; change it with `qurectl config apply`"}};
  }
  if (status.config.possible && status.role != NodeRole::kMaster) {
    return ordered_json{{"error", "this node does not lead; do it on the master, whose file counts then"}};
  }
  const bool began = joined_ && !joined_->first.empty();
  absl::StatusOr<std::string> shared = began ? joined_->first : SharedPart(own_text_, config_path_);
  if (!shared.ok()) return RefusalJson(shared.status());
  return Propose(request, ReadProposal(request.body, *std::move(shared), {}));
}

std::optional<ordered_json> Runtime::Propose(const ControlServer::Request& request,
                                             absl::StatusOr<ProposeConfig> proposal) {
  if (!proposal.ok()) return RefusalJson(proposal.status());
  proposal->id = request.ticket;
  proposal->by = facts_.name;
  return Order(request.ticket, *proposal, OrderOf(request.body, *proposal));
}

// The answer, unless it comes later: then it has a ticket.
std::optional<ordered_json> Runtime::Order(uint64_t ticket, const Command& command, const ConfigOrder& order) {
  if (ticket != kNoTicket) orders_.emplace(ticket, order);
  Actions actions;
  const absl::Status status = controller_.OnCommand(Now(), command, &actions);
  Execute(actions);
  if (!status.ok()) {
    orders_.erase(ticket);
    return RefusalJson(status);
  }
  if (ticket != kNoTicket) return std::nullopt;
  return SharedConfigJson(controller_.status(Now()));
}

void Runtime::Do(const clusterconfig::Validate& action) {
  config_orders_.emplace_back(action);
}

void Runtime::Do(const clusterconfig::Apply& action) {
  config_orders_.emplace_back(action);
}

void Runtime::Do(const clusterconfig::Answered& action) {
  const auto order = orders_.extract(action.id);
  if (order.empty()) return;
  parts_.server->Answer(action.id, AnsweredJson(action, order.mapped(), controller_.status(Now())));
}

}  // namespace qure

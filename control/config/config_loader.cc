#include "control/config/config_loader.h"

#include <utility>

#include "control/config/config_file.h"

namespace qure {

ConfigLoader::ConfigLoader(std::string path, std::string text, std::optional<JoinedCluster> joined)
    : path_(std::move(path)), joined_(std::move(joined)), text_(std::move(text)), thread_([this] { Run(); }) {}

ConfigLoader::~ConfigLoader() {
  requests_.Close();
  thread_.join();
}

void ConfigLoader::Run() {
  while (true) {
    std::vector<Request> requests = requests_.Await();
    if (requests_.closed()) return;
    std::vector<uint64_t> tickets;
    for (Request& request : requests) {
      if (const auto* const load = std::get_if<LoadRequest>(&request)) {
        tickets.push_back(load->ticket);
      } else if (auto* const use = std::get_if<UseRequest>(&request)) {
        if (use->shared) shared_ = *std::move(use->shared);
        if (use->text) text_ = *std::move(use->text);
      } else if (const auto* const check = std::get_if<CheckRequest>(&request)) {
        results_.Put({.tickets = {}, .version = check->version, .config = Parse(text_, check->body), .text = ""});
      }
    }
    if (!tickets.empty()) LoadFile(std::move(tickets));
  }
}

void ConfigLoader::LoadFile(std::vector<uint64_t> tickets) {
  absl::StatusOr<std::string> text = ReadConfigFile(path_);
  absl::StatusOr<Config> config = text.ok() ? Parse(*text, shared_) : text.status();
  results_.Put({.tickets = std::move(tickets),
                .version = std::nullopt,
                .config = std::move(config),
                .text = text.ok() ? *std::move(text) : ""});
}

absl::StatusOr<Config> ConfigLoader::Parse(const std::string& text, const clusterconfig::Body& shared) const {
  return ParseConfig(text, path_, {.joined = joined_, .shared = shared});
}

}  // namespace qure

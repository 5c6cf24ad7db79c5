#include "control/config/config_loader.h"

#include <utility>

#include "control/config/config_file.h"

namespace qure {

ConfigLoader::ConfigLoader(std::string path) : path_(std::move(path)), thread_([this] { Run(); }) {}

ConfigLoader::~ConfigLoader() {
  requests_.Close();
  thread_.join();
}

void ConfigLoader::Run() {
  while (true) {
    std::vector<uint64_t> tickets = requests_.Await();
    if (requests_.closed()) return;
    absl::StatusOr<Config> config = LoadConfig(path_);
    results_.Put({.tickets = std::move(tickets), .config = std::move(config)});
  }
}

}  // namespace qure

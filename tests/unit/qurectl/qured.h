// What stands for a qured: answers the requests of qurectl about the cluster's configuration.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "control/operator/control_server.h"
#include "nlohmann/json.hpp"
#include "tests/support/temporary_directory.h"

namespace qure::test {

class Qured {
 public:
  Qured() : server_(ControlServer::Listen(socket())) {
    EXPECT_TRUE(server_.ok()) << server_.status();
    thread_ = std::thread([this] { Serve(); });
  }
  ~Qured() {
    ended_ = true;
    thread_.join();
  }
  Qured(const Qured&) = delete;
  Qured& operator=(const Qured&) = delete;

  std::string socket() const { return directory_ / "socket"; }
  // Version "vN" has the N-th of them. The last one is in effect, number 0.
  void Add(const std::string& text) {
    const std::lock_guard lock(mutex_);
    texts_.push_back(text);
  }
  void Lose(const std::string& version, const std::string& text) {
    const std::lock_guard lock(mutex_);
    lost_[version] = text;
  }
  // What changes are refused with; empty: none is.
  void Refuse(const std::string& why) {
    const std::lock_guard lock(mutex_);
    refusal_ = why;
  }
  // The changes that were asked for.
  std::vector<nlohmann::json> applied() const {
    const std::lock_guard lock(mutex_);
    return applied_;
  }

 private:
  static std::string Name(size_t count) { return "v" + std::to_string(count); }

  nlohmann::ordered_json TextOf(const nlohmann::json& request) const {
    if (request.contains("version")) {
      const auto version = request.at("version").get<std::string>();
      return {{"version", version}, {"text", lost_.at(version)}};
    }
    const auto number = request.at("number").get<size_t>();
    if (number >= texts_.size()) return {{"error", "no number " + std::to_string(number)}};
    const size_t count = texts_.size() - number;
    return {{"version", Name(count)}, {"text", texts_[count - 1]}};
  }
  nlohmann::ordered_json Answer(const nlohmann::json& request) {
    const std::lock_guard lock(mutex_);
    const auto action = request.at("action").get<std::string>();
    if (action == "text") return TextOf(request);
    if (action == "show") {
      nlohmann::ordered_json lost = nlohmann::ordered_json::array();
      for (const auto& [version, text] : lost_) lost.push_back({{"version", version}});
      return {{"lost", lost}, {"possible", true}};
    }
    applied_.push_back(request);
    if (!refusal_.empty()) return {{"error", refusal_}};
    const bool dry_run = request.value("dry_run", false);
    return {{"version", "v9"}, {"stage", dry_run ? "checked" : "confirmed"}, {"confirm_within_seconds", nullptr}};
  }
  void Serve() {
    while (!ended_) {
      pollfd waits = {.fd = (*server_)->fd(), .events = POLLIN, .revents = 0};
      if (poll(&waits, 1, 10) <= 0) continue;
      (*server_)->Serve([this](const ControlServer::Request& request) { return Answer(request.body); });
    }
  }

  TemporaryDirectory directory_;
  absl::StatusOr<std::unique_ptr<ControlServer>> server_;
  mutable std::mutex mutex_;
  std::vector<std::string> texts_;
  std::map<std::string, std::string> lost_;
  std::string refusal_;
  std::vector<nlohmann::json> applied_;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

}  // namespace qure::test

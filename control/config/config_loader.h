// Reads the configuration in its own thread: a large zone takes longer than the control thread may pause.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "control/base/mailbox.h"
#include "control/core/config.h"
#include "control/core/config/effects.h"
#include "control/core/stored.h"

namespace qure {

class ConfigLoader {
 public:
  struct Result {
    std::vector<uint64_t> tickets;                  // of the calls of Load that this answers …
    std::optional<clusterconfig::Version> version;  // … or of Check
    absl::StatusOr<Config> config;
    std::string text;  // Load: of the file
  };

  // `text`: the file as this process has read it. `joined`: Learnt.
  explicit ConfigLoader(std::string path, std::string text = "", std::optional<JoinedCluster> joined = std::nullopt);
  ~ConfigLoader();  // waits for a file that is being read
  ConfigLoader(const ConfigLoader&) = delete;
  ConfigLoader& operator=(const ConfigLoader&) = delete;

  // The file is read once for all requests that came before it is opened.
  void Load(uint64_t ticket) { requests_.Put(LoadRequest{ticket}); }
  // What this node would run with that configuration of the cluster. Null: by its file alone.
  void Check(const clusterconfig::Version& version, clusterconfig::Body body) {
    requests_.Put(CheckRequest{version, std::move(body)});
  }
  // For later requests: the configuration of the cluster that this node runs (null: none), and its own file.
  void UseShared(clusterconfig::Body body) { requests_.Put(UseRequest{.shared = std::move(body), .text = {}}); }
  void UseText(std::string text) { requests_.Put(UseRequest{.shared = {}, .text = std::move(text)}); }

  // Readable when a result waits.
  int fd() const { return results_.fd(); }
  std::vector<Result> TakeResults() { return results_.Take(); }

 private:
  struct LoadRequest {
    uint64_t ticket = 0;
  };
  struct CheckRequest {
    clusterconfig::Version version;
    clusterconfig::Body body;
  };
  struct UseRequest {
    std::optional<clusterconfig::Body> shared;
    std::optional<std::string> text;
  };
  using Request = std::variant<LoadRequest, CheckRequest, UseRequest>;

  void Run();
  void LoadFile(std::vector<uint64_t> tickets);
  absl::StatusOr<Config> Parse(const std::string& text, const clusterconfig::Body& shared) const;

  const std::string path_;
  const std::optional<JoinedCluster> joined_;
  std::string text_;            // of the thread …
  clusterconfig::Body shared_;  // … as is this
  Mailbox<Request> requests_;
  Mailbox<Result> results_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace qure

// Reads the configuration in its own thread: a large zone takes longer than the control thread may pause.
#pragma once

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "control/base/mailbox.h"
#include "control/core/config.h"

namespace qure {

class ConfigLoader {
 public:
  struct Result {
    std::vector<uint64_t> tickets;  // of the requests that this answers
    absl::StatusOr<Config> config;  // as LoadConfig
  };

  explicit ConfigLoader(std::string path);
  ~ConfigLoader();  // waits for a file that is being read
  ConfigLoader(const ConfigLoader&) = delete;
  ConfigLoader& operator=(const ConfigLoader&) = delete;

  // The file is read once for all requests that came before it is opened.
  void Load(uint64_t ticket) { requests_.Put(ticket); }
  // Readable when a result waits.
  int fd() const { return results_.fd(); }
  std::vector<Result> TakeResults() { return results_.Take(); }

 private:
  void Run();

  const std::string path_;
  Mailbox<uint64_t> requests_;
  Mailbox<Result> results_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace qure

// Reads the configuration in a thread of its own: a large zone takes longer than the control thread may be away.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "control/base/fd.h"
#include "control/core/config.h"

namespace qure {

class ConfigLoader {
 public:
  struct Result {
    std::vector<uint64_t> tickets;  // whose requests this answers
    absl::StatusOr<Config> config;  // as LoadConfig
  };

  explicit ConfigLoader(std::string path);
  ~ConfigLoader();  // waits for a file that is being read
  ConfigLoader(const ConfigLoader&) = delete;
  ConfigLoader& operator=(const ConfigLoader&) = delete;

  // The file is read once for all requests that came before it is opened.
  void Load(uint64_t ticket);
  // Readable when a result waits.
  int fd() const { return done_fd_.get(); }
  std::vector<Result> TakeResults();

 private:
  void Run();

  const std::string path_;
  const Fd done_fd_;  // eventfd
  std::mutex mutex_;
  std::condition_variable work_;
  // Guarded by mutex_.
  std::vector<uint64_t> waiting_;
  std::vector<Result> results_;
  bool ending_ = false;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace qure

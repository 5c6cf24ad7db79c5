// Programs that qurectl starts for the operator, and files that only he can read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace qure {

struct Ended {
  int status = 0;      // of its exit; 128 and the signal that ended it
  std::string output;  // if it is taken
};
enum class Output : uint8_t { kShown, kTaken };
// Runs a program of $PATH to its end, with the terminal of this one. What is typed there to interrupt it does not end
// this one. NotFound: there is no such program.
absl::StatusOr<Ended> RunChild(const std::vector<std::string>& words, Output output);

// A directory of this user alone, in $TMPDIR or /tmp, removed with all that is in it.
class PrivateDirectory {
 public:
  PrivateDirectory() = default;
  ~PrivateDirectory();
  PrivateDirectory(const PrivateDirectory&) = delete;
  PrivateDirectory& operator=(const PrivateDirectory&) = delete;

  absl::Status Make();
  // The path of the new file.
  absl::StatusOr<std::string> Write(const std::string& name, const std::string& text) const;
  void Keep() { kept_ = true; }

 private:
  std::string path_;
  bool kept_ = false;
};

}  // namespace qure

// What this process has changed in the kernel, in a file of the data directory, written before each change: so that it
// is undone by the next process, if this one does not come to that.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/kernel/netlink.h"
#include "control/kernel/setting.h"

namespace qure {

// One line of the journal.
struct KernelChange {
  enum class Kind : uint8_t {
    kSetting,  // `setting` was `before`, and `after` since
    kOurs,     // all routes and rules with the protocol number `protocol` are ours
    kAddress,  // `address` was taken away from `interface`
    kRoute,    // the same of a route through it
  };
  Kind kind = Kind::kSetting;
  KernelSetting setting;
  std::string before;
  std::string after;
  uint8_t protocol = 0;
  std::string interface;
  ForeignAddress address;
  ForeignRoute route;
};

std::string ToLine(const KernelChange& change);
std::optional<KernelChange> FromLine(std::string_view line);

class KernelJournal {
 public:
  // Reads what an earlier process has left in DIRECTORY/kernel.journal; Undo undoes it. What was written in another
  // boot of the machine or in another network namespace is forgotten. If the file cannot be written, the journal says
  // so once, and is kept in memory alone.
  static std::unique_ptr<KernelJournal> Open(const std::string& directory);
  ~KernelJournal();  // undoes everything
  KernelJournal(const KernelJournal&) = delete;
  KernelJournal& operator=(const KernelJournal&) = delete;

  // Writes down what the settings are and will be, then makes them so. One that has its value already, or that the
  // kernel does not have, is left alone. Repeated, it puts back what somebody else has changed since. Stops at the
  // first error.
  using Wanted = std::vector<std::pair<KernelSetting, std::string>>;
  absl::Status Set(const Wanted& wanted);
  // The settings of the journal that no longer have the values that they were given.
  Wanted Changed() const;

  // Notes what the caller is about to do: to add routes and rules with this protocol number, or to take away an address
  // or a route.
  void NoteOurs(uint8_t protocol);
  void NoteRemoval(const std::string& interface, const ForeignAddress& address);
  void NoteRemoval(const std::string& interface, const ForeignRoute& route);

  // Undoes all changes, the last first, and removes the file. A setting that somebody has changed since is left as it
  // is. Returns a line about each change that was undone, or could not be.
  std::vector<std::string> Undo();

  bool empty() const { return changes_.empty(); }

 private:
  explicit KernelJournal(std::string file) : file_(std::move(file)) {}

  void Note(const std::vector<KernelChange>& changes);
  bool Write(const std::string& text, bool anew);
  static absl::StatusOr<std::string> UndoOne(const KernelChange& change);
  static absl::StatusOr<std::string> RemoveOurs(Netlink* netlink);

  const std::string file_;
  std::vector<KernelChange> changes_;
  bool unwritable_ = false;
};

}  // namespace qure

#include "control/kernel/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <ranges>

#include "absl/strings/str_split.h"
#include "control/base/fd.h"
#include "control/base/log.h"
#include "control/base/text.h"
#include "control/kernel/announce.h"

namespace qure {
namespace {

constexpr std::string_view kTitle = "qure kernel journal 1";
constexpr std::pair<KernelSetting::Kind, std::string_view> kKinds[] = {{KernelSetting::Kind::kSysctl, "sysctl"},
                                                                       {KernelSetting::Kind::kFlag, "flag"},
                                                                       {KernelSetting::Kind::kOffload, "offload"},
                                                                       {KernelSetting::Kind::kQueues, "queues"}};

using Fields = std::vector<std::string>;

std::string Join(const Fields& fields) {
  std::string line;
  for (const std::string& field : fields) {
    if (!line.empty()) line += '\t';
    line += field.empty() ? "-" : field;
  }
  return line;
}

std::string OrEmpty(const std::string& field) {
  return field == "-" ? "" : field;
}

std::string TextOf(const std::optional<IpAddress>& address) {
  return address ? ToString(*address) : "";
}

// The machine's boot and the network namespace: what was changed in others is not here to be undone.
std::string Header() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot;
  std::getline(file, boot);
  struct stat space = {};
  if (stat("/proc/thread-self/ns/net", &space) != 0) space = {};
  return Join({std::string(kTitle), boot, Concat(space.st_ino)});
}

std::optional<KernelChange> SettingOf(const Fields& fields) {
  if (fields.size() != 6) return std::nullopt;
  const auto* const kind =
      std::ranges::find(kKinds, fields[1], &std::pair<KernelSetting::Kind, std::string_view>::second);
  if (kind == std::end(kKinds)) return std::nullopt;
  return KernelChange{.kind = KernelChange::Kind::kSetting,
                      .setting = {kind->first, OrEmpty(fields[2]), fields[3]},
                      .before = OrEmpty(fields[4]),
                      .after = OrEmpty(fields[5])};
}

std::optional<KernelChange> AddressOf(const Fields& fields) {
  if (fields.size() != 5) return std::nullopt;
  const auto prefix = ParsePrefix(fields[2]);
  const auto valid = ParseUnsigned(fields[3]);
  const auto preferred = ParseUnsigned(fields[4]);
  if (!prefix || !valid || !preferred) return std::nullopt;
  return KernelChange{
      .kind = KernelChange::Kind::kAddress, .interface = fields[1], .address = {*prefix, *valid, *preferred}};
}

std::optional<KernelChange> RouteOf(const Fields& fields) {
  if (fields.size() != 8) return std::nullopt;
  const auto prefix = ParsePrefix(fields[2]);
  const auto metric = ParseUnsigned(fields[5]);
  const auto protocol = ParseUnsigned(fields[6]);
  if (!prefix || !metric || !protocol || *protocol > UINT8_MAX) return std::nullopt;
  return KernelChange{.kind = KernelChange::Kind::kRoute,
                      .interface = fields[1],
                      .route = {*prefix, ParseIp(fields[3]), ParseIp(fields[4]), *metric,
                                static_cast<uint8_t>(*protocol), fields[7] == "onlink"}};
}

}  // namespace

std::string ToLine(const KernelChange& change) {
  switch (change.kind) {
    case KernelChange::Kind::kSetting: {
      const auto* const kind =
          std::ranges::find(kKinds, change.setting.kind, &std::pair<KernelSetting::Kind, std::string_view>::first);
      return Join({"setting", std::string(kind->second), change.setting.interface, change.setting.name, change.before,
                   change.after});
    }
    case KernelChange::Kind::kOurs:
      return Join({"ours", Concat(int{change.protocol})});
    case KernelChange::Kind::kAddress:
      return Join({"address", change.interface, ToString(change.address.address), Concat(change.address.valid),
                   Concat(change.address.preferred)});
    case KernelChange::Kind::kRoute:
      return Join({"route", change.interface, ToString(change.route.destination), TextOf(change.route.gateway),
                   TextOf(change.route.source), Concat(change.route.metric), Concat(int{change.route.protocol}),
                   change.route.onlink ? "onlink" : ""});
  }
  return "";
}

std::optional<KernelChange> FromLine(std::string_view line) {
  const Fields fields = absl::StrSplit(absl::string_view(line.data(), line.size()), '\t');
  if (fields[0] == "setting") return SettingOf(fields);
  if (fields[0] == "address") return AddressOf(fields);
  if (fields[0] == "route") return RouteOf(fields);
  const auto protocol = fields.size() == 2 && fields[0] == "ours" ? ParseUnsigned(fields[1]) : std::nullopt;
  if (!protocol || *protocol > UINT8_MAX) return std::nullopt;
  return KernelChange{.kind = KernelChange::Kind::kOurs, .protocol = static_cast<uint8_t>(*protocol)};
}

std::unique_ptr<KernelJournal> KernelJournal::Open(const std::string& directory) {
  std::unique_ptr<KernelJournal> journal(new KernelJournal(directory + "/kernel.journal"));
  std::ifstream file(journal->file_);
  std::string line;
  if (!std::getline(file, line)) return journal;
  if (line != Header()) {
    LogLine(LogLevel::kInfo, journal->file_, ": of another boot or network namespace, which is gone: forgotten");
    return journal;
  }
  while (std::getline(file, line)) {
    if (auto change = FromLine(line)) {
      journal->changes_.push_back(*std::move(change));
    } else {
      LogLine(LogLevel::kWarning, journal->file_, ": a line is not understood, and not undone: ", line);
    }
  }
  return journal;
}

KernelJournal::~KernelJournal() {
  for (const std::string& line : Undo()) LogLine(LogLevel::kDebug, line);
}

absl::Status KernelJournal::Set(const Wanted& wanted) {
  std::vector<KernelChange> changes;
  Wanted writes;
  for (const auto& [setting, value] : wanted) {
    std::optional<std::string> current = ReadSetting(setting);
    if (!current || *current == value) continue;
    writes.emplace_back(setting, value);
    const bool noted = std::ranges::any_of(changes_, [&](const KernelChange& change) {
      return change.kind == KernelChange::Kind::kSetting && change.setting == setting && change.after == value;
    });
    if (!noted) changes.push_back({.setting = setting, .before = *std::move(current), .after = value});
  }
  Note(changes);
  for (const auto& [setting, value] : writes) {
    if (absl::Status status = WriteSetting(setting, value); !status.ok()) return status;
    if (ReadSetting(setting) == value) continue;
    // It must not look later as if somebody had changed it.
    std::erase_if(changes_, [&setting](const KernelChange& change) {
      return change.kind == KernelChange::Kind::kSetting && change.setting == setting;
    });
    return absl::FailedPreconditionError(Concat(ToString(setting), " does not become ", value));
  }
  return absl::OkStatus();
}

KernelJournal::Wanted KernelJournal::Changed() const {
  Wanted changed;
  for (const KernelChange& change : changes_) {
    if (change.kind != KernelChange::Kind::kSetting) continue;
    const std::optional<std::string> current = ReadSetting(change.setting);
    if (current && *current != change.after) changed.emplace_back(change.setting, change.after);
  }
  return changed;
}

void KernelJournal::NoteOurs(uint8_t protocol) {
  Note({{.kind = KernelChange::Kind::kOurs, .protocol = protocol}});
}
void KernelJournal::NoteRemoval(const std::string& interface, const ForeignAddress& address) {
  Note({{.kind = KernelChange::Kind::kAddress, .interface = interface, .address = address}});
}
void KernelJournal::NoteRemoval(const std::string& interface, const ForeignRoute& route) {
  Note({{.kind = KernelChange::Kind::kRoute, .interface = interface, .route = route}});
}

// What a write leaves in the page cache outlives the process, and if the machine fails the changes are gone with it: no
// fsync is needed.
void KernelJournal::Note(const std::vector<KernelChange>& changes) {
  if (changes.empty()) return;
  const bool first = changes_.empty();
  std::string text = first ? Header() + "\n" : "";
  for (const KernelChange& change : changes) text += ToLine(change) + "\n";
  changes_.insert(changes_.end(), changes.begin(), changes.end());
  if (Write(text, first) || std::exchange(unwritable_, true)) return;
  LogLine(LogLevel::kWarning, file_, " cannot be written (", std::strerror(errno),
          "): if this process is killed, what it changes in the kernel stays; make the data directory writable");
}

bool KernelJournal::Write(const std::string& text, bool anew) {
  const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (anew ? O_TRUNC : O_APPEND);
  const Fd file(open(file_.c_str(), flags, 0600));
  return file.valid() && write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// Routes and rules of ours go first: they would stand in the way of what is given back.
std::vector<std::string> KernelJournal::Undo() {
  std::vector<std::string> lines;
  if (changes_.empty()) {
    unlink(file_.c_str());
    return lines;
  }
  std::vector<KernelChange> left;
  const auto undo = [&](const KernelChange& change) {
    const absl::StatusOr<std::string> done = UndoOne(change);
    if (!done.ok()) {
      left.insert(left.begin(), change);
      lines.push_back(Concat("not given back: ", done.status().message()));
    } else if (!done->empty()) {
      lines.push_back(*done);
    }
  };
  const auto ours = [](const KernelChange& change) { return change.kind == KernelChange::Kind::kOurs; };
  for (const KernelChange& change : changes_ | std::views::filter(ours)) undo(change);
  for (const KernelChange& change : changes_ | std::views::reverse) {
    if (!ours(change)) undo(change);
  }
  changes_ = std::exchange(left, {});
  if (changes_.empty()) {
    unlink(file_.c_str());
    return lines;
  }
  std::string text = Header() + "\n";
  for (const KernelChange& change : changes_) text += ToLine(change) + "\n";
  Write(text, true);
  return lines;
}

// Empty: there was nothing to undo.
absl::StatusOr<std::string> KernelJournal::UndoOne(const KernelChange& change) {
  if (change.kind == KernelChange::Kind::kSetting) {
    const std::optional<std::string> current = ReadSetting(change.setting);
    if (!current || *current != change.after) return "";
    if (absl::Status status = WriteSetting(change.setting, change.before); !status.ok()) return status;
    return Concat("given back: ", ToString(change.setting), " = ", change.before);
  }
  const auto netlink = Netlink::Connect(change.protocol);
  if (!netlink.ok()) return netlink.status();
  if (change.kind == KernelChange::Kind::kOurs) return RemoveOurs(netlink->get());
  const absl::StatusOr<KernelLink> link = (*netlink)->FindLink(change.interface);
  if (absl::IsNotFound(link.status())) return Concat(change.interface, " is gone, and what was on it");
  if (!link.ok()) return link.status();
  const bool is_address = change.kind == KernelChange::Kind::kAddress;
  const std::string what = is_address ? Concat("address ", ToString(change.address.address))
                                      : Concat("route to ", ToString(change.route.destination));
  const absl::Status added =
      is_address ? (*netlink)->Add(link->index, change.address) : (*netlink)->Add(link->index, change.route);
  if (absl::IsAlreadyExists(added)) return "";
  if (!added.ok()) return added;
  if (is_address && change.address.address.address.is_v4()) {
    AnnounceAddress(change.interface, change.address.address.address.v4());
  }
  return Concat("given back: ", what, " of ", change.interface);
}

absl::StatusOr<std::string> KernelJournal::RemoveOurs(Netlink* netlink) {
  const auto routes = netlink->Routes();
  const auto rules = netlink->Rules();
  if (!routes.ok()) return routes.status();
  if (!rules.ok()) return rules.status();
  for (const KernelRoute& route : *routes) {
    if (absl::Status status = netlink->Remove(route); !status.ok()) return status;
  }
  for (const KernelRule& rule : *rules) {
    if (absl::Status status = netlink->Remove(rule); !status.ok()) return status;
  }
  if (routes->empty() && rules->empty()) return "";
  return Concat("removed: ", routes->size(), " routes and ", rules->size(), " rules");
}

}  // namespace qure

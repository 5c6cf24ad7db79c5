// Members, records and one node with a host that answers at once, for the tests of the configuration.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/core/config/configuration.h"
#include "tests/support/config_disk.h"
#include "tests/unit/admission/support.h"

namespace qure::clusterconfig::test {

using admission::test::Identity;
using admission::test::KeyOf;

inline NodeId Node(uint8_t number) {
  return admission::NodeIdOf(Identity(number));
}
inline Self SelfOf(uint8_t number) {
  return {.node = Node(number), .key = KeyOf(number), .recovery = Identity(admission::test::kRecovery)};
}
// Nodes 1 to `count` are members.
inline admission::View ViewOf(uint8_t count) {
  std::vector<admission::Record> records;
  for (uint8_t number = 2; number <= count; ++number) records.push_back(admission::test::AdmitRecord(1, number));
  return admission::ViewOf(admission::test::SetOf(records));
}
inline Term TermOf(uint8_t master, uint64_t epoch = 1) {
  return {.era = 1, .epoch = epoch, .holder = HolderOf(Node(master))};
}
inline admission::RecordHead Head(uint64_t uptime_ms = 0) {
  admission::RecordHead head = admission::test::Head();
  head.uptime_ms = uptime_ms;
  return head;
}
inline MonoTime At(int64_t ms) {
  return MonoTime{} + Milliseconds(ms);
}

// A change that `master` numbers.
struct Made {
  std::string body;
  admission::Record entry;
  const Version& version() const { return EntryOf(entry).version; }
};
inline Made Make(uint64_t n, std::optional<Duration> confirm = Seconds(10), const Version& base = {},
                 uint8_t master = 1, uint64_t epoch = 1, std::string body = "") {
  if (body.empty()) body = std::string("n = ").append(std::to_string(n));
  const Draft draft{
      .base = base, .body = DigestOf(body), .size = static_cast<uint32_t>(body.size()), .confirm = confirm};
  return {.body = body, .entry = Number(draft, TermOf(master, epoch), n, Head(), KeyOf(master))};
}

using Disk = ConfigDisk;

// One node. Its host stores, validates and applies at once, unless it is held back.
class OneNode {
 public:
  explicit OneNode(uint8_t number = 2, uint8_t members = 3) : number_(number), members_(members) { Boot(); }

  // As after a kill: what was not stored is lost.
  void Boot() {
    saves.clear();
    applied.clear();
    sent.clear();
    config = std::make_unique<Configuration>(SelfOf(number_), disk.Read());
    Do([&](Actions* out) { config->FollowView(now, ViewOf(members_), out); });
    Do([&](Actions* out) { config->Start(now, out); });
    Follow(1);
  }
  void Follow(uint8_t master, uint64_t epoch = 1) {
    std::vector<NodeId> members = {Node(master)};
    for (uint8_t each = 1; each <= members_; ++each) {
      if (each != master) members.push_back(Node(each));
    }
    Do([&](Actions* out) {
      config->FollowCluster(now, Mastership{.node = Node(master), .term = TermOf(master, epoch)}, members, out);
    });
  }
  void Hear(uint8_t from, const Message& message) {
    Do([&](Actions* out) { config->OnMessage(now, Node(from), message, Head(), out); });
  }
  void Pass(Duration span) {
    now = now + span;
    Do([&](Actions* out) { config->Tick(now, Head(), out); });
  }
  void See(const Health& health) {
    Do([&](Actions* out) { config->OnHealth(now, health, Head(), out); });
  }
  std::optional<Finding> Confirm(const Version& version) {
    std::optional<Finding> refused;
    Do([&](Actions* out) { refused = config->Confirm(now, version, Head(), out); });
    return refused;
  }
  // Prepared, by a vote for it.
  void Prepare(const Made& made, uint8_t master = 1) {
    Hear(master, PrepareMessage{.entry = made.entry.Bytes()});
    GiveBody(made, master);
  }
  void GiveBody(const Made& made, uint8_t from = 1) {
    for (uint32_t part = 0; part < PartCount(made.body.size()); ++part) {
      Hear(from, PartMessage{.body = DigestOf(made.body), .index = part, .part = std::string(PartOf(made.body, part))});
    }
  }
  // The records of a version and its stage, from another node's map.
  void HearMap(uint8_t from, const Made& made, Stage stage, uint32_t left_ms = 10'000, uint8_t confirmer = 1) {
    const MapMessage map{.entries = {{.version = made.version(), .stage = stage, .left_ms = left_ms}}};
    Hear(from, map);
    EntryMessage entry{.entry = made.entry.Bytes()};
    if (stage == Stage::kConfirmed) {
      entry.confirm = ConfirmationOf(made.version(), Head(), KeyOf(confirmer)).Bytes();
    }
    Hear(from, entry);
    Hear(from, map);
  }

  // Runs a call, then does what it wants.
  template <typename Call>
  void Do(Call call) {
    Actions out;
    call(&out);
    for (Action& action : out) Perform(std::move(action));
  }
  // The Saves that were held back.
  void Store(bool ok = true) {
    for (const Save& save : std::exchange(saves, {})) {
      if (ok) disk.Write(save);
      Do([&](Actions* out) { config->OnSaved(now, save.ticket, ok, Head(), out); });
    }
  }

  Stage Of(const Made& made) const { return config->holder().stages().Of(made.version()); }
  const Version& running() const { return config->holder().running(); }
  template <typename T>
  std::vector<T> Sent() const {
    std::vector<T> found;
    for (const Message& message : sent) {
      if (const T* const each = std::get_if<T>(&message)) found.push_back(*each);
    }
    return found;
  }

  MonoTime now = At(1'000);
  Disk disk;
  bool hold_saves = false;
  std::optional<Finding> validation;  // the host's answer
  std::optional<Finding> application;
  std::unique_ptr<Configuration> config;
  std::vector<Save> saves;
  std::vector<Apply> applied;
  std::vector<Message> sent;
  std::vector<Answered> answered;
  std::vector<Log> logs;

 private:
  void Perform(Action action) {
    if (auto* const save = std::get_if<Save>(&action)) {
      saves.push_back(std::move(*save));
      if (!hold_saves) Store();
    } else if (const auto* validate = std::get_if<Validate>(&action)) {
      Do([&](Actions* out) { config->OnValidated(now, validate->version, validation, Head(), out); });
    } else if (const auto* apply = std::get_if<Apply>(&action)) {
      applied.push_back(*apply);
      Do([&](Actions* out) { config->OnApplied(now, apply->version, application, Head(), out); });
    } else if (auto* const to = std::get_if<SendTo>(&action)) {
      sent.push_back(std::move(to->message));
    } else if (auto* const to_all = std::get_if<SendToAll>(&action)) {
      sent.push_back(std::move(to_all->message));
    } else if (auto* const answer = std::get_if<Answered>(&action)) {
      answered.push_back(std::move(*answer));
    } else if (auto* const log = std::get_if<Log>(&action)) {
      logs.push_back(std::move(*log));
    }
  }

  uint8_t number_;
  uint8_t members_;
};

}  // namespace qure::clusterconfig::test

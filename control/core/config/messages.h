// What nodes send each other about the configuration, and what the host of this code is asked to do. Plain values;
// wire.h has their form in the sealed envelope.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "control/core/action.h"
#include "control/core/config/effects.h"
#include "control/core/config/entry.h"
#include "control/core/config/stage_map.h"
#include "proto/cluster/node.h"

namespace qure::clusterconfig {

inline constexpr size_t kMaxFindingText = 120;  // bytes of each part of a finding; longer ones are cut
inline constexpr size_t kMapEntries = 16;       // of one MapMessage
inline constexpr size_t kMaxBy = 64;            // bytes

// To the master: an operator at this node wants a change. The master pulls the body from here, and answers.
struct ForwardMessage {
  uint64_t id = 0;  // the sender's
  Digest body{};
  uint32_t size = 0;
  uint32_t timeout_ms = 0;  // to confirm it; 0: it needs no confirmation
  bool canary = true;
  bool dry_run = false;
  std::string by;
  std::optional<Version> base;  // has to be in effect
  friend bool operator==(const ForwardMessage&, const ForwardMessage&) = default;
};
struct AnswerMessage {
  uint64_t id = 0;
  Version version;
  std::optional<NodeId> node;  // that refused
  std::optional<Finding> refusal;
  friend bool operator==(const AnswerMessage&, const AnswerMessage&) = default;
};

// From the master: can you apply this? `dry_run`: nothing is kept.
struct PrepareMessage {
  std::vector<uint8_t> entry;  // a CONFIG record
  bool dry_run = false;
  friend bool operator==(const PrepareMessage&, const PrepareMessage&) = default;
};
// Its answer, once `prepared` is durable.
struct VoteMessage {
  Version version;
  std::optional<Finding> objection;
  friend bool operator==(const VoteMessage&, const VoteMessage&) = default;
};
// From the master, to the canary: apply it for a moment, and say what came of it.
struct TrialMessage {
  Version version;
  friend bool operator==(const TrialMessage&, const TrialMessage&) = default;
};
struct CheckedMessage {
  Version version;
  std::optional<Finding> objection;
  friend bool operator==(const CheckedMessage&, const CheckedMessage&) = default;
};
// From the master: apply it, and roll it back in so long unless it is confirmed.
struct OpenMessage {
  Version version;
  uint32_t left_ms = 0;
  friend bool operator==(const OpenMessage&, const OpenMessage&) = default;
};
// From who confirmed it.
struct ConfirmedMessage {
  std::vector<uint8_t> confirm;  // a CONFIRM record
  friend bool operator==(const ConfirmedMessage&, const ConfirmedMessage&) = default;
};
struct AbortMessage {
  Version version;
  friend bool operator==(const AbortMessage&, const AbortMessage&) = default;
};

// What a node knows. The greatest versions and the greatest confirmed one are in one message, so that the receiver
// takes them at once: in parts it would have a version open that the rest of the map has closed. `rest`: digest of all
// versions beside these; absent in answers to PullRestMessage.
struct MapMessage {
  struct Entry {
    Version version;
    Stage stage = Stage::kNone;
    uint32_t left_ms = 0;  // of what is open
    friend bool operator==(const Entry&, const Entry&) = default;
  };
  std::vector<Entry> entries;
  std::optional<uint64_t> rest;
  friend bool operator==(const MapMessage&, const MapMessage&) = default;
};

// "Send me": the versions beside the greatest; the records of one version, followed by the map; parts of a body.
struct PullRestMessage {
  friend bool operator==(const PullRestMessage&, const PullRestMessage&) = default;
};
struct PullEntryMessage {
  Version version;
  friend bool operator==(const PullEntryMessage&, const PullEntryMessage&) = default;
};
struct PullBodyMessage {
  Digest body{};
  uint32_t first = 0;  // part; kPartsAtOnce from there
  friend bool operator==(const PullBodyMessage&, const PullBodyMessage&) = default;
};
struct EntryMessage {
  std::vector<uint8_t> entry;    // a CONFIG record
  std::vector<uint8_t> confirm;  // its CONFIRM record, if it is confirmed
  friend bool operator==(const EntryMessage&, const EntryMessage&) = default;
};
struct PartMessage {
  Digest body{};
  uint32_t index = 0;
  std::string part;  // kBodyPart bytes; the last one fewer
  friend bool operator==(const PartMessage&, const PartMessage&) = default;
};

using Message = std::variant<ForwardMessage, AnswerMessage, PrepareMessage, VoteMessage, TrialMessage, CheckedMessage,
                             OpenMessage, ConfirmedMessage, AbortMessage, MapMessage, PullRestMessage, PullEntryMessage,
                             PullBodyMessage, EntryMessage, PartMessage>;

// What the host does: all effects of this code.

struct SendTo {
  NodeId to{};
  Message message;
};
// To all members that are reachable.
struct SendToAll {
  Message message;
};

// A version has reached this stage, durably: for the history, and for who waits for it.
struct StageReached {
  Version version;
  Stage stage = Stage::kNone;
};

using Action = std::variant<SendTo, SendToAll, Save, Validate, Apply, Answered, StageReached, Log>;
using Actions = std::vector<Action>;

}  // namespace qure::clusterconfig

// What a node remembers across restarts: read once by control/store/store, changed through the Persist action.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/core/admission/signing.h"
#include "control/core/cluster/identity.h"
#include "control/core/config/effects.h"
#include "proto/cluster/envelope.h"
#include "proto/cluster/node.h"
#include "proto/net/address.h"
#include "proto/time.h"

namespace qure {

enum class HistoryKind : uint8_t {
  kBoot = 1,      // this node started and joined or began an era; text: StoredLife::alive_ms of the boot before
  kEra = 2,       // this node began an era: it booted and found no other
  kMaster = 3,    // this node became master; text: the cause (Cause in election.h)
  kDown = 4,      // `subject` was found dead
  kLeft = 5,      // `subject` sent GOODBYE
  kMerge = 6,     // two lineages met; text: which won
  kHandover = 7,  // this node handed the mastership to `subject`
  kStalled = 8,   // this node was held while master; text: for how long
  kRevision = 9,  // this boot runs another revision than the one before; text: the revision
  kConfig = 10,   // a version of the cluster's configuration is open, confirmed or rolled back; text: which, and what
};

struct HistoryEvent {
  NodeId node{};
  uint64_t age = 0;
  uint32_t seq = 0;  // 1, 2, … within a boot, without gaps
  uint32_t era = 0;
  uint64_t lineage = 0;
  Term term;
  HistoryKind kind = HistoryKind::kBoot;
  uint64_t time = 0;  // hybrid logical time (Kulkarni et al. 2014): wall-clock milliseconds << 16 | counter
  NodeId subject{};
  std::string text;
  friend bool operator==(const HistoryEvent&, const HistoryEvent&) = default;
};

// What is left of an era whose events were dropped.
struct EraSummary {
  uint32_t era = 0;
  uint64_t lineage = 0;
  uint64_t began = 0;
  uint64_t ended = 0;
  uint32_t boots = 0;
  uint32_t takeovers = 0;
  uint32_t most_online = 0;
  NodeId founder{};
  uint64_t until = 0;  // hybrid logical: of the events before; later ones are kept. 0: of the whole era
  friend bool operator==(const EraSummary&, const EraSummary&) = default;
};

struct StoredLife {
  uint32_t era = 0;        // the last one lived in; 0: none yet
  uint64_t lineage = 0;    // 0: none yet
  uint64_t uptime_ms = 0;  // of the cluster in this lineage, as of the last write
  uint64_t alive_ms = 0;   // wall-clock time of the last write, milliseconds since 1970; 0: unknown
  friend bool operator==(const StoredLife&, const StoredLife&) = default;
};

// Term epochs of `era` below `epoch` may have been used by this node: it never claims with one of them again.
struct StoredEpochs {
  uint32_t era = 0;
  uint64_t epoch = 0;
  friend bool operator==(const StoredEpochs&, const StoredEpochs&) = default;
};

struct StoredKey {
  uint32_t id = 0;
  ClusterKey key{};
  std::vector<uint8_t> record;  // its SESSION record (admission/session_keys.h); empty: it has none
  friend bool operator==(const StoredKey&, const StoredKey&) = default;
};

struct Keyring {
  std::vector<StoredKey> keys;  // accepted; empty and not open: this node speaks to no other
  uint32_t use = 0;             // id of the one that we seal with
  friend bool operator==(const Keyring&, const Keyring&) = default;
};

// What an operator has set for this node's flows.
struct StoredDrain {
  bool on = false;  // no new ones
  // From then, or from the boot after it, until those that are left are given up; zero: they are; absent: never.
  std::optional<Duration> deadline;
  friend bool operator==(const StoredDrain&, const StoredDrain&) = default;
};

// The cluster that has taken this node in, or that it began: what its file leaves open is so.
struct JoinedCluster {
  std::string name;
  std::optional<ClusterId> id;  // absent: it follows from the name
  uint16_t port = 0;
  Ipv4Address group;
  std::string first;  // began it: what the cluster serves until it has a configuration; otherwise empty
  friend bool operator==(const JoinedCluster&, const JoinedCluster&) = default;
};

struct StoredState {
  NodeId node_id{};
  std::optional<admission::Seed> identity;   // of this node's signing key; absent: it could not be made durable
  std::optional<admission::CopyOf> copy_of;  // this identity was drawn since another machine has the one before
  uint64_t age = 1;                          // boot count, with this boot
  std::string revision;                      // that ran before this boot; empty: first boot
  uint64_t age_at_revision = 1;              // first age of the revision now running
  bool hardware_changed = false;             // the LAN port's MAC is not the one stored: perhaps a cloned disk
  bool lost = false;                         // the store was damaged or empty while it should not be, and was made anew
  StoredLife life;
  StoredEpochs epochs;
  Keyring keyring;
  std::optional<JoinedCluster> joined;
  bool maintenance = false;
  StoredDrain drain;
  std::map<std::string, uint32_t> weights;    // by service, as the operator set them; others as configured
  std::vector<std::vector<uint8_t>> records;  // of admission (admission::Record::Bytes), in no order
  clusterconfig::StoredConfig config;         // of the cluster
  std::vector<HistoryEvent> events;
  std::vector<EraSummary> summaries;
};

// One atomic change of the store. Fields that are absent stay.
struct StoreChange {
  std::optional<uint64_t> age;  // this boot's was found to be used already (rolled-back store)
  std::optional<StoredLife> life;
  std::optional<StoredEpochs> epochs;
  std::optional<Keyring> keyring;
  std::optional<JoinedCluster> joined;
  std::optional<bool> maintenance;
  std::optional<StoredDrain> drain;
  std::optional<std::map<std::string, uint32_t>> weights;
  std::optional<std::vector<std::vector<uint8_t>>> records;  // all of them
  std::optional<clusterconfig::Save> config;                 // its ticket does not matter here
  std::vector<HistoryEvent> events;                          // added; those already there are ignored
  std::vector<EraSummary> summaries;                         // added or replaced
  std::optional<uint32_t> drop_events_before_era;            // kEraLimit: summaries, too
  uint64_t drop_events_before_time = 0;                      // hybrid logical: of that era
};

}  // namespace qure

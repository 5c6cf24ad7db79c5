// What the two sides of an adoption want done. Neither does anything itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "control/core/action.h"
#include "control/core/admission/handshake.h"
#include "control/core/admission/messages.h"
#include "control/core/admission/records.h"
#include "control/core/admission/session_keys.h"
#include "control/core/admission/view.h"
#include "control/core/admission/welcome.h"
#include "control/core/cluster/identity.h"
#include "proto/net/address.h"

namespace qure::admission {

// A UDP payload, from the node MAC; kBroadcastMac: to all.
struct SendPayload {
  MacAddress to;
  std::vector<uint8_t> payload;
};

// Of the cluster's side.

// Make `record` durable and add it to the records; then call Admitter::OnPersisted with `ticket`. Nothing is sent to
// the node before. Then send the record to all members, and when all that are present have it, delete the expectation
// (`expected`: its digits, empty: none) or count the use of the token (`token`, zero: none).
struct PersistAdmission {
  uint64_t ticket = 0;
  Record record;
  AdmitReason reason = AdmitReason::kNamed;
  std::string expected;
  TokenId token{};
};
// An ADMIT record of the view's generation, signed by a member, that is not among the records: add it to them.
struct LearnAdmission {
  Record record;
};
// The node has the keys, and said so.
struct Adopted {
  PublicKey identity{};
};

// Of the candidate's.

// Make all of it durable in one transaction, then call Candidate::OnPersisted with `ticket`. From then the node is a
// member that boots.
struct PersistMembership {
  uint64_t ticket = 0;
  ClusterId cluster_id{};
  Fingerprint cluster{};
  PublicKey admitted_by{};
  RecordSet records;                 // with its own ADMIT, and what it knew before
  std::vector<SessionGrant> grants;  // clean in the view of `records`
  uint64_t lineage = 0;
  uint32_t era = 0;
  std::string name;  // of the cluster
  uint16_t port = 0;
  Ipv4Address group;
  std::vector<PullSource> sources;
};
// Of a member that asks for keys: all records of the node that it asks, which may have no key to give.
struct LearnRecords {
  RecordSet records;
};
// Several clusters offer, and none alone is one whose operator named this node: Candidate::Join decides.
struct ShowAmbiguous {
  struct Offering {
    Fingerprint cluster{};
    std::string name;
    AdmitReason reason = AdmitReason::kNamed;
  };
  std::vector<Offering> clusters;
};
// A node says why it offers nothing. With `record`, signed as it must be, it is believed: the node was expelled or has
// left. Without, it is shown and no more.
struct ShowRefused {
  RefusedWhy why = RefusedWhy::kFull;
  PublicKey by{};
  std::optional<Record> record;
};

using AdmissionAction = std::variant<SendPayload, PersistAdmission, LearnAdmission, Adopted, PersistMembership,
                                     LearnRecords, ShowAmbiguous, ShowRefused, Log>;
using AdmissionActions = std::vector<AdmissionAction>;

}  // namespace qure::admission

// Messages of a cluster's registration at a main server (RFC 2136), and what its answers mean. Pure: no sockets.
//
// A TXT record beside a name states who has it, the owner record: "_qure.NAME TXT cluster=ID;a=ADDRESS;a=…". It lists
// the addresses that are registered, so the next master knows what to take away. Every UPDATE demands that this record
// is as it was read (RFC 2136 §2.4.2) or absent as read (§2.4.3), and changes it: of two that were decided at one time
// only one has an effect, and one that was late in the network has none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/bytes.h"
#include "proto/net/address.h"

namespace qure {

// Wire form, lower case.
struct RegistrationNames {
  std::string zone;
  std::string own;     // A and AAAA of this cluster
  std::string owner;   // TXT: whose `own` is
  std::string shared;  // A and AAAA of many clusters; empty: none
  friend bool operator==(const RegistrationNames&, const RegistrationNames&) = default;
};
inline constexpr std::string_view kOwnerLabel("\5_qure", 6);

struct OwnerRecord {
  std::string cluster;
  std::vector<IpAddress> addresses;  // sorted
  friend bool operator==(const OwnerRecord&, const OwnerRecord&) = default;
};
// The rdata of the TXT record, and back; nothing if it is not QuRe's.
std::string OwnerRdata(const OwnerRecord& owner);
std::optional<OwnerRecord> ParseOwnerRdata(std::string_view rdata);

struct RegistrationUpdate {
  // The rdata of the owner record as it must be still. Absent: there must be none, and no address at the own name.
  std::optional<std::string> before;
  std::optional<std::string> after;      // absent: all are deleted
  std::vector<IpAddress> own;            // all that the own name is to have
  std::vector<IpAddress> shared_remove;  // from the shared set; the members of others are not touched
  std::vector<IpAddress> shared_add;
  friend bool operator==(const RegistrationUpdate&, const RegistrationUpdate&) = default;
};

// Unsigned.
std::vector<uint8_t> UpdateMessage(uint16_t id, const RegistrationNames& names, uint32_t ttl,
                                   const RegistrationUpdate& update);

// What is in the header of an answer, before anything in it is believed: whether it has this id, whether it was cut
// short, its RCODE.
bool IsAnswerTo(uint16_t id, ConstBytes answer);
bool IsCut(ConstBytes answer);
uint8_t RcodeOf(ConstBytes answer);

inline constexpr uint8_t kDnsNotAuth = 9;  // RFC 2136 §2.2
inline constexpr uint8_t kDnsNotZone = 10;

// What became of an UPDATE.
enum class UpdateOutcome : uint8_t {
  kDone,
  kOvertaken,  // a prerequisite is not met: the records have changed since they were read
  kRefused,
};
UpdateOutcome OutcomeOf(uint8_t rcode);

}  // namespace qure

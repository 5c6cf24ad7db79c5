// That the sender of an OFFER is a member of the cluster it names, shown to a node that has no records: the genesis,
// all rosters of the greatest generation, and the shortest chain of admissions from them to the offerer. A node that
// was expelled can still show the proof of an older generation: one that knows the newer roster adds the proof to what
// it knows, and sees it.
//
// A list of records, in bytes: each a block (codec.h), one after the other.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "control/core/admission/messages.h"
#include "control/core/admission/records.h"
#include "control/core/admission/signing.h"
#include "control/core/admission/view.h"
#include "proto/bytes.h"

namespace qure::admission {

void AppendRecord(const Record& record, std::vector<uint8_t>* list);
// The first record's bytes of a list, which is shortened by it; nothing if it has no whole record, or one that is
// longer than kMaxRecord.
std::optional<ConstBytes> TakeRecord(ConstBytes* list);

// Nothing if `identity` is no member, was reached by no chain (its node id is doubtful), or the proof would be longer
// than kMaxProof. `view` is that of `records`.
std::optional<std::vector<uint8_t>> ProofFor(const RecordSet& records, const View& view, const PublicKey& identity);
Digest ProofDigest(ConstBytes proof);

// The parts of one proof as they come.
class ProofParts {
 public:
  // As the offer says; the size is at most kMaxProof.
  ProofParts(size_t size, const Digest& digest);

  // A part that does not fit is ignored. When the last has come and the whole is not what the digest says, all are
  // dropped: they come again.
  void Take(const ProofMessage& part);
  // A bit for each, the first in the lowest; zero: it is whole.
  uint64_t missing() const { return missing_; }
  // The proof, once it is whole.
  ConstBytes bytes() const { return bytes_; }

 private:
  size_t total() const { return (bytes_.size() + kProofPart - 1) / kProofPart; }
  void MissAll();

  Digest digest_;
  std::vector<uint8_t> bytes_;
  uint64_t missing_ = 0;
};
std::vector<ProofMessage> PartsOf(ConstBytes proof, const Digest& h2);

enum class ProofFault : uint8_t {
  kUnsound,   // no list of records that begins with a genesis
  kRecord,    // one of them is unsound, of another cluster, twice there or not signed as it must be
  kNoMember,  // they do not make the offerer a member
};
std::string_view NameOf(ProofFault fault);
// How many signatures JudgeProof checks: what it costs.
size_t RecordsIn(ConstBytes proof);
std::variant<RecordSet, ProofFault> JudgeProof(ConstBytes proof, const PublicKey& offerer);

}  // namespace qure::admission

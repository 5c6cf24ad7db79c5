// Whom this cluster takes, and why: whom an operator named, who holds a token, what is taken by itself, and members
// that need the keys anew. Times are of this node's clock; the caller turns them from the cluster's uptime.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/core/admission/auto_admit.h"
#include "control/core/admission/messages.h"
#include "control/core/admission/signing.h"
#include "control/core/admission/view.h"
#include "proto/time.h"

namespace qure::admission {

inline constexpr size_t kMaxExpectations = 256;

struct InvitedToken {
  TokenId id{};
  PublicKey key{};    // of TokenSeed
  uint32_t uses = 0;  // that are left
  MonoTime until;
};

struct Invitation {
  AdmitReason reason = AdmitReason::kNamed;
  std::string expected;  // the digits that named it
  TokenId token{};
};

class Invitations {
 public:
  // `digits` as ParseCode returns them. Known ones get the new time. False: there are kMaxExpectations.
  bool Expect(const std::string& digits, MonoTime until);
  void Unexpect(std::string_view digits);
  // A roster was made: who was named before, or with all, is named anew, if at all.
  void ForgetExpected();
  // Those of the view, in place of all before.
  void SetTokens(const std::vector<InvitedToken>& tokens);
  void SetAuto(AutoAdmit automatic) { auto_ = automatic; }
  // Until then all are taken, as an operator has said.
  void AdmitAll(MonoTime until) { all_until_ = until; }
  MonoTime all_until() const { return all_until_; }

  // Nothing: it is not invited. What it says of itself is not verified yet; a token is not shown before ACCEPT.
  std::optional<Invitation> For(MonoTime now, const CandidateMessage& candidate, const View& view) const;
  // Null: it is not open.
  const PublicKey* TokenKey(MonoTime now, const TokenId& id) const;
  // `identity` is admitted by it: from then the expectation is for no other, and the token has a use less.
  void Use(const Invitation& invitation, const PublicKey& identity);
  // Those that are over are dropped.
  void Tick(MonoTime now);

 private:
  struct Expectation {
    std::string digits;
    MonoTime until;
    std::optional<PublicKey> met_by;
  };

  // By the code that the digits begin with: of many expectations, one or two are compared.
  std::map<std::string, std::vector<Expectation>, std::less<>> expectations_;
  size_t expectation_count_ = 0;
  std::map<TokenId, InvitedToken> tokens_;
  AutoAdmit auto_ = AutoAdmit::kOff;
  MonoTime all_until_ = kLongAgo;
};

}  // namespace qure::admission

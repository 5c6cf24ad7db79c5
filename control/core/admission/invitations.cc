#include "control/core/admission/invitations.h"

#include <algorithm>

#include "control/core/admission/codes.h"
#include "proto/mutation.h"

namespace qure::admission {
namespace {

std::string_view CodeIn(std::string_view digits) {
  return digits.substr(0, Mutated(Mutation::kShortCodes) ? 2 : kCodeDigits);
}

bool Names(std::string_view expected, std::string_view digits) {
  return digits.starts_with(Mutated(Mutation::kShortCodes) ? CodeIn(expected) : expected);
}

}  // namespace

bool Invitations::Expect(const std::string& digits, MonoTime until) {
  if (const auto found = expectations_.find(CodeIn(digits)); found != expectations_.end()) {
    const auto known = std::ranges::find(found->second, digits, &Expectation::digits);
    if (known != found->second.end()) {
      known->until = until;
      return true;
    }
  }
  if (expectation_count_ >= kMaxExpectations) return false;
  expectations_[std::string(CodeIn(digits))].push_back({.digits = digits, .until = until, .met_by = std::nullopt});
  ++expectation_count_;
  return true;
}

void Invitations::Unexpect(std::string_view digits) {
  const auto found = expectations_.find(CodeIn(digits));
  if (found == expectations_.end()) return;
  expectation_count_ -=
      std::erase_if(found->second, [&](const Expectation& expectation) { return expectation.digits == digits; });
  if (found->second.empty()) expectations_.erase(found);
}

void Invitations::ForgetExpected() {
  expectations_.clear();
  expectation_count_ = 0;
  all_until_ = kLongAgo;
}

void Invitations::SetTokens(const std::vector<InvitedToken>& tokens) {
  tokens_.clear();
  for (const InvitedToken& token : tokens) tokens_[token.id] = token;
}

std::optional<Invitation> Invitations::For(MonoTime now, const CandidateMessage& candidate, const View& view) const {
  const auto member = view.members.find(candidate.identity);
  if (member != view.members.end()) {
    if (member->second.node != candidate.node) return std::nullopt;
    return Invitation{.reason = AdmitReason::kMember};
  }
  const std::string digits = DigitsOf(FingerprintOf(candidate.identity));
  const auto found = expectations_.find(CodeIn(digits));
  if (found != expectations_.end()) {
    for (const Expectation& expectation : found->second) {
      const bool free = !expectation.met_by || *expectation.met_by == candidate.identity;
      if (now < expectation.until && free && Names(expectation.digits, digits)) {
        return Invitation{.reason = AdmitReason::kNamed, .expected = expectation.digits};
      }
    }
  }
  if (TokenKey(now, candidate.token) != nullptr) {
    return Invitation{.reason = AdmitReason::kToken, .token = candidate.token};
  }
  const bool copy_of_member = candidate.copy && view.members.contains(candidate.copy->identity);
  if (auto_ == AutoAdmit::kAll || now < all_until_ || (auto_ == AutoAdmit::kCopies && copy_of_member)) {
    return Invitation{.reason = AdmitReason::kAuto};
  }
  return std::nullopt;
}

const PublicKey* Invitations::TokenKey(MonoTime now, const TokenId& id) const {
  const auto token = tokens_.find(id);
  if (token == tokens_.end() || token->second.uses == 0 || now >= token->second.until) return nullptr;
  return &token->second.key;
}

void Invitations::Use(const Invitation& invitation, const PublicKey& identity) {
  if (invitation.reason == AdmitReason::kToken) {
    const auto token = tokens_.find(invitation.token);
    if (token != tokens_.end() && token->second.uses > 0) --token->second.uses;
  }
  const auto found = expectations_.find(CodeIn(invitation.expected));
  if (found == expectations_.end()) return;
  for (Expectation& expectation : found->second) {
    if (expectation.digits == invitation.expected) expectation.met_by = identity;
  }
}

void Invitations::Tick(MonoTime now) {
  for (auto each = expectations_.begin(); each != expectations_.end();) {
    expectation_count_ -=
        std::erase_if(each->second, [&](const Expectation& expectation) { return now >= expectation.until; });
    each = each->second.empty() ? expectations_.erase(each) : std::next(each);
  }
  std::erase_if(tokens_, [&](const auto& each) { return now >= each.second.until; });
}

}  // namespace qure::admission

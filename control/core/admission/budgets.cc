#include "control/core/admission/budgets.h"

#include <sodium.h>

#include <algorithm>

namespace qure::admission {
namespace {

Cookie CookieUnder(const Secret& secret, const MacAddress& source, const PublicKey& identity) {
  Cookie cookie;
  crypto_generichash_state state;
  crypto_generichash_init(&state, secret.bytes().data(), secret.bytes().size(), cookie.size());
  crypto_generichash_update(&state, source.bytes.data(), source.bytes.size());
  crypto_generichash_update(&state, identity.data(), identity.size());
  crypto_generichash_final(&state, cookie.data(), cookie.size());
  return cookie;
}

}  // namespace

void RateMeter::Count(MonoTime now) {
  if (now >= end_) {
    before_ = now < end_ + kWindow ? count_ : 0;
    end_ = now + kWindow;
    count_ = 0;
  }
  ++count_;
}

bool BudgetBySource::Take(MonoTime now, const MacAddress& source) {
  const auto [found, added] = sources_.try_emplace(source, Source{.budget = fresh_, .used = now});
  found->second.used = now;
  const bool taken = found->second.budget.Take(now);
  if (added && sources_.size() > most_) {
    sources_.erase(std::ranges::min_element(sources_, {}, [](const auto& each) { return each.second.used; }));
  }
  return taken;
}

void Cookies::Renew(MonoTime now) {
  if (now < renew_at_) return;
  before_ = now < renew_at_ + kCookieSecretLife ? current_ : std::nullopt;
  current_ = Secret::Drawn(draw_);
  renew_at_ = now + kCookieSecretLife;
}

Cookie Cookies::For(MonoTime now, const MacAddress& source, const PublicKey& identity) {
  Renew(now);
  return CookieUnder(*current_, source, identity);
}

bool Cookies::Accepts(MonoTime now, const MacAddress& source, const PublicKey& identity, const Cookie& cookie) {
  Renew(now);
  const auto fits = [&](const std::optional<Secret>& secret) {
    return secret && sodium_memcmp(CookieUnder(*secret, source, identity).data(), cookie.data(), cookie.size()) == 0;
  };
  return fits(current_) || fits(before_);
}

}  // namespace qure::admission

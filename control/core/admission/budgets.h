// What bounds the work that unauthenticated datagrams can cause: rates, a fair order between their sources, and cookies
// that show that a source receives what is sent to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "control/core/admission/handshake.h"
#include "control/core/admission/messages.h"
#include "control/core/admission/signing.h"
#include "proto/net/address.h"
#include "proto/time.h"

namespace qure::admission {

// So many a second in the long run, and a `burst` at once.
class Budget {
 public:
  Budget(int per_second, int burst) : each_(Seconds(1) / per_second), burst_(each_ * burst) {}

  bool Has(MonoTime now) const { return BusyUntil(now) + each_ - now <= burst_; }
  // Of what it has, or not: what is spent beyond it is paid off first.
  void Spend(MonoTime now, int count) { busy_until_ = BusyUntil(now) + each_ * count; }
  // Spends one if it has it.
  bool Take(MonoTime now) {
    const bool has = Has(now);
    if (has) Spend(now, 1);
    return has;
  }
  // When it has one again; `now` or before: it has.
  MonoTime next() const { return busy_until_ + each_ - burst_; }

 private:
  MonoTime BusyUntil(MonoTime now) const { return busy_until_ < now ? now : busy_until_; }

  Duration each_;
  Duration burst_;
  MonoTime busy_until_ = kLongAgo;  // if it were spent evenly
};

// Whether more than `most` a second come.
class RateMeter {
 public:
  explicit RateMeter(uint64_t most) : most_(most) {}
  void Count(MonoTime now);
  bool Exceeds(MonoTime now) const {
    return (now < end_ + kWindow && before_ > most_) || (now < end_ && count_ > most_);
  }

 private:
  static constexpr Duration kWindow = Seconds(1);

  uint64_t most_;
  MonoTime end_ = kLongAgo;  // of the window that is counted
  uint64_t count_ = 0;
  uint64_t before_ = 0;  // in the window before
};

// A Budget for each source, the `most` newest of them.
class BudgetBySource {
 public:
  BudgetBySource(size_t most, int per_second, int burst) : most_(most), fresh_(per_second, burst) {}
  bool Take(MonoTime now, const MacAddress& source);

 private:
  struct Source {
    Budget budget;
    MonoTime used;
  };

  size_t most_;
  Budget fresh_;
  std::map<MacAddress, Source> sources_;
};

// At most one of each source, in the order in which they came: so the sources take turns, however much each sends.
template <typename T>
class FairQueue {
 public:
  explicit FairQueue(size_t most) : most_(most) {}

  // Takes the place of what the source has in it. False: it is full.
  bool Push(const MacAddress& source, T item) {
    for (auto& [from, waiting] : items_) {
      if (from != source) continue;
      waiting = std::move(item);
      return true;
    }
    if (items_.size() >= most_) return false;
    items_.emplace_back(source, std::move(item));
    return true;
  }
  std::optional<std::pair<MacAddress, T>> Pop() {
    if (items_.empty()) return std::nullopt;
    std::pair<MacAddress, T> first = std::move(items_.front());
    items_.pop_front();
    return first;
  }
  bool empty() const { return items_.empty(); }

 private:
  size_t most_;
  std::deque<std::pair<MacAddress, T>> items_;
};

inline constexpr Duration kCookieSecretLife = Seconds(120);  // then a new one makes them; the one before is accepted

// Cookies of this node: what it gave to a MAC for an identity is worth nothing from another, and nothing is remembered.
class Cookies {
 public:
  explicit Cookies(DrawSecret draw) : draw_(std::move(draw)) {}

  Cookie For(MonoTime now, const MacAddress& source, const PublicKey& identity);
  bool Accepts(MonoTime now, const MacAddress& source, const PublicKey& identity, const Cookie& cookie);

 private:
  void Renew(MonoTime now);

  DrawSecret draw_;
  MonoTime renew_at_ = kLongAgo;
  std::optional<Secret> current_;
  std::optional<Secret> before_;
};

}  // namespace qure::admission

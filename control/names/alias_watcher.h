// Resolves the target names of aliases, and keeps their addresses up to date.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include "control/names/live_zones.h"
#include "control/names/resolver.h"
#include "nlohmann/json.hpp"
#include "proto/time.h"

namespace qure {

// The known addresses of one alias's target, and the time of the next query. Pure.
class AliasTarget {
 public:
  static constexpr Duration kLeastPause = Seconds(1);
  static constexpr Duration kMostPause = Seconds(3600);
  static constexpr Duration kMostRetry = Seconds(30);  // after failures: from kLeastPause, doubled each time

  // The findings for A and for AAAA. `looped`: an alias on the way leads back to this server.
  void OnFound(MonoTime now, const DnsFinding& v4, const DnsFinding& v6, bool looped);
  MonoTime next() const { return next_; }
  // `stale`: how long the last addresses stay valid while no server answers.
  LiveAddresses At(MonoTime now, Duration stale) const;
  // good, stale, failed, loop or unknown.
  std::string_view state(MonoTime now, Duration stale) const;
  // When the result of At changes without a new finding; kNever if it does not.
  MonoTime changes_at(MonoTime now, Duration stale) const;

 private:
  LiveAddresses good_;
  MonoTime good_until_ = kLongAgo;
  bool failed_ = false;
  bool loop_ = false;
  Duration pause_ = kLeastPause;
  MonoTime next_ = kLongAgo;
};

class AliasWatcher {
 public:
  // `is_ours`: whether this server is authoritative for a name. Calls `changed` when the addresses of an alias change.
  AliasWatcher(asio::io_context& io, Resolver* resolver, std::function<bool(std::string_view name)> is_ours,
               std::function<void()> changed);
  ~AliasWatcher();

  // Names in lower-case wire form.
  void Watch(const std::set<std::string>& targets, Duration stale);
  std::map<std::string, LiveAddresses> Addresses() const;
  nlohmann::ordered_json Show() const;

 private:
  struct Watched;
  void Query(const std::shared_ptr<Watched>& watched);
  void OnFound(const std::shared_ptr<Watched>& watched);
  void Arm(const std::shared_ptr<Watched>& watched);

  asio::io_context& io_;
  Resolver* const resolver_;
  const std::function<bool(std::string_view name)> is_ours_;
  const std::function<void()> changed_;
  Duration stale_;
  std::map<std::string, std::shared_ptr<Watched>> watched_;
};

}  // namespace qure

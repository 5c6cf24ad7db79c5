#include "control/core/cluster/strangers.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "control/core/cluster/identity.h"
#include "control/core/timers.h"

namespace qure {
namespace {

constexpr uint32_t kOpenKey = 0;  // the id of the key that everyone knows: of an open node, or of one without a key

}  // namespace

std::string_view NameOf(StrangerCause cause) {
  switch (cause) {
    case StrangerCause::kOtherKey:
      return "other_key";
    case StrangerCause::kOtherCluster:
      return "other_cluster";
    case StrangerCause::kUnknownKey:
      return "unknown_key";
    case StrangerCause::kKeyless:
      return "keyless";
  }
  return "";
}

std::string Advice(const Stranger& stranger) {
  switch (stranger.cause) {
    case StrangerCause::kOtherKey:
      return absl::StrCat("has another key ", stranger.key_id,
                          " than this node: put one cluster.key into both files before the first start, or bring the "
                          "right one by `qurectl key`");
    case StrangerCause::kOtherCluster:
      return "is of another cluster, or has another key: compare cluster.name and cluster.key if it should be of this "
             "one";
    case StrangerCause::kUnknownKey:
      return absl::StrCat("seals with key ", stranger.key_id,
                          ", which this node does not have: one of the two missed a rotation; compare `qurectl key "
                          "list` and run the missing steps");
    case StrangerCause::kKeyless:
      return "has a key and this node has none, or the other way round: put the same cluster.key into both files, or "
             "security = \"open\" into both";
  }
  return "";
}

Strangers::Heard& Strangers::Find(MonoTime now, const NodeId& node) {
  const auto found = std::ranges::find(heard_, node, [](const Heard& heard) { return heard.stranger.node; });
  if (found != heard_.end()) return *found;
  std::erase_if(heard_, [now](const Heard& heard) { return now - heard.stranger.last_heard >= kStrangerForgotten; });
  // The one heard least makes room: a flood of made-up ids does not hide one that is really there.
  if (heard_.size() >= kMaxStrangers) {
    heard_.erase(std::ranges::min_element(heard_, {}, [](const Heard& heard) { return heard.stranger.datagrams; }));
  }
  heard_.push_back({.stranger = {.node = node, .mac = {}, .last_heard = now}, .next_log = now});
  return heard_.back();
}

void Strangers::OnRefused(MonoTime now, const EnvelopeHeader& header, const Datagram& datagram, bool known_key,
                          bool keyless, Actions* out) {
  Heard& heard = Find(now, header.sender);
  Stranger& stranger = heard.stranger;
  stranger.mac = datagram.mac;
  stranger.key_id = header.key_id.value();
  stranger.last_heard = now;
  ++stranger.datagrams;
  heard.in_group |= datagram.delivery == Delivery::kMulticast;
  const StrangerCause other = heard.in_group ? StrangerCause::kOtherKey : StrangerCause::kOtherCluster;
  const StrangerCause unknown =
      keyless || stranger.key_id == kOpenKey ? StrangerCause::kKeyless : StrangerCause::kUnknownKey;
  stranger.cause = known_key ? other : unknown;
  if (stranger.datagrams < kStrangerDatagrams || now < heard.next_log || now < next_log_) return;
  heard.next_log = now + kStrangerAgain;
  next_log_ = now + kStrangerLog;
  out->push_back(MakeLog(LogLevel::kWarning, "a node that is not believed, ", ToHex(stranger.node), " at ",
                         ToString(stranger.mac), ", ", Advice(stranger)));
}

void Strangers::Forget(const NodeId& node) {
  std::erase_if(heard_, [&node](const Heard& heard) { return heard.stranger.node == node; });
}

std::vector<Stranger> Strangers::Shown(MonoTime now) const {
  std::vector<Stranger> shown;
  for (const Heard& heard : heard_) {
    const bool lately = now - heard.stranger.last_heard < kStrangerForgotten;
    if (lately && heard.stranger.datagrams >= kStrangerDatagrams) shown.push_back(heard.stranger);
  }
  return shown;
}

}  // namespace qure

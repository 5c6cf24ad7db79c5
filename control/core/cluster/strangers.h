// Nodes that are heard on the cluster's port and not believed, with the likely cause. What they say of themselves is
// not authentic: it is shown to operators and decides nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/core/action.h"
#include "proto/cluster/datagram.h"
#include "proto/cluster/envelope.h"
#include "proto/cluster/node.h"
#include "proto/net/address.h"
#include "proto/time.h"

namespace qure {

enum class StrangerCause : uint8_t {
  kOtherKey,      // in our multicast group, so of our cluster's name; under a key number that we have, with another key
  kOtherCluster,  // heard by broadcast only: another cluster's name, or another key
  kUnknownKey,    // seals with a key number that we do not have
  kKeyless,       // one of the two has a key, and the other has none, or security = "open"
};
inline constexpr size_t kStrangerCauses = 4;
std::string_view NameOf(StrangerCause cause);

struct Stranger {
  NodeId node{};
  MacAddress mac;  // of its frames
  StrangerCause cause = StrangerCause::kOtherKey;
  uint32_t key_id = 0;
  uint64_t datagrams = 0;
  MonoTime last_heard;
};
// What it is, and what would help: "seals with key 2, which this node does not have: …".
std::string Advice(const Stranger& stranger);

class Strangers {
 public:
  // The datagram did not authenticate. `known_key`: its key number is one of ours. `keyless`: we have no key of our
  // own. Logs a stranger when it has been heard kStrangerDatagrams times, and again every kStrangerAgain, all together
  // at most one each kStrangerLog.
  void OnRefused(MonoTime now, const EnvelopeHeader& header, const Datagram& datagram, bool known_key, bool keyless,
                 Actions* out);
  // It has proven to be one of us.
  void OnBelieved(const NodeId& node) {
    if (!heard_.empty()) Forget(node);
  }
  void Clear() { heard_.clear(); }

  // Those heard often enough and lately, at most kMaxStrangers.
  std::vector<Stranger> Shown(MonoTime now) const;

 private:
  struct Heard {
    Stranger stranger;
    bool in_group = false;
    MonoTime next_log;
  };

  Heard& Find(MonoTime now, const NodeId& node);
  void Forget(const NodeId& node);

  std::vector<Heard> heard_;
  MonoTime next_log_;
};

}  // namespace qure

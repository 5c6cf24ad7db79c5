// The numbers under which the workers keep flows of the service addresses. Each process numbers them as they come; on
// the wire an address has its own name.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>

#include "control/core/balance/pinned_flows.h"
#include "proto/flow.h"
#include "proto/net/address.h"

namespace qure {

class AddressIds {
 public:
  // From 1 on; an address never loses its number, since flows are kept under it.
  uint8_t IdOf(const IpAddress& address) {
    const auto next = static_cast<uint8_t>(std::min<size_t>(ids_.size() + 1, UINT8_MAX));
    return ids_.try_emplace(address, next).first->second;
  }

  // The flow with its address for its number, and back; nothing for what has no number here.
  std::optional<OwnedFlow> FlowOf(const FlowKey& key) const {
    const auto found = std::ranges::find(ids_, key.local_address, [](const auto& id) { return id.second; });
    if (found == ids_.end()) return std::nullopt;
    return OwnedFlow{.key = key, .local = found->first};
  }
  std::optional<FlowKey> KeyOf(const OwnedFlow& flow) const {
    const auto found = ids_.find(flow.local);
    if (found == ids_.end()) return std::nullopt;
    FlowKey key = flow.key;
    key.local_address = found->second;
    return key;
  }

 private:
  std::map<IpAddress, uint8_t> ids_;
};

}  // namespace qure

#include "dataplane/pipeline/top_watch.h"

#include <algorithm>

namespace qure {

TopWatch::TopWatch(uint64_t seed) : seen_(seed) {
  order_.reserve(SpaceSaving::kCounters);
}

void TopWatch::Note(const FlowEntry& flow, uint8_t service) {
  const SpaceSaving::Noted noted = seen_.Note(flow.key.remote);
  Parts& parts = parts_[noted.counter];
  if (noted.anew) parts = {};
  for (TopPart& part : parts) {
    if (part.flows == 0) {
      part = {.flows = 1,
              .local_port = flow.key.local_port.value(),
              .protocol = flow.key.protocol,
              .local_address = flow.key.local_address,
              .service = service,
              .owner = flow.owner};
      return;
    }
    if (part.service == service && part.owner == flow.owner) {
      ++part.flows;
      return;
    }
  }
}

void TopWatch::Finish() {
  const auto& counters = seen_.counters();
  order_.clear();
  uint32_t others = 0;
  for (size_t first = 0; first < counters.size(); first += SpaceSaving::kWays) {
    uint32_t least = UINT32_MAX;
    for (size_t i = first; i < first + SpaceSaving::kWays; ++i) {
      least = std::min(least, counters[i].count);
      if (counters[i].count != 0) order_.push_back(static_cast<uint16_t>(i));
    }
    others = std::max(others, least);  // what an address without a counter can have
  }
  const size_t count = std::min(order_.size(), TopRemotes::kMost);
  const auto end = order_.begin() + static_cast<ptrdiff_t>(count);
  std::ranges::partial_sort(order_, end, std::ranges::greater(), [&](uint16_t i) { return counters[i].sure(); });
  for (auto left_out = end; left_out != order_.end(); ++left_out) others = std::max(others, counters[*left_out].count);
  top_.others = others;
  top_.count = static_cast<uint32_t>(count);
  for (size_t i = 0; i < count; ++i) {
    const SpaceSaving::Counter& counter = counters[order_[i]];
    top_.remotes[i] = {
        .remote = counter.remote, .flows = counter.sure(), .at_most = counter.count, .parts = parts_[order_[i]]};
  }
  seen_.Clear();
}

}  // namespace qure

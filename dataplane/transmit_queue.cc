#include "dataplane/transmit_queue.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>

namespace qure {

void TransmitQueue::Send() {
  if (count_ == 0) return;
  uint64_t bytes = 0;
  for (uint16_t i = 0; i < count_; ++i) bytes += mbufs_[i]->pkt_len;
  uint16_t sent = 0;
  uint16_t took = 0;
  do {  // some drivers take a limited number at a time
    took = rte_eth_tx_burst(options_.port, options_.queue, &mbufs_[sent], static_cast<uint16_t>(count_ - sent));
    sent = static_cast<uint16_t>(sent + took);
  } while (took > 0 && sent < count_);
  for (uint16_t i = 0; i < sent; ++i) counters_->Count(from_[i], reasons_[i]);
  for (uint16_t i = sent; i < count_; ++i) {
    bytes -= mbufs_[i]->pkt_len;
    counters_->Count(from_[i], options_.full);
    rte_pktmbuf_free(mbufs_[i]);
  }
  traffic_->tx_frames.Add(sent);
  traffic_->tx_bytes.Add(bytes);
  count_ = 0;
}

}  // namespace qure

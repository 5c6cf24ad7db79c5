// The packet path's view of an mbuf, and what it did written back.
#pragma once

#include <rte_mbuf.h>

#include "dataplane/pipeline/frame.h"

namespace qure {

// `partial`: of a frame whose port says nothing of it.
inline Frame FrameOf(rte_mbuf* mbuf, SegmentChecksum otherwise = SegmentChecksum::kUnknown) {
  const uint64_t flags = mbuf->ol_flags;
  const uint64_t segment = flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
  if (segment == RTE_MBUF_F_RX_L4_CKSUM_GOOD) otherwise = SegmentChecksum::kGood;
  // "The checksum is not correct in the packet data, but the integrity of the header is verified."
  if (segment == RTE_MBUF_F_RX_L4_CKSUM_NONE) otherwise = SegmentChecksum::kPartial;
  return {.data = rte_pktmbuf_mtod(mbuf, uint8_t*),
          .length = mbuf->data_len,
          .headroom = rte_pktmbuf_headroom(mbuf),
          .tailroom = rte_pktmbuf_tailroom(mbuf),
          .ip_checksum_good = (flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD,
          .checksum = otherwise};
}

// The pipeline may have moved the start of the frame and changed its length.
inline void WriteBack(const Frame& frame, rte_mbuf* mbuf) {
  mbuf->data_off = static_cast<uint16_t>(frame.data - static_cast<uint8_t*>(mbuf->buf_addr));
  mbuf->data_len = frame.length;
  mbuf->pkt_len = frame.length;
}

}  // namespace qure

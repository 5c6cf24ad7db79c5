#include "proto/net/tcp.h"

namespace qure {

ParseError ParseTcp(ConstBytes segment, const TcpHeader** out) {
  const auto* tcp = HeaderAt<TcpHeader>(segment, 0);
  if (tcp == nullptr) return Reason::tcp_truncated;
  const size_t header_length = (tcp->data_offset >> 4) * size_t{4};
  if (header_length < sizeof(TcpHeader) || header_length > segment.size()) return Reason::tcp_truncated;
  *out = tcp;
  return std::nullopt;
}

}  // namespace qure

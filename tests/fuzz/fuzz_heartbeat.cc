// The plain text of a heartbeat: what is read is written again to the same bytes.
#include "proto/cluster/heartbeat.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace qure;
  const ConstBytes plain(data, size);
  const std::optional<Heartbeat> heartbeat = ReadHeartbeat(plain);
  if (!heartbeat) return 0;
  FUZZ_CHECK(heartbeat->lease > Duration{} && heartbeat->lease <= Seconds(10));
  FUZZ_CHECK(heartbeat->wanted_lease >= Duration{} && heartbeat->wanted_lease <= Seconds(10));
  // What the lease does with them does not overflow, wherever the two clocks stand.
  int64_t end = 0;
  FUZZ_CHECK(!__builtin_add_overflow(heartbeat->sent_at.ns, heartbeat->lease.ns * 2, &end));
  FUZZ_CHECK(!__builtin_sub_overflow(heartbeat->sent_at.ns, heartbeat->lease.ns * 2, &end));
  std::array<uint8_t, kHeartbeatSize> again;
  WriteHeartbeat(*heartbeat, again);
  FUZZ_CHECK(fuzz::SameBytes(again, plain));
  return 0;
}

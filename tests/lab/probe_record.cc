#include "tests/lab/probe_record.h"

#include <algorithm>
#include <cmath>

namespace qure::lab {
namespace {

constexpr int64_t kShownGap = 5 * kMillisecond;  // shorter ones are only counted as lost packets
constexpr size_t kMostShown = 1000;

double Milliseconds(int64_t ns) {
  return std::round(static_cast<double>(ns) / 1e3) / 1e3;
}

}  // namespace

uint64_t ProbeRecord::Send(int64_t due_ns, int64_t sent_ns) {
  packets_.push_back({.sent_ns = sent_ns});
  sender_late_ns_ = std::max(sender_late_ns_, sent_ns - due_ns);
  return packets_.size() - 1;
}

void ProbeRecord::Answer(uint64_t number, int64_t received_ns) {
  if (number >= packets_.size()) return;
  Packet& packet = packets_[number];
  if (packet.took_ns >= 0) {
    ++duplicates_;
    return;
  }
  packet.took_ns = std::max<int64_t>(received_ns - packet.sent_ns, 0);
  ++(InTime(packet) ? answered_ : late_);
}

std::vector<Gap> ProbeRecord::Gaps(int64_t end_ns) const {
  std::vector<Gap> gaps;
  if (packets_.empty()) return gaps;
  int64_t from_ns = packets_.front().sent_ns - interval_ns_;  // no outage is known before the first packet
  uint64_t lost = 0;
  const auto close = [&](int64_t to_ns, bool open) {
    if (lost > 0) gaps.push_back({from_ns, to_ns, std::max<int64_t>(to_ns - from_ns - interval_ns_, 0), lost, open});
    from_ns = to_ns;
    lost = 0;
  };
  for (const Packet& packet : packets_) {
    if (InTime(packet)) {
      close(packet.sent_ns, false);
    } else {
      ++lost;
    }
  }
  close(end_ns, true);
  return gaps;
}

nlohmann::ordered_json ProbeRecord::RoundTrips() const {
  std::vector<int64_t> took;
  for (const Packet& packet : packets_) {
    if (InTime(packet)) took.push_back(packet.took_ns);
  }
  if (took.empty()) return nullptr;
  std::sort(took.begin(), took.end());
  return {{"p50", Milliseconds(took[took.size() / 2])},
          {"p99", Milliseconds(took[took.size() * 99 / 100])},
          {"max", Milliseconds(took.back())}};
}

nlohmann::ordered_json ProbeRecord::ToJson(int64_t end_ns) const {
  nlohmann::ordered_json shown = nlohmann::ordered_json::array();
  int64_t outage_ns = 0;
  for (const Gap& gap : Gaps(end_ns)) {
    outage_ns = std::max(outage_ns, gap.length_ns);
    if (gap.length_ns <= kShownGap || shown.size() == kMostShown) continue;
    shown.push_back({{"from_ns", gap.from_ns},
                     {"to_ns", gap.to_ns},
                     {"ms", Milliseconds(gap.length_ns)},
                     {"lost", gap.lost},
                     {"open", gap.open}});
  }
  return {{"sent", sent()}, {"answered", answered_},     {"lost", sent() - answered_},
          {"late", late_},  {"duplicates", duplicates_}, {"outage_ms", Milliseconds(outage_ns)},
          {"gaps", shown},  {"rtt_ms", RoundTrips()},    {"sender_late_ms", Milliseconds(sender_late_ns_)}};
}

}  // namespace qure::lab

#include "control/core/balance/pinned_flows.h"

#include <algorithm>
#include <iterator>
#include <tuple>

#include "control/core/timers.h"
#include "control/core/wire.h"
#include "proto/net/ip.h"

namespace qure {
namespace {

constexpr size_t kSocketBytes = 18;
constexpr size_t kSocketsPerMessage = 56;  // with one group's head: within kMaxMessage

void AppendSocket(const FlowKey& key, std::string* out) {
  out->append(reinterpret_cast<const char*>(key.remote.data()), key.remote.size());
  const uint16_t port = key.remote_port.value();
  out->push_back(static_cast<char>(port >> 8));
  out->push_back(static_cast<char>(port));
}

// Without sockets yet.
wire::FlowGroup HeadOf(const IpAddress& local, const FlowKey& key) {
  wire::FlowGroup group;
  group.set_address(WriteAddress(local));
  group.set_protocol(key.protocol);
  group.set_port(key.local_port.value());
  return group;
}

}  // namespace

void PinnedFlowReporter::SetTargets(const std::vector<NodeId>& targets) {
  std::map<NodeId, std::deque<Waiting>> kept;
  for (const NodeId& target : targets) kept[target] = {};
  waiting_ = std::move(kept);
}

void PinnedFlowReporter::Report(const std::vector<OwnedFlow>& flows) {
  using Group = std::tuple<IpAddress, uint8_t, uint16_t>;
  std::map<Group, std::vector<const FlowKey*>> groups;
  for (const OwnedFlow& flow : flows) {
    groups[{flow.local, flow.key.protocol, flow.key.local_port.value()}].push_back(&flow.key);
  }
  for (const auto& [id, keys] : groups) {
    for (size_t at = 0; at < keys.size(); at += kSocketsPerMessage) {
      wire::Message message;
      message.mutable_pinned_flows()->set_seq(++last_seq_);
      wire::FlowGroup* const group = message.mutable_pinned_flows()->add_groups();
      *group = HeadOf(std::get<0>(id), *keys[at]);
      for (size_t i = at; i < std::min(at + kSocketsPerMessage, keys.size()); ++i) {
        AppendSocket(*keys[i], group->mutable_sockets());
      }
      for (auto& [target, queue] : waiting_) {
        if (queue.size() < kMaxPinnedFlowMessages) queue.push_back({.message = message, .seq = last_seq_});
      }
    }
  }
}

void PinnedFlowReporter::OnTaken(const NodeId& from, uint32_t seq) {
  const auto queue = waiting_.find(from);
  if (queue == waiting_.end()) return;
  std::erase_if(queue->second, [&](const Waiting& waiting) { return waiting.seq == seq; });
}

void PinnedFlowReporter::Tick(MonoTime now, const Membership& members, Transport* transport, Actions* out) {
  for (auto& [target, queue] : waiting_) {
    const Member* const member = members.Find(target);
    std::erase_if(queue, [&](const Waiting& w) { return w.tries >= kPinnedFlowTries && now >= w.next; });
    if (member == nullptr || !member->present()) continue;
    for (size_t i = 0; i < std::min(queue.size(), kPinnedFlowWindow); ++i) {
      Waiting& waiting = queue[i];
      if (now < waiting.next) continue;
      transport->SendTo(member->at, waiting.message, out);
      waiting.next = now + kPinnedFlowResend;
      ++waiting.tries;
    }
  }
}

MonoTime PinnedFlowReporter::deadline() const {
  MonoTime next = kNever;
  for (const auto& [target, queue] : waiting_) {
    for (size_t i = 0; i < std::min(queue.size(), kPinnedFlowWindow); ++i) next = std::min(next, queue[i].next);
  }
  return next;
}

bool PinnedFlowReporter::done() const {
  return std::ranges::all_of(waiting_, [](const auto& target) { return target.second.empty(); });
}

wire::FlowGroup WriteFlow(const OwnedFlow& flow) {
  wire::FlowGroup group = HeadOf(flow.local, flow.key);
  AppendSocket(flow.key, group.mutable_sockets());
  return group;
}

std::vector<OwnedFlow> ReadFlows(const wire::FlowGroup& group) {
  std::vector<OwnedFlow> flows;
  const std::optional<IpAddress> local = ReadAddress(group.address());
  if (!local || group.port() > UINT16_MAX || group.sockets().size() % kSocketBytes != 0) return flows;
  if (group.protocol() != kProtocolTcp && group.protocol() != kProtocolUdp) return flows;
  for (size_t at = 0; at < group.sockets().size(); at += kSocketBytes) {
    OwnedFlow flow{.key = {}, .local = *local};
    const auto* bytes = reinterpret_cast<const uint8_t*>(group.sockets().data() + at);
    std::copy_n(bytes, flow.key.remote.size(), flow.key.remote.begin());
    flow.key.remote_port = Be16(static_cast<uint16_t>(bytes[16] << 8 | bytes[17]));
    flow.key.local_port = Be16(static_cast<uint16_t>(group.port()));
    flow.key.protocol = static_cast<uint8_t>(group.protocol());
    flows.push_back(flow);
  }
  return flows;
}

std::vector<OwnedFlow> ReadPinnedFlows(const wire::PinnedFlows& message) {
  std::vector<OwnedFlow> flows;
  for (const wire::FlowGroup& group : message.groups()) std::ranges::move(ReadFlows(group), std::back_inserter(flows));
  return flows;
}

}  // namespace qure

#include "control/names/address_echo.h"

#include <chrono>
#include <utility>

#include "proto/dns/rdata.h"
#include "proto/dns/response.h"

namespace qure {

AddressEcho::AddressEcho(asio::io_context& io, std::function<void()> on_round)
    : io_(io), on_round_(std::move(on_round)), timer_(io) {}

void AddressEcho::Start(const std::vector<Endpoint>& servers, const std::string& name) {
  if (servers == servers_ && name == name_) return;
  Stop();
  servers_ = servers;
  name_ = name;
  if (!servers_.empty()) Query();
}

void AddressEcho::Stop() {
  timer_.cancel();
  servers_.clear();
  exchanges_.clear();
  result_.Reset();
}

void AddressEcho::Query() {
  exchanges_.clear();
  round_.clear();
  open_ = servers_.size();
  for (const Endpoint& server : servers_) round_.push_back({.server = server, .seen = {}});
  for (size_t i = 0; i < servers_.size(); ++i) {
    const Endpoint& server = servers_[i];
    const uint16_t id = RandomDnsId();
    const DnsQuestion question = {.name = name_, .type = DnsAddressType(server.address)};
    const auto judge = [this, i, id, question](ConstBytes answer) {
      const DnsResponse response = ReadDnsResponse(answer, id, question);
      round_[i].seen = EchoIn(response.finding, servers_[i]);
      return JudgementOf(response);
    };
    exchanges_.push_back(std::make_unique<DnsExchange>(io_));
    exchanges_.back()->Start(server, WriteDnsQuestion(question, id), kEchoTimeout, judge,
                             [this](const std::string&) { OnAnswer(); });
  }
}

void AddressEcho::OnAnswer() {
  if (--open_ > 0) return;
  result_.OnRound(round_);
  const Duration wait = result_.addresses().empty() ? kEchoIntervalWithoutAny : kEchoInterval;
  timer_.expires_after(std::chrono::nanoseconds(wait.ns));
  timer_.async_wait([this](const asio::error_code& error) {
    if (!error) Query();
  });
  on_round_();
}

}  // namespace qure

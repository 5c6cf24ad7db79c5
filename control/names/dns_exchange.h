// One message to a DNS server and its answer: by UDP, or by TCP if the message is long or the answer was truncated.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <asio/io_context.hpp>

#include "proto/bytes.h"
#include "proto/dns/response.h"
#include "proto/net/endpoint.h"
#include "proto/time.h"

namespace qure {

// Used in the thread of its loop only; one exchange at a time.
class DnsExchange {
 public:
  enum class Judgement : uint8_t {
    kTaken,    // this is the answer
    kIgnored,  // this is not the answer; wait for another message
    kCut,      // this is the answer, but truncated: ask again by TCP
  };
  using Judge = std::function<Judgement(ConstBytes answer)>;
  // `error`: empty if `judge` has taken an answer; otherwise the error, as text for the operator.
  using Done = std::function<void(const std::string& error)>;

  explicit DnsExchange(asio::io_context& io);
  ~DnsExchange();
  DnsExchange(const DnsExchange&) = delete;
  DnsExchange& operator=(const DnsExchange&) = delete;

  // Ends the exchange that is under way, if any. Accepts datagrams only from the server's address and port. Calls
  // `done` once, in the loop, after `timeout` at the latest, and not after Cancel. Both functions may start another
  // exchange.
  void Start(const Endpoint& server, std::vector<uint8_t> message, Duration timeout, Judge judge, Done done);
  void Cancel();

 private:
  struct Attempt;

  void OverUdp(const std::shared_ptr<Attempt>& attempt);
  void ReceiveUdp(const std::shared_ptr<Attempt>& attempt);
  void OverTcp(const std::shared_ptr<Attempt>& attempt);
  void ReceiveTcp(const std::shared_ptr<Attempt>& attempt);
  void Finish(const std::shared_ptr<Attempt>& attempt, const std::string& error);

  asio::io_context& io_;
  std::shared_ptr<Attempt> attempt_;
};

// Not predictable for a sender that cannot see the query (RFC 5452 §9.2).
uint16_t RandomDnsId();
DnsExchange::Judgement JudgementOf(const DnsResponse& response);

}  // namespace qure

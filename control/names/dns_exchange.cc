#include "control/names/dns_exchange.h"

#include <array>
#include <chrono>
#include <optional>
#include <utility>

#include <sodium.h>
#include <asio/ip/tcp.hpp>
#include <asio/ip/udp.hpp>
#include <asio/post.hpp>
#include <asio/read.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>

#include "control/base/text.h"
#include "control/names/address.h"
#include "proto/dns/message.h"

namespace qure {
namespace {

constexpr size_t kMostBytes = 65'535;  // of a message (RFC 1035 §4.2.2)

std::string Failed(std::string_view what, const asio::error_code& error) {
  return Concat(what, ": ", error.message());
}

}  // namespace

// Its handlers keep it alive.
struct DnsExchange::Attempt {
  Attempt(asio::io_context& io, const Endpoint& to, std::vector<uint8_t> bytes, Judge the_judge, Done the_done)
      : server(to),
        message(std::move(bytes)),
        judge(std::move(the_judge)),
        done(std::move(the_done)),
        udp(io),
        tcp(io),
        timer(std::in_place, io) {}

  const Endpoint server;
  const std::vector<uint8_t> message;
  const Judge judge;
  const Done done;
  asio::ip::udp::socket udp;
  asio::ip::tcp::socket tcp;
  std::optional<asio::steady_timer> timer;  // nullopt: cancelled
  std::array<uint8_t, 2> length{};          // before a message over TCP
  std::vector<uint8_t> answer;
  bool over = false;  // the exchange may be destroyed
};

DnsExchange::DnsExchange(asio::io_context& io) : io_(io) {}

DnsExchange::~DnsExchange() {
  Cancel();
}

void DnsExchange::Cancel() {
  const std::shared_ptr<Attempt> attempt = std::exchange(attempt_, nullptr);
  if (!attempt) return;
  attempt->over = true;
  asio::error_code ignored;
  attempt->udp.close(ignored);
  attempt->tcp.close(ignored);
  attempt->timer.reset();
}

void DnsExchange::Finish(const std::shared_ptr<Attempt>& attempt, const std::string& error) {
  Cancel();
  attempt->done(error);
}

void DnsExchange::Start(const Endpoint& server, std::vector<uint8_t> message, Duration timeout, Judge judge,
                        Done done) {
  Cancel();
  attempt_ = std::make_shared<Attempt>(io_, server, std::move(message), std::move(judge), std::move(done));
  const std::shared_ptr<Attempt> attempt = attempt_;
  attempt->timer->expires_after(std::chrono::nanoseconds(timeout.ns));
  attempt->timer->async_wait([this, attempt, timeout](const asio::error_code& error) {
    if (error || attempt->over) return;
    Finish(attempt, Concat("no answer within ", timeout.ns / Milliseconds(1).ns, " ms"));
  });
  if (attempt->message.size() <= kDnsEdnsPayload) return OverUdp(attempt);
  OverTcp(attempt);
}

void DnsExchange::OverUdp(const std::shared_ptr<Attempt>& attempt) {
  // Connected: the kernel drops datagrams of other senders, and reports a closed port.
  const asio::ip::udp::endpoint server(ToAsio(attempt->server.address), attempt->server.port);
  asio::error_code error;
  attempt->udp.open(server.protocol(), error);
  if (!error) attempt->udp.connect(server, error);
  if (!error) attempt->udp.send(asio::buffer(attempt->message), 0, error);
  if (error) {
    return asio::post(io_, [this, attempt, error] {
      if (!attempt->over) Finish(attempt, Failed("cannot be sent", error));
    });
  }
  attempt->answer.resize(kMostBytes);
  ReceiveUdp(attempt);
}

void DnsExchange::ReceiveUdp(const std::shared_ptr<Attempt>& attempt) {
  attempt->udp.async_receive(asio::buffer(attempt->answer),
                             [this, attempt](const asio::error_code& error, size_t size) {
                               if (attempt->over) return;
                               if (error) return Finish(attempt, Failed("UDP", error));
                               switch (attempt->judge({attempt->answer.data(), size})) {
                                 case Judgement::kTaken:
                                   return Finish(attempt, {});
                                 case Judgement::kIgnored:
                                   return ReceiveUdp(attempt);
                                 case Judgement::kCut:
                                   return OverTcp(attempt);
                               }
                             });
}

void DnsExchange::OverTcp(const std::shared_ptr<Attempt>& attempt) {
  asio::error_code ignored;
  attempt->udp.close(ignored);
  const asio::ip::tcp::endpoint server(ToAsio(attempt->server.address), attempt->server.port);
  attempt->tcp.async_connect(server, [this, attempt](const asio::error_code& error) {
    if (attempt->over) return;
    if (error) return Finish(attempt, Failed("TCP", error));
    const size_t size = attempt->message.size();
    attempt->length = {static_cast<uint8_t>(size >> 8), static_cast<uint8_t>(size)};
    const std::array<asio::const_buffer, 2> parts = {asio::buffer(attempt->length), asio::buffer(attempt->message)};
    asio::async_write(attempt->tcp, parts, [this, attempt](const asio::error_code& failure, size_t) {
      if (attempt->over) return;
      if (failure) return Finish(attempt, Failed("TCP", failure));
      ReceiveTcp(attempt);
    });
  });
}

void DnsExchange::ReceiveTcp(const std::shared_ptr<Attempt>& attempt) {
  asio::async_read(attempt->tcp, asio::buffer(attempt->length), [this, attempt](const asio::error_code& error, size_t) {
    if (attempt->over) return;
    if (error) return Finish(attempt, Failed("TCP", error));
    attempt->answer.resize(size_t{attempt->length[0]} << 8 | attempt->length[1]);
    asio::async_read(attempt->tcp, asio::buffer(attempt->answer),
                     [this, attempt](const asio::error_code& failure, size_t) {
                       if (attempt->over) return;
                       if (failure) return Finish(attempt, Failed("TCP", failure));
                       if (attempt->judge(attempt->answer) == Judgement::kTaken) return Finish(attempt, {});
                       ReceiveTcp(attempt);  // until the server closes, or the timeout
                     });
  });
}

uint16_t RandomDnsId() {
  return static_cast<uint16_t>(randombytes_uniform(UINT16_MAX + 1));
}

DnsExchange::Judgement JudgementOf(const DnsResponse& response) {
  switch (response.kind) {
    case DnsResponse::Kind::kForeign:
      return DnsExchange::Judgement::kIgnored;
    case DnsResponse::Kind::kTruncated:
      return DnsExchange::Judgement::kCut;
    default:
      return DnsExchange::Judgement::kTaken;
  }
}

}  // namespace qure

#include "control/names/dns_server.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <utility>

#include <asio/read.hpp>
#include <asio/write.hpp>

#include "control/base/log.h"
#include "control/names/address.h"
#include "control/names/clock.h"

namespace qure {
namespace {

using asio::ip::tcp;
using asio::ip::udp;

constexpr std::chrono::seconds kIdle(10);  // RFC 7766 §6.2.3: some seconds
constexpr size_t kLengthSize = 2;          // RFC 1035 §4.2.2
// After an error that may last, such as no free file descriptors: attempts without a pause would take all of the
// thread's time.
constexpr std::chrono::milliseconds kAcceptPause(100);
constexpr std::chrono::seconds kListenPause(5);  // before the next attempt at an address that was refused
constexpr std::chrono::seconds kLogPause(1);

// Allows an address that this machine does not have yet: a member gets it before a takeover, or with it.
asio::error_code SetFreeBind(int socket, bool v6) {
  const int on = 1;
  const int failed = v6 ? setsockopt(socket, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on))
                        : setsockopt(socket, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
  return failed != 0 ? asio::error_code(errno, asio::error::get_system_category()) : asio::error_code();
}

template <typename Socket>
asio::error_code Bind(const asio::ip::address& address, uint16_t port, Socket* socket) {
  const typename Socket::endpoint_type endpoint(address, port);
  asio::error_code error;
  socket->open(endpoint.protocol(), error);
  if (!error) socket->set_option(asio::socket_base::reuse_address(true), error);
  if (!error) error = SetFreeBind(socket->native_handle(), address.is_v6());
  if (!error) socket->bind(endpoint, error);
  return error;
}

}  // namespace

// Reads the next query while answers to earlier ones are being sent (RFC 7766 §6.2.1.1).
class DnsServer::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(DnsServer* server, tcp::socket socket)
      : server_(server), socket_(std::move(socket)), idle_(socket_.get_executor()) {
    asio::error_code error;
    const tcp::endpoint peer = socket_.remote_endpoint(error);
    if (!error) client_ = {.address = FromAsio(peer.address()), .stream = true};
  }

  void Start(Connections::iterator self) {
    self_ = self;
    Touch();
    ReadLength();
  }

  void Close() {
    if (server_ == nullptr) return;
    DnsServer* const server = std::exchange(server_, nullptr);
    asio::error_code ignored;
    idle_.cancel();
    socket_.close(ignored);
    --server->counters_.open;
    server->unsent_ -= unsent_;
    server->connections_.erase(self_);
  }

  // The server is destroyed.
  void Abandon() {
    server_ = nullptr;
    asio::error_code ignored;
    socket_.close(ignored);
  }

  size_t unsent() const { return unsent_; }

  void CutOff() {
    if (server_ != nullptr) ++server_->counters_.cut_off;
    Close();
  }

 private:
  void Touch() {
    server_->connections_.splice(server_->connections_.end(), server_->connections_, self_);
    idle_.expires_after(kIdle);
    idle_.async_wait([self = shared_from_this()](asio::error_code error) {
      if (!error) self->CutOff();
    });
  }

  void ReadLength() {
    if (reading_ || ended_ || waiting_.size() + asked_ >= kMostWaiting) return;  // until an answer is sent
    if (unsent_ >= kMostUnsentOfOne) return;
    reading_ = true;
    asio::async_read(socket_, asio::buffer(message_, kLengthSize),
                     [self = shared_from_this()](asio::error_code error, size_t) {
                       if (error || self->server_ == nullptr) return self->Ended();
                       self->ReadMessage(static_cast<size_t>(self->message_[0]) << 8 | self->message_[1]);
                     });
  }

  void ReadMessage(size_t length) {
    if (length > kLongestQuery) return CutOff();
    asio::async_read(socket_, asio::buffer(message_, length),
                     [self = shared_from_this(), length](asio::error_code error, size_t) {
                       if (error || self->server_ == nullptr) return self->Ended();
                       self->reading_ = false;
                       self->OnQuery(static_cast<uint16_t>(length));
                     });
  }

  void OnQuery(uint16_t length) {
    Touch();
    ++asked_;
    client_.time = static_cast<uint32_t>(UnixNow());
    server_->Find(client_, {message_.begin(), message_.begin() + length},
                  [self = shared_from_this()](ConstBytes answer) { self->OnAnswer(answer); });
    if (server_ != nullptr) ReadLength();
  }

  void OnAnswer(ConstBytes answer) {
    --asked_;
    if (server_ == nullptr) return;
    if (answer.empty()) return CutOff();  // not a valid query: the stream is out of step
    Send(answer);
  }

  void Send(ConstBytes answer) {
    std::vector<uint8_t> framed = {static_cast<uint8_t>(answer.size() >> 8), static_cast<uint8_t>(answer.size())};
    framed.insert(framed.end(), answer.begin(), answer.end());
    Count(static_cast<ptrdiff_t>(framed.size()));
    waiting_.push_back(std::move(framed));
    if (waiting_.size() == 1) Write();
    if (server_->unsent_ > kMostUnsent) server_->CutOffTheSlowest();
  }

  void Count(ptrdiff_t bytes) {
    unsent_ += static_cast<size_t>(bytes);
    server_->unsent_ += static_cast<size_t>(bytes);
  }

  void Write() {
    asio::async_write(socket_, asio::buffer(waiting_.front()),
                      [self = shared_from_this()](asio::error_code error, size_t) {
                        if (error || self->server_ == nullptr) return self->Close();
                        self->Count(-static_cast<ptrdiff_t>(self->waiting_.front().size()));
                        self->waiting_.pop_front();
                        if (!self->waiting_.empty()) self->Write();
                        if (self->ended_ && self->idle()) return self->Close();
                        self->ReadLength();
                      });
  }

  // The client sends no more; its queries still get their answers.
  void Ended() {
    ended_ = true;
    if (idle()) Close();
  }

  bool idle() const { return waiting_.empty() && asked_ == 0; }

  DnsServer* server_;  // null: closed
  tcp::socket socket_;
  asio::steady_timer idle_;
  Connections::iterator self_;
  DnsClient client_;
  size_t asked_ = 0;  // queries without an answer yet
  bool reading_ = false;
  bool ended_ = false;
  std::array<uint8_t, kLongestQuery> message_{};
  std::deque<std::vector<uint8_t>> waiting_;  // the first one is being sent
  size_t unsent_ = 0;                         // bytes in it
};

struct DnsServer::Listener {
  explicit Listener(asio::io_context& io) : acceptor(io), pause(io), datagrams(io) {}

  asio::error_code Open(const IpAddress& address, uint16_t port) {
    asio::error_code error = Bind(ToAsio(address), port, &acceptor);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    // The port that the kernel chose, if port is 0.
    if (!error) error = Bind(ToAsio(address), acceptor.local_endpoint().port(), &datagrams);
    return error;
  }

  void Close() {
    asio::error_code ignored;
    acceptor.close(ignored);
    datagrams.close(ignored);
  }

  tcp::acceptor acceptor;
  asio::steady_timer pause;  // its handler checks whether the acceptor is closed
  udp::socket datagrams;
  udp::endpoint client;
  std::array<uint8_t, kLongestQuery> message{};
};

DnsServer::DnsServer(asio::io_context& io, Forward forward, uint16_t port)
    : io_(io), forward_(std::move(forward)), port_(port), listen_timer_(io), log_timer_(io) {}

DnsServer::~DnsServer() {
  for (const auto& [address, listener] : listeners_) listener->Close();
  for (const auto& connection : connections_) connection->Abandon();
}

void DnsServer::Serve(std::shared_ptr<const DnsAuthority> authority, const std::vector<IpAddress>& addresses) {
  authority_ = std::move(authority);
  std::erase_if(listeners_, [&](const auto& listener) {
    const bool wanted = authority_ != nullptr && std::ranges::find(addresses, listener.first) != addresses.end();
    if (!wanted) listener.second->Close();
    return !wanted;
  });
  std::erase_if(refused_, [&](const IpAddress& address) { return std::ranges::count(addresses, address) == 0; });
  listen_timer_.cancel();
  if (authority_ == nullptr) {
    while (!connections_.empty()) connections_.front()->Close();
    return;
  }
  for (const IpAddress& address : addresses) {
    if (!listeners_.contains(address)) Listen(address);
  }
  if (refused_.empty()) return;
  listen_timer_.expires_after(kListenPause);
  listen_timer_.async_wait([this, addresses](asio::error_code error) {
    if (!error) Serve(authority_, addresses);
  });
}

std::vector<tcp::endpoint> DnsServer::listening() const {
  std::vector<tcp::endpoint> endpoints;
  for (const auto& [address, listener] : listeners_) endpoints.push_back(listener->acceptor.local_endpoint());
  return endpoints;
}

void DnsServer::Listen(const IpAddress& address) {
  auto listener = std::make_shared<Listener>(io_);
  if (const asio::error_code error = listener->Open(address, port_)) {
    if (!refused_.insert(address).second) return;  // already logged
    LogLine(LogLevel::kWarning, "DNS: cannot listen at ", ToString(address), " port ", port_, ": ", error.message(),
            "; does another server use it?");
    return;
  }
  refused_.erase(address);
  listeners_.emplace(address, listener);
  Accept(listener);
  Receive(listener);
}

void DnsServer::Accept(const std::shared_ptr<Listener>& listener) {
  listener->acceptor.async_accept([this, listener](asio::error_code error, tcp::socket socket) {
    if (!listener->acceptor.is_open()) return;  // `this` may be destroyed
    if (error) return AcceptLater(listener);
    Take(std::move(socket));
    Accept(listener);
  });
}

void DnsServer::AcceptLater(const std::shared_ptr<Listener>& listener) {
  listener->pause.expires_after(kAcceptPause);
  listener->pause.async_wait([this, listener](asio::error_code) {
    if (listener->acceptor.is_open()) Accept(listener);
  });
}

void DnsServer::Take(tcp::socket socket) {
  while (connections_.size() >= kMostConnections) connections_.front()->CutOff();
  ++counters_.connections;
  ++counters_.open;
  connections_.push_back(std::make_shared<Connection>(this, std::move(socket)));
  connections_.back()->Start(std::prev(connections_.end()));
}

void DnsServer::CutOffTheSlowest() {
  const auto less = [](const auto& a, const auto& b) { return a->unsent() < b->unsent(); };
  (*std::ranges::max_element(connections_, less))->CutOff();
}

void DnsServer::Receive(const std::shared_ptr<Listener>& listener) {
  listener->datagrams.async_receive_from(asio::buffer(listener->message), listener->client,
                                         [this, listener](asio::error_code error, size_t length) {
                                           if (!listener->datagrams.is_open()) return;
                                           if (!error) Answer(listener, length);
                                           Receive(listener);
                                         });
}

void DnsServer::Answer(const std::shared_ptr<Listener>& listener, size_t length) {
  const udp::endpoint to = listener->client;
  if (to.port() == kDnsPort || to.port() == 0) return;  // two servers could answer each other for ever
  const DnsClient client = {.address = FromAsio(to.address()), .time = static_cast<uint32_t>(UnixNow())};
  Find(client, {listener->message.begin(), listener->message.begin() + static_cast<ptrdiff_t>(length)},
       [listener, to](ConstBytes answer) {
         asio::error_code ignored;  // the client repeats its query if the answer is lost
         if (!answer.empty() && listener->datagrams.is_open()) {
           listener->datagrams.send_to(asio::buffer(answer.data(), answer.size()), to, 0, ignored);
         }
       });
}

// The packet path passes on only unusual datagrams (fragments, IP options), without its rate limit. A client whose
// address may be forged therefore gets at most a truncated answer, which asks it to use TCP.
bool DnsServer::MayBeForged(const DnsClient& client, const DnsReply& reply) const {
  const bool of_this_node = listeners_.contains(client.address);
  return !client.stream && !reply.client_proven && !of_this_node && reply.length > reply.records + reply.opt;
}

void DnsServer::Find(const DnsClient& client, std::vector<uint8_t> query, std::function<void(ConstBytes answer)> give) {
  const auto length = static_cast<uint16_t>(query.size());
  query.resize(kDnsStreamPayload);
  DnsReply reply = AnswerDns(*authority_, client, query.data(), length, kDnsStreamPayload);
  if (reply.reason != Reason::dns_cached && MayBeForged(client, reply)) {
    reply = TruncateDns(reply, query.data());
    reply.reason = Reason::dns_truncated;
  }
  ++counters_.answers[reply.reason];
  if (VerdictOf(reply.reason) == Verdict::kAnswer) {
    const DnsAsked question = QuestionIn(reply, query.data());
    Note(client, question.name, question.type, reply.reason);
    return give({query.data(), reply.length});
  }
  DnsQuery asked;
  if (reply.reason != Reason::dns_forwarded || ParseDnsQuery({query.data(), length}, &asked)) return give({});
  Note(client, asked.name, asked.type, reply.reason);
  const DnsQuestion question = {.name = DnsToLower(asked.name), .type = asked.type};
  query.resize(length);
  query.shrink_to_fit();  // many queries may wait
  forward_(question, [authority = authority_, client, query = std::move(query), length,
                      give = std::move(give)](const std::shared_ptr<const DnsCachedAnswer>& answer) mutable {
    query.resize(kDnsStreamPayload);
    const DnsReply late = AnswerDnsFrom(*answer, *authority, client, query.data(), length, kDnsStreamPayload);
    give(VerdictOf(late.reason) == Verdict::kAnswer ? ConstBytes(query.data(), late.length) : ConstBytes());
  });
}

void DnsServer::Note(const DnsClient& client, ConstBytes name, uint16_t type, Reason reason) {
  queries_->Note(log_every_, client.address, name, type, reason);
  if (log_every_ == 0 || std::exchange(logging_, true)) return;
  log_timer_.expires_after(kLogPause);  // samples that do not fit in until then are not logged
  log_timer_.async_wait([this](asio::error_code error) {
    if (error) return;
    logging_ = false;
    LogSamples(queries_->Take());
  });
}

void LogSamples(const std::vector<DnsSample>& samples) {
  for (const DnsSample& sample : samples) LogLine(LogLevel::kInfo, "dns: ", ToString(sample));
}

}  // namespace qure

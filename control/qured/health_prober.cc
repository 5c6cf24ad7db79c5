#include "control/qured/health_prober.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/numbers.h"
#include "control/base/text.h"

namespace qure {
namespace {

constexpr size_t kMaxStatusLine = 1024;
constexpr size_t kMaxParting = 65'536;  // bytes read only to close without a reset

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* name() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress Target(const IpAddress& address, uint16_t port) {
  SocketAddress target;
  if (address.is_v4()) {
    auto* const v4 = reinterpret_cast<sockaddr_in*>(&target.storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    std::memcpy(&v4->sin_addr, address.v4().bytes.data(), sizeof(v4->sin_addr));
    target.length = sizeof(*v4);
  } else {
    auto* const v6 = reinterpret_cast<sockaddr_in6*>(&target.storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    std::memcpy(&v6->sin6_addr, address.v6().bytes.data(), sizeof(v6->sin6_addr));
    target.length = sizeof(*v6);
  }
  return target;
}

// "HTTP/1.1 200 OK" (RFC 9112 §4).
bool HasStatus(std::string_view answer, uint16_t wanted) {
  const size_t blank = answer.find(' ');
  if (!answer.starts_with("HTTP/") || blank == std::string_view::npos || answer.size() < blank + 4) return false;
  const std::string_view digits = answer.substr(blank + 1, 3);
  if (answer.size() > blank + 4 && answer[blank + 4] != ' ' && answer[blank + 4] != '\r') return false;
  uint32_t status = 0;
  return absl::SimpleAtoi(absl::string_view(digits.data(), digits.size()), &status) && status == wanted;
}

// The kernel can choose the checked port as the source port. If no process listens there, TCP then connects the socket
// to itself (RFC 9293 §3.5, simultaneous open).
bool IsItself(int socket, const sockaddr_storage& peer) {
  sockaddr_storage self{};
  socklen_t length = sizeof(self);
  return getsockname(socket, reinterpret_cast<sockaddr*>(&self), &length) == 0 &&
         std::memcmp(&self, &peer, sizeof(self)) == 0;
}

}  // namespace

HealthProber::HealthProber(const MacAddress& host, SendToKernel send, std::function<uint32_t()> random)
    : host_(host), send_(std::move(send)), random_(std::move(random)), epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

void HealthProber::Start(MonoTime now, const ServiceConfig& service, const IpAddress& address) {
  const HealthCheck& check = service.check;
  const uint16_t port = check.port != 0 ? check.port : service.first_port;
  Probe probe{.number = ++last_number_,
              .socket = Fd(socket(address.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
              .http = check.kind == HealthCheck::Kind::kHttp,
              .status = check.status,
              .until = now + check.timeout};
  if (probe.http) {
    const std::string host = address.is_v6() ? "[" + ToString(address) + "]" : ToString(address);
    probe.request = Concat("GET ", check.path, " HTTP/1.0\r\nHost: ", host, "\r\nUser-Agent: qured\r\n\r\n");
  }
  const SocketAddress target = Target(address, port);
  const SocketAddress source = Target(address, 0);
  // The source is the checked address: without it, the check of an address that is not on this machine yet would go to
  // the LAN, and another node would answer.
  const bool ours = probe.socket.valid() && bind(probe.socket.get(), source.name(), source.length) == 0;
  if (!ours && errno == EADDRNOTAVAIL) return;
  const bool refused =
      !ours || (connect(probe.socket.get(), target.name(), target.length) != 0 && errno != EINPROGRESS);
  if (refused) {
    probe.refused = true;
    probe.until = now;  // so that Collect comes at once
  } else {
    epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.u64 = probe.number}};
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, probe.socket.get(), &event);
  }
  Drop(service.name);
  if (!refused && check.reach) Ask(service, address, &probe);
  services_.emplace(probe.number, service.name);
  timeouts_.emplace(probe.until, probe.number);
  probes_.emplace(service.name, std::move(probe));
}

void HealthProber::Ask(const ServiceConfig& service, const IpAddress& address, Probe* probe) {
  probe->question = {.host = host_, .service = address, .port = service.first_port, .number = random_()};
  probe->same_port = service.check.port == 0 || service.check.port == service.first_port;
  if (!questions_.emplace(probe->question.number, probe->number).second) return;  // a chance of one in millions
  probe->way = Way::kAsked;
  send_(WayInSyn(probe->question));
}

void HealthProber::OnWayIn(uint32_t number, bool open) {
  const auto question = questions_.find(number);
  if (question == questions_.end()) return;  // of a check that has ended
  Probe& probe = probes_.at(services_.at(question->second));
  if (open) send_(WayInReset(probe.question));
  probe.way = open || !probe.same_port ? Way::kOpen : Way::kShut;
  answered_.push_back(probe.number);
  questions_.erase(question);
}

HealthProber::State HealthProber::Advance(Probe* probe) {
  const int socket = probe->socket.get();
  if (!probe->connected) {
    int error = 0;
    socklen_t length = sizeof(error);
    sockaddr_storage peer{};
    socklen_t peer_length = sizeof(peer);
    if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error != 0) return State::kBad;
    if (getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &peer_length) != 0) return State::kUnderWay;
    if (IsItself(socket, peer)) return State::kBad;
    probe->connected = true;
  }
  if (!probe->http) return State::kGood;
  while (!probe->request.empty()) {
    const ssize_t sent = send(socket, probe->request.data(), probe->request.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN ? State::kUnderWay : State::kBad;
    probe->request.erase(0, static_cast<size_t>(sent));
  }
  for (;;) {
    std::array<char, 256> piece;
    const ssize_t got = recv(socket, piece.data(), piece.size(), 0);
    if (got < 0) return errno == EAGAIN ? State::kUnderWay : State::kBad;
    probe->answer.append(piece.data(), static_cast<size_t>(got));
    const size_t end = probe->answer.find('\n');
    if (end != std::string::npos) {
      return HasStatus(std::string_view(probe->answer).substr(0, end), probe->status) ? State::kGood : State::kBad;
    }
    if (got == 0 || probe->answer.size() > kMaxStatusLine) return State::kBad;
  }
}

bool HealthProber::HasParted(Parting* parting) {
  std::array<char, 4096> piece;
  while (parting->read < kMaxParting) {
    const ssize_t got = recv(parting->socket.get(), piece.data(), piece.size(), 0);
    if (got <= 0) return got == 0 || errno != EAGAIN;
    parting->read += static_cast<size_t>(got);
  }
  return true;
}

// The connections of which the kernel or the clock has news.
std::vector<HealthProber::Number> HealthProber::TakeReady(MonoTime now) {
  std::vector<Number> ready = std::exchange(answered_, {});
  std::array<epoll_event, 16> events;
  int count = 0;
  do {
    count = epoll_wait(epoll_.get(), events.data(), events.size(), 0);
    for (int i = 0; i < count; ++i) ready.push_back(events[i].data.u64);
  } while (count == static_cast<int>(events.size()));
  for (const auto& [until, number] : timeouts_) {
    if (now < until) break;
    ready.push_back(number);
  }
  return ready;
}

std::vector<ProbeResult> HealthProber::Collect(MonoTime now) {
  std::vector<ProbeResult> results;
  for (const Number number : TakeReady(now)) Look(now, number, &results);
  while (!parting_timeouts_.empty() && parting_timeouts_.begin()->first <= now) {
    partings_.erase(parting_timeouts_.begin()->second);
    parting_timeouts_.erase(parting_timeouts_.begin());
  }
  return results;
}

void HealthProber::Look(MonoTime now, Number number, std::vector<ProbeResult>* results) {
  ++looks_;
  if (const auto parting = partings_.find(number); parting != partings_.end()) {
    if (!HasParted(&parting->second)) return;
    parting_timeouts_.erase({parting->second.until, number});
    partings_.erase(parting);
    return;
  }
  const auto service = services_.find(number);
  if (service == services_.end()) return;  // it ended with the event before this one
  Probe& probe = probes_.at(service->second);
  const std::optional<CheckResult> result = ResultOf(now, &probe);
  if (!result) return;
  results->push_back({.service = service->second, .result = *result});
  if (probe.connected && now < probe.until) Part(&probe);
  Drop(results->back().service);
}

// A response that has arrived counts even after the timeout: then this thread is late, not the service.
std::optional<CheckResult> HealthProber::ResultOf(MonoTime now, Probe* probe) {
  const bool late = now >= probe->until;
  if (!probe->answers) {
    const State state = probe->refused ? State::kBad : Advance(probe);
    if (state == State::kBad || (state == State::kUnderWay && late)) return CheckResult::kFailed;
    if (state == State::kUnderWay) return std::nullopt;
    probe->answers = true;
  }
  if (probe->way == Way::kAsked && !late) return std::nullopt;
  return probe->way == Way::kAsked || probe->way == Way::kShut ? CheckResult::kUnreached : CheckResult::kGood;
}

void HealthProber::Part(Probe* probe) {
  shutdown(probe->socket.get(), SHUT_WR);
  Parting parting{.socket = std::move(probe->socket), .until = probe->until};
  if (HasParted(&parting)) return;
  parting_timeouts_.emplace(parting.until, probe->number);
  partings_.emplace(probe->number, std::move(parting));
}

void HealthProber::Drop(const std::string& service) {
  const auto probe = probes_.find(service);
  if (probe == probes_.end()) return;
  timeouts_.erase({probe->second.until, probe->second.number});
  services_.erase(probe->second.number);
  if (probe->second.way == Way::kAsked) questions_.erase(probe->second.question.number);
  probes_.erase(probe);
}

}  // namespace qure

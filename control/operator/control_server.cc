#include "control/operator/control_server.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "control/base/ownership.h"

namespace qure {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

absl::StatusOr<sockaddr_un> SocketAddress(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("control socket \"", path, "\": a path of 1 to ",
                                                   sizeof(address.sun_path) - 1, " bytes is needed"));
  }
  path.copy(address.sun_path, path.size());
  return address;
}

Fd MakeSocket() {
  return Fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

// Removes the socket that a killed process left at `path`.
absl::Status RemoveStale(const std::string& path, const sockaddr_un& address) {
  struct stat info {};
  if (lstat(path.c_str(), &info) < 0) return absl::OkStatus();
  if (!S_ISSOCK(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat("control socket ", path, ": the path is that of a file that is not a socket"));
  }
  const Fd probe = MakeSocket();
  const int result = connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  if (result < 0 && errno == ECONNREFUSED) {
    unlink(path.c_str());
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat("control socket ", path, ": another qured is listening on it"));
}

// Root and the user that runs us.
bool IsTrusted(int socket) {
  ucred peer{};
  socklen_t length = sizeof(peer);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return false;
  return peer.uid == 0 || peer.uid == geteuid();
}

bool IsTransient(int error) {
  return error == EAGAIN || error == EINTR;
}

bool Flush(const Fd& socket, std::string* output) {
  if (output->empty()) return true;
  const ssize_t sent = send(socket.get(), output->data(), output->size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) return IsTransient(errno);
  output->erase(0, static_cast<size_t>(sent));
  return true;
}

std::optional<ordered_json> Respond(std::string_view line, uint64_t ticket, const ControlServer::Handler& handler) {
  const json request = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (request.is_discarded()) return ordered_json{{"error", "the request is not JSON"}};
  if (!request.is_object()) return ordered_json{{"error", "the request is not a JSON object"}};
  const auto command = request.find("command");
  if (command == request.end() || !command->is_string()) {
    return ordered_json{{"error", "the request has no \"command\" string"}};
  }
  return handler({.command = command->get_ref<const std::string&>(), .body = request, .ticket = ticket});
}

std::string Line(const ordered_json& answer) {
  return answer.dump(-1, ' ', /*ensure_ascii=*/false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

absl::StatusOr<std::unique_ptr<ControlServer>> ControlServer::Listen(const std::string& path) {
  const absl::StatusOr<sockaddr_un> address = SocketAddress(path);
  if (!address.ok()) return address.status();
  const std::string directory = std::filesystem::absolute(path).parent_path();
  // No other process may do the same between the check for a listener and listening.
  const absl::StatusOr<Fd> lock = LockDirectory(directory);
  if (!lock.ok()) return lock.status();
  if (absl::Status stale = RemoveStale(path, *address); !stale.ok()) return stale;

  Fd listener = MakeSocket();
  // The mode of an unbound socket is that of its file to be (unix(7)): it is never open to others, not even for an
  // instant.
  if (!listener.valid() || fchmod(listener.get(), 0600) < 0 ||
      bind(listener.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) < 0 ||
      listen(listener.get(), kMaxClients) < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot listen on control socket ", path));
  }
  Fd poll(epoll_create1(EPOLL_CLOEXEC));
  if (!poll.valid()) return absl::ErrnoToStatus(errno, "epoll_create1");
  return std::unique_ptr<ControlServer>(new ControlServer(path, std::move(listener), std::move(poll)));
}

ControlServer::ControlServer(std::string path, Fd listener, Fd poll)
    : path_(std::move(path)), listener_(std::move(listener)), poll_(std::move(poll)) {
  Watch(EPOLL_CTL_ADD, listener_.get(), EPOLLIN);
}

ControlServer::~ControlServer() {
  unlink(path_.c_str());
}

void ControlServer::Watch(int operation, int fd, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  epoll_ctl(poll_.get(), operation, fd, &event);
}

void ControlServer::Serve(const Handler& handler) {
  std::array<epoll_event, kMaxClients + 1> ready;
  const int count = epoll_wait(poll_.get(), ready.data(), ready.size(), 0);
  for (int i = 0; i < count; ++i) {
    const auto client = clients_.find(ready[i].data.fd);
    if (client != clients_.end() && !Step(&client->second, handler)) clients_.erase(client);
  }
  // Last, so that no descriptor in `ready` can have been given to a newcomer.
  const bool knocking = std::any_of(ready.begin(), ready.begin() + std::max(count, 0),
                                    [this](const epoll_event& event) { return event.data.fd == listener_.get(); });
  if (knocking) Accept();
}

void ControlServer::Accept() {
  Fd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket.valid() || !IsTrusted(socket.get())) return;
  if (clients_.size() >= kMaxClients) {
    clients_.erase(std::min_element(clients_.begin(), clients_.end(), [](const auto& a, const auto& b) {
      return a.second.last_active < b.second.last_active;
    }));
  }
  const int fd = socket.get();
  Watch(EPOLL_CTL_ADD, fd, EPOLLIN);
  Client client;
  client.socket = std::move(socket);
  client.last_active = ++activity_;
  clients_.emplace(fd, std::move(client));
}

bool ControlServer::Receive(Client* client) {
  std::array<char, 16384> buffer;
  const size_t room = std::min(buffer.size(), kMaxRequest + 1 - std::min(client->input.size(), kMaxRequest));
  const ssize_t received = recv(client->socket.get(), buffer.data(), room, MSG_DONTWAIT);
  if (received < 0) return IsTransient(errno);
  if (received == 0) client->ended = true;
  client->input.append(buffer.data(), static_cast<size_t>(received));
  return true;
}

void ControlServer::Answer(uint64_t ticket, const ordered_json& answer) {
  const auto found = std::ranges::find(clients_, ticket, [](const auto& client) { return client.second.waiting; });
  if (found == clients_.end()) return;
  found->second.waiting = 0;
  found->second.output = Line(answer);
  Watch(EPOLL_CTL_MOD, found->first, EPOLLOUT);
}

bool ControlServer::Step(Client* client, const Handler& handler) {
  if (client->waiting != 0) return false;  // it has hung up: that is the only event while it waits
  client->last_active = ++activity_;
  if (!Flush(client->socket, &client->output)) return false;
  if (client->output.empty() && !client->ended && client->input.find('\n') == std::string::npos && !Receive(client))
    return false;

  const size_t end = client->input.find('\n');
  if (client->output.empty() && end != std::string::npos) {
    client->waiting = ++last_ticket_;
    const auto answer = Respond(std::string_view(client->input).substr(0, end), client->waiting, handler);
    client->input.erase(0, end + 1);
    if (answer) Answer(client->waiting, *answer);
  } else if (client->output.empty() && client->input.size() > kMaxRequest) {
    client->output = Line({{"error", absl::StrCat("the request is longer than ", kMaxRequest, " bytes")}});
    client->input.clear();
    client->ended = true;
  }
  if (!Flush(client->socket, &client->output)) return false;

  const bool waits = client->waiting != 0;
  const bool more = !client->output.empty() || client->input.find('\n') != std::string::npos;
  if (client->ended && !more && !waits) return false;
  const uint32_t going_on = more ? EPOLLOUT : EPOLLIN;
  Watch(EPOLL_CTL_MOD, client->socket.get(), waits ? 0 : going_on);
  return true;
}

}  // namespace qure

#include "control/qurectl/client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "control/base/fd.h"

namespace qure {
namespace {

// A change of the cluster's configuration has to be voted on and tried.
constexpr timeval kPatience = {.tv_sec = 20, .tv_usec = 0};

absl::Status NotReachable(const std::string& path, int error) {
  const char* hint = error == EACCES ? "; only root has access" : "; is qured running?";
  const char* what = error == EAGAIN ? "no answer within 20 s" : std::strerror(error);
  return absl::UnavailableError(absl::StrCat("cannot reach qured at ", path, ": ", what, hint));
}

absl::StatusOr<Fd> Connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return NotReachable(path, ENAMETOOLONG);
  path.copy(address.sun_path, path.size());
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return NotReachable(path, errno);
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
  setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof(kPatience));
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) < 0)
    return NotReachable(path, errno);
  return socket;
}

}  // namespace

absl::StatusOr<nlohmann::ordered_json> Ask(const std::string& socket_path, const nlohmann::json& request) {
  const absl::StatusOr<Fd> socket = Connect(socket_path);
  if (!socket.ok()) return socket.status();
  const std::string question =
      request.dump(-1, ' ', /*ensure_ascii=*/false, nlohmann::json::error_handler_t::replace) + "\n";
  if (send(socket->get(), question.data(), question.size(), MSG_NOSIGNAL) < 0) return NotReachable(socket_path, errno);

  std::string line;
  std::array<char, 16384> buffer;
  while (line.empty() || line.back() != '\n') {
    const ssize_t received = recv(socket->get(), buffer.data(), buffer.size(), 0);
    if (received < 0) return NotReachable(socket_path, errno);
    if (received == 0) return NotReachable(socket_path, ECONNRESET);
    line.append(buffer.data(), static_cast<size_t>(received));
  }
  nlohmann::ordered_json answer = nlohmann::ordered_json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!answer.is_object())
    return absl::InternalError(absl::StrCat("the answer from ", socket_path, " is not a JSON object"));
  return answer;
}

absl::StatusOr<nlohmann::ordered_json> AskForAnswer(const std::string& socket_path, const nlohmann::json& request) {
  absl::StatusOr<nlohmann::ordered_json> answer = Ask(socket_path, request);
  if (!answer.ok()) return answer.status();
  const auto error = answer->find("error");
  if (error != answer->end()) return absl::FailedPreconditionError(error->get<std::string>());
  return answer;
}

}  // namespace qure

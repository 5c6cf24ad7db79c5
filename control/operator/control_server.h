// The control socket: a Unix stream socket for root, one JSON request per line, one JSON answer per line.
//   {"command": "status"}  ->  {"name": "n1", …}          an answer with the member "error" is a refusal
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/base/fd.h"
#include "nlohmann/json.hpp"

namespace qure {

// Never blocks: a client that sends half a request or does not read its answer waits in its own buffers, which are
// bounded.
class ControlServer {
 public:
  static constexpr size_t kMaxRequest = 1024 * 1024;  // bytes of a line: a configuration of the cluster, as JSON
  static constexpr size_t kMaxClients = 16;           // one more closes the one that was silent longest

  struct Request {
    std::string_view command;  // the member of that name
    const nlohmann::json& body;
    uint64_t ticket = 0;  // of this request alone
  };
  // The answer, or nothing if it comes later, by Answer.
  using Handler = std::function<std::optional<nlohmann::ordered_json>(const Request& request)>;

  // Listens on `path`, mode 0600; its directory is made (0700) if missing. A socket that a killed process left behind
  // is replaced; FailedPrecondition if another process listens there.
  static absl::StatusOr<std::unique_ptr<ControlServer>> Listen(const std::string& path);
  ~ControlServer();  // removes the socket file
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  // Readable when Serve has something to do.
  int fd() const { return poll_.get(); }
  // Accepts, reads, answers and writes as far as possible without waiting; at most one request of a client per call.
  void Serve(const Handler& handler);
  // The answer that a handler did not give at once. Without effect if the client has gone.
  void Answer(uint64_t ticket, const nlohmann::ordered_json& answer);

 private:
  struct Client {
    Fd socket;
    std::string input;     // not yet answered
    std::string output;    // not yet sent
    bool ended = false;    // nothing more will be read
    uint64_t waiting = 0;  // ticket of the request that will be answered later; 0: none
    uint64_t last_active = 0;
  };

  ControlServer(std::string path, Fd listener, Fd poll);
  void Accept();
  // Whether the client stays.
  bool Step(Client* client, const Handler& handler);
  bool Receive(Client* client);
  void Watch(int operation, int fd, uint32_t events);

  const std::string path_;
  const Fd listener_;
  const Fd poll_;
  std::map<int, Client> clients_;  // by file descriptor
  uint64_t last_ticket_ = 0;
  uint64_t activity_ = 0;  // counts what clients did: the order in which they fell silent
};

}  // namespace qure

#include "control/operator/control_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "control/qurectl/client.h"
#include "tests/support/temporary_directory.h"

namespace qure {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using ::testing::HasSubstr;

constexpr auto kDeadline = std::chrono::seconds(5);

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return address;
}

// A client without manners: sends what it likes, reads when it likes.
class RawClient {
 public:
  explicit RawClient(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
    const sockaddr_un address = AddressOf(path);
    connected_ = connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }
  bool connected() const { return connected_; }
  // Bytes that went at once.
  ssize_t Send(std::string_view bytes) { return send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  void EndSending() { shutdown(socket_.get(), SHUT_WR); }
  // Takes what has come.
  void Receive() {
    char buffer[4096];
    ssize_t n = 0;
    while ((n = recv(socket_.get(), buffer, sizeof(buffer), 0)) > 0) received_.append(buffer, static_cast<size_t>(n));
    if (n == 0 || (n < 0 && errno != EAGAIN)) closed_ = true;
  }
  const std::string& received() const { return received_; }
  bool closed() const { return closed_; }

 private:
  Fd socket_;
  bool connected_ = false;
  bool closed_ = false;
  std::string received_;
};

class ControlServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto server = ControlServer::Listen(path_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  // Serves until `done`; false when the deadline has passed.
  template <typename Condition>
  bool ServeUntil(Condition done) {
    const auto end = std::chrono::steady_clock::now() + kDeadline;
    while (!done()) {
      if (std::chrono::steady_clock::now() > end) return false;
      pollfd ready{server_->fd(), POLLIN, 0};
      if (poll(&ready, 1, 10) > 0) {
        server_->Serve([this](const ControlServer::Request& request) { return Handle(request); });
        ++turns_;
      }
    }
    return true;
  }
  bool ServeLine(RawClient* client) {
    return ServeUntil([&] {
      client->Receive();
      return client->received().ends_with("\n");
    });
  }
  bool ServeUntilClosed(RawClient* client) {
    return ServeUntil([&] {
      client->Receive();
      return client->closed();
    });
  }

  std::optional<ordered_json> Handle(const ControlServer::Request& request) {
    ++handled_;
    if (request.command == "repeat") return ordered_json{{"request", request.body}};
    if (request.command == "big") return ordered_json{{"text", std::string(1 << 20, 'x')}};
    if (request.command == "later") {
      ticket_ = request.ticket;
      return std::nullopt;
    }
    if (request.command == "within") server_->Answer(request.ticket, {{"within", true}});
    return request.command == "within" ? std::nullopt : std::optional(ordered_json{{"echo", request.command}});
  }

  const TemporaryDirectory directory_;
  const std::string path_ = directory_ / "run/qured.sock";
  std::unique_ptr<ControlServer> server_;
  int handled_ = 0;
  uint64_t ticket_ = 0;  // of the last request to be answered later
  int turns_ = 0;
};

TEST_F(ControlServerTest, AnswersOneLinePerRequest) {
  RawClient client(path_);
  client.Send(R"({"command": "status"})"
              "\n");
  ASSERT_TRUE(ServeLine(&client));
  EXPECT_EQ(client.received(), "{\"echo\":\"status\"}\n");
}

TEST_F(ControlServerTest, WhatComesWithACommandReachesTheNode) {
  RawClient client(path_);
  client.Send(R"({"command": "repeat", "on": true, "node": "n2"})"
              "\n");
  ASSERT_TRUE(ServeLine(&client));
  EXPECT_EQ(json::parse(client.received()).at("request"),
            json::parse(R"({"command": "repeat", "on": true, "node": "n2"})"));
}

TEST_F(ControlServerTest, SocketIsForItsOwnerAlone) {
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_TRUE(S_ISSOCK(info.st_mode));
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  ASSERT_EQ(stat((directory_ / "run").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0700u);
}

TEST_F(ControlServerTest, OtherUsersAreTurnedAwayEvenIfTheyGetAtTheSocket) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  chmod(path_.c_str(), 0666);
  chmod((directory_ / "run").c_str(), 0755);
  chmod(directory_.path().c_str(), 0755);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (setuid(65534) != 0) _exit(3);
    const Fd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
    const sockaddr_un address = AddressOf(path_);
    if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) _exit(2);
    const std::string_view request = "{\"command\":\"status\"}\n";
    send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL);
    char byte = 0;
    _exit(recv(socket.get(), &byte, 1, 0) > 0 ? 1 : 0);
  }
  int status = -1;
  ASSERT_TRUE(ServeUntil([&] { return waitpid(child, &status, WNOHANG) == child; }));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(handled_, 0);
}

TEST_F(ControlServerTest, WhatIsNotARequestIsRefused) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"status", "not JSON"},
      {"", "not JSON"},
      {"{\"command\":", "not JSON"},
      {"[1, 2]", "not a JSON object"},
      {"{}", "no \"command\""},
      {"{\"command\": 7}", "no \"command\""},
      {std::string(60'000, '['), "not JSON"},
      {std::string("\xff\xfe\0", 3), "not JSON"},
  };
  for (const auto& [request, error] : cases) {
    RawClient client(path_);
    client.Send(request + "\n");
    ASSERT_TRUE(ServeLine(&client)) << request;
    EXPECT_THAT(json::parse(client.received()).at("error").get<std::string>(), HasSubstr(error)) << request;
  }
  EXPECT_EQ(handled_, 0);
}

TEST_F(ControlServerTest, ConnectionOutlivesABadRequest) {
  RawClient client(path_);
  client.Send("nonsense\n{\"command\":\"status\"}\n");
  ASSERT_TRUE(ServeUntil([&] {
    client.Receive();
    return client.received().ends_with("\"status\"}\n");
  }));
  EXPECT_THAT(client.received(), HasSubstr("error"));
}

TEST_F(ControlServerTest, RequestWithoutEndIsCutOff) {
  RawClient client(path_);
  const std::string endless(4096, ' ');
  ASSERT_TRUE(ServeUntil([&] {
    client.Send(endless);
    client.Receive();
    return client.closed();
  }));
  EXPECT_THAT(client.received(), HasSubstr(std::to_string(ControlServer::kMaxRequest)));
  EXPECT_EQ(handled_, 0);
}

TEST_F(ControlServerTest, LongestRequestIsServed) {
  const std::string command = "{\"command\":\"status\"}";
  const std::string request = command + std::string(ControlServer::kMaxRequest - command.size(), ' ') + "\n";
  RawClient client(path_);
  size_t sent = 0;
  ASSERT_TRUE(ServeUntil([&] {
    if (sent < request.size()) sent += static_cast<size_t>(std::max<ssize_t>(client.Send(request.substr(sent)), 0));
    client.Receive();
    return client.received().ends_with("\n");
  }));
  EXPECT_EQ(client.received(), "{\"echo\":\"status\"}\n");
}

TEST_F(ControlServerTest, HalfARequestDelaysNobody) {
  RawClient half(path_);
  half.Send("{\"command\":");
  RawClient whole(path_);
  whole.Send("{\"command\":\"ports\"}\n");
  ASSERT_TRUE(ServeLine(&whole));
  EXPECT_EQ(half.received(), "");

  half.Send("\"status\"}\n");
  ASSERT_TRUE(ServeLine(&half));
  EXPECT_EQ(half.received(), "{\"echo\":\"status\"}\n");
}

TEST_F(ControlServerTest, AnAnswerCanComeLaterAndDelaysNobodyElse) {
  RawClient patient(path_);
  patient.Send("{\"command\":\"later\"}\n{\"command\":\"status\"}\n");
  patient.EndSending();
  ASSERT_TRUE(ServeUntil([&] { return ticket_ != 0; }));
  RawClient quick(path_);
  quick.Send("{\"command\":\"ports\"}\n{\"command\":\"within\"}\n");
  ASSERT_TRUE(ServeUntil([&] {
    quick.Receive();
    return quick.received() == "{\"echo\":\"ports\"}\n{\"within\":true}\n";
  }));
  pollfd ready{server_->fd(), POLLIN, 0};
  EXPECT_EQ(poll(&ready, 1, 0), 0);
  patient.Receive();
  EXPECT_EQ(patient.received(), "");

  server_->Answer(ticket_ + 100, {{"to", "nobody"}});
  server_->Answer(ticket_, {{"now", 1}});
  server_->Answer(ticket_, {{"now", 2}});
  ASSERT_TRUE(ServeUntilClosed(&patient));
  EXPECT_EQ(patient.received(), "{\"now\":1}\n{\"echo\":\"status\"}\n");
}

TEST_F(ControlServerTest, ClientThatHangsUpBeforeItsAnswerIsForgotten) {
  auto gone = std::make_unique<RawClient>(path_);
  gone->Send("{\"command\":\"later\"}\n");
  ASSERT_TRUE(ServeUntil([&] { return ticket_ != 0; }));
  gone.reset();
  pollfd ready{server_->fd(), POLLIN, 0};
  ASSERT_EQ(poll(&ready, 1, 5000), 1);
  ASSERT_TRUE(ServeUntil([&] { return poll(&ready, 1, 0) == 0; }));
  server_->Answer(ticket_, {{"now", 1}});
  RawClient next(path_);
  next.Send("{\"command\":\"status\"}\n");
  EXPECT_TRUE(ServeLine(&next));
}

TEST_F(ControlServerTest, ClientThatDoesNotReadDelaysNobodyAndGetsAllInTheEnd) {
  RawClient lazy(path_);
  lazy.Send("{\"command\":\"big\"}\n");
  RawClient quick(path_);
  quick.Send("{\"command\":\"status\"}\n");
  ASSERT_TRUE(ServeLine(&quick));
  ASSERT_TRUE(ServeLine(&lazy));
  EXPECT_EQ(json::parse(lazy.received()).at("text").get<std::string>().size(), 1u << 20);
}

TEST_F(ControlServerTest, ClientThatDoesNotReadIsNotAnsweredFurther) {
  RawClient lazy(path_);
  for (int i = 0; i < 100; ++i) lazy.Send("{\"command\":\"big\"}\n");
  RawClient quick(path_);
  quick.Send("{\"command\":\"status\"}\n");
  ASSERT_TRUE(ServeLine(&quick));
  // The first answer does not fit into the socket, so nothing further is asked of the node.
  pollfd ready{server_->fd(), POLLIN, 0};
  EXPECT_EQ(poll(&ready, 1, 0), 0);
  EXPECT_EQ(handled_, 2);
}

TEST_F(ControlServerTest, IdleServerIsNotWokenUp) {
  RawClient client(path_);
  client.Send("{\"command\":\"status\"}\n");
  ASSERT_TRUE(ServeLine(&client));
  pollfd ready{server_->fd(), POLLIN, 0};
  EXPECT_EQ(poll(&ready, 1, 0), 0);
}

TEST_F(ControlServerTest, ManyRequestsOfOneClientLeaveRoomForOthers) {
  RawClient greedy(path_);
  for (int i = 0; i < 50; ++i) greedy.Send("{\"command\":\"status\"}\n");
  ASSERT_TRUE(ServeUntil([&] {
    greedy.Receive();
    return std::count(greedy.received().begin(), greedy.received().end(), '\n') == 50;
  }));
  EXPECT_GE(turns_, 50);
}

TEST_F(ControlServerTest, AnswersWhatWasAskedBeforeTheClientStoppedSending) {
  RawClient client(path_);
  client.Send("{\"command\":\"status\"}\n{\"command\":\"ports\"}\n{\"command\":");
  client.EndSending();
  ASSERT_TRUE(ServeUntilClosed(&client));
  EXPECT_EQ(client.received(), "{\"echo\":\"status\"}\n{\"echo\":\"ports\"}\n");
}

TEST_F(ControlServerTest, SilentLongestMakesRoomForANewcomer) {
  std::vector<std::unique_ptr<RawClient>> clients;
  for (size_t i = 0; i <= ControlServer::kMaxClients; ++i) {
    clients.push_back(std::make_unique<RawClient>(path_));
    ASSERT_TRUE(clients.back()->connected());
    clients.back()->Send("{\"command\":\"status\"}\n");
    ASSERT_TRUE(ServeLine(clients.back().get()));
  }
  for (size_t i = 0; i < clients.size(); ++i) {
    clients[i]->Receive();
    EXPECT_EQ(clients[i]->closed(), i == 0) << i;
  }
}

TEST_F(ControlServerTest, SecondServerIsRefused) {
  const auto second = ControlServer::Listen(path_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("another qured"));
  EXPECT_TRUE(RawClient(path_).connected());
}

TEST_F(ControlServerTest, SocketIsRemovedAtTheEnd) {
  server_.reset();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ControlServerTest, SocketOfAKilledServerIsReplaced) {
  const std::string stale = directory_ / "stale.sock";
  {
    const Fd dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    const sockaddr_un address = AddressOf(stale);
    ASSERT_EQ(bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
  ASSERT_TRUE(std::filesystem::exists(stale));
  const auto server = ControlServer::Listen(stale);
  EXPECT_TRUE(server.ok()) << server.status();
  EXPECT_TRUE(RawClient(stale).connected());
}

TEST_F(ControlServerTest, FileThatIsNoSocketIsLeftAlone) {
  const std::string file = directory_ / "file";
  std::ofstream(file) << "precious";
  const auto server = ControlServer::Listen(file);
  EXPECT_EQ(server.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(std::filesystem::is_regular_file(file));
}

TEST_F(ControlServerTest, PathThatIsTooLongIsRefused) {
  EXPECT_EQ(ControlServer::Listen("/tmp/" + std::string(200, 'x')).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ControlServerTest, AskGetsTheAnswer) {
  std::atomic<bool> done = false;
  absl::StatusOr<ordered_json> answer = absl::UnknownError("not asked");
  std::thread client([&] {
    answer = Ask(path_, {{"command", "big"}});
    done = true;
  });
  EXPECT_TRUE(ServeUntil([&] { return done.load(); }));
  client.join();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->at("text").get<std::string>().size(), 1u << 20);
}

TEST(Ask, NobodyThereIsUnavailable) {
  const TemporaryDirectory directory;
  const auto answer = Ask(directory / "none.sock", {{"command", "status"}});
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(answer.status().message()), HasSubstr("qured"));
}

}  // namespace
}  // namespace qure

#include "tests/unit/names/knot_server.h"

#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <csignal>
#include <fstream>
#include <sstream>

#include "absl/strings/escaping.h"
#include "control/base/text.h"
#include "control/names/clock.h"
#include "control/names/dns_exchange.h"
#include "proto/dns/message.h"
#include "proto/dns/name.h"
#include "proto/dns/tsig.h"

namespace qure::test {
namespace {

constexpr char kProgram[] = "/usr/sbin/knotd";
constexpr Duration kPatience = Seconds(20);
constexpr std::string_view kZone =
    "example. 60 SOA ns.example. hostmaster.example. 1 3600 600 86400 60\n"
    "example. 60 NS ns.example.\n"
    "ns.example. 60 A 192.0.2.53\n";

uint16_t FreePort(const IpAddress& address) {
  asio::io_context io;
  const auto to = asio::ip::make_address(ToString(address));
  return asio::ip::tcp::acceptor(io, {to, 0}).local_endpoint().port();
}

std::string KeyText(const std::string& name) {
  const TsigKey key = KnotServer::Key(name);
  return Concat("  - id: ", name, "\n    algorithm: ", NameOf(key.algorithm),
                "\n    secret: ", std::string(absl::Base64Escape(key.secret)), "\n");
}

}  // namespace

bool KnotServer::Installed() {
  return access(kProgram, X_OK) == 0;
}

TsigKey KnotServer::Key(const std::string& name) {
  TsigKey key{.name = DnsNameToWire(name).value(), .secret = "the secret of " + name};
  if (name == "home2") key.algorithm = TsigAlgorithm::kHmacSha512;
  if (name == "home3") key.algorithm = TsigAlgorithm::kHmacSha384;
  return key;
}

KnotServer::KnotServer(const IpAddress& address) {
  server_.address = address;
  // The port is free now. If another program takes it before Knot does, the next attempt uses another port.
  for (int attempt = 0; attempt < 3; ++attempt) {
    server_.port = FreePort(address);
    if (Start()) return;
    Stop();
  }
  ADD_FAILURE() << "knotd does not serve:\n" << log();
}

KnotServer::~KnotServer() {
  Stop();
}

std::string KnotServer::log() const {
  std::ostringstream text;
  text << std::ifstream(directory_ / "log").rdbuf();
  return text.str();
}

bool KnotServer::Start() {
  const std::string listen = Concat(ToString(server_.address), "@", server_.port);
  std::ofstream(directory_ / "example.zone") << kZone;
  std::ofstream(directory_ / "knot.conf")
      << Concat("server:\n  rundir: ", directory_.path(), "\n  listen: ", listen,
                "\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\ndatabase:\n  storage: ",
                directory_.path(), "\nlog:\n  - target: stderr\n    any: info\nkey:\n")
      << KeyText("home1") << KeyText("home2") << KeyText("home3") << KeyText("reader")
      << "acl:\n  - id: update\n    key: [home1, home2, home3]\n    action: update\n"
      << Concat("zone:\n  - domain: example\n    storage: ", directory_.path(),
                "\n    file: example.zone\n    zonefile-sync: -1\n    journal-content: none\n    acl: update\n");
  const std::string config = directory_ / "knot.conf";
  const std::string log_file = directory_ / "log";
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 1, log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&files, 1, 2);
  std::string program = kProgram;
  std::string option = "-c";
  std::string path = config;
  char* const argv[] = {program.data(), option.data(), path.data(), nullptr};
  const bool started = posix_spawn(&process_, kProgram, &files, nullptr, argv, environ) == 0;
  posix_spawn_file_actions_destroy(&files);
  if (!started) return false;
  const DnsQuestion question{.name = DnsNameToWire("example").value(), .type = kDnsTypeSoa};
  bool serves = false;
  const MonoTime until = SteadyNow() + kPatience;
  while (!serves && SteadyNow() < until && waitpid(process_, nullptr, WNOHANG) == 0) {
    asio::io_context io;
    DnsExchange exchange(io);
    const auto judge = [&](ConstBytes answer) {
      const DnsResponse response = ReadDnsResponse(answer, 1, question);
      serves = response.finding.records.size() == 1;
      return JudgementOf(response);
    };
    exchange.Start(server_, WriteDnsQuestion(question, 1), Milliseconds(200), judge, [](const std::string&) {});
    io.run();
  }
  return serves;
}

void KnotServer::Stop() {
  if (process_ < 0) return;
  kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
  process_ = -1;
}

}  // namespace qure::test

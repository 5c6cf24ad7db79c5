// qure-barrage: sends given frames on an interface, round and round, at a steady rate. Attackers of a siege are made of
// it: what they send is thought of in Python, how often is done here.
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"

namespace {

constexpr char kUsage[] = R"(usage: qure-barrage INTERFACE RATE SECONDS

Reads frames from standard input until its end: each a length of two bytes, most significant first, and the frame from
its destination MAC on. Then sends them on INTERFACE in turn, RATE a second, for SECONDS or until SIGINT or SIGTERM.
Prints the number of frames sent.
)";

constexpr size_t kBatch = 32;
constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kNap = 1'000'000;  // ns between two looks at what is due

volatile sig_atomic_t ended = 0;

using Frames = std::vector<std::string>;

Frames ReadFrames(FILE* input) {
  Frames frames;
  for (int high = 0; (high = std::fgetc(input)) != EOF;) {
    const int low = std::fgetc(input);
    std::string frame(static_cast<size_t>(high << 8 | (low & 0xff)), '\0');
    if (low == EOF || std::fread(frame.data(), 1, frame.size(), input) != frame.size()) return {};
    frames.push_back(std::move(frame));
  }
  return frames;
}

int64_t Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

// A packet socket that sends on the interface and receives nothing; -1 with errno.
int Open(const char* interface) {
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1;
  setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
  if (address.sll_ifindex != 0 && bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return fd;
  close(fd);
  return -1;
}

// Sends `count` frames from frames[next % size] on; returns how many the kernel took.
size_t Send(int fd, Frames& frames, uint64_t next, size_t count) {
  std::array<iovec, kBatch> pieces;
  std::array<mmsghdr, kBatch> messages{};
  for (size_t i = 0; i < count; ++i) {
    std::string& frame = frames[(next + i) % frames.size()];
    pieces[i] = {.iov_base = frame.data(), .iov_len = frame.size()};
    messages[i].msg_hdr.msg_iov = &pieces[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const int sent = sendmmsg(fd, messages.data(), static_cast<unsigned>(count), 0);
  return sent > 0 ? static_cast<size_t>(sent) : 0;
}

// What is due and was not taken is not made up for: the rate is a ceiling.
uint64_t Barrage(int fd, Frames& frames, uint64_t rate, double seconds) {
  const int64_t start = Now();
  const auto end = start + static_cast<int64_t>(seconds * kSecond);
  uint64_t asked = 0;
  uint64_t sent = 0;
  for (int64_t now = start; now < end && !ended; now = Now()) {
    const auto due = static_cast<uint64_t>(static_cast<double>(now - start) / kSecond * static_cast<double>(rate));
    while (asked < due && !ended) {
      const size_t count = std::min<uint64_t>(due - asked, kBatch);
      sent += Send(fd, frames, asked, count);
      asked += count;
    }
    const timespec nap{.tv_sec = 0, .tv_nsec = kNap};
    nanosleep(&nap, nullptr);
  }
  return sent;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t rate = 0;
  double seconds = 0;
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (argc != 4 || !absl::SimpleAtoi(argv[2], &rate) || rate == 0 || rate > 1'000'000 ||
      !absl::SimpleAtod(argv[3], &seconds) || seconds <= 0 || seconds > 7200) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  std::signal(SIGINT, [](int) { ended = 1; });
  std::signal(SIGTERM, [](int) { ended = 1; });
  Frames frames = ReadFrames(stdin);
  if (frames.empty()) {
    std::fputs("qure-barrage: standard input holds no whole frames\n", stderr);
    return 1;
  }
  const int fd = Open(argv[1]);
  if (fd < 0) {
    std::fprintf(stderr, "qure-barrage: cannot send on %s: %s\n", argv[1], std::strerror(errno));
    return 1;
  }
  std::printf("%llu\n", static_cast<unsigned long long>(Barrage(fd, frames, rate, seconds)));
  close(fd);
  return 0;
}

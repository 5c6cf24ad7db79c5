#include "tests/lab/probe_question.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace qure::lab {
namespace {

constexpr uint16_t kDnsPort = 53;
constexpr size_t kDnsHeader = 12;
constexpr size_t kEchoHeader = 8;
constexpr uint32_t kIcmpFilter = 1;  // linux/icmp.h, which cannot be included beside netinet/ip_icmp.h

struct Target {
  sockaddr_storage address{};
  socklen_t length = 0;
  int family() const { return address.ss_family; }
};

std::optional<Target> ParseTarget(const std::string& text, uint16_t port) {
  Target target;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&target.address);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&target.address);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    target.length = sizeof(sockaddr_in);
    return target;
  }
  if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    target.length = sizeof(sockaddr_in6);
    return target;
  }
  return std::nullopt;
}

int Connect(const Target& target, int type, int protocol) {
  const int fd = socket(target.family(), type | SOCK_CLOEXEC, protocol);
  if (fd < 0) return fd;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&target.address), target.length) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

// RFC 1071.
uint16_t Checksum(std::span<const uint8_t> bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); ++i) sum += i % 2 == 0 ? uint32_t{bytes[i]} << 8 : bytes[i];
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

void Put16(uint16_t value, uint8_t* out) {
  out[0] = static_cast<uint8_t>(value >> 8);
  out[1] = static_cast<uint8_t>(value);
}

class Echo : public Question {
 public:
  explicit Echo(const Target& target) : target_(target), v6_(target.family() == AF_INET6) {
    if (getrandom(token_.data(), token_.size(), 0) < 0) std::memcpy(token_.data(), "QuReLab", token_.size());
  }

  // Only echo replies reach this socket: without the filter a raw socket would also receive every echo request.
  int Open() const override {
    const int fd = Connect(target_, SOCK_RAW, v6_ ? int{IPPROTO_ICMPV6} : int{IPPROTO_ICMP});
    if (fd < 0) return fd;
    if (v6_) {
      icmp6_filter filter;
      ICMP6_FILTER_SETBLOCKALL(&filter);
      ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
      setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter));
    } else {
      const uint32_t blocked = ~(1u << ICMP_ECHOREPLY);
      setsockopt(fd, SOL_RAW, kIcmpFilter, &blocked, sizeof(blocked));
    }
    return fd;
  }

  std::vector<uint8_t> Make(uint64_t number) const override {
    std::vector<uint8_t> packet(kEchoHeader + token_.size() + sizeof(number));
    packet[0] = v6_ ? uint8_t{ICMP6_ECHO_REQUEST} : uint8_t{ICMP_ECHO};
    std::memcpy(&packet[4], token_.data(), 2);  // identifier
    Put16(static_cast<uint16_t>(number), &packet[6]);
    std::memcpy(&packet[kEchoHeader], token_.data(), token_.size());
    std::memcpy(&packet[kEchoHeader + token_.size()], &number, sizeof(number));
    if (!v6_) Put16(Checksum(packet), &packet[2]);  // for ICMPv6 the kernel computes it (RFC 3542 §3.1)
    return packet;
  }

  std::optional<uint64_t> NumberOf(std::span<const uint8_t> answer, uint64_t /*sent*/) const override {
    if (!v6_) {  // an IPv4 raw socket also receives the IP header
      if (answer.size() < sizeof(iphdr)) return std::nullopt;
      const size_t header = size_t{answer[0] & 0x0fu} * 4;
      if (answer.size() < header) return std::nullopt;
      answer = answer.subspan(header);
    }
    uint64_t number = 0;
    if (answer.size() < kEchoHeader + token_.size() + sizeof(number)) return std::nullopt;
    if (answer[0] != (v6_ ? uint8_t{ICMP6_ECHO_REPLY} : uint8_t{ICMP_ECHOREPLY})) return std::nullopt;
    if (std::memcmp(&answer[kEchoHeader], token_.data(), token_.size()) != 0) return std::nullopt;
    std::memcpy(&number, &answer[kEchoHeader + token_.size()], sizeof(number));
    return number;
  }

 private:
  const Target target_;
  const bool v6_;
  std::array<uint8_t, 8> token_{};  // of this process: other probes may use the same address
};

class DnsQuery : public Question {
 public:
  DnsQuery(const Target& target, const std::string& name) : target_(target) {
    query_ = {0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};  // RD, one question
    for (absl::string_view label : absl::StrSplit(name, '.', absl::SkipEmpty())) {
      query_.push_back(static_cast<uint8_t>(label.size()));
      query_.insert(query_.end(), label.begin(), label.end());
    }
    query_.insert(query_.end(), {0, 0, 1, 0, 1});  // root, A, IN
  }

  int Open() const override { return Connect(target_, SOCK_DGRAM, 0); }

  std::vector<uint8_t> Make(uint64_t number) const override {
    std::vector<uint8_t> packet = query_;
    Put16(static_cast<uint16_t>(number), packet.data());
    return packet;
  }

  // The id has 16 bits: it means the last packet sent with this id.
  std::optional<uint64_t> NumberOf(std::span<const uint8_t> answer, uint64_t sent) const override {
    if (answer.size() < kDnsHeader || (answer[2] & 0x80) == 0 || (answer[3] & 0x0f) != 0 || sent == 0)
      return std::nullopt;
    const auto id = static_cast<uint16_t>(answer[0] << 8 | answer[1]);
    const auto behind = static_cast<uint16_t>(static_cast<uint16_t>(sent - 1) - id);
    if (behind >= sent) return std::nullopt;
    return sent - 1 - behind;
  }

 private:
  const Target target_;
  std::vector<uint8_t> query_;
};

}  // namespace

std::unique_ptr<Question> MakeEcho(const std::string& address) {
  const std::optional<Target> target = ParseTarget(address, 0);
  return target ? std::make_unique<Echo>(*target) : nullptr;
}

std::unique_ptr<Question> MakeDnsQuery(const std::string& address, const std::string& name) {
  const std::optional<Target> target = ParseTarget(address, kDnsPort);
  return target ? std::make_unique<DnsQuery>(*target, name) : nullptr;
}

}  // namespace qure::lab

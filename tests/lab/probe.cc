// qure-probe: a client that sends to a service address at a constant rate and reports when no answer came.
#include <getopt.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "tests/lab/probe_question.h"
#include "tests/lab/probe_record.h"

namespace qure::lab {
namespace {

constexpr char kUsage[] = R"(usage: qure-probe [--rate PPS] [--seconds S] [--patience MS] [--dns NAME] ADDRESS

  --rate PPS      packets a second (default 1000)
  --seconds S     duration (default 60); SIGINT ends it earlier
  --patience MS   a later answer counts as lost (default 500)
  --dns NAME      query the A record of NAME over UDP instead of ICMP echo

Prints "answered" to standard error when the first answer comes, and a JSON report to standard output: sent, answered,
lost, late, duplicates; outage_ms, the longest time without an answered packet; gaps of more than 5 ms, on
CLOCK_MONOTONIC; rtt_ms; sender_late_ms, the longest delay of a packet by the sender.
)";

constexpr int64_t kSecond = 1'000'000'000;
constexpr uint64_t kMaxPackets = 100'000'000;
constexpr size_t kBatch = 16;  // sent at once after a delay: more would overflow the rings of the nodes
constexpr size_t kAnswers = 64;
constexpr size_t kAnswerSize = 2048;
constexpr int kReceiveBuffer = 64 << 20;
constexpr int kPriority = 10;  // above everything else in the lab: a late sender would look like an outage

volatile std::sig_atomic_t interrupted = 0;

struct Options {
  int rate = 1000;
  double seconds = 60;
  int patience_ms = 500;
  std::string dns;
  std::string address;
};

int64_t Now(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

void SleepUntil(int64_t at_ns) {
  const timespec at{.tv_sec = at_ns / kSecond, .tv_nsec = at_ns % kSecond};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at,
                  nullptr);  // a signal ends it early: the callers check the time again
}

// The kernel's time of receipt, on its wall clock; 0 if it gave none.
int64_t StampOf(msghdr* message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(message); part != nullptr; part = CMSG_NXTHDR(message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SO_TIMESTAMPNS) continue;
    timespec stamp{};
    std::memcpy(&stamp, CMSG_DATA(part), sizeof(stamp));
    return stamp.tv_sec * kSecond + stamp.tv_nsec;
  }
  return 0;
}

class Probe {
 public:
  Probe(const Question& question, int fd, const Options& options)
      : question_(question),
        fd_(fd),
        interval_(kSecond / options.rate),
        count_(static_cast<uint64_t>(options.seconds * options.rate)),
        patience_(options.patience_ms * kMillisecond),
        record_(interval_, patience_) {
    record_.Reserve(count_);
    for (size_t i = 0; i < kAnswers; ++i) {
      parts_[i] = {.iov_base = answers_[i].data(), .iov_len = kAnswerSize};
      received_[i].msg_hdr = {.msg_iov = &parts_[i], .msg_iovlen = 1, .msg_control = controls_[i].data()};
    }
  }

  nlohmann::ordered_json Run() {
    start_ = Now(CLOCK_MONOTONIC);
    while (!interrupted && record_.sent() < count_) {
      SendDue();
      Drain();
      SleepUntil(Due(record_.sent()));
    }
    const int64_t end = Now(CLOCK_MONOTONIC);
    while (record_.answered() < record_.sent() && Now(CLOCK_MONOTONIC) < end + patience_) {
      SleepUntil(Now(CLOCK_MONOTONIC) + kMillisecond);
      Drain();
    }
    nlohmann::ordered_json report = {{"start_ns", start_}, {"end_ns", end}};
    report.update(record_.ToJson(end));
    return report;
  }

 private:
  int64_t Due(uint64_t number) const { return start_ + static_cast<int64_t>(number) * interval_; }

  // Packets that the kernel refuses (no route, no neighbour) count as lost.
  void SendDue() {
    const int64_t now = Now(CLOCK_MONOTONIC);
    std::array<std::vector<uint8_t>, kBatch> packets;
    std::array<iovec, kBatch> parts;
    std::array<mmsghdr, kBatch> messages{};
    size_t size = 0;
    while (size < kBatch && record_.sent() < count_ && Due(record_.sent()) <= now) {
      packets[size] = question_.Make(record_.Send(Due(record_.sent()), now));
      parts[size] = {.iov_base = packets[size].data(), .iov_len = packets[size].size()};
      messages[size].msg_hdr = {.msg_iov = &parts[size], .msg_iovlen = 1};
      ++size;
    }
    for (size_t done = 0; done < size;) {
      const int sent = sendmmsg(fd_, &messages[done], static_cast<unsigned>(size - done), 0);
      done += sent > 0 ? static_cast<size_t>(sent) : 1;
    }
  }

  void Drain() {
    int count = 0;
    do {
      for (mmsghdr& message : received_) message.msg_hdr.msg_controllen = kControl;
      count = recvmmsg(fd_, received_.data(), kAnswers, MSG_DONTWAIT, nullptr);
      const int64_t wall_ahead = Now(CLOCK_REALTIME) - Now(CLOCK_MONOTONIC);
      for (int i = 0; i < count; ++i) Take(static_cast<size_t>(i), wall_ahead);
    } while (count == static_cast<int>(kAnswers));
  }

  void Take(size_t i, int64_t wall_ahead) {
    const auto number = question_.NumberOf({answers_[i].data(), received_[i].msg_len}, record_.sent());
    if (!number) return;
    const int64_t stamp = StampOf(&received_[i].msg_hdr);
    if (record_.answered() == 0) std::fputs("answered\n", stderr);
    record_.Answer(*number, stamp != 0 ? stamp - wall_ahead : Now(CLOCK_MONOTONIC));
  }

  static constexpr size_t kControl = 128;

  const Question& question_;
  const int fd_;
  const int64_t interval_;
  const uint64_t count_;
  const int64_t patience_;
  int64_t start_ = 0;
  ProbeRecord record_;

  std::array<std::array<uint8_t, kAnswerSize>, kAnswers> answers_;
  alignas(cmsghdr) std::array<std::array<uint8_t, kControl>, kAnswers> controls_;
  std::array<iovec, kAnswers> parts_{};
  std::array<mmsghdr, kAnswers> received_{};
};

// As far as the permissions allow: without them the program runs, but with less precise timing.
void RaisePriority() {
  const sched_param priority{.sched_priority = kPriority};
  sched_setscheduler(0, SCHED_FIFO, &priority);
  prctl(PR_SET_TIMERSLACK, 1);
  mlockall(MCL_CURRENT | MCL_FUTURE);
}

bool Parse(int argc, char** argv, Options* out) {
  static constexpr std::array<option, 6> kOptions = {{{"rate", required_argument, nullptr, 'r'},
                                                      {"seconds", required_argument, nullptr, 's'},
                                                      {"patience", required_argument, nullptr, 'p'},
                                                      {"dns", required_argument, nullptr, 'd'},
                                                      {"help", no_argument, nullptr, 'h'},
                                                      {nullptr, 0, nullptr, 0}}};
  int option = 0;
  while ((option = getopt_long(argc, argv, "r:s:p:d:h", kOptions.data(), nullptr)) != -1) {
    if (option == 'h') {
      std::fputs(kUsage, stdout);
      std::exit(EXIT_SUCCESS);
    }
    if (option == 'r' && !absl::SimpleAtoi(optarg, &out->rate)) return false;
    if (option == 's' && !absl::SimpleAtod(optarg, &out->seconds)) return false;
    if (option == 'p' && !absl::SimpleAtoi(optarg, &out->patience_ms)) return false;
    if (option == 'd') out->dns = optarg;
    if (option == '?') return false;
  }
  if (optind + 1 != argc) return false;
  out->address = argv[optind];
  return out->rate > 0 && out->rate <= 1'000'000 && out->patience_ms > 0 && out->seconds > 0 &&
         out->seconds * out->rate <= static_cast<double>(kMaxPackets);
}

int Main(int argc, char** argv) {
  Options options;
  const auto question = [&]() -> std::unique_ptr<Question> {
    if (!Parse(argc, argv, &options)) return nullptr;
    return options.dns.empty() ? MakeEcho(options.address) : MakeDnsQuery(options.address, options.dns);
  }();
  if (question == nullptr) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  const int fd = question->Open();
  if (fd < 0) {
    std::fprintf(stderr, "qure-probe: %s: %s\n", options.address.c_str(), std::strerror(errno));
    return 1;
  }
  const int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one));
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof(kReceiveBuffer)) < 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof(kReceiveBuffer));
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = 1; };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  RaisePriority();
  const auto probe = std::make_unique<Probe>(*question, fd, options);
  std::puts(probe->Run().dump().c_str());
  close(fd);
  return 0;
}

}  // namespace
}  // namespace qure::lab

int main(int argc, char** argv) {
  return qure::lab::Main(argc, argv);
}

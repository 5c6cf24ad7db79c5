#include "control/qurectl/child.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>

#include "control/base/fd.h"
#include "control/base/text.h"

namespace qure {
namespace {

// While a child has the terminal, its keys to interrupt and to quit are for that one alone.
class Undisturbed {
 public:
  Undisturbed() {
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGINT, &ignore, &interrupt_);
    sigaction(SIGQUIT, &ignore, &quit_);
  }
  ~Undisturbed() {
    sigaction(SIGINT, &interrupt_, nullptr);
    sigaction(SIGQUIT, &quit_, nullptr);
  }
  Undisturbed(const Undisturbed&) = delete;
  Undisturbed& operator=(const Undisturbed&) = delete;

 private:
  struct sigaction interrupt_ {};
  struct sigaction quit_ {};
};

// 0, or the error. `output`: of the child; -1: as it is.
int Start(const std::vector<std::string>& words, int output, pid_t* child) {
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  sigset_t usual;
  sigemptyset(&usual);
  sigaddset(&usual, SIGINT);
  sigaddset(&usual, SIGQUIT);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setsigdefault(&attributes, &usual);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (output >= 0) posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  const int error = posix_spawnp(child, argv[0], &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return error;
}

std::string ReadAll(const Fd& from) {
  std::string all;
  std::array<char, 16384> buffer;
  while (true) {
    const ssize_t length = read(from.get(), buffer.data(), buffer.size());
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) return all;
    all.append(buffer.data(), static_cast<size_t>(length));
  }
}

}  // namespace

absl::StatusOr<Ended> RunChild(const std::vector<std::string>& words, Output output) {
  std::array<int, 2> pipe = {-1, -1};
  if (output == Output::kTaken && pipe2(pipe.data(), O_CLOEXEC) < 0) return absl::ErrnoToStatus(errno, "pipe");
  const Fd from_child(pipe[0]);
  Fd to_us(pipe[1]);
  const Undisturbed undisturbed;
  pid_t child = -1;
  if (const int error = Start(words, to_us.get(), &child); error != 0) {
    return absl::ErrnoToStatus(error, Concat(words[0], ": cannot be started"));
  }
  to_us = Fd();
  Ended ended;
  if (from_child.valid()) ended.output = ReadAll(from_child);
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return absl::ErrnoToStatus(errno, words[0]);
  }
  ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ended;
}

PrivateDirectory::~PrivateDirectory() {
  if (path_.empty() || kept_) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

absl::Status PrivateDirectory::Make() {
  const char* const parent = std::getenv("TMPDIR");
  std::string path = Concat(parent == nullptr || *parent == '\0' ? "/tmp" : parent, "/qurectl-XXXXXX");
  if (mkdtemp(path.data()) == nullptr) {
    return absl::ErrnoToStatus(errno, Concat(path, ": cannot be made; set TMPDIR to a directory with room"));
  }
  path_ = path;
  return absl::OkStatus();
}

absl::StatusOr<std::string> PrivateDirectory::Write(const std::string& name, const std::string& text) const {
  const std::string path = Concat(path_, "/", name);
  std::ofstream file(path, std::ios::trunc);
  file << text;
  file.close();
  if (!file) return absl::UnknownError(Concat(path, ": cannot be written; set TMPDIR to a directory with room"));
  return path;
}

}  // namespace qure

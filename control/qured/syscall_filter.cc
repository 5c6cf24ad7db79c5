#include "control/qured/syscall_filter.h"

#include <linux/bpf.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>
#include <memory>

#include "control/qured/start_again.h"

namespace qure {
namespace {

// An ioctl's number and a flag word have 32 bits for the kernel, whatever the rest of the register holds.
constexpr scmp_datum_t kWord = 0xffff'ffff;
constexpr scmp_datum_t kForeignNamespaces =
    CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUSER | CLONE_NEWUTS;

// Nothing in qured and its libraries asks for these, so who does is not qured.
constexpr int kDeadly[] = {
    // other programs and processes
    SCMP_SYS(execveat), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
    SCMP_SYS(pidfd_getfd), SCMP_SYS(kcmp), SCMP_SYS(personality),
    // other views of the machine
    SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(chroot), SCMP_SYS(pivot_root), SCMP_SYS(mount), SCMP_SYS(umount2),
    SCMP_SYS(move_mount), SCMP_SYS(open_tree), SCMP_SYS(fsopen), SCMP_SYS(fsconfig), SCMP_SYS(fsmount),
    SCMP_SYS(fspick), SCMP_SYS(mount_setattr), SCMP_SYS(open_by_handle_at),
    // the kernel itself
    SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(keyctl),
    SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(perf_event_open), SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register)};

constexpr int kAllowed[] = {
    // files: store, configuration, zones, sysctls, EAL's runtime directory
    SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(write), SCMP_SYS(writev),
    SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(close), SCMP_SYS(close_range),
    SCMP_SYS(lseek), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(statx),
    SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
    SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getdents64), SCMP_SYS(getcwd), SCMP_SYS(fcntl), SCMP_SYS(flock),
    SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(unlink),
    SCMP_SYS(unlinkat), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(mkdir), SCMP_SYS(mkdirat),
    SCMP_SYS(rmdir), SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(fchown), SCMP_SYS(dup),
    SCMP_SYS(dup2), SCMP_SYS(dup3),
    // waiting, and what is waited for
    SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(eventfd2), SCMP_SYS(signalfd4), SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_gettime), SCMP_SYS(epoll_create), SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(poll),
    SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep),
    SCMP_SYS(restart_syscall),
    // sockets, but for new ones: those by family
    SCMP_SYS(socketpair), SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(connect),
    SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(sendto),
    SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(recvmmsg),
    SCMP_SYS(shutdown), SCMP_SYS(ioctl),
    // memory, but for what is executable
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mlock), SCMP_SYS(mlock2),
    SCMP_SYS(munlock), SCMP_SYS(msync), SCMP_SYS(membarrier), SCMP_SYS(memfd_create), SCMP_SYS(get_mempolicy),
    SCMP_SYS(set_mempolicy), SCMP_SYS(mbind),
    // threads and signals
    SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_setaffinity), SCMP_SYS(setpriority), SCMP_SYS(gettid), SCMP_SYS(getpid), SCMP_SYS(exit),
    SCMP_SYS(exit_group), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    // what there is to know
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getcpu),
    SCMP_SYS(getrandom), SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(getrusage), SCMP_SYS(getuid), SCMP_SYS(geteuid),
    SCMP_SYS(getgid), SCMP_SYS(getegid),
    // what only a start asks for: the program may execute itself
    SCMP_SYS(arch_prctl), SCMP_SYS(set_tid_address), SCMP_SYS(capget), SCMP_SYS(capset), SCMP_SYS(seccomp),
    SCMP_SYS(iopl)};

// By these the program of an af_xdp port leaves the interface when the port is closed.
constexpr bpf_cmd kLeaveInterface[] = {BPF_MAP_LOOKUP_ELEM,   BPF_MAP_UPDATE_ELEM,   BPF_MAP_DELETE_ELEM,
                                       BPF_OBJ_GET,           BPF_PROG_GET_FD_BY_ID, BPF_MAP_GET_FD_BY_ID,
                                       BPF_LINK_GET_FD_BY_ID, BPF_BTF_GET_FD_BY_ID,  BPF_OBJ_GET_INFO_BY_FD,
                                       BPF_LINK_DETACH};

constexpr int kFamilies[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET};

scmp_datum_t AddressOf(const char* path) {
  return reinterpret_cast<scmp_datum_t>(path);
}

// The first error of several calls of libseccomp, which return 0 or a negative errno.
class Filter {
 public:
  explicit Filter(uint32_t default_action) : context_(seccomp_init(default_action), seccomp_release) {
    if (context_ == nullptr) {
      Note(-ENOMEM);
      return;
    }
    Set(SCMP_FLTATR_CTL_TSYNC, 1);
    Set(SCMP_FLTATR_CTL_OPTIMIZE, kBinaryTree);
    Set(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    // Kernels before 5.16 slow a filtered process down, as if foreign code ran in it. None does in this one.
    Set(SCMP_FLTATR_CTL_SSB, 1);
  }
  void Add(uint32_t action, int call, std::initializer_list<scmp_arg_cmp> conditions = {}) {
    if (error_ != 0) return;
    Note(seccomp_rule_add_array(context_.get(), action, call, static_cast<unsigned>(conditions.size()),
                                conditions.begin()));
  }
  // Of all that is refused. The kernel logs what kills in any case.
  void Log() { Set(SCMP_FLTATR_CTL_LOG, 1); }
  // In force for all threads, if this succeeds.
  int Load() {
    if (error_ == 0) Note(seccomp_load(context_.get()));
    return error_;
  }

 private:
  static constexpr uint32_t kBinaryTree = 2;  // cheaper than one comparison after the other

  void Note(int error) {
    if (error_ == 0) error_ = error;
  }
  void Set(scmp_filter_attr attribute, uint32_t value) { Note(seccomp_attr_set(context_.get(), attribute, value)); }

  std::unique_ptr<void, void (*)(scmp_filter_ctx)> context_;
  int error_ = 0;
};

int LoadForbidden(PortKind lan) {
  Filter filter(SCMP_ACT_ALLOW);
  for (const int call : kDeadly) filter.Add(SCMP_ACT_KILL_PROCESS, call);
  // But for its own: the path is known by its address.
  filter.Add(SCMP_ACT_KILL_PROCESS, SCMP_SYS(execve), {SCMP_A0(SCMP_CMP_NE, AddressOf(PathOfItself()))});
  if (lan != PortKind::kAfXdp) filter.Add(SCMP_ACT_KILL_PROCESS, SCMP_SYS(bpf));
  // What a terminal would take for typed by its user.
  filter.Add(SCMP_ACT_KILL_PROCESS, SCMP_SYS(ioctl), {SCMP_A1(SCMP_CMP_MASKED_EQ, kWord, TIOCSTI)});
  filter.Add(SCMP_ACT_KILL_PROCESS, SCMP_SYS(ioctl), {SCMP_A1(SCMP_CMP_MASKED_EQ, kWord, TIOCLINUX)});
  // Its flags are in memory, where no filter sees them. The C library falls back to clone, and nobody need hear of it.
  filter.Add(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3));
  return filter.Load();
}

int LoadAllowed(PortKind lan) {
  Filter filter(SCMP_ACT_ERRNO(EPERM));
  filter.Log();
  for (const int call : kAllowed) filter.Add(SCMP_ACT_ALLOW, call);
  for (const int family : kFamilies) {
    filter.Add(SCMP_ACT_ALLOW, SCMP_SYS(socket), {SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(family))});
  }
  if (lan == PortKind::kAfXdp) {
    for (const bpf_cmd command : kLeaveInterface) {
      filter.Add(SCMP_ACT_ALLOW, SCMP_SYS(bpf), {SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(command))});
    }
  }
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
    filter.Add(SCMP_ACT_ALLOW, call, {SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)});
  }
  // The program and its libraries, when it starts again.
  filter.Add(SCMP_ACT_ALLOW, SCMP_SYS(mmap), {SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC | PROT_WRITE, PROT_EXEC)});
  filter.Add(SCMP_ACT_ALLOW, SCMP_SYS(execve), {SCMP_A0(SCMP_CMP_EQ, AddressOf(PathOfItself()))});
  // Threads, no processes. On clone3 the other filter has the word.
  filter.Add(SCMP_ACT_ALLOW, SCMP_SYS(clone),
             {SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD | kForeignNamespaces, CLONE_THREAD)});
  filter.Add(SCMP_ACT_ALLOW, SCMP_SYS(clone3));
  filter.Add(SCMP_ACT_ALLOW, SCMP_SYS(tgkill), {SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(getpid()))});
  for (const int option : {PR_SET_NAME, PR_SET_TIMERSLACK, PR_CAPBSET_READ, PR_SET_NO_NEW_PRIVS}) {
    filter.Add(SCMP_ACT_ALLOW, SCMP_SYS(prctl), {SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(option))});
  }
  filter.Add(SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), {SCMP_A0(SCMP_CMP_EQ, 0)});
  return filter.Load();
}

}  // namespace

absl::Status FilterSystemCalls(PortKind lan) {
  // Of two filters the more severe answer counts. The second one does not allow to load another.
  if (const int error = LoadForbidden(lan); error != 0) return absl::ErrnoToStatus(-error, "no filter of system calls");
  if (const int error = LoadAllowed(lan); error != 0) {
    return absl::ErrnoToStatus(-error, "no list of allowed system calls");
  }
  return absl::OkStatus();
}

}  // namespace qure

// A child process that writes to a store until it is killed.
//
// The parent is single-threaded when it forks; the child's memory is its own, except the AckTable
// and what else was mapped as shared before. Thread safety: one thread.
#pragma once

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <utility>

namespace bellwether::stress {

// A T in memory that is shared with children.
template <class T>
class Shared {
 public:
  Shared()
      : memory_(
            ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    if (memory_ == MAP_FAILED) throw std::bad_alloc();
    new (memory_) T();
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() { (void)::munmap(memory_, sizeof(T)); }

  T* operator->() const { return static_cast<T*>(memory_); }
  T& operator*() const { return *static_cast<T*>(memory_); }

 private:
  void* const memory_;
};

class Child {
 public:
  // Runs body(), which returns an exit code, in a child that dies with this process.
  template <class Body>
  explicit Child(const Body& body) {
    std::fflush(nullptr);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ != 0) return;
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    // The parent may have died before it asked for the signal.
    if (::getppid() != parent) std::_Exit(1);
    const int code = body();
    std::fflush(nullptr);
    std::_Exit(code);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ > 0) (void)Kill();
  }

  bool started() const { return pid_ > 0; }

  // True while it runs.
  bool Running() {
    if (pid_ > 0 && ::waitpid(pid_, &wait_status_, WNOHANG) == pid_) pid_ = 0;
    return pid_ > 0;
  }

  // kill -9, and waits for its end. Empty: it died of that; else how it had ended before.
  std::string Kill() {
    if (pid_ > 0) {
      (void)::kill(pid_, SIGKILL);
      while (::waitpid(pid_, &wait_status_, 0) < 0 && errno == EINTR) {
      }
      pid_ = 0;
    }
    if (WIFSIGNALED(wait_status_) && WTERMSIG(wait_status_) == SIGKILL) return "";
    if (WIFSIGNALED(wait_status_)) {
      return "the child died of signal " + std::to_string(WTERMSIG(wait_status_));
    }
    return "the child ended with exit code " + std::to_string(WEXITSTATUS(wait_status_));
  }

 private:
  pid_t pid_ = -1;
  int wait_status_ = 0;
};

}  // namespace bellwether::stress

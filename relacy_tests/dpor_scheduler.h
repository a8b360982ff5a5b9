// Plugs a Search into Relacy, unpatched: rl::run_test<Test, DporScheduler<N>>. Relacy asks for the
// next thread and for every value choice; the search decides. Relacy's own schedulers are not used:
// their "full search" leaves out legal executions of code that blocks (litmus_test.cc).
//
// Thread safety: none; Relacy runs one fiber at a time.
#pragma once

#include "relacy_tests/relacy.h"
#include "relacy_tests/search.h"

namespace bellwether::relacy {

// Relacy makes the scheduler itself, so the search reaches it from here.
inline Search* active_search = nullptr;

template <rl::thread_id_t kThreads>
class DporScheduler
    : public rl::scheduler<DporScheduler<kThreads>, rl::scheduler_thread_info, kThreads> {
 public:
  using Base = rl::scheduler<DporScheduler<kThreads>, rl::scheduler_thread_info, kThreads>;
  using thread_info_t = typename Base::thread_info_t;
  using shared_context_t = typename Base::shared_context_t;
  struct task_t {};

  DporScheduler(rl::test_params& params, shared_context_t& context, rl::thread_id_t dynamic_threads)
      : Base(params, context, dynamic_threads) {}

  rl::thread_id_t iteration_begin_impl() {
    execution.Begin();
    active_search->BeginExecution();
    return active_search->NextThread(Running(), -1);
  }

  bool iteration_end_impl() { return active_search->EndExecution(); }

  rl::thread_id_t schedule_impl(rl::unpark_reason& reason, unsigned /*yield*/) {
    reason = rl::unpark_reason_normal;
    const bool running = this->thread_->state_ == rl::thread_state_running;
    const int next = active_search->NextThread(Running(), running ? this->thread_->index_ : -1);
    if (next < 0) {
      rl::ctx().fail_test("deadlock", rl::test_result_deadlock, rl::debug_info());
    }
    return next;
  }

  unsigned rand_impl(unsigned limit, rl::sched_type /*type*/) {
    return active_search->NextValue(limit);
  }

  // What Relacy calls and this scheduler has no use for: a replay is a Strategy, nothing parks.
  rl::iteration_t iteration_count_impl() { return this->iter_ + 1; }
  void get_state_impl(std::ostream& /*state*/) {}
  void set_state_impl(std::istream& /*state*/) {}
  void on_thread_block(rl::thread_id_t /*thread*/, bool /*yield*/) {}
  void thread_finished_impl() {}
  void purge_blocked_threads() {}

 private:
  unsigned Running() const {
    unsigned running = 0;
    for (int i = 0; i < this->running_threads_count; ++i) {
      running |= 1u << this->running_threads[static_cast<std::size_t>(i)];
    }
    return running;
  }
};

}  // namespace bellwether::relacy

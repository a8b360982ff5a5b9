#include "relacy_tests/harness.h"

#include <signal.h>

#include <array>
#include <chrono>
#include <csignal>
#include <fstream>
#include <map>
#include <sstream>

#include "relacy_tests/dpor_scheduler.h"

namespace bellwether::relacy {
namespace {

const Subject* active_subject = nullptr;
const RunOptions* active_options = nullptr;
Search* search = nullptr;
std::chrono::steady_clock::time_point deadline;
bool mutated_order_used = false;

// Relacy tracks the heap of a test, and each free branches in two. Nothing that is explored here
// passes memory between threads by the heap, so its tracking stays off.
struct HeapTracking : rl::context {
  static void Disable(rl::context& context) { context.*(&HeapTracking::disable_alloc_) = 1; }
};

bool OutOfTime(std::uint64_t runs) {
  return active_options->time_limit > 0 && (runs & 63) == 0 &&
         std::chrono::steady_clock::now() >= deadline;
}

// A wild pointer of the code under test is a failure of the execution like any other. Relacy leaves
// a fiber by a jump as well, so jumping out of the handler leaves nothing behind that is needed.
void OnInvalidAccess(int signal) {
  if (rl::is_ctx() && rl::ctx().threadx_ != nullptr) {
    execution.failed_property = "CRASH: an invalid pointer was used";
    rl::ctx().fail_test("", rl::test_result_access_to_freed_memory, rl::debug_info());
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void CatchInvalidAccesses() {
  static std::array<char, 64 * 1024> handler_stack;
  stack_t stack = {};
  stack.ss_sp = handler_stack.data();
  stack.ss_size = handler_stack.size();
  sigaltstack(&stack, nullptr);
  struct sigaction action = {};
  action.sa_handler = OnInvalidAccess;
  action.sa_flags = SA_ONSTACK | SA_NODEFER;
  sigaction(SIGSEGV, &action, nullptr);
  sigaction(SIGBUS, &action, nullptr);
}

template <int kThreads>
struct Suite : rl::test_suite<Suite<kThreads>, kThreads> {
  Suite() {
    HeapTracking::Disable(rl::ctx());
    active_subject->construct();
  }
  ~Suite() { active_subject->destroy(); }

  void before() { execution.Begin(); }

  void thread(unsigned index) { active_subject->thread(static_cast<int>(index)); }

  void after() {
    if (active_subject->after) active_subject->after();
    mutated_order_used = mutated_order_used || execution.mutated_order_used;
    if (active_options->on_trace && search->last_was_counted()) {
      active_options->on_trace(search->trace().value());
    }
    const std::uint64_t runs = search->runs() + 1;
    if (active_options->progress) active_options->progress(runs);
    if (OutOfTime(runs)) rl::ctx().rl_until("time limit", rl::debug_info());
  }
};

template <int kThreads>
rl::test_result_e Run(rl::test_params& params) {
  rl::ostringstream state;
  return rl::run_test<Suite<kThreads>, DporScheduler<kThreads>>(params, state, false);
}

rl::test_result_e RunWithThreads(rl::test_params& params, int threads) {
  switch (threads) {
    case 2:
      return Run<2>(params);
    case 3:
      return Run<3>(params);
    case 4:
      return Run<4>(params);
    case 5:
      return Run<5>(params);
    default:
      return Run<6>(params);
  }
}

Verdict ToVerdict(rl::test_result_e result) {
  switch (result) {
    case rl::test_result_success:
      return Verdict::kOk;
    case rl::test_result_until_condition_hit:
      return Verdict::kIncomplete;
    case rl::test_result_deadlock:
      return Verdict::kDeadlock;
    case rl::test_result_livelock:
      return Verdict::kLivelock;
    default:
      return Verdict::kUnsafe;
  }
}

std::string Describe(rl::test_result_e result) {
  if (!execution.failed_property.empty()) return execution.failed_property;
  return rl::test_result_str(result);
}

std::string Place(const std::source_location& where) {
  const std::string file = where.file_name();
  return file.substr(file.rfind('/') + 1) + ":" + std::to_string(where.line());
}

}  // namespace

Outcome Explore(const Subject& subject, const RunOptions& options) {
  SearchOptions how = options.search;
  how.hashes_traces = options.on_trace != nullptr;
  Search running(how);
  active_subject = &subject;
  active_options = &options;
  search = &running;
  active_search = &running;
  mutated_order_used = false;
  CatchInvalidAccesses();
  deadline = std::chrono::steady_clock::now() +
             std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                 std::chrono::duration<double>(options.time_limit));

  rl::test_params params;
  std::ofstream nowhere("/dev/null");
  params.progress_stream = &nowhere;
  params.output_stream = &nowhere;
  // Relacy's name for "a load may be two stores old"; the search decides all the same.
  params.search_type = options.stale_depth >= 2 ? rl::sched_random : rl::sched_full;
  params.execution_depth_limit = 4000;
  const rl::test_result_e result = RunWithThreads(params, subject.threads);

  Outcome outcome;
  outcome.verdict = ToVerdict(result);
  const bool failed = outcome.verdict != Verdict::kOk;
  outcome.executions = running.executions() + (failed ? 1 : 0);
  outcome.redundant = running.redundant();
  outcome.depth = running.max_depth();
  outcome.mutated_order_used = mutated_order_used || execution.mutated_order_used;
  if (failed && outcome.verdict != Verdict::kIncomplete) {
    outcome.what = Describe(result);
    if (outcome.verdict == Verdict::kUnsafe) outcome.where = Place(execution.where);
    outcome.choices = running.choices();
  }
  if (failed || options.always_lanes) {
    outcome.lanes = Lanes(subject.threads) + execution.explanation;
  }
  return outcome;
}

std::string Lanes(int threads) {
  constexpr std::size_t kWidth = 44;
  std::map<const void*, std::string> names;  // of Writers, by the action Write
  std::map<int, int> writes;
  std::ostringstream text;
  const auto name_of = [&](std::uint64_t value) {
    const auto found = names.find(reinterpret_cast<const void*>(value));
    return found != names.end() ? found->second : std::to_string(value);
  };
  for (int t = 0; t < threads; ++t) {
    std::string head = "thread " + std::to_string(t);
    text << head << std::string(kWidth - head.size(), ' ');
  }
  text << "\n";
  std::size_t number = 0;
  for (const Row& row : execution.rows) {
    if (row.action && row.name == "Write") {
      names[row.object] =
          "w" + std::to_string(row.thread) + "." + std::to_string(++writes[row.thread]);
    }
    std::string cell(row.name);
    if (row.action) {
      cell = "** " + cell + " " + name_of(reinterpret_cast<std::uint64_t>(row.object));
    } else {
      cell = "   " + cell + " " + row.note + " " + name_of(row.value);
    }
    text << std::string(kWidth * static_cast<std::size_t>(row.thread), ' ') << cell;
    const std::size_t used = kWidth * static_cast<std::size_t>(row.thread) + cell.size();
    const std::size_t total = kWidth * static_cast<std::size_t>(threads);
    text << std::string(used < total ? total - used : 1, ' ') << "#" << ++number << "\n";
  }
  return text.str();
}

}  // namespace bellwether::relacy
